//! Sequence and frame headers: read, and with what the driver decides put into them.

use super::wrong;
use punktfunk_coder::bits::{Reader, Writer};

/// The payload of the one OBU in there, if it is of this kind and its size takes so many bytes; and where the size lies.
pub fn payload(bytes: &[u8], kind: u8, size_bytes: usize) -> &[u8] {
    let size = bytes.get(1..=size_bytes).unwrap_or_default();
    let said = (size.iter().enumerate()).fold(0, |size, (place, byte)| {
        size | usize::from(byte & 0x7f) << (7 * place)
    });
    let continued = size.iter().position(|byte| byte & 0x80 == 0);
    let payload = bytes.get(1 + size_bytes..).unwrap_or_default();
    let header = bytes.first().copied();
    if header != Some(kind << 3 | 2) || continued != Some(size_bytes - 1) || said != payload.len() {
        wrong("a header that is not one OBU with a size as the driver counts it");
    }
    payload
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Sequence {
    pub profile: u32,
    pub level: u32,
    pub tier: u32,
    pub size: (u32, u32),
    pub order_bits: u32,
    pub cdef: bool,
    pub bits: u32,
}

impl Sequence {
    pub fn read(payload: &[u8]) -> Self {
        let mut from = Reader::new(payload);
        let mut found = Self {
            profile: from.bits(3),
            bits: 8,
            ..Self::default()
        };
        if from.bits(4) != 0 || from.bits(5) != 0 || from.bits(12) != 0 {
            wrong("a still picture, timing, delays or layers");
        }
        found.level = from.bits(5);
        if found.level > 7 {
            found.tier = from.bit();
        }
        let (across, down) = (from.bits(4) + 1, from.bits(4) + 1);
        found.size = (from.bits(across) + 1, from.bits(down) + 1);
        if from.bits(8) != 0 {
            wrong("numbers of frames, large blocks, or tools that the driver does not have");
        }
        if from.bit() == 1 {
            if from.bits(2) != 0 {
                wrong("weights by distance, or motion from before");
            }
            // whether pictures choose tools for screens, then that they have none
            if from.bits(2) != 0 {
                wrong("tools for screens");
            }
            found.order_bits = from.bits(3) + 1;
        } else {
            wrong("pictures without an order");
        }
        if from.bit() != 0 {
            wrong("super-resolution");
        }
        found.cdef = from.bit() == 1;
        if from.bit() != 0 {
            wrong("restoration");
        }
        if from.bit() == 1 {
            found.bits = 10;
        }
        if from.bit() != 0 {
            wrong("no colour");
        }
        if from.bit() == 1 {
            from.bits(24);
        }
        from.bits(3);
        if from.bits(2) != 0 || from.bit() != 1 || from.bits(from.left() as u32) != 0 {
            wrong("quantisers apart, film grain, or no end of the sequence");
        }
        found
    }
}

/// What a frame header says, and where.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u32,
    pub order: u32,
    pub primary: u32,
    pub refreshed: u32,
    pub names: Vec<u32>,
    /// Logarithms.
    pub tiles: (u32, u32),
    pub quantiser: u32,
    pub select_transforms: bool,
    /// Bits of the payload.
    pub names_at: usize,
    pub quantiser_at: usize,
    pub loop_filter_at: usize,
    pub cdef_at: usize,
    pub behind_cdef: usize,
    pub end: usize,
}

/// How far a direction is cut: one bit for each step, as far as there may be more.
fn cuts(from: &mut Reader<'_>, blocks: u32, least: u32) -> u32 {
    let most = blocks.min(64).next_power_of_two().ilog2();
    let mut taken = least;
    while taken < most && from.bit() == 1 {
        taken += 1;
    }
    taken
}

impl Frame {
    /// Of a picture that fits into one tile.
    pub fn read(payload: &[u8], sequence: &Sequence) -> Self {
        let mut from = Reader::new(payload);
        let mut found = Self::default();
        if from.bit() != 0 {
            wrong("a picture that was shown before");
        }
        found.kind = from.bits(2);
        let key = found.kind == 0;
        if from.bit() != 1 || (!key && from.bit() != 0) {
            wrong("a picture that is not shown, or is resilient to errors");
        }
        if from.bits(2) != 0 {
            wrong("fixed probabilities, or a size of its own");
        }
        found.order = from.bits(sequence.order_bits);
        (found.primary, found.refreshed) = (7, 0xff);
        if !key {
            found.primary = from.bits(3);
            found.refreshed = from.bits(8);
            if from.bit() != 0 {
                wrong("references that are not all named");
            }
            found.names_at = from.at;
            found.names = (0..7).map(|_| from.bits(3)).collect();
        }
        if from.bit() != 0 || (!key && from.bits(5) != 0) {
            wrong("a size to render, or motion that the driver does not have");
        }
        if from.bits(2) != 0b01 {
            wrong("probabilities that are not kept, or uneven tiles");
        }
        let blocks = |side: u32| side.div_ceil(64);
        found.tiles.0 = cuts(&mut from, blocks(sequence.size.0), 0);
        found.tiles.1 = cuts(&mut from, blocks(sequence.size.1), 0);
        found.quantiser_at = from.at;
        found.quantiser = from.bits(8);
        if from.bits(3 + 1 + 1 + 1) != 0 {
            wrong("differences of the quantiser, matrices or segments");
        }
        found.loop_filter_at = from.at;
        if from.bits(6 + 6 + 3 + 1) != 0 {
            wrong("a loop filter of its own");
        }
        found.cdef_at = from.at;
        if sequence.cdef && from.bits(2 + 2 + 12) != 0 {
            wrong("CDEF of its own");
        }
        found.behind_cdef = from.at;
        found.select_transforms = from.bit() == 1;
        let rest = if key { 1 } else { 1 + 1 + 7 };
        if from.bits(rest) != 0 {
            wrong("mixed references, fewer transforms, or motion of the whole picture");
        }
        found.end = from.at;
        if from.bit() != 1 || from.bits(from.left() as u32) != 0 {
            wrong("a frame header that does not end");
        }
        found
    }

    /// The header with a quantiser, filters, and other names of references where they are given; without its end.
    pub fn decided(&self, payload: &[u8], quantiser: u8, name: Option<u32>) -> Writer {
        let mut from = Reader::new(payload);
        let mut out = Writer::default();
        let copy = |from: &mut Reader<'_>, out: &mut Writer, to: usize| {
            while from.at < to {
                out.bit(from.bit());
            }
        };
        if let (Some(name), 1) = (name, self.kind) {
            copy(&mut from, &mut out, self.names_at);
            (0..7).for_each(|_| out.bits(3, name));
            from.at += 7 * 3;
        }
        copy(&mut from, &mut out, self.quantiser_at);
        out.bits(8, u32::from(quantiser));
        from.at += 8;
        copy(&mut from, &mut out, self.loop_filter_at);
        // with levels there are those of chroma as well: what follows moves
        for level in [9, 8, 5, 4] {
            out.bits(6, level);
        }
        out.bits(3 + 1, 0);
        from.at = self.cdef_at;
        if self.behind_cdef > self.cdef_at {
            // damping, one strength
            out.bits(2, 2);
            out.bits(2, 0);
            for (first, second) in [(4, 1), (2, 1)] {
                out.bits(4, first);
                out.bits(2, second);
            }
        }
        from.at = self.behind_cdef;
        copy(&mut from, &mut out, self.end);
        out
    }
}
