//! Frames whose slices leave one after the other, each as a FEC block of its own, before the last one is there.
//!
//! How many blocks a frame has stands in its first packet, so it is settled when the first slice is; what comes together at the end
//! is cut into the blocks that are left. A block's last packet is filled up with zeros, which H.264 and HEVC allow behind every NAL
//! unit. Not for AV1.
use super::{AccessUnit, Datagrams, Packetizer, Run};
use crate::video::{
    header::FRAME_HEADER_LEN,
    payload::Payload,
    plan::{self, Block, MAX_BLOCKS, MAX_UNPROTECTED_SHARDS},
};
use crate::{Error, Result};
use std::io::{self, IoSliceMut};

/// Fewest packets of a first part. A frame of less is sent before it could have gained anything, and the parity of each part would
/// outweigh it.
const FEWEST: usize = 4;

/// A first part of so many packets has all the blocks behind it that there are: what follows may be many times as large, and what it
/// is to be cut into is settled now. Of a smaller one the rest would have to be nine times as large to lose its parity.
const MANY: usize = 24;

/// A frame that has begun to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    frame_index: u32,
    timestamp_90k: u32,
    /// Blocks that were made, and all of them.
    made: u8,
    blocks: u8,
}

impl Begun {
    pub fn frame_index(&self) -> u32 {
        self.frame_index
    }

    /// The next part is the last one, [`Packetizer::rest_reading`]'s.
    pub fn is_last(&self) -> bool {
        self.made.saturating_add(1) >= self.blocks
    }
}

impl Packetizer {
    /// Whether a frame whose first part has `len` bytes should leave in parts: it is large enough to gain by it, and the part has
    /// room for all its parity in one block.
    pub fn worth_parts(&self, len: usize) -> bool {
        let packets = len.saturating_add(FRAME_HEADER_LEN).div_ceil(self.payload);
        (FEWEST..=plan::largest_protected(self.wishes)).contains(&packets)
    }

    /// Whether `len` bytes have room for all their parity in one block.
    pub fn holds(&self, len: usize) -> bool {
        len.div_ceil(self.payload) <= plan::largest_protected(self.wishes)
    }

    /// Into how many blocks a frame of so many parts is cut that begins with `first`: more than parts where the first one is large, or the
    /// others, should they be a quarter larger, would not have room for their parity in as many.
    pub fn blocks_for(&self, first: &AccessUnit<'_>, parts: u8) -> u8 {
        let first = first
            .len()
            .saturating_add(FRAME_HEADER_LEN)
            .div_ceil(self.payload);
        let others = first.saturating_mul(usize::from(parts.saturating_sub(1)));
        let others = others.saturating_add(others / 4);
        let largest = plan::largest_protected(self.wishes).max(1);
        let blocks = match first {
            MANY.. => MAX_BLOCKS,
            _ => others.div_ceil(largest).saturating_add(1),
        };
        u8::try_from(blocks.min(MAX_BLOCKS)).map_or(parts, |blocks| blocks.max(parts))
    }

    /// Begin a frame of `blocks` (2 to 4) blocks with its first part, `unit`. `read` as for [`Packetizer::packetize_reading`].
    ///
    /// # Errors
    /// As there; [`Error::BadConfig`] for a number of blocks that the wire does not have.
    pub fn begin_reading(
        &mut self,
        unit: &AccessUnit<'_>,
        blocks: u8,
        mut read: impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<()>,
    ) -> Result<(Begun, Datagrams<'_>)> {
        if !(2..=MAX_BLOCKS).contains(&usize::from(blocks)) {
            return Err(Error::BadConfig("a frame has 2 to 4 parts"));
        }
        let len = unit.len();
        if len == 0 {
            return Err(Error::EmptyFrame);
        }
        let [block, ..] = self.cut(len.saturating_add(FRAME_HEADER_LEN), 1)?;
        let begun = Begun {
            frame_index: self.next_frame,
            timestamp_90k: unit.timestamp_90k,
            made: 1,
            blocks,
        };
        self.next_frame = self.next_frame.wrapping_add(1);
        let mut payload = Payload::beginning(unit, self.payload);
        let run = begun.run(0, std::slice::from_ref(&block));
        let datagrams = self.write(&run, &mut payload, &mut read)?;
        Ok((begun, datagrams))
    }

    /// The frame's next `len` bytes, in one block, with more to come.
    ///
    /// # Errors
    /// As [`Packetizer::begin_reading`]; [`Error::BadConfig`] where only [`Packetizer::rest_reading`] may follow.
    pub fn part_reading(
        &mut self,
        begun: &mut Begun,
        len: usize,
        mut read: impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<()>,
    ) -> Result<Datagrams<'_>> {
        if begun.is_last() {
            return Err(Error::BadConfig("the frame has no part left but the last"));
        }
        let [block, ..] = self.cut(len, 1)?;
        let number = begun.made;
        begun.made = number.saturating_add(1);
        let run = begun.run(number, std::slice::from_ref(&block));
        self.write(&run, &mut Payload::more(len), &mut read)
    }

    /// The frame's last `len` bytes, in all the blocks that are left.
    ///
    /// # Errors
    /// As [`Packetizer::begin_reading`].
    pub fn rest_reading(
        &mut self,
        begun: Begun,
        len: usize,
        mut read: impl FnMut(&mut [IoSliceMut<'_>]) -> io::Result<()>,
    ) -> Result<Datagrams<'_>> {
        let left = usize::from(begun.blocks.saturating_sub(begun.made));
        let blocks = self.cut(len, left)?;
        let run = begun.run(begun.made, blocks.get(..left).unwrap_or_default());
        self.write(&run, &mut Payload::more(len), &mut read)
    }

    /// `count` blocks for `len` bytes.
    fn cut(&self, len: usize, count: usize) -> Result<[Block; MAX_BLOCKS]> {
        let mut blocks = [Block {
            data: 0,
            parity: 0,
            percent: 0,
        }; MAX_BLOCKS];
        let packets = len.div_ceil(self.payload);
        let planned = plan::exactly(packets, count, self.wishes);
        for (place, block) in blocks.iter_mut().zip(planned) {
            *place = block;
        }
        if blocks
            .iter()
            .any(|block| block.data > MAX_UNPROTECTED_SHARDS)
        {
            let max = count
                .saturating_mul(MAX_UNPROTECTED_SHARDS)
                .saturating_mul(self.payload);
            return Err(Error::FrameTooLarge { len, max });
        }
        Ok(blocks)
    }
}

impl Begun {
    fn run<'a>(&self, number: u8, blocks: &'a [Block]) -> Run<'a> {
        Run {
            blocks,
            number,
            last: self.blocks.saturating_sub(1),
            frame_index: self.frame_index,
            timestamp_90k: self.timestamp_90k,
        }
    }
}
