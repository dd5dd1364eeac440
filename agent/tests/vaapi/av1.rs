//! AV1: what comes out decodes, and goes on after losses; drivers that write headers of their own; drivers of no use.

use crate::{
    driver::{Knob, with_driver},
    pictures::{Pictures, VAAPI, decoded, settings},
};
use punktfunk_agent::encode::Offer;

/// One whole number of blocks, one not; sizes that the simulated driver can write.
const SIZES: [(u32, u32); 3] = [(320, 184), (128, 128), (634, 360)];

/// The kinds of a unit's OBUs, each with a size.
fn kinds(unit: &[u8]) -> Vec<u8> {
    let (mut kinds, mut at) = (Vec::new(), 0);
    while at < unit.len() {
        assert_eq!(unit[at] & 0x87, 2, "an OBU with a size, without extension");
        kinds.push(unit[at] >> 3);
        let (mut size, mut place) = (0, 0);
        loop {
            at += 1;
            size |= usize::from(unit[at] & 0x7f) << place;
            place += 7;
            if unit[at] & 0x80 == 0 {
                break;
            }
        }
        at += 1 + size;
    }
    assert_eq!(at, unit.len());
    kinds
}

/// 30 pictures with a key frame that was asked for; three are lost. `frame`: what the driver writes a picture as.
fn goes_on_without_what_was_lost(test: &str, knobs: &[Knob], frame: &[u8]) {
    let body = || {
        for size in SIZES {
            let mut pictures = Pictures::open("av1", &settings(size.0, size.1));
            assert!(pictures.encoder.can_invalidate_refs());
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
                let front: &[u8] = if key { &[2, 1] } else { &[2] };
                assert_eq!(kinds(&unit), [front, frame].concat(), "picture {index}");
                if !(10..13).contains(&index) {
                    received.push(unit);
                }
            }
            let sides = (size.0 as usize, size.1 as usize);
            let (shown, complaints) = decoded("obu", &received, sides);
            assert_eq!((shown.len(), complaints.as_str()), (27, ""), "{size:?}");
            assert!(shown.iter().flatten().all(|luma| *luma == 128), "{size:?}");
        }
    };
    with_driver(test, knobs, body, |rig| {
        for pictures in rig.pictures().chunks(30) {
            assert_eq!(pictures[13].from, Some(9));
            let lost = |from: Option<u64>| from.is_some_and(|from| (10..13).contains(&from));
            assert!(!pictures[13..].iter().any(|picture| lost(picture.from)));
            assert_eq!(pictures[25].kind, "IDR");
        }
    });
}

#[test]
fn it_decodes_and_goes_on_without_what_was_lost() {
    let test = "av1::it_decodes_and_goes_on_without_what_was_lost";
    goes_on_without_what_was_lost(test, &[], &[3, 4]);
}

#[test]
fn a_driver_that_writes_what_it_read_in_the_headers_is_believed() {
    let test = "av1::a_driver_that_writes_what_it_read_in_the_headers_is_believed";
    let knobs = [("VAAPI_DOUBLE_REWRITE", "own")];
    goes_on_without_what_was_lost(test, &knobs, &[6]);
}

#[test]
fn a_driver_that_refers_to_what_it_likes_is_found_out_and_gets_no_second_chance() {
    let body = || {
        let mut pictures = Pictures::open("av1", &settings(320, 184));
        pictures.some(13);
        assert!(pictures.encoder.invalidate_refs(10, 12));
        // what the driver made of this one is the first thing that is not as it was told
        assert!(!pictures.next().unwrap().1);
        assert!(!pictures.encoder.can_invalidate_refs());
        let (key, after) = (pictures.next().unwrap(), pictures.some(5));
        assert!(key.1, "the answer to the loss");
        assert!(after.iter().all(|(_, key)| !key));
        assert!(!pictures.encoder.invalidate_refs(18, 19));
        let units: Vec<Vec<u8>> = [vec![key], after]
            .concat()
            .into_iter()
            .map(|(unit, _)| unit)
            .collect();
        let (shown, complaints) = decoded("obu", &units, (320, 184));
        assert_eq!((shown.len(), complaints.as_str()), (6, ""));
    };
    let name = "av1::a_driver_that_refers_to_what_it_likes_is_found_out_and_gets_no_second_chance";
    let knobs = [("VAAPI_DOUBLE_REWRITE", "latest")];
    with_driver(name, &knobs, body, |rig| {
        assert_eq!(
            rig.pictures()[13].from,
            Some(12),
            "against what it was told"
        );
    });
}

#[test]
fn the_order_of_pictures_goes_round_and_a_device_may_be_lost_on_the_way() {
    let body = || {
        let mut pictures = Pictures::open("av1", &settings(128, 128));
        let units = pictures.some(600);
        let keys: Vec<usize> = (0..)
            .zip(&units)
            .filter(|(_, (_, key))| *key)
            .map(|(index, _)| index)
            .collect();
        assert_eq!(keys, [0, 300]);
        let units: Vec<Vec<u8>> = units.into_iter().map(|(unit, _)| unit).collect();
        let (shown, complaints) = decoded("obu", &units, (128, 128));
        assert_eq!((shown.len(), complaints.as_str()), (600, ""));
    };
    let knobs = [("VAAPI_DOUBLE_LOSE", "300"), ("VAAPI_DOUBLE_LOSSES", "1")];
    let name = "av1::the_order_of_pictures_goes_round_and_a_device_may_be_lost_on_the_way";
    with_driver(name, &knobs, body, |rig| {
        assert_eq!(rig.count("contexts_opened"), 2);
    });
}

/// AV1 is neither offered nor opened, and it is said why; the others are there.
fn is_not_offered(test: &str, knobs: &[Knob], part: &str) {
    let body = || {
        let offer = Offer::of(&VAAPI.look());
        assert!(!offer.codecs.contains(&"av1"), "{:?}", offer.codecs);
        let error = VAAPI.open("av1", &settings(320, 184)).err();
        let error = error.expect("refused").to_string();
        for part in [part, "Simulated VAAPI driver"] {
            assert!(error.contains(part), "{error}");
        }
        Pictures::open("h264", &settings(128, 128)).some(1);
    };
    with_driver(test, knobs, body, |_| {});
}

#[test]
fn a_card_without_it_does_not_offer_it() {
    let test = "av1::a_card_without_it_does_not_offer_it";
    let knobs = [("VAAPI_DOUBLE_CODECS", "h264,h265")];
    is_not_offered(test, &knobs, "does not encode av1");
}

#[test]
fn a_driver_that_takes_no_headers_does_not_offer_it() {
    let test = "av1::a_driver_that_takes_no_headers_does_not_offer_it";
    let knobs = [("VAAPI_DOUBLE_NO_PACKED", "1")];
    is_not_offered(test, &knobs, "takes no headers for it");
}

#[test]
fn a_driver_of_large_blocks_alone_does_not_offer_it() {
    let test = "av1::a_driver_of_large_blocks_alone_does_not_offer_it";
    let knobs = [("VAAPI_DOUBLE_LARGE_BLOCKS", "1")];
    is_not_offered(test, &knobs, "blocks of 128");
}
