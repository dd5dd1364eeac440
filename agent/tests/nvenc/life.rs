//! Sessions and devices: many, lost, busy, too many, and modes that the card refuses.

use crate::{
    driver::with_driver,
    pictures::{NVENC, Pictures, settings, shown},
};
use openh264::decoder::Decoder;
use punktfunk_agent::encode::{Choice, EncodeError, EncoderSettings, nvenc};

#[test]
fn a_thousand_streams_leave_nothing_behind() {
    let body = || {
        for _ in 0..1000 {
            Pictures::open("h264", &settings(128, 128))
                .next()
                .expect("a picture");
        }
    };
    with_driver(
        "life::a_thousand_streams_leave_nothing_behind",
        &[],
        body,
        |rig| {
            assert_eq!(rig.count("sessions_opened"), 1001);
            assert_eq!(rig.count("contexts_made"), 1001);
        },
    );
}

#[test]
fn a_hundred_lost_devices_end_no_stream_and_leave_nothing_behind() {
    let knobs = [("NVENC_DOUBLE_LOSE", "3"), ("NVENC_DOUBLE_LOSSES", "100")];
    let body = || {
        let mut pictures = Pictures::open("h264", &settings(640, 368));
        let mut decoder = Decoder::new().unwrap();
        for number in 1..=310 {
            let (unit, key) = pictures.next().expect("no picture is left out");
            assert_eq!(
                key,
                number <= 301 && (number - 1) % 3 == 0,
                "picture {number}"
            );
            assert_eq!(shown(&mut decoder, &unit), Some(number));
        }
    };
    let name = "life::a_hundred_lost_devices_end_no_stream_and_leave_nothing_behind";
    with_driver(name, &knobs, body, |rig| {
        assert_eq!(rig.count("sessions_opened"), 102);
        assert_eq!(rig.count("contexts_made"), 102);
    });
}

#[test]
fn a_card_that_opens_and_never_encodes_is_given_up() {
    let body = || {
        let mut pictures = Pictures::open("h264", &settings(128, 128));
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let error = loop {
            assert!(std::time::Instant::now() < end, "it is tried forever");
            match pictures.try_next() {
                Ok(unit) => assert!(unit.is_none()),
                Err(error) => break error.to_string(),
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        assert!(error.contains("it did not come back"), "{error}");
    };
    let name = "life::a_card_that_opens_and_never_encodes_is_given_up";
    with_driver(name, &[("NVENC_DOUBLE_LOSE", "0")], body, |rig| {
        let opened = rig.count("sessions_opened");
        assert!(opened > 3, "{opened}: given up at once");
        // four a second, for ten seconds
        assert!(opened < 60, "{opened}: opened for each picture");
    });
}

#[test]
fn a_device_that_stays_away_costs_pictures_and_comes_back_with_a_key_frame_at_the_last_rate() {
    let knobs = [
        ("NVENC_DOUBLE_LOSE", "5"),
        ("NVENC_DOUBLE_LOSSES", "1"),
        ("NVENC_DOUBLE_AWAY", "3"),
    ];
    let body = || {
        let mut pictures = Pictures::open("h264", &settings(640, 368));
        pictures.some(5);
        assert!(pictures.next().is_none(), "the device is away");
        pictures.encoder.set_bitrate(1500).unwrap();
        assert!(!pictures.encoder.invalidate_refs(3, 4));
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let (unit, key) = loop {
            assert!(std::time::Instant::now() < end, "it never came back");
            if let Some(unit) = pictures.next() {
                break unit;
            }
        };
        assert!(key);
        let mut decoder = Decoder::new().unwrap();
        assert_eq!(shown(&mut decoder, &unit), Some(pictures.number));
    };
    let name = "life::a_device_that_stays_away_costs_pictures_and_comes_back_with_a_key_frame_at_the_last_rate";
    with_driver(name, &knobs, body, |rig| {
        assert_eq!(rig.pictures().last().unwrap().kbps, 1500);
    });
}

#[test]
fn a_busy_card_is_waited_for() {
    let body = || {
        Pictures::open("h264", &settings(640, 368)).some(20);
    };
    with_driver(
        "life::a_busy_card_is_waited_for",
        &[("NVENC_DOUBLE_BUSY", "5")],
        body,
        |rig| {
            assert_eq!(rig.pictures().len(), 20);
        },
    );
}

#[test]
fn several_encoders_run_at_once_and_one_too_many_is_told_of_the_limit() {
    let body = || {
        let mut all: Vec<Pictures> = (0..3)
            .map(|_| Pictures::open("h264", &settings(128, 128)))
            .collect();
        for pictures in &mut all {
            pictures.some(3);
        }
        let error = NVENC
            .open("h264", &settings(128, 128))
            .err()
            .expect("the fourth")
            .to_string();
        for part in ["allows no further encoder", "Simulated card", "driver"] {
            assert!(error.contains(part), "{error}");
        }
        let software = Choice::Auto.open("h264", &settings(128, 128)).unwrap();
        assert_eq!(software.name(), "openh264");
        drop(all);
        let card = Choice::Auto.open("h264", &settings(128, 128)).unwrap();
        assert_eq!(card.name(), "nvenc");
    };
    let name = "life::several_encoders_run_at_once_and_one_too_many_is_told_of_the_limit";
    with_driver(name, &[("NVENC_DOUBLE_SESSIONS", "3")], body, |_| {});
}

#[test]
fn what_the_card_cannot_do_is_refused_before_anything_is_allocated() {
    let body = || {
        nvenc::card().unwrap();
        for (wanted, part) in [
            (settings(641, 368), "even"),
            (settings(4098, 368), "4096"),
            (settings(32, 32), "64x64"),
            (
                EncoderSettings {
                    fps: 0,
                    ..settings(640, 368)
                },
                "frames a second",
            ),
            (
                EncoderSettings {
                    hdr: true,
                    ..settings(640, 368)
                },
                "10 bits",
            ),
            (
                EncoderSettings {
                    chroma_444: true,
                    ..settings(640, 368)
                },
                "4:4:4",
            ),
        ] {
            let error = NVENC.open("h264", &wanted).err().expect("refused");
            assert!(matches!(error, EncodeError::Mode { .. }), "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
        let error = NVENC
            .open("av1", &settings(640, 368))
            .err()
            .expect("refused")
            .to_string();
        assert!(error.contains("does not encode av1"), "{error}");
    };
    let name = "life::what_the_card_cannot_do_is_refused_before_anything_is_allocated";
    with_driver(name, &[("NVENC_DOUBLE_CODECS", "h264,h265")], body, |rig| {
        assert_eq!(rig.count("contexts_made"), 1, "the one that asked");
    });
}
