//! HEVC, written by hand: blocks of 16x16, each either PCM samples or a copy of the reference at the same place.
//!
//! Of 8 bits luma keeps two and chroma one, so that pictures are recognisable and small; of 10 bits all are kept, so that what
//! a decoder shows is what went in. Nothing aims at a rate. Which picture a
//! picture refers to is in the stream, in its reference picture set: an older one after an invalidation, as with a real
//! encoder.

use super::{Coder, Setup, Source};
use crate::references::Kind;
use punktfunk_coder::{
    bits::{Writer, nal},
    cabac::{Arithmetic, Context},
};
use std::ops::Range;

const BLOCK: usize = 16;
/// Bits of the picture order count in slice headers.
const ORDER_BITS: u32 = 16;
const QP: i32 = 26;

const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const PREFIX_SEI: u8 = 39;
const IDR: u8 = 20;
const TRAILING: u8 = 1;

/// A picture as decoders have it: its blocks, each the samples as they are written.
struct Decoded {
    stamp: u64,
    order: u32,
    blocks: Vec<Vec<u16>>,
}

pub struct Hevc {
    setup: Setup,
    /// Bits of a PCM sample: luma, chroma.
    pcm: (u32, u32),
    /// Blocks across and down.
    across: usize,
    down: usize,
    kept: Vec<Decoded>,
    order: u32,
}

impl Hevc {
    pub fn new(setup: &Setup) -> Self {
        Self {
            setup: *setup,
            pcm: if setup.bits == 8 { (2, 1) } else { (10, 10) },
            across: (setup.width as usize).div_ceil(BLOCK),
            down: (setup.height as usize).div_ceil(BLOCK),
            kept: Vec::new(),
            order: 0,
        }
    }

    /// The picture's blocks: 256 luma samples and twice 64 or 256 chroma, cut down to their bits; beyond its edge the edge again.
    fn blocks(&self, source: &Source<'_>) -> Vec<Vec<u16>> {
        let (wide, high) = (source.width, source.height);
        // where a sample lies, counted in samples
        let sample = |index: usize| match self.setup.bits {
            8 => u16::from(source.bytes[index]),
            _ => u16::from_le_bytes([source.bytes[2 * index], source.bytes[2 * index + 1]]) >> 6,
        };
        let at = |plane: usize, lines: usize, x: usize, y: usize| {
            sample(plane + y.min(lines - 1) * wide + x.min(wide - 1))
        };
        let luma_cut = self.setup.bits - self.pcm.0;
        let chroma_cut = self.setup.bits - self.pcm.1;
        let mut blocks = Vec::with_capacity(self.across * self.down);
        for block in 0..self.across * self.down {
            let (left, top) = (block % self.across * BLOCK, block / self.across * BLOCK);
            let mut samples = Vec::with_capacity(384);
            for y in top..top + BLOCK {
                for x in left..left + BLOCK {
                    samples.push(at(0, high, x, y) >> luma_cut);
                }
            }
            for part in 0..2 {
                if self.setup.chroma_444 {
                    let plane = (1 + part) * wide * high;
                    for y in top..top + BLOCK {
                        for x in left..left + BLOCK {
                            samples.push(at(plane, high, x, y) >> chroma_cut);
                        }
                    }
                    continue;
                }
                for y in top / 2..(top + BLOCK) / 2 {
                    for x in left / 2..(left + BLOCK) / 2 {
                        let x = x.min(wide / 2 - 1) * 2 + part;
                        samples.push(at(wide * high, high / 2, x, y) >> chroma_cut);
                    }
                }
            }
            blocks.push(samples);
        }
        blocks
    }

    fn unit(kind: u8, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bits(8, u32::from(kind) << 1);
        writer.bits(8, 1);
        fill(&mut writer);
        nal(&writer.bytes)
    }

