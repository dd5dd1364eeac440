//! A mark in every access unit by which a client knows whose frame it holds, which one, and when it was made.
//!
//! H.264 and HEVC: an SEI message "user data unregistered" in front of the first slice, with [`UUID`] and 40 ASCII digits
//! (so no emulation prevention is needed). AV1: a metadata OBU of type 4 (ITU-T T.35, which every decoder
//! passes over) in front of the first frame, with the country code 0xb5 and the same 56 bytes. The digits are hexadecimal: 8 for the stream, 16 for the counter, which rises by one with each unit that the
//! double hands over, from 1, and 16 for the CLOCK_MONOTONIC at which the unit was made, in nanoseconds: a client on the same machine
//! reads the latency from it, whatever the stages between say of theirs.

use crate::{
    codec::Codec,
    split::{nal_starts, nal_type, obus},
};

/// Says that what follows is our mark.
pub const UUID: [u8; 16] = *b"punktfunk-double";

/// `unit` with the mark inside.
pub fn tagged(codec: Codec, unit: &[u8], stream: u32, counter: u64, made_ns: u64) -> Vec<u8> {
    let mut body = UUID.to_vec();
    body.extend(format!("{stream:08x}{counter:016x}{made_ns:016x}").bytes());
    let (at, mark) = match codec {
        Codec::H264 | Codec::Hevc => {
            let mut mark = match codec {
                Codec::H264 => vec![0, 0, 0, 1, 6],
                _ => vec![0, 0, 0, 1, 39 << 1, 1],
            };
            mark.extend([5, body.len() as u8]);
            mark.extend(body);
            mark.push(0x80);
            (first_slice(codec, unit), mark)
        }
        Codec::Av1 => {
            // Metadata type 4 with a country code, the body, the trailing bit.
            let mut mark = vec![5 << 3 | 2, body.len() as u8 + 3, 4, 0xb5];
            mark.extend(body);
            mark.push(0x80);
            (first_frame(unit), mark)
        }
    };
    [&unit[..at], &mark, &unit[at..]].concat()
}

fn first_slice(codec: Codec, unit: &[u8]) -> usize {
    nal_starts(unit)
        .into_iter()
        .find(|(_, header)| match codec {
            Codec::Hevc => nal_type(codec, *header) < 32,
            _ => (1..=5).contains(&nal_type(codec, *header)),
        })
        .map_or(unit.len(), |(at, _)| at)
}

fn first_frame(unit: &[u8]) -> usize {
    obus(unit)
        .unwrap_or_default()
        .into_iter()
        .find(|(kind, ..)| matches!(kind, 3 | 6))
        .map_or(unit.len(), |(_, at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_in_front_of_the_first_slice() {
        let unit = [0, 0, 0, 1, 9, 0x10, 0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x65, 7];
        let marked = tagged(Codec::H264, &unit, 0xab, 3, 0x1000);
        assert!(marked.starts_with(&unit[..12]));
        assert!(marked.ends_with(&unit[12..]));
        let text = b"punktfunk-double000000ab00000000000000030000000000001000";
        assert_eq!(marked[12..19], [0, 0, 0, 1, 6, 5, 56]);
        assert_eq!(&marked[19..75], text);
        assert_eq!(marked[75], 0x80);
    }

    #[test]
    fn the_mark_stands_in_front_of_the_first_frame_obu() {
        let unit = [0x12, 0, 0x0a, 2, 1, 2, 0x32, 1, 9];
        let marked = tagged(Codec::Av1, &unit, 1, 1, 0);
        assert!(marked.starts_with(&[0x12, 0, 0x0a, 2, 1, 2, 0x2a, 59, 4, 0xb5]));
        assert!(marked.ends_with(&[0x80, 0x32, 1, 9]));
        assert_eq!(obus(&marked).unwrap().len(), 4);
    }
}
