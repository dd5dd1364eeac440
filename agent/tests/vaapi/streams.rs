//! What comes out: pictures, key frames, references, rates.

use crate::{
    driver::{Knob, with_driver},
    pictures::{Pictures, decoded, numbers, settings},
};
use punktfunk_agent::{
    convert::Colour,
    encode::{EncoderSettings, Offer, Tag},
};

/// Small, so that streams of uncompressed blocks stay so; and no whole number of blocks high.
const SIZE: (u32, u32) = (320, 184);
const SIDES: (usize, usize) = (320, 184);

fn small() -> EncoderSettings {
    settings(SIZE.0, SIZE.1)
}

/// 40 pictures of which each one decodes to itself, with a key frame in the middle.
fn each_picture_decodes_to_itself(test: &str, knobs: &[Knob]) {
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        let mut units = Vec::new();
        for index in 0..40 {
            if index == 17 {
                pictures.encoder.request_keyframe();
            }
            let (unit, key) = pictures.next().unwrap();
            assert_eq!(key, [0, 17].contains(&index), "picture {index}");
            assert_eq!(unit[4] & 0x1f, if key { 7 } else { 1 }, "picture {index}");
            units.push(unit);
        }
        let tag = Tag {
            picture: 40,
            repeated: true,
            ..Tag::default()
        };
        pictures.encoder.submit_again(tag).unwrap();
        let unit = pictures.encoder.poll().unwrap().expect("again");
        assert!(unit.tag.repeated && !unit.key);
        assert!(unit.data.len() < 200, "a still picture costs nothing");
        units.push(unit.data.to_vec());
        let mut wanted: Vec<Option<u32>> = (1..=40).map(Some).collect();
        wanted.push(Some(40));
        assert_eq!(numbers(&units, SIDES), wanted);
    };
    with_driver(test, knobs, body, |rig| {
        let pictures = rig.pictures();
        assert_eq!(pictures.len(), 41);
        let keys = pictures.iter().filter(|picture| picture.kind == "IDR");
        assert_eq!(keys.map(|key| key.number).collect::<Vec<_>>(), [0, 17]);
    });
}

#[test]
fn h264_decodes_and_key_frames_come_when_asked_for_and_with_their_parameter_sets() {
    let test =
        "streams::h264_decodes_and_key_frames_come_when_asked_for_and_with_their_parameter_sets";
    each_picture_decodes_to_itself(test, &[]);
}

#[test]
fn the_baseline_profile_decodes_as_well() {
    let test = "streams::the_baseline_profile_decodes_as_well";
    each_picture_decodes_to_itself(test, &[("VAAPI_DOUBLE_PROFILE", "baseline")]);
}

#[test]
fn the_main_profile_decodes_as_well() {
    let test = "streams::the_main_profile_decodes_as_well";
    each_picture_decodes_to_itself(test, &[("VAAPI_DOUBLE_PROFILE", "main")]);
}

#[test]
fn a_driver_that_writes_all_headers_itself_is_believed() {
    let test = "streams::a_driver_that_writes_all_headers_itself_is_believed";
    each_picture_decodes_to_itself(test, &[("VAAPI_DOUBLE_NO_PACKED", "1")]);
}

#[test]
fn a_driver_with_other_ways_in_is_used_as_well() {
    let test = "streams::a_driver_with_other_ways_in_is_used_as_well";
    let knobs = [
        ("VAAPI_DOUBLE_NO_DERIVE", "1"),
        ("VAAPI_DOUBLE_LOW_POWER", "1"),
    ];
    each_picture_decodes_to_itself(test, &knobs);
}

