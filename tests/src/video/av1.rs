//! As much of AV1 as tells whether a frame is one whole temporal unit and what it is. Clients take the type from the frame header
//! byte alone, so a byte that lies is found here.

use super::{
    bitstream::Look,
    frame::{Frame, KEY},
};
use crate::breach::Breaches;

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;

/// An OBU: its type, and where its payload lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obu {
    pub kind: u8,
    pub payload: std::ops::Range<usize>,
}

/// The OBUs of a temporal unit, each with its size; `None` where they do not add up to it.
pub fn units(stream: &[u8]) -> Option<Vec<Obu>> {
    let (mut all, mut at) = (Vec::new(), 0);
    while at < stream.len() {
        let header = stream[at];
        if header & 0x82 != 2 {
            return None;
        }
        at += if header & 4 != 0 { 2 } else { 1 };
        let (mut size, mut shift) = (0usize, 0);
        loop {
            let byte = *stream.get(at)?;
            at += 1;
            size |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift > 28 {
                return None;
            }
        }
        if stream.len() - at < size {
            return None;
        }
        all.push(Obu {
            kind: header >> 3 & 0xf,
            payload: at..at + size,
        });
        at += size;
    }
    Some(all)
}

pub fn look(frame: &Frame, breaches: &Breaches) -> Look {
    let stream = &frame.access_unit;
    let units = units(stream).unwrap_or_default();
    breaches.require(!units.is_empty(), "8.2", "temporal-unit-broken", || {
        format!(
            "frame {}: {} bytes, {}",
            frame.index,
            stream.len(),
            hex::encode(&stream[..stream.len().min(8)])
        )
    });
    breaches.require(
        units
            .iter()
            .skip(1)
            .all(|unit| unit.kind != TEMPORAL_DELIMITER),
        "8.2",
        "several-temporal-units",
        || format!("frame {}", frame.index),
    );
    let pictures: Vec<&Obu> = units
        .iter()
        .filter(|unit| matches!(unit.kind, FRAME | FRAME_HEADER))
        .collect();
    breaches.require(
        units.is_empty() || !pictures.is_empty(),
        "8.2",
        "access-unit-without-slice",
        || format!("frame {}", frame.index),
    );
    // show_existing_frame and frame_type are the first three bits; all zero is a key frame.
    let key_picture = pictures
        .first()
        .and_then(|unit| stream.get(unit.payload.start))
        .is_some_and(|byte| byte >> 5 == 0);
    let sequence = units
        .iter()
        .take_while(|unit| !matches!(unit.kind, FRAME | FRAME_HEADER))
        .any(|unit| unit.kind == SEQUENCE_HEADER);
    breaches.require(
        frame.kind != KEY || sequence,
        "8.2",
        "key-frame-without-parameter-sets",
        || format!("frame {}: no sequence header", frame.index),
    );
    breaches.require(
        units.is_empty() || (frame.kind == KEY) == key_picture,
        "8.2",
        "frame-type-contradicts-bitstream",
        || {
            format!(
                "frame {}: type {}, key picture {key_picture}",
                frame.index, frame.kind
            )
        },
    );
    Look {
        key: frame.kind == KEY,
        slices: pictures.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(kind: u8, access_unit: &[u8]) -> (bool, Vec<&'static str>) {
        Frame::holding(kind, access_unit, 1368).judged(look)
    }

    #[test]
    fn a_temporal_unit_is_whole_and_tells_the_truth() {
        let key = [0x12, 0, 0x0a, 2, 1, 2, 0x32, 3, 0x10, 1, 2];
        let inter = [0x12, 0, 0x32, 3, 0x30, 1, 2];
        assert_eq!(rules(KEY, &key), (true, vec![]));
        assert_eq!(rules(1, &inter), (false, vec![]));
        assert_eq!(rules(1, &key).1, ["frame-type-contradicts-bitstream"]);
        assert_eq!(
            rules(KEY, &inter).1,
            [
                "frame-type-contradicts-bitstream",
                "key-frame-without-parameter-sets"
            ]
        );
        assert_eq!(
            rules(1, &[&inter[..], &inter].concat()).1,
            ["several-temporal-units"]
        );
        assert_eq!(
            rules(1, &[&inter[..], &[0]].concat()).1,
            ["temporal-unit-broken"]
        );
    }
}
