//! AV1, written by hand: every picture is grey, of intra blocks without a residual.
//!
//! Pictures that are no key frames are "intra only": valid for every decoder, and referring to nothing. What a real encoder
//! would have referred to is in the books alone. Nothing aims at a rate.

use super::{Coder, Setup, Source};
use crate::references::Kind;
use punktfunk_coder::{
    bits::Writer,
    range::{Symbols, obu},
};

const SEQUENCE_HEADER: u32 = 1;
const TEMPORAL_DELIMITER: u32 = 2;
const METADATA: u32 = 5;
const FRAME: u32 = 6;

/// Default distributions of the AV1 specification (9.3), for the few symbols that are written; all neighbours are alike.
const PARTITION_64: [u32; 10] = [
    20137, 21547, 23078, 29566, 29837, 30261, 30524, 30892, 31724, 32768,
];
const SKIP: [[u32; 2]; 3] = [[31671, 32768], [16515, 32768], [4576, 32768]];
const LUMA_MODE: [u32; 13] = [
    15588, 17027, 19338, 20218, 20682, 21110, 21825, 23244, 24189, 28165, 29093, 30466, 32768,
];
const CHROMA_MODE: [u32; 13] = [
    22631, 24152, 25378, 25661, 25986, 26520, 27055, 27923, 28244, 30059, 30941, 31961, 32768,
];

pub struct Av1 {
    setup: Setup,
    /// Superblocks of 64x64.
    across: u32,
    down: u32,
}

impl Av1 {
    pub fn new(setup: &Setup) -> Self {
        Self {
            setup: *setup,
            across: setup.width.div_ceil(64),
            down: setup.height.div_ceil(64),
        }
    }

    /// The size of what is encoded: whole superblocks, so that no block is cut at an edge. The picture's own size is told as
    /// the size to render.
    fn coded(&self) -> (u32, u32) {
        (self.across * 64, self.down * 64)
    }

    fn sequence(&self) -> Vec<u8> {
        let (width, height) = self.coded();
        let mut out = Writer::default();
        // main profile, neither still nor reduced, no timing, no delays, one operating point
        out.bits(3 + 1 + 1 + 1 + 1 + 5 + 12, 0);
        // level 6.3, main tier
        out.bits(5, 19);
        out.bit(0);
        out.bits(4, 15);
        out.bits(4, 15);
        out.bits(16, width - 1);
        out.bits(16, height - 1);
        // no frame ids, superblocks of 64; none of filter intra, edge filter, inter-intra, masks, warping, dual filters, order
        // hints; no choice of screen tools, none; none of super-resolution, CDEF, restoration
        out.bits(1 + 1 + 2 + 2 + 1 + 1 + 1 + 2 + 3, 0);
        let [primaries, transfer, matrix, full] = self.setup.colour;
        // 8 or 10 bits, colour, described
        out.bit(u32::from(self.setup.bits == 10));
        out.bits(2, 0b01);
        for value in [primaries, transfer, matrix] {
            out.bits(8, value);
        }
        out.bit(full);
        // chroma between the luma samples, one set of quantisers, no film grain
        out.bits(2 + 1 + 1, 0);
        out.trailing();
        out.bytes
    }

    fn header(&self, key: bool) -> Writer {
        let mut out = Writer::default();
        // not a repetition; key frame or intra only; shown
        out.bit(0);
        out.bits(2, if key { 0 } else { 2 });
        out.bit(1);
        if !key {
            // resilient to errors
            out.bit(1);
        }
        // distributions stay as they are; the sequence's size
        out.bit(1);
        out.bit(0);
        if !key {
            // kept in the first slot
            out.bits(8, 1);
        }
        let (width, height) = self.coded();
        let differs = (width, height) != (self.setup.width, self.setup.height);
        out.bit(u32::from(differs));
        if differs {
            out.bits(16, self.setup.width - 1);
            out.bits(16, self.setup.height - 1);
        }
        // one tile
        out.bit(1);
        for superblocks in [self.across, self.down] {
            if superblocks > 1 {
                out.bit(0);
            }
        }
        // a quantiser without differences or matrices, no segments, no differences of it
        out.bits(8, 100);
        out.bits(1 + 1 + 1 + 1, 0);
        out.bit(0);
        out.bit(0);
        // loop filter off, sharpness, no differences
        out.bits(6 + 6 + 3 + 1, 0);
        // largest transforms, the whole set of them
        out.bits(2, 0);
        out
    }

    fn tile(&self) -> Vec<u8> {
        let mut coder = Symbols::default();
        for row in 0..self.down {
            for column in 0..self.across {
                // one block of 64x64, without a residual, from the mean of its neighbours
                coder.symbol(0, &PARTITION_64);
                let around = usize::from(row > 0) + usize::from(column > 0);
                coder.symbol(1, &SKIP[around]);
                coder.symbol(0, &LUMA_MODE);
                coder.symbol(0, &CHROMA_MODE);
            }
        }
        coder.finish()
    }
}

impl Coder for Av1 {
    fn encode(&mut self, source: &Source<'_>, _: u64, kind: Kind, headers: bool) -> Vec<u8> {
        let mut unit = obu(TEMPORAL_DELIMITER, &[]);
        if headers {
            unit.extend(obu(SEQUENCE_HEADER, &self.sequence()));
        }
        for (kind, message) in source.metadata {
            let mut payload = vec![*kind as u8];
            payload.extend(message);
            // trailing bits
            payload.push(0x80);
            unit.extend(obu(METADATA, &payload));
        }
        let mut frame = self.header(kind == Kind::Idr).bytes;
        frame.extend(self.tile());
        unit.extend(obu(FRAME, &frame));
        unit
    }

    fn set_rate(&mut self, _: u32) {}
}
