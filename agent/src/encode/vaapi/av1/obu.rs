//! OBUs: written, and looked at in what the driver made.

use crate::encode::vaapi::{
    bits::{Packed, Writer},
    plan::Plan,
    references::Next,
};

pub const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
pub const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;

/// An OBU whose size takes so many bytes.
pub fn packed(kind: u8, payload: Writer, size_bytes: u32) -> Packed {
    let payload = payload.into_bytes();
    let mut bytes = vec![kind << 3 | 2];
    for place in 0..size_bytes {
        let more = place + 1 < size_bytes;
        let low = (payload.len() >> (7 * place) & 0x7f) as u8;
        bytes.push(low | u8::from(more) << 7);
    }
    bytes.extend(payload);
    Packed {
        bit_length: bytes.len() as u32 * 8,
        bytes,
    }
}

/// The first OBU: its kind, its payload, and what follows it. `None` where that is none.
fn first(stream: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&header, mut rest) = stream.split_first()?;
    if header & 0x82 != 2 {
        return None;
    }
    if header & 4 != 0 {
        rest = rest.get(1..)?;
    }
    let mut size = 0;
    for place in 0..4 {
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        size |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let (payload, behind) = rest.split_at_checked(size)?;
            return Some((header >> 3 & 0xf, payload, behind));
        }
    }
    None
}

/// A temporal unit begins with its delimiter, which some drivers write (Mesa's) and others leave to the program (Intel's).
pub fn delimit(unit: &mut Vec<u8>) {
    if !unit.is_empty() && first(unit).is_none_or(|(kind, ..)| kind != TEMPORAL_DELIMITER) {
        unit.splice(..0, [TEMPORAL_DELIMITER << 3 | 2, 0]);
    }
}

/// Whether the frame header in the unit is of the kind, and names the references, that were chosen.
pub fn names_ours(plan: &Plan, next: &Next, unit: &[u8]) -> bool {
    let header = super::frame_header(plan, next);
    let ours = first(&header.packed.bytes).map(|(_, payload, _)| payload);
    let mut rest = unit;
    while let Some((kind, payload, behind)) = first(rest) {
        if matches!(kind, FRAME_HEADER | FRAME) {
            let (bytes, bits) = ((header.named / 8) as usize, header.named % 8);
            return ours.is_some_and(|ours| {
                let last = |of: &[u8]| of.get(bytes).map(|last| u32::from(*last) << bits >> 8);
                ours.get(..bytes) == payload.get(..bytes) && last(ours) == last(payload)
            });
        }
        rest = behind;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_take_as_many_bytes_as_the_driver_wants() {
        let of = |bytes: u32, size_bytes| {
            let mut writer = Writer::default();
            (0..bytes).for_each(|_| writer.bits(8, 0));
            packed(FRAME_HEADER, writer, size_bytes).bytes
        };
        assert_eq!(of(3, 1), [0x1a, 3, 0, 0, 0]);
        assert_eq!(of(3, 4), [0x1a, 0x83, 0x80, 0x80, 0, 0, 0, 0]);
        assert_eq!(of(130, 2)[..3], [0x1a, 0x82, 1]);
    }

    #[test]
    fn a_unit_is_delimited_once() {
        let mut unit = vec![0x1a, 1, 0];
        delimit(&mut unit);
        assert_eq!(unit, [0x12, 0, 0x1a, 1, 0]);
        let before = unit.clone();
        delimit(&mut unit);
        assert_eq!(unit, before);
        let mut none = Vec::new();
        delimit(&mut none);
        assert!(none.is_empty());
    }
}
