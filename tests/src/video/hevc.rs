//! As much of HEVC as a client looks at before decoding: the same as for H.264, with a VPS in front and other numbers.

use super::{
    bitstream::{Look, require_start_code},
    frame::{Frame, KEY},
};
use crate::breach::Breaches;

const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const DELIMITER: u8 = 35;
const PREFIX_SEI: u8 = 39;

/// Offsets of the NAL headers (behind their start codes) with their types.
pub fn units(stream: &[u8]) -> Vec<(usize, u8)> {
    let codes = stream.windows(4).enumerate();
    codes
        .filter(|(_, window)| window[..3] == [0, 0, 1])
        .map(|(at, window)| (at + 3, window[3] >> 1 & 0x3f))
        .collect()
}

fn is_slice(kind: u8) -> bool {
    kind < 32
}

fn is_key_slice(kind: u8) -> bool {
    (16..=21).contains(&kind)
}

pub fn look(frame: &Frame, breaches: &Breaches) -> Look {
    let stream = &frame.access_unit;
    require_start_code(frame, breaches);
    let units = units(stream);
    let first = units
        .iter()
        .map(|(_, kind)| *kind)
        .find(|kind| *kind != DELIMITER && *kind != PREFIX_SEI);
    let slices: Vec<u8> = units
        .iter()
        .map(|(_, kind)| *kind)
        .filter(|kind| is_slice(*kind))
        .collect();
    breaches.require(
        !slices.is_empty(),
        "8.2",
        "access-unit-without-slice",
        || format!("frame {}", frame.index),
    );
    let key_slice = units.iter().find(|(_, kind)| is_key_slice(*kind));
    let sets = |wanted: u8| {
        units
            .iter()
            .take_while(|(_, kind)| !is_slice(*kind))
            .any(|(_, kind)| *kind == wanted)
    };
    // Five bytes of the slice, start code included, have to lie in the first packet.
    let key =
        first == Some(VPS) && key_slice.is_some_and(|(at, _)| at + 2 <= frame.in_first_packet);
    if key_slice.is_some() {
        breaches.require(
            key,
            "8.2",
            "key-frame-not-recognisable-in-first-packet",
            || {
                format!(
                    "frame {}: first unit {first:?}, slice at {:?} of {}",
                    frame.index,
                    key_slice.map(|(at, _)| *at),
                    frame.in_first_packet
                )
            },
        );
        breaches.require(
            sets(VPS) && sets(SPS) && sets(PPS),
            "8.2",
            "key-frame-without-parameter-sets",
            || format!("frame {}", frame.index),
        );
        breaches.require(
            slices.iter().all(|kind| is_key_slice(*kind)),
            "8.2",
            "key-frame-with-other-slices",
            || format!("frame {}: {slices:?}", frame.index),
        );
    } else {
        breaches.require(
            !sets(VPS) && !sets(SPS) && !sets(PPS),
            "8.2",
            "parameter-sets-before-predicted-frame",
            || format!("frame {}", frame.index),
        );
    }
    breaches.require(
        (frame.kind == KEY) == key_slice.is_some(),
        "8.2",
        "frame-type-contradicts-bitstream",
        || {
            format!(
                "frame {}: type {}, key slice {}",
                frame.index,
                frame.kind,
                key_slice.is_some()
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

    fn nal(kind: u8, body: usize) -> Vec<u8> {
        [&[0, 0, 0, 1, kind << 1, 1][..], &vec![0x55; body]].concat()
    }

    fn rules(kind: u8, units: &[Vec<u8>], in_first_packet: usize) -> (bool, Vec<&'static str>) {
        Frame::holding(kind, &units.concat(), in_first_packet).judged(look)
    }

    #[test]
    fn a_key_frame_needs_its_sets_first_and_its_slice_in_the_first_packet() {
        let good = [
            nal(35, 1),
            nal(39, 9),
            nal(32, 9),
            nal(33, 9),
            nal(34, 9),
            nal(19, 99),
        ];
        assert_eq!(rules(KEY, &good, 1368), (true, vec![]));
        let late = "key-frame-not-recognisable-in-first-packet";
        assert_eq!(rules(KEY, &good, 60), (false, vec![late]));
        let wrong = [nal(33, 9), nal(32, 9), nal(34, 9), nal(19, 99)];
        assert_eq!(rules(KEY, &wrong, 1368), (false, vec![late]));
        let none = [nal(32, 9), nal(33, 9), nal(19, 99)];
        assert_eq!(
            rules(KEY, &none, 1368),
            (true, vec!["key-frame-without-parameter-sets"])
        );
    }

    #[test]
    fn predicted_frames_come_bare_and_say_so() {
        assert_eq!(rules(1, &[nal(35, 1), nal(1, 9)], 1368), (false, vec![]));
        assert_eq!(
            rules(KEY, &[nal(34, 9), nal(1, 9)], 1368),
            (
                false,
                vec![
                    "frame-type-contradicts-bitstream",
                    "parameter-sets-before-predicted-frame"
                ]
            )
        );
    }
}