    fn parameter_sets(&self) -> Vec<u8> {
        let depth = self.setup.references;
        let vps = Self::unit(VPS, |out| {
            out.bits(4, 0);
            out.bits(2, 3);
            out.bits(6, 0);
            out.bits(3, 0);
            out.bit(1);
            out.bits(16, 0xffff);
            profile(out, &self.setup);
            out.bit(1);
            out.ue(depth);
            out.ue(0);
            out.ue(0);
            out.bits(6, 0);
            out.ue(0);
            out.bits(2, 0);
            out.trailing();
        });
        let sps = Self::unit(SPS, |out| self.sequence(out));
        let pps = Self::unit(PPS, |out| {
            out.ue(0);
            out.ue(0);
            // neither dependent slices, output flags, extra bits, hidden signs nor initial tables
            out.bits(7, 0);
            out.ue(0);
            out.ue(0);
            out.se(0);
            // constrained intra, transform skip, QP differences
            out.bits(3, 0);
            out.se(0);
            out.se(0);
            // chroma offsets in slices, two weightings, bypass, tiles, wavefronts, filter across slices
            out.bits(7, 0);
            // the deblocking filter is off
            out.bits(3, 0b101);
            // scaling lists, changed reference lists
            out.bits(2, 0);
            out.ue(0);
            out.bits(2, 0);
            out.trailing();
        });
        [vps, sps, pps].concat()
    }

    fn sequence(&self, out: &mut Writer) {
        let (width, height) = ((self.across * BLOCK) as u32, (self.down * BLOCK) as u32);
        out.bits(4, 0);
        out.bits(3, 0);
        out.bit(1);
        profile(out, &self.setup);
        out.ue(0);
        let cell = if self.setup.chroma_444 {
            out.ue(3);
            // the planes belong together
            out.bit(0);
            1
        } else {
            out.ue(1);
            2
        };
        out.ue(width);
        out.ue(height);
        // what is beyond the picture's edge is not shown, counted in chroma samples
        out.bit(1);
        for cut in [
            0,
            (width - self.setup.width) / cell,
            0,
            (height - self.setup.height) / cell,
        ] {
            out.ue(cut);
        }
        out.ue(self.setup.bits - 8);
        out.ue(self.setup.bits - 8);
        out.ue(ORDER_BITS - 4);
        out.bit(1);
        out.ue(self.setup.references);
        out.ue(0);
        out.ue(0);
        // coding blocks of 16 in tree blocks of 16, transforms of 4 to 16
        for value in [1, 0, 0, 2, 0, 0] {
            out.ue(value);
        }
        // no scaling lists, asymmetric partitions, offset filter; PCM
        out.bits(4, 0b0001);
        out.bits(4, self.pcm.0 - 1);
        out.bits(4, self.pcm.1 - 1);
        out.ue(1);
        out.ue(0);
        out.bit(1);
        // no prepared reference sets, long-term references, motion from before, strong smoothing
        out.ue(0);
        out.bits(3, 0);
        // colours
        out.bit(1);
        let [primaries, transfer, matrix, full] = self.setup.colour;
        out.bits(2, 0);
        out.bit(1);
        out.bits(3, 5);
        out.bit(full);
        out.bit(1);
        for value in [primaries, transfer, matrix] {
            out.bits(8, value);
        }
        // chroma place, neutral chroma, fields, field information, window, timing, restrictions; extensions
        out.bits(7, 0);
        out.bit(0);
        out.trailing();
    }

    /// The header up to the slice's data; `used` is the stamp of the picture that is referred to.
    fn header(&self, out: &mut Writer, idr: bool, used: Option<u64>, first: usize) {
        out.bit(u32::from(first == 0));
        if idr {
            out.bit(0);
        }
        out.ue(0);
        if first > 0 {
            let blocks = (self.across * self.down) as u32;
            out.bits(u32::BITS - (blocks - 1).leading_zeros(), first as u32);
        }
        out.ue(if used.is_some() { 1 } else { 2 });
        if !idr {
            out.bits(ORDER_BITS, self.order & ((1 << ORDER_BITS) - 1));
            out.bit(0);
            out.ue(self.kept.len() as u32);
            out.ue(0);
            let mut before = self.order;
            for kept in self.kept.iter().rev() {
                out.ue(before - kept.order - 1);
                out.bit(u32::from(Some(kept.stamp) == used));
                before = kept.order;
            }
        }
        if used.is_some() {
            // one reference, as the PPS says; one candidate for merging
            out.bit(0);
            out.ue(4);
        }
        out.se(0);
        out.trailing();
    }

