//! Bytes that decoders skip, behind a unit: what makes a recording as large as the rate that was asked for.

use crate::codec::Codec;

/// Fewer bytes are not worth a NAL unit or OBU of their own.
const LEAST: usize = 16;

/// Append filler so that `unit` has `len` bytes, if it is shorter by more than a few.
pub fn fill(codec: Codec, unit: &mut Vec<u8>, len: usize) {
    let Some(missing) = len.checked_sub(unit.len()).filter(|n| *n >= LEAST) else {
        return;
    };
    let start = unit.len();
    match codec {
        Codec::H264 => unit.extend([0, 0, 0, 1, 12]),
        Codec::Hevc => unit.extend([0, 0, 0, 1, 38 << 1, 1]),
        Codec::Av1 => {
            // A padding OBU; its size in four bytes of which the last may be needless.
            let body = missing - 5;
            let size = |shift: u32| ((body >> (7 * shift)) & 0x7f) as u8;
            unit.extend([
                15 << 3 | 2,
                size(0) | 0x80,
                size(1) | 0x80,
                size(2) | 0x80,
                size(3),
            ]);
        }
    }
    unit.resize(start + missing - 1, 0xff);
    unit.push(0x80);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::{nal_starts, obus};

    #[test]
    fn a_filled_unit_has_the_length_and_one_more_element() {
        let mut nal = vec![0, 0, 0, 1, 0x41, 8];
        fill(Codec::H264, &mut nal, 1000);
        assert_eq!((nal.len(), nal_starts(&nal).len()), (1000, 2));
        let mut obu = vec![0x12, 0, 0x32, 1, 9];
        fill(Codec::Av1, &mut obu, 100_000);
        assert_eq!((obu.len(), obus(&obu).unwrap().len()), (100_000, 3));
        fill(Codec::Av1, &mut obu, 100_010);
        assert_eq!(obu.len(), 100_000);
    }
}
