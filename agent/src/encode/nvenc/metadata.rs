//! What HDR10 pictures are mastered for, as it stands in the stream: SEI messages of HEVC, metadata OBUs of AV1. The driver writes
//! them in front of the picture that they are handed over with.
//!
//! The interface of 12.1 has no structures of its own for it (those of 12.2 have): the payloads are written here, as ITU-T H.265
//! (D.2.28, D.2.35) and the AV1 specification (5.8.3, 5.8.4) lay them out.

use super::abi::{CodecPicture, Payload};
use crate::encode::Codec;
use punktfunk_core::control::HdrMetadata;

/// Types of SEI messages.
const SEI_MASTERING: u32 = 137;
const SEI_CONTENT_LIGHT: u32 = 144;
/// Types of metadata OBUs.
const OBU_CONTENT_LIGHT: u32 = 1;
const OBU_MASTERING: u32 = 2;

/// One message: its type, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    kind: u32,
    bytes: Vec<u8>,
}

impl Metadata {
    /// For the driver, which only reads it. The bytes are this object's.
    pub fn payload(&self) -> Payload {
        Payload {
            // far below 4 GiB
            size: self.bytes.len() as u32,
            kind: self.kind,
            bytes: self.bytes.as_ptr().cast_mut(),
        }
    }
}

/// The messages for a codec; what is not known is left out.
pub fn of(codec: Codec, mastering: Option<&HdrMetadata>) -> Vec<Metadata> {
    let Some(said) = mastering else {
        return Vec::new();
    };
    let kinds = match codec {
        Codec::H264 => return Vec::new(),
        Codec::Hevc => (SEI_MASTERING, SEI_CONTENT_LIGHT),
        Codec::Av1 => (OBU_MASTERING, OBU_CONTENT_LIGHT),
    };
    let mut all = Vec::new();
    if said.max_display > 0 {
        let bytes = match codec {
            Codec::Av1 => mastering_of_av1(said),
            _ => mastering_of_hevc(said),
        };
        all.push(Metadata {
            kind: kinds.0,
            bytes,
        });
    }
    if said.max_content > 0 || said.max_frame_average > 0 {
        let bytes = [said.max_content, said.max_frame_average]
            .map(u16::to_be_bytes)
            .concat();
        all.push(Metadata {
            kind: kinds.1,
            bytes,
        });
    }
    all
}

/// Green, blue, red, white in 1/50000; most and least light in 1/10000 nit.
fn mastering_of_hevc(said: &HdrMetadata) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(24);
    for (x, y) in [said.green, said.blue, said.red, said.white] {
        bytes.extend(x.to_be_bytes());
        bytes.extend(y.to_be_bytes());
    }
    bytes.extend((u32::from(said.max_display) * 10_000).to_be_bytes());
    bytes.extend(u32::from(said.min_display).to_be_bytes());
    bytes
}

/// Red, green, blue, white in 1/65536; most light in 1/256 nit, least in 1/16384.
fn mastering_of_av1(said: &HdrMetadata) -> Vec<u8> {
    let share = |place: u16| {
        let place = (u64::from(place) * 65_536 + 25_000) / 50_000;
        u16::try_from(place).unwrap_or(u16::MAX)
    };
    let mut bytes = Vec::with_capacity(24);
    for (x, y) in [said.red, said.green, said.blue, said.white] {
        bytes.extend(share(x).to_be_bytes());
        bytes.extend(share(y).to_be_bytes());
    }
    bytes.extend((u32::from(said.max_display) * 256).to_be_bytes());
    let least = (u32::from(said.min_display) * 16_384 + 5_000) / 10_000;
    bytes.extend(least.to_be_bytes());
    bytes
}

/// Have a picture carry `payloads`, which must live until it is encoded.
pub fn attach(codec: Codec, payloads: &mut [Payload], picture: &mut CodecPicture) {
    // two at most
    let (count, first) = (payloads.len() as u32, payloads.as_mut_ptr());
    if count == 0 {
        return;
    }
    match codec {
        Codec::H264 => {}
        Codec::Hevc => {
            picture.hevc.sei_count = count;
            picture.hevc.sei = first;
        }
        Codec::Av1 => {
            picture.av1.obu_count = count;
            picture.av1.obus = first;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source;

    #[test]
    fn the_messages_are_laid_out_as_their_standards_say() {
        let said = source::mastering("synthetic").unwrap();
        let hevc = of(Codec::Hevc, Some(&said));
        let kinds = |all: &[Metadata]| all.iter().map(|one| one.kind).collect::<Vec<_>>();
        assert_eq!(kinds(&hevc), [137, 144]);
        let words: Vec<u16> = hevc[0].bytes[..16]
            .chunks(2)
            .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
            .collect();
        assert_eq!(words, [8500, 39850, 6550, 2300, 35400, 14600, 15635, 16450]);
        // 1000 nits and 0.0001
        assert_eq!(hevc[0].bytes[16..], [0, 0x98, 0x96, 0x80, 0, 0, 0, 1]);
        assert_eq!(hevc[1].bytes, [0x03, 0xe8, 0x01, 0x90]);
        let av1 = of(Codec::Av1, Some(&said));
        assert_eq!(kinds(&av1), [2, 1]);
        // 0.708 of red
        assert_eq!(av1[0].bytes[..2], [0xb5, 0x3f]);
        assert_eq!(av1[0].bytes[16..], [0, 3, 0xe8, 0, 0, 0, 0, 2]);
        assert_eq!(av1[1].bytes, hevc[1].bytes);
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        assert!(of(Codec::Hevc, None).is_empty());
        assert!(of(Codec::Av1, Some(&HdrMetadata::default())).is_empty());
        let light = HdrMetadata {
            max_content: 800,
            ..HdrMetadata::default()
        };
        assert_eq!(of(Codec::Hevc, Some(&light)).len(), 1);
        assert!(of(Codec::H264, Some(&light)).is_empty());
    }
}
