//! One stream: what was handed over for a picture is sorted, checked, and becomes an access unit.

use crate::{
    abi::{self, Id, PackedHeader},
    av1, books, h264, hevc,
    objects::structure,
    state::{Surface, misuse},
    status::{INVALID_BUFFER, INVALID_PARAMETER},
};
use std::{collections::HashMap, sync::Arc};

/// 256 samples of luma, then 64 of each chroma.
pub type Block = [u8; 384];

/// What a surface for reconstruction holds.
#[derive(Clone)]
pub struct Decoded {
    /// Which context made it.
    pub context: usize,
    /// Its number in that context.
    pub number: u64,
    /// Its place in the numbering of its codec.
    pub order: u32,
    pub blocks: Arc<Vec<Block>>,
}

/// A picture that goes in: NV12 without padding.
pub struct Source {
    pub size: (usize, usize),
    pub surface: Id,
    pub pixels: Vec<u8>,
}

impl Source {
    pub fn blocks(&self) -> Vec<Block> {
        let (width, height) = self.size;
        let (luma, chroma) = self.pixels.split_at(width * height);
        let mut blocks = Vec::new();
        for top in (0..height).step_by(16) {
            for left in (0..width).step_by(16) {
                let mut block = [0; 384];
                for (line, to) in block[..256].chunks_exact_mut(16).enumerate() {
                    to.copy_from_slice(&luma[(top + line) * width + left..][..16]);
                }
                for place in 0..64 {
                    let at = (top / 2 + place / 8) * width + left + place % 8 * 2;
                    block[256 + place] = chroma[at];
                    block[320 + place] = chroma[at + 1];
                }
                blocks.push(block);
            }
        }
        blocks
    }
}

/// Headers that were handed over: as bytes with emulation prevention, and how many bits of them count.
pub struct Packed {
    pub kind: u32,
    pub bytes: Vec<u8>,
    pub bits: usize,
}

/// Everything of one picture.
#[derive(Default)]
pub struct Described {
    pub sequence: Option<Vec<u8>>,
    pub picture: Option<Vec<u8>>,
    pub slice: Option<Vec<u8>>,
    pub packed: Vec<Packed>,
}

impl Described {
    pub fn packed(&self, kind: u32) -> Option<&Packed> {
        self.packed.iter().find(|packed| packed.kind == kind)
    }
}

/// What a codec makes of a picture.
pub struct Made {
    /// Where it is reconstructed, and what holds its bits.
    pub surface: Id,
    pub coded: Id,
    pub key: bool,
    pub order: u32,
    pub reference: Option<Decoded>,
    pub unit: Vec<u8>,
    pub blocks: Vec<Block>,
}

pub struct Encoded {
    pub surface: Id,
    pub coded: Id,
    pub unit: Vec<u8>,
    pub decoded: Decoded,
}

#[derive(Default)]
pub struct Stream {
    index: usize,
    profile: i32,
    pub size: (usize, usize),
    pub encoded: u64,
    pub kbps: u32,
    pub fps: u32,
    pub h264: h264::Coder,
    pub hevc: hevc::Coder,
    pub av1: av1::Coder,
}

impl Stream {
    pub fn new(index: usize, profile: i32, size: (usize, usize)) -> Self {
        Self {
            index,
            profile,
            size,
            ..Self::default()
        }
    }

    pub fn profile(&self) -> i32 {
        self.profile
    }

    pub fn encode(
        &mut self,
        source: &Source,
        buffers: &[(i32, Vec<u8>)],
        packed: u32,
        surfaces: &HashMap<Id, Surface>,
    ) -> Result<Encoded, i32> {
        let described = self.sort(buffers)?;
        for (flag, kind) in [
            (abi::PACKED_SEQUENCE, abi::HEADER_SEQUENCE),
            (abi::PACKED_PICTURE, abi::HEADER_PICTURE),
            (abi::PACKED_SLICE, abi::HEADER_SLICE),
        ] {
            if described.packed(kind).is_some() && packed & flag == 0 {
                return Err(misuse(INVALID_PARAMETER, "headers that were not announced"));
            }
        }
        let look = Surfaces {
            context: self.index,
            input: source.surface,
            size: self.size,
            surfaces,
        };
        let made = match self.profile {
            abi::PROFILE_AV1_MAIN => av1::encode(self, source, &described, &look)?,
            abi::PROFILE_HEVC_MAIN => hevc::encode(self, source, &described, &look)?,
            _ => h264::encode(self, source, &described, &look, packed)?,
        };
        let from = made
            .reference
            .as_ref()
            .map_or("-".to_owned(), |found| found.number.to_string());
        books::picture(&format!(
            "{} {} {} {from} {} {}",
            self.index,
            self.encoded,
            if made.key { "IDR" } else { "P" },
            self.kbps,
            made.unit.len()
        ));
        let decoded = Decoded {
            context: self.index,
            number: self.encoded,
            order: made.order,
            blocks: Arc::new(made.blocks),
        };
        self.encoded += 1;
        Ok(Encoded {
            surface: made.surface,
            coded: made.coded,
            unit: made.unit,
            decoded,
        })
    }