    /// The blocks from the first of `range` on; what is outside of it is not there for a decoder.
    fn slice(
        &self,
        out: &mut Writer,
        blocks: &[Vec<u16>],
        range: Range<usize>,
        reference: Option<&Decoded>,
    ) {
        let mut skip = [197, 185, 201].map(|value| Context::new(value, QP));
        let mut intra = Context::new(149, QP);
        let mut whole = Context::new(if reference.is_some() { 154 } else { 184 }, QP);
        let mut coder = Arithmetic::new();
        let mut skipped = vec![false; blocks.len()];
        let end = range.end;
        for (index, block) in blocks.iter().enumerate().take(end).skip(range.start) {
            if let Some(reference) = reference {
                let copy = reference.blocks[index] == *block;
                // blocks of other slices were not skipped, as far as this one knows
                let left = index % self.across > 0 && skipped[index - 1];
                let above = index >= self.across && skipped[index - self.across];
                let place = usize::from(left) + usize::from(above);
                coder.bin(copy, &mut skip[place], out);
                skipped[index] = copy;
                if !copy {
                    coder.bin(true, &mut intra, out);
                }
            }
            if !skipped[index] {
                coder.bin(true, &mut whole, out);
                coder.terminate(true, out);
                for (place, sample) in block.iter().enumerate() {
                    let bits = if place < 256 { self.pcm.0 } else { self.pcm.1 };
                    out.bits(bits, u32::from(*sample));
                }
                coder = Arithmetic::new();
            }
            coder.terminate(index + 1 == end, out);
        }
    }
}

impl Coder for Hevc {
    fn encode(&mut self, source: &Source<'_>, stamp: u64, kind: Kind, headers: bool) -> Vec<u8> {
        let blocks = self.blocks(source);
        let idr = kind == Kind::Idr;
        if idr {
            self.kept.clear();
            self.order = 0;
        } else {
            self.order += 1;
        }
        let used = match kind {
            Kind::From { stamp, .. } => Some(stamp),
            _ => None,
        };
        if let Some(used) = used {
            // what came after was invalidated
            self.kept.retain(|kept| kept.stamp <= used);
        }
        let mut unit = if headers {
            self.parameter_sets()
        } else {
            Vec::new()
        };
        for (kind, message) in source.metadata {
            unit.extend(Self::unit(PREFIX_SEI, |out| {
                out.bits(8, *kind);
                out.bits(8, message.len() as u32);
                message
                    .iter()
                    .for_each(|byte| out.bits(8, u32::from(*byte)));
                out.trailing();
            }));
        }
        let reference = self.kept.iter().find(|kept| Some(kept.stamp) == used);
        let slices = self.setup.slices as usize;
        let start = |slice: usize| self.down * slice / slices * self.across;
        for slice in 0..slices {
            let range = start(slice)..start(slice + 1);
            unit.extend(Self::unit(if idr { IDR } else { TRAILING }, |out| {
                self.header(out, idr, used, range.start);
                self.slice(out, &blocks, range.clone(), reference);
            }));
        }
        if self.kept.len() >= self.setup.references as usize {
            self.kept.remove(0);
        }
        self.kept.push(Decoded {
            stamp,
            order: self.order,
            blocks,
        });
        unit
    }

    fn set_rate(&mut self, _: u32) {}
}

/// Main, Main 10, or Main 4:4:4 of the range extensions with either depth; level 6.2: nothing is near it.
fn profile(out: &mut Writer, setup: &Setup) {
    out.bits(3, 0);
    let (number, compatible, constraints) = match (setup.chroma_444, setup.bits) {
        (false, 8) => (1, 0x6000_0000, 0),
        (false, _) => (2, 0x2000_0000, 0),
        (true, 8) => (4, 0x0800_0000, 0b1_1100_0001),
        (true, _) => (4, 0x0800_0000, 0b1_1000_0001),
    };
    out.bits(5, number);
    out.bits(32, compatible);
    // progressive, not interlaced, not packed, frames only
    out.bits(4, 0b1001);
    out.bits(9, constraints);
    out.bits(32, 0);
    out.bits(3, 0);
    out.bits(8, 186);
}
