//! What the simulated card can do.

use crate::knobs;
use nvidia_video_codec_sdk::sys::nvEncodeAPI::{
    GUID, NV_ENC_CODEC_AV1_GUID, NV_ENC_CODEC_H264_GUID, NV_ENC_CODEC_HEVC_GUID,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    H264,
    Hevc,
    Av1,
}

pub const NV12: u32 = 0x1;
pub const YUV444: u32 = 0x1000;
/// P010, and three planes of such words.
pub const YUV420_10: u32 = 0x1_0000;
pub const YUV444_10: u32 = 0x10_0000;

impl Codec {
    pub fn of(guid: &GUID) -> Option<Self> {
        Self::all().into_iter().find(|codec| codec.guid() == *guid)
    }

    /// Those of this card.
    pub fn all() -> Vec<Self> {
        [
            (Self::H264, "h264"),
            (Self::Hevc, "h265"),
            (Self::Av1, "av1"),
        ]
        .into_iter()
        .filter(|(_, name)| knobs::has_codec(name))
        .map(|(codec, _)| codec)
        .collect()
    }

    pub fn guid(self) -> GUID {
        match self {
            Self::H264 => NV_ENC_CODEC_H264_GUID,
            Self::Hevc => NV_ENC_CODEC_HEVC_GUID,
            Self::Av1 => NV_ENC_CODEC_AV1_GUID,
        }
    }

    /// Formats of pictures that go in: of those, the ones that the double makes a stream of.
    pub fn formats(self) -> &'static [u32] {
        match (self, knobs::ten_bit()) {
            (Self::Hevc, true) if !knobs::deep_444() => &[NV12, YUV444, YUV420_10],
            (Self::Hevc, true) => &[NV12, YUV444, YUV420_10, YUV444_10],
            (Self::Hevc, false) => &[NV12, YUV444],
            (Self::Av1, true) => &[NV12, YUV420_10],
            _ => &[NV12],
        }
    }

    pub fn most_references(self) -> u32 {
        match self {
            Self::Av1 => 8,
            _ => 16,
        }
    }

    /// By the numbers of NV_ENC_CAPS; `None` for one that is not in this version.
    pub fn capability(self, number: u32) -> Option<i32> {
        let (width, height) = match self {
            Self::H264 => (4096, 4096),
            _ => (8192, 8192),
        };
        Some(match number {
            // constant QP, VBR and CBR
            1 => 1 | 2 | 4,
            13 => 62,
            14 => 10,
            16 => width,
            17 => height,
            // changes of size and rate
            19 | 26 => 1,
            20 => i32::from(knobs::new_rate()),
            23 => i32::from(self != Self::Av1 && knobs::sub_frames()),
            28 => i32::from(knobs::invalidation()),
            25 => 1,
            31 => width * height / 256,
            33 => i32::from(self == Self::Hevc),
            39 => i32::from(self != Self::H264 && knobs::ten_bit()),
            // the double has no card's speed
            32 => 0,
            45 => 64,
            46 => 64,
            47 => 1,
            49 => 1,
            0..=54 => 0,
            _ => return None,
        })
    }
}
