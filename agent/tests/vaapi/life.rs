//! Sessions and devices: many, lost, and modes that the card refuses.

use crate::{
    driver::with_driver,
    pictures::{Pictures, VAAPI, numbers, settings},
};
use punktfunk_agent::encode::{Choice, EncodeError, EncoderSettings};

#[test]
fn two_hundred_streams_leave_nothing_behind() {
    let body = || {
        for number in 0..200 {
            let codec = ["h264", "h265", "av1"][number % 3];
            Pictures::open(codec, &settings(128, 128)).some(2);
        }
    };
    let name = "life::two_hundred_streams_leave_nothing_behind";
    with_driver(name, &[], body, |rig| {
        assert_eq!(rig.count("contexts_opened"), 200);
        assert_eq!(rig.pictures().len(), 400);
    });
}

#[test]
fn twenty_lost_devices_end_no_stream_and_leave_nothing_behind() {
    let knobs = [("VAAPI_DOUBLE_LOSE", "3"), ("VAAPI_DOUBLE_LOSSES", "20")];
    let body = || {
        let mut pictures = Pictures::open("h264", &settings(320, 192));
        let mut units = Vec::new();
        for index in 0..70 {
            let (unit, key) = pictures.next().expect("no picture is left out");
            assert_eq!(key, index <= 60 && index % 3 == 0, "picture {index}");
            units.push(unit);
        }
        let wanted: Vec<Option<u32>> = (1..=70).map(Some).collect();
        assert_eq!(numbers(&units, (320, 192)), wanted);
    };
    let name = "life::twenty_lost_devices_end_no_stream_and_leave_nothing_behind";
    with_driver(name, &knobs, body, |rig| {
        assert_eq!(rig.count("contexts_opened"), 21);
    });
}

#[test]
fn a_card_that_opens_and_never_encodes_is_given_up() {
    let body = || {
        let mut pictures = Pictures::open("h264", &settings(128, 128));
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let error = loop {
            assert!(std::time::Instant::now() < end, "it is tried forever");
            match pictures.next_as(Clone::clone) {
                Ok(unit) => assert!(unit.is_none()),
                Err(error) => break error.to_string(),
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        assert!(error.contains("it did not come back"), "{error}");
    };
    let name = "life::a_card_that_opens_and_never_encodes_is_given_up";
    with_driver(name, &[("VAAPI_DOUBLE_LOSE", "0")], body, |rig| {
        let opened = rig.count("contexts_opened");
        assert!(opened > 3, "{opened}: given up at once");
        // four a second, for ten seconds
        assert!(opened < 60, "{opened}: opened for each picture");
    });
}

#[test]
fn a_device_that_stays_away_costs_pictures_and_comes_back_with_a_key_frame_at_the_last_rate() {
    let knobs = [
        ("VAAPI_DOUBLE_LOSE", "5"),
        ("VAAPI_DOUBLE_LOSSES", "1"),
        ("VAAPI_DOUBLE_AWAY", "3"),
    ];
    let body = || {
        let mut pictures = Pictures::open("h264", &settings(320, 192));
        pictures.some(5);
        assert!(pictures.next().is_none(), "the device is away");
        pictures.encoder.set_bitrate(1500).unwrap();
        assert!(!pictures.encoder.invalidate_refs(3, 4));
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let (unit, key) = loop {
            assert!(std::time::Instant::now() < end, "it never came back");
            if let Some(unit) = pictures.next() {
                break unit;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        assert!(key);
        assert_eq!(numbers(&[unit], (320, 192)), [Some(pictures.number)]);
    };
    let name = "life::a_device_that_stays_away_costs_pictures_and_comes_back_with_a_key_frame_at_the_last_rate";
    with_driver(name, &knobs, body, |rig| {
        assert_eq!(rig.pictures().last().unwrap().kbps, 1500);
    });
}

#[test]
fn several_encoders_run_at_once_and_come_before_the_processor() {
    let body = || {
        let mut all: Vec<Pictures> = (0..3)
            .map(|_| Pictures::open("h264", &settings(128, 128)))
            .collect();
        for pictures in &mut all {
            pictures.some(3);
        }
        let auto = Choice::Auto.open("h264", &settings(128, 128)).unwrap();
        assert_eq!(auto.name(), "vaapi");
    };
    let name = "life::several_encoders_run_at_once_and_come_before_the_processor";
    with_driver(name, &[], body, |_| {});
}

#[test]
fn what_the_card_cannot_do_is_refused_before_anything_is_allocated() {
    let body = || {
        for (wanted, part) in [
            (settings(641, 368), "even"),
            (settings(4098, 368), "4096"),
            (
                EncoderSettings {
                    fps: 0,
                    ..settings(640, 368)
                },
                "frames a second",
            ),
            (
                EncoderSettings {
                    fps: 240,
                    ..settings(3840, 2160)
                },
                "level 5.2",
            ),
            (
                EncoderSettings {
                    hdr: true,
                    ..settings(640, 368)
                },
                "8 bits",
            ),
            (
                EncoderSettings {
                    chroma_444: true,
                    ..settings(640, 368)
                },
                "4:2:0",
            ),
        ] {
            let error = VAAPI.open("h264", &wanted).err().expect("refused");
            assert!(matches!(error, EncodeError::Mode { .. }), "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
        let error = VAAPI.open("h265", &settings(640, 368)).err();
        let error = error.expect("refused").to_string();
        for part in ["does not encode h265", "Simulated VAAPI driver"] {
            assert!(error.contains(part), "{error}");
        }
        Pictures::open("h264", &settings(128, 128)).some(1);
    };
    let name = "life::what_the_card_cannot_do_is_refused_before_anything_is_allocated";
    let knobs = [("VAAPI_DOUBLE_CODECS", "h264")];
    with_driver(name, &knobs, body, |rig| {
        assert_eq!(rig.count("contexts_opened"), 1, "the one that was possible");
    });
}
