//! What comes out: pictures, key frames, references, rates.

use crate::{
    driver::with_driver,
    pictures::{NVENC, Pictures, settings, shown},
};
use openh264::decoder::Decoder;
use punktfunk_agent::{
    encode::{Choice, EncoderSettings, Tag},
    source,
};

#[test]
fn h264_decodes_and_key_frames_come_when_asked_for_and_with_their_parameter_sets() {
    let body = || {
        let mut pictures = Pictures::open("h264", &settings(640, 368));
        let mut decoder = Decoder::new().unwrap();
        for index in 0..40 {
            if index == 17 {
                pictures.encoder.request_keyframe();
            }
            let (unit, key) = pictures.next().unwrap();
            assert_eq!(key, [0, 17].contains(&index), "picture {index}");
            assert_eq!(unit[4] & 0x1f, if key { 7 } else { 1 }, "picture {index}");
            assert_eq!(shown(&mut decoder, &unit), Some(index + 1));
        }
        let tag = Tag {
            picture: 40,
            repeated: true,
            ..Tag::default()
        };
        pictures.encoder.submit_again(tag).unwrap();
        let unit = pictures
            .encoder
            .poll()
            .unwrap()
            .expect("the last picture again");
        assert!(unit.tag.repeated && !unit.key);
        assert_eq!(shown(&mut decoder, unit.data), Some(40));
    };
    let name =
        "streams::h264_decodes_and_key_frames_come_when_asked_for_and_with_their_parameter_sets";
    with_driver(name, &[], body, |rig| {
        let pictures = rig.pictures();
        assert_eq!(pictures.len(), 41);
        let keys = pictures.iter().filter(|picture| picture.kind == "IDR");
        assert_eq!(keys.map(|key| key.stamp).collect::<Vec<_>>(), [0, 17]);
    });
}

#[test]
fn after_an_invalidation_nothing_lost_is_referred_to_and_a_decoder_goes_on_without_an_idr() {
    let body = || {
        let mut pictures = Pictures::open("h264", &settings(640, 368));
        let mut decoder = Decoder::new().unwrap();
        assert!(pictures.encoder.can_invalidate_refs());
        for (unit, _) in pictures.some(20) {
            assert!(shown(&mut decoder, &unit).is_some());
        }
        // 20 is lost on the way, 21 and 22 are of no use without it
        pictures.some(3);
        assert!(pictures.encoder.invalidate_refs(20, 22));
        for number in 24..=40 {
            let (unit, key) = pictures.next().unwrap();
            assert!(!key);
            assert_eq!(shown(&mut decoder, &unit), Some(number));
        }
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
        assert_eq!(
            rig.calls(),
            ["2 invalidate 20", "2 invalidate 21", "2 invalidate 22"]
        );
        let pictures = rig.pictures();
        assert_eq!((pictures[23].stamp, pictures[23].from), (23, Some(19)));
        let lost = |stamp: Option<u64>| stamp.is_some_and(|stamp| (20..23).contains(&stamp));
        assert!(!pictures[23..].iter().any(|picture| lost(picture.from)));
        assert_eq!(
            pictures
                .iter()
                .filter(|picture| picture.kind == "IDR")
                .count(),
            2
        );
    });
}

fn nothing_is_invalidated(settings: &EncoderSettings) {
    let mut pictures = Pictures::open("h264", settings);
    pictures.some(3);
    assert!(!pictures.encoder.can_invalidate_refs());
    assert!(!pictures.encoder.invalidate_refs(2, 2));
}

#[test]
fn a_client_that_takes_one_reference_gets_key_frames() {
    let one = EncoderSettings {
        max_reference_frames: 1,
        ..settings(640, 368)
    };
    let body = || nothing_is_invalidated(&one);
    let name = "streams::a_client_that_takes_one_reference_gets_key_frames";
    with_driver(name, &[], body, |rig| assert!(rig.calls().is_empty()));
}

#[test]
fn a_card_without_invalidation_answers_with_key_frames() {
    let body = || nothing_is_invalidated(&settings(640, 368));
    let knobs = [("NVENC_DOUBLE_NO_INVALIDATION", "1")];
    let name = "streams::a_card_without_invalidation_answers_with_key_frames";
    with_driver(name, &knobs, body, |rig| assert!(rig.calls().is_empty()));
}

#[test]
fn hevc_and_av1_refer_to_nothing_lost_either() {
    let body = || {
        for codec in ["h265", "av1"] {
            let mut pictures = Pictures::open(codec, &settings(640, 368));
            pictures.some(10);
            assert!(pictures.encoder.invalidate_refs(8, 9));
            assert!(pictures.some(5).iter().all(|(_, key)| !key));
        }
    };
    with_driver(
        "streams::hevc_and_av1_refer_to_nothing_lost_either",
        &[],
        body,
        |rig| {
            for session in [2, 3] {
                let all = rig.pictures();
                let own: Vec<_> = all
                    .iter()
                    .filter(|picture| picture.session == session)
                    .collect();
                assert_eq!((own.len(), own[10].from), (15, Some(7)));
                let lost = |stamp: Option<u64>| stamp.is_some_and(|stamp| (8..10).contains(&stamp));
                assert!(!own[10..].iter().any(|picture| lost(picture.from)));
            }
        },
    );
}

