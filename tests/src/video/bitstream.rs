//! The three codecs of a stream, and what a client sees in a frame before it decodes it.

use super::{av1, frame::Frame, h264, hevc};
use crate::breach::Breaches;
use std::str::FromStr;

/// The codec that the client announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum VideoCodec {
    #[default]
    H264,
    Hevc,
    Av1,
}

impl VideoCodec {
    /// `bitStreamFormat` of ANNOUNCE.
    pub fn format(self) -> u8 {
        match self {
            Self::H264 => 0,
            Self::Hevc => 1,
            Self::Av1 => 2,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Hevc => "h265",
            Self::Av1 => "av1",
        }
    }
}

impl FromStr for VideoCodec {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::H264, Self::Hevc, Self::Av1]
            .into_iter()
            .find(|codec| codec.name() == text)
            .ok_or_else(|| format!("no codec {text:?}: h264, h265 or av1"))
    }
}

/// What the bitstream of a frame says, with the rules of section 8.2 checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// A client takes this frame as a key frame.
    pub key: bool,
    pub slices: usize,
}

pub fn look(codec: VideoCodec, frame: &Frame, breaches: &Breaches) -> Look {
    match codec {
        VideoCodec::H264 => h264::look(frame, breaches),
        VideoCodec::Hevc => hevc::look(frame, breaches),
        VideoCodec::Av1 => av1::look(frame, breaches),
    }
}
/// H.264 and HEVC come as Annex B: a start code, then the first NAL unit.
pub fn require_start_code(frame: &Frame, breaches: &Breaches) {
    let stream = &frame.access_unit;
    let begins = stream.starts_with(&[0, 0, 1]) || stream.starts_with(&[0, 0, 0, 1]);
    breaches.require(begins, "8.2", "access-unit-without-start-code", || {
        format!(
            "frame {}: {}",
            frame.index,
            hex::encode(&stream[..stream.len().min(8)])
        )
    });
}