    fn sort(&mut self, buffers: &[(i32, Vec<u8>)]) -> Result<Described, i32> {
        let mut described = Described::default();
        let mut header: Option<Box<PackedHeader>> = None;
        for (kind, bytes) in buffers {
            if header.is_some() != (*kind == abi::BUFFER_PACKED_DATA) {
                return Err(misuse(
                    INVALID_BUFFER,
                    "headers without their description, or the other way",
                ));
            }
            let twice = |place: &Option<Vec<u8>>| {
                if place.is_some() {
                    misuse(INVALID_BUFFER, "a structure was handed over twice");
                }
            };
            match *kind {
                abi::BUFFER_SEQUENCE => {
                    twice(&described.sequence);
                    if described.picture.is_some() {
                        misuse(INVALID_BUFFER, "the sequence came after the picture");
                    }
                    described.sequence = Some(bytes.clone());
                }
                abi::BUFFER_PICTURE => {
                    twice(&described.picture);
                    described.picture = Some(bytes.clone());
                }
                abi::BUFFER_SLICE => {
                    twice(&described.slice);
                    if described.picture.is_none() {
                        misuse(INVALID_BUFFER, "a slice came before its picture");
                    }
                    described.slice = Some(bytes.clone());
                }
                abi::BUFFER_PACKED_PARAMETER => header = Some(structure(bytes, "a packed header")?),
                abi::BUFFER_PACKED_DATA => {
                    let header = header.take().ok_or(INVALID_BUFFER)?;
                    let bits = header.bit_length as usize;
                    let whole = bits.div_ceil(8) == bytes.len();
                    if !whole || header.has_emulation_bytes != 1 {
                        return Err(misuse(
                            INVALID_BUFFER,
                            "headers of another length than they say",
                        ));
                    }
                    described.packed.push(Packed {
                        kind: header.kind,
                        bytes: bytes.clone(),
                        bits,
                    });
                }
                abi::BUFFER_MISC => self.misc(bytes)?,
                _ => return Err(misuse(INVALID_BUFFER, "a buffer that no encoder reads")),
            }
        }
        if self.encoded == 0 && (self.kbps == 0 || self.fps == 0) {
            misuse(INVALID_PARAMETER, "a stream without a rate");
        }
        Ok(described)
    }

    fn misc(&mut self, bytes: &[u8]) -> Result<(), i32> {
        let Some((kind, data)) = bytes.split_first_chunk::<4>() else {
            return Err(misuse(INVALID_BUFFER, "rate control without its kind"));
        };
        match u32::from_ne_bytes(*kind) {
            abi::MISC_RATE_CONTROL => {
                let rate: Box<abi::RateControl> = structure(data, "rate control")?;
                if rate.bits_per_second == 0 || rate.target_percentage != 100 {
                    return Err(misuse(INVALID_PARAMETER, "a rate of nothing"));
                }
                self.kbps = rate.bits_per_second / 1000;
            }
            abi::MISC_FRAME_RATE => {
                let rate: Box<abi::FrameRate> = structure(data, "frame rate")?;
                let (frames, each) = (rate.framerate & 0xffff, rate.framerate >> 16);
                if frames == 0 || each != 1 {
                    return Err(misuse(INVALID_PARAMETER, "a frame rate of nothing"));
                }
                self.fps = frames;
            }
            abi::MISC_HRD => {
                let hrd: Box<abi::Hrd> = structure(data, "buffer")?;
                if hrd.buffer_size == 0 || hrd.initial_buffer_fullness > hrd.buffer_size {
                    return Err(misuse(INVALID_PARAMETER, "a buffer that holds nothing"));
                }
            }
            _ => return Err(misuse(INVALID_BUFFER, "rate control of an unknown kind")),
        }
        Ok(())
    }
}

/// The surfaces of a context, for looking references up.
pub struct Surfaces<'a> {
    context: usize,
    input: Id,
    size: (usize, usize),
    surfaces: &'a HashMap<Id, Surface>,
}

impl Surfaces<'_> {
    /// A reference, which must hold the picture that it is said to be.
    pub fn reference(&self, id: Id, order: u32) -> Result<Decoded, i32> {
        let found = self.surfaces.get(&id);
        let decoded = found.and_then(|found| found.decoded.as_ref());
        let decoded = decoded.filter(|decoded| decoded.context == self.context);
        let decoded = decoded.ok_or_else(|| {
            misuse(
                INVALID_PARAMETER,
                "a reference that was never reconstructed",
            )
        })?;
        if decoded.order != order {
            misuse(
                INVALID_PARAMETER,
                "a reference that holds another picture than it is said to",
            );
        }
        Ok(decoded.clone())
    }

    /// Whether a picture may be reconstructed there.
    pub fn target(&self, id: Id, references: &[Id]) {
        let found = self.surfaces.get(&id);
        let fits = found.is_some_and(|found| (found.width, found.height) == self.size);
        if !fits || id == self.input || references.contains(&id) {
            misuse(
                INVALID_PARAMETER,
                "a picture is reconstructed where it must not be",
            );
        }
    }
}