#[test]
fn a_new_rate_holds_from_the_next_picture_without_a_key_frame() {
    let body = || {
        let mut pictures = Pictures::open("h264", &settings(640, 368));
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
        assert_eq!(rig.count("sessions_opened"), 2, "one to ask, one to encode");
    });
}

#[test]
fn full_chroma_goes_in_where_the_card_has_it() {
    let body = || {
        let full = EncoderSettings {
            chroma_444: true,
            ..settings(640, 368)
        };
        let mut pictures = Pictures::open("h265", &full);
        assert!(pictures.some(5)[0].1);
        let offer = punktfunk_agent::encode::Offer::of(&Choice::Auto.look());
        assert_eq!(offer.codecs, ["h264", "h265", "av1"]);
        assert_eq!(offer.chroma_444, ["h265"]);
        assert_eq!(offer.hdr_chroma_444, ["h265"]);
        assert_eq!(offer.hdr, ["h265", "av1"]);
        assert!(offer.invalidates_refs);
    };
    with_driver(
        "streams::full_chroma_goes_in_where_the_card_has_it",
        &[],
        body,
        |rig| {
            assert_eq!(rig.pictures().len(), 5);
        },
    );
}

#[test]
fn ten_bits_and_what_they_are_mastered_for_go_in_and_the_latter_with_key_frames_alone() {
    // what stands in front of the picture: SEI of HEVC, metadata of AV1
    let messages = |codec: &str, unit: &[u8]| match codec {
        "h265" => (unit.windows(5))
            .filter(|bytes| bytes[..4] == [0, 0, 0, 1] && bytes[4] >> 1 == 39)
            .count(),
        _ => (unit.windows(3))
            .filter(|bytes| matches!(bytes, [0x2a, 26, 2] | [0x2a, 6, 1]))
            .count(),
    };
    let body = || {
        for codec in ["h265", "av1"] {
            for mastering in [source::mastering("synthetic"), None] {
                let deep = EncoderSettings {
                    hdr: true,
                    mastering,
                    ..settings(640, 368)
                };
                let mut pictures = Pictures::open(codec, &deep);
                let expected = if mastering.is_some() { 2 } else { 0 };
                for index in 0..8 {
                    if index == 5 {
                        pictures.encoder.request_keyframe();
                    }
                    let (unit, key) = pictures.next().unwrap();
                    assert_eq!(key, [0, 5].contains(&index));
                    let found = messages(codec, &unit);
                    assert_eq!(found, if key { expected } else { 0 }, "{codec}, {index}");
                }
            }
        }
        let full = EncoderSettings {
            hdr: true,
            chroma_444: true,
            mastering: source::mastering("synthetic"),
            ..settings(640, 368)
        };
        assert!(Pictures::open("h265", &full).some(3)[0].1);
    };
    let name = "streams::ten_bits_and_what_they_are_mastered_for_go_in_and_the_latter_with_key_frames_alone";
    with_driver(name, &[], body, |rig| assert_eq!(rig.pictures().len(), 35));
}

#[test]
fn ten_bits_and_full_chroma_are_offered_together_only_where_the_card_has_both_at_once() {
    let body = || {
        let offer = punktfunk_agent::encode::Offer::of(&Choice::Auto.look());
        assert_eq!(offer.hdr, ["h265", "av1"]);
        assert_eq!(offer.chroma_444, ["h265"]);
        assert!(offer.hdr_chroma_444.is_empty());
        let both = EncoderSettings {
            hdr: true,
            chroma_444: true,
            ..settings(640, 368)
        };
        let error = NVENC.open("h265", &both).err().expect("refused");
        assert!(
            error.to_string().contains("no 4:4:4 with 10 bits"),
            "{error}"
        );
    };
    let name = "streams::ten_bits_and_full_chroma_are_offered_together_only_where_the_card_has_both_at_once";
    with_driver(name, &[("NVENC_DOUBLE_NO_DEEP_444", "1")], body, |_| {});
}

#[test]
fn a_card_of_eight_bits_offers_and_takes_no_more() {
    let body = || {
        let offer = punktfunk_agent::encode::Offer::of(&Choice::Auto.look());
        assert!(offer.hdr.is_empty());
        let deep = EncoderSettings {
            hdr: true,
            ..settings(640, 368)
        };
        let error = NVENC.open("h265", &deep).err().expect("refused");
        assert!(error.to_string().contains("no 10 bits for h265"), "{error}");
    };
    let name = "streams::a_card_of_eight_bits_offers_and_takes_no_more";
    with_driver(name, &[("NVENC_DOUBLE_NO_TEN_BIT", "1")], body, |_| {});
}
