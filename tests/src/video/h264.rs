//! As much of H.264 as a client looks at before decoding: where the NAL units are and whether this is a key frame.

use super::{
    bitstream::{Look, require_start_code},
    frame::{Frame, KEY},
};
use crate::breach::Breaches;

const IDR_SLICE: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;

/// Offsets of the NAL headers (behind their start codes) with their types.
pub fn units(stream: &[u8]) -> Vec<(usize, u8)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at + 3 < stream.len() {
        if stream[at] == 0 && stream[at + 1] == 0 && stream[at + 2] == 1 {
            found.push((at + 3, stream[at + 3] & 0x1f));
            at += 3;
        }
        at += 1;
    }
    found
}

pub fn look(frame: &Frame, breaches: &Breaches) -> Look {
    let stream = &frame.access_unit;
    require_start_code(frame, breaches);
    let units = units(stream);
    let first = units
        .iter()
        .map(|(_, kind)| *kind)
        .find(|kind| *kind != DELIMITER && *kind != SEI);
    let idr = units.iter().find(|(_, kind)| *kind == IDR_SLICE);
    let slices: Vec<u8> = units
        .iter()
        .map(|(_, kind)| *kind)
        .filter(|kind| (1..=IDR_SLICE).contains(kind))
        .collect();
    breaches.require(
        !slices.is_empty(),
        "8.2",
        "access-unit-without-slice",
        || format!("frame {}", frame.index),
    );
    // Five bytes of the slice, start code included, have to lie in the first packet.
    let key = first == Some(SPS) && idr.is_some_and(|(at, _)| at + 2 <= frame.in_first_packet);
    if idr.is_some() {
        breaches.require(
            key,
            "8.2",
            "key-frame-not-recognisable-in-first-packet",
            || {
                format!(
                    "frame {}: first unit {first:?}, slice at {:?} of {}",
                    frame.index,
                    idr.map(|(at, _)| *at),
                    frame.in_first_packet
                )
            },
        );
        breaches.require(
            slices.iter().all(|kind| *kind == IDR_SLICE),
            "8.2",
            "key-frame-with-other-slices",
            || format!("frame {}: {slices:?}", frame.index),
        );
    } else {
        breaches.require(
            !units.iter().any(|(_, kind)| *kind == PPS || *kind == SPS),
            "8.2",
            "parameter-sets-before-predicted-frame",
            || format!("frame {}", frame.index),
        );
    }
    breaches.require(
        (frame.kind == KEY) == idr.is_some(),
        "8.2",
        "frame-type-contradicts-bitstream",
        || {
            format!(
                "frame {}: type {}, IDR slice {}",
                frame.index,
                frame.kind,
                idr.is_some()
            )
        },
    );
    Look {
        key,
        slices: slices.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_counts_only_when_its_slice_starts_in_the_first_packet() {
        let idr = [
            0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 0, 0, 1, 0x65, 3, 4,
        ];
        let breaches = Breaches::default();
        assert_eq!(
            look(&Frame::holding(KEY, &idr, 1368), &breaches),
            Look {
                key: true,
                slices: 1
            }
        );
        assert!(breaches.is_empty());
        assert!(!look(&Frame::holding(KEY, &idr, 14), &breaches).key);
        assert_eq!(
            breaches.list()[0].rule,
            "key-frame-not-recognisable-in-first-packet"
        );
    }

    #[test]
    fn predicted_frames_come_without_parameter_sets() {
        let breaches = Breaches::default();
        assert!(!look(&Frame::holding(1, &[0, 0, 1, 0x61, 9, 9], 1368), &breaches).key);
        assert!(breaches.is_empty());
        look(
            &Frame::holding(1, &[0, 0, 1, 0x68, 9, 0, 0, 1, 0x61, 9], 1368),
            &breaches,
        );
        look(&Frame::holding(2, &[0, 0, 1, 0x61, 9], 1368), &breaches);
        let rules: Vec<_> = breaches.list().iter().map(|breach| breach.rule).collect();
        assert_eq!(
            rules,
            [
                "frame-type-contradicts-bitstream",
                "parameter-sets-before-predicted-frame"
            ]
        );
    }
}