#[test]
fn after_an_invalidation_nothing_lost_is_referred_to_and_a_decoder_goes_on_without_an_idr() {
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        assert!(pictures.encoder.can_invalidate_refs());
        let mut received: Vec<Vec<u8>> = pictures
            .some(20)
            .into_iter()
            .map(|(unit, _)| unit)
            .collect();
        // 20 is lost on the way, 21 and 22 are of no use without it
        pictures.some(3);
        assert!(pictures.encoder.invalidate_refs(20, 22));
        for (unit, key) in pictures.some(17) {
            assert!(!key);
            received.push(unit);
        }
        let (shown, _) = decoded("h264", &received, SIDES);
        // a decoder may show something for what it never got, and says so; what it got is right
        let shown: Vec<u32> = shown
            .iter()
            .filter_map(|luma| {
                punktfunk_agent::source::synthetic::counter::read(luma, SIDES.0, SIDES.0)
            })
            .collect();
        let after: Vec<u32> = shown
            .iter()
            .copied()
            .filter(|number| *number > 20)
            .collect();
        assert_eq!(after, (24..=40).collect::<Vec<_>>(), "{shown:?}");
        // a whole window is lost: nothing is left to refer to
        assert!(!pictures.encoder.invalidate_refs(35, 39));
        pictures.encoder.request_keyframe();
        assert!(pictures.next().unwrap().1);
        assert!(
            !pictures.encoder.invalidate_refs(40, 40),
            "nothing older than a key frame"
        );
    };
    let name = "streams::after_an_invalidation_nothing_lost_is_referred_to_and_a_decoder_goes_on_without_an_idr";
    with_driver(name, &[], body, |rig| {
        let pictures = rig.pictures();
        assert_eq!((pictures[23].number, pictures[23].from), (23, Some(19)));
        let lost = |number: Option<u64>| number.is_some_and(|number| (20..23).contains(&number));
        assert!(!pictures[23..].iter().any(|picture| lost(picture.from)));
        let keys = pictures.iter().filter(|picture| picture.kind == "IDR");
        assert_eq!(keys.count(), 2);
    });
}

fn hevc_goes_on_without_what_was_lost(test: &str, knobs: &[Knob]) {
    let body = || {
        for size in [SIZE, (642, 360)] {
            let mut pictures = Pictures::open("h265", &settings(size.0, size.1));
            let mut received = Vec::new();
            for index in 0..30 {
                if index == 25 {
                    pictures.encoder.request_keyframe();
                }
                if index == 13 {
                    assert!(pictures.encoder.invalidate_refs(10, 12));
                }
                let (unit, key) = pictures.next().unwrap();
                assert_eq!(key, [0, 25].contains(&index), "picture {index}");
                assert_eq!(unit[4] >> 1, if key { 32 } else { 1 });
                if !(10..13).contains(&index) {
                    received.push(unit);
                }
            }
            let sides = (size.0 as usize, size.1 as usize);
            let (shown, complaints) = decoded("hevc", &received, sides);
            assert_eq!((shown.len(), complaints.as_str()), (27, ""), "{size:?}");
            assert!(shown.iter().flatten().all(|luma| *luma == 128));
        }
    };
    with_driver(test, knobs, body, |rig| {
        for pictures in rig.pictures().chunks(30) {
            assert_eq!(pictures[13].from, Some(9));
            let lost = |from: Option<u64>| from.is_some_and(|from| (10..13).contains(&from));
            assert!(!pictures[13..].iter().any(|picture| lost(picture.from)));
        }
    });
}

#[test]
fn hevc_decodes_and_goes_on_without_what_was_lost() {
    let test = "streams::hevc_decodes_and_goes_on_without_what_was_lost";
    hevc_goes_on_without_what_was_lost(test, &[]);
}

#[test]
fn hevc_of_pictures_with_two_lists_decodes_and_goes_on_as_well() {
    let test = "streams::hevc_of_pictures_with_two_lists_decodes_and_goes_on_as_well";
    hevc_goes_on_without_what_was_lost(test, &[("VAAPI_DOUBLE_BOTH", "1")]);
}

