//! Pictures become access units here: real streams that decoders play, by the simplest means for each codec.
//!
//! H.264 through OpenH264; HEVC and AV1 written by hand, see there for what they leave out.

pub mod av1;
pub mod h264;
pub mod hevc;
#[cfg(test)]
mod tests;

use crate::{card::Codec, references::Kind};

/// How the encoder was set up, as far as streams go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup {
    pub codec: Codec,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub kbps: u32,
    pub references: u32,
    /// Of a picture; the coder of AV1 makes one.
    pub slices: u32,
    /// Slices can be fetched while their picture is encoded.
    pub sub_frames: bool,
    pub chroma_444: bool,
    /// 8 or 10.
    pub bits: u32,
    /// In the order of the VUI: primaries, transfer, matrix, full range.
    pub colour: [u32; 4],
}

/// A picture as it lies on the card, its lines without padding: NV12, or three planes for 4:4:4; with 10 bits the same in
/// little-endian words whose upper bits count.
pub struct Source<'a> {
    pub width: usize,
    pub height: usize,
    pub bytes: &'a [u8],
    /// What the program said beside it, as type and bytes: SEI messages, or metadata OBUs.
    pub metadata: &'a [(u32, Vec<u8>)],
}

pub trait Coder: Send {
    /// The access unit of a picture. `headers`: with parameter sets, which an IDR needs to be of use.
    fn encode(&mut self, source: &Source<'_>, stamp: u64, kind: Kind, headers: bool) -> Vec<u8>;

    /// Aim at this rate from the next picture on.
    fn set_rate(&mut self, kbps: u32);
}

/// Where the slices of an access unit begin, each at its start code. None of AV1.
pub fn slices(codec: Codec, unit: &[u8]) -> Vec<usize> {
    let nals = (unit.windows(4).enumerate()).filter(|(_, bytes)| bytes[..3] == [0, 0, 1]);
    let is_slice = |header: u8| match codec {
        Codec::H264 => matches!(header & 0x1f, 1..=5),
        Codec::Hevc => header >> 1 & 0x3f < 32,
        Codec::Av1 => false,
    };
    let slices = nals.filter(|(_, bytes)| is_slice(bytes[3]));
    let start = |at: usize| at - usize::from(at > 0 && unit[at - 1] == 0);
    slices.map(|(at, _)| start(at)).collect()
}

pub fn open(setup: &Setup) -> Box<dyn Coder> {
    match setup.codec {
        Codec::H264 => Box::new(h264::H264::new(setup)),
        Codec::Hevc => Box::new(hevc::Hevc::new(setup)),
        Codec::Av1 => Box::new(av1::Av1::new(setup)),
    }
}