#[test]
fn colours_are_described_in_the_stream() {
    let body = || {
        for (mode, wanted) in [
            (0, "tv,smpte170m,smpte170m,smpte170m"),
            (3, "pc,bt709,bt709,bt709"),
            (4, "tv,bt2020nc,2020_10bit,bt2020"),
        ] {
            let settings = EncoderSettings {
                colour: Colour::from_csc_mode(mode).unwrap(),
                ..small()
            };
            for (codec, format) in [("h264", "h264"), ("h265", "hevc"), ("av1", "obu")] {
                let (unit, _) = Pictures::open(codec, &settings).next().unwrap();
                let file = std::env::temp_dir()
                    .join(format!("punktfunk-vaapi-colour-{}", std::process::id()));
                std::fs::write(&file, unit).unwrap();
                let probe = std::process::Command::new("ffprobe")
                    .args(["-v", "error", "-f", format, "-show_entries"])
                    .arg("stream=color_range,color_space,color_transfer,color_primaries")
                    .args(["-of", "csv=p=0"])
                    .arg(&file)
                    .env_remove("LD_LIBRARY_PATH")
                    .output()
                    .expect("ffprobe, of Debian's ffmpeg");
                let said = crate::driver::said(&probe);
                let said = said.trim().replace("bt2020-10", "2020_10bit");
                assert_eq!(said, wanted, "{codec}, mode {mode}");
                let _ = std::fs::remove_file(&file);
            }
        }
    };
    with_driver(
        "streams::colours_are_described_in_the_stream",
        &[],
        body,
        |_| {},
    );
}

#[test]
fn a_client_that_takes_one_reference_gets_key_frames() {
    let one = EncoderSettings {
        max_reference_frames: 1,
        ..small()
    };
    let body = || nothing_is_invalidated(&one);
    let name = "streams::a_client_that_takes_one_reference_gets_key_frames";
    with_driver(name, &[], body, |_| {});
}

#[test]
fn where_the_driver_writes_the_slices_lost_pictures_are_answered_with_key_frames() {
    let body = || {
        nothing_is_invalidated(&small());
        let offer = Offer::of(&crate::pictures::VAAPI.look());
        assert_eq!(offer.codecs, ["h264"]);
        assert!(!offer.invalidates_refs);
    };
    let name =
        "streams::where_the_driver_writes_the_slices_lost_pictures_are_answered_with_key_frames";
    with_driver(name, &[("VAAPI_DOUBLE_NO_PACKED", "1")], body, |_| {});
}

fn nothing_is_invalidated(settings: &EncoderSettings) {
    let mut pictures = Pictures::open("h264", settings);
    pictures.some(3);
    assert!(!pictures.encoder.can_invalidate_refs());
    assert!(!pictures.encoder.invalidate_refs(2, 2));
}

#[test]
fn a_new_rate_holds_from_the_next_picture_without_a_key_frame() {
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        pictures.some(10);
        pictures.encoder.set_bitrate(800).unwrap();
        assert!(pictures.some(10).iter().all(|(_, key)| !key));
        pictures.encoder.set_bitrate(20_000).unwrap();
        assert!(pictures.some(10).iter().all(|(_, key)| !key));
    };
    let name = "streams::a_new_rate_holds_from_the_next_picture_without_a_key_frame";
    with_driver(name, &[], body, |rig| {
        let rates: Vec<u32> = rig.pictures().iter().map(|picture| picture.kbps).collect();
        assert_eq!(rates[..10], [4000; 10]);
        assert_eq!(rates[10..20], [800; 10]);
        assert_eq!(rates[20..], [20_000; 10]);
        assert_eq!(rig.count("contexts_opened"), 1);
    });
}

#[test]
fn a_refused_change_of_the_rate_ends_no_stream() {
    let body = || {
        let mut pictures = Pictures::open("h264", &small());
        let mut units = pictures.some(5);
        pictures.encoder.set_bitrate(800).unwrap();
        units.extend(pictures.some(5));
        let units: Vec<Vec<u8>> = units.into_iter().map(|(unit, _)| unit).collect();
        assert_eq!(
            numbers(&units, SIDES),
            (1..=10).map(Some).collect::<Vec<_>>()
        );
    };
    let name = "streams::a_refused_change_of_the_rate_ends_no_stream";
    let knobs = [("VAAPI_DOUBLE_REFUSE_RATE", "1")];
    with_driver(name, &knobs, body, |rig| {
        assert!(rig.pictures().iter().all(|picture| picture.kbps == 4000));
    });
}
