//! One frame on its way in: its blocks, and the access unit when all are complete.
use super::block::{Block, Taken};
use super::header::{FRAME_HEADER_LEN, FrameKind, HEADER_LEN, SHORT_HEADER};
use super::packet::Packet;
use super::plan::MAX_BLOCKS;
use crate::fec::CodeCache;
use crate::{Error, Result};

/// A complete access unit, byte for byte as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedFrame {
    pub data: Vec<u8>,
    pub kind: FrameKind,
    /// 90 kHz capture time, modulo 2^32.
    pub timestamp_90k: u32,
    /// Host processing latency in 0.1 ms, 0 = unknown.
    pub latency_100us: u16,
    pub frame_index: u32,
    /// The host keeps this frame as a long-term reference.
    pub long_term_reference: bool,
    /// The two bytes of the frame header that clients skip.
    pub(crate) mark: u16,
}

/// Limits for one frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of a whole packet.
    pub shard_len: usize,
    /// Longest access unit.
    pub max_frame_len: usize,
}

/// A frame in the making.
#[derive(Debug)]
pub(super) struct Assembly {
    timestamp_90k: u32,
    last_block: u8,
    frame_index: u32,
    blocks: [Option<Block>; MAX_BLOCKS],
}

impl Assembly {
    pub fn new(packet: &Packet<'_>) -> Self {
        Self {
            timestamp_90k: packet.timestamp_90k,
            last_block: packet.last_block,
            frame_index: packet.frame_index,
            blocks: [const { None }; MAX_BLOCKS],
        }
    }

    /// Checks that `packet` fits this frame, and tells how many bytes its block would newly take.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::FrameTooLarge`].
    pub fn admit(&self, packet: &Packet<'_>, limits: Limits) -> Result<usize> {
        let last = packet.is_data() && packet.shard.saturating_add(1) == packet.data;
        let len = packet.bytes.len();
        if len > limits.shard_len || (len < limits.shard_len && !last) {
            return Err(Error::Malformed {
                what: "video packet",
                why: "its length differs from the negotiated one",
            });
        }
        if packet.timestamp_90k != self.timestamp_90k || packet.last_block != self.last_block {
            return Err(Error::Malformed {
                what: "video packet",
                why: "it contradicts earlier packets of its frame",
            });
        }
        if self
            .blocks
            .get(usize::from(packet.block))
            .is_none_or(Option::is_some)
        {
            return Ok(0);
        }
        let shards: usize = self.blocks.iter().flatten().map(Block::data).sum();
        // All but the last packet are full, so this many bytes at least are on their way.
        let full = shards.saturating_add(packet.data).saturating_sub(1);
        let len = full
            .saturating_mul(limits.shard_len.saturating_sub(HEADER_LEN))
            .saturating_sub(FRAME_HEADER_LEN);
        if len > limits.max_frame_len {
            return Err(Error::FrameTooLarge {
                len,
                max: limits.max_frame_len,
            });
        }
        Ok(Block::size(packet, limits.shard_len))
    }

    /// Takes a packet that was admitted. `spare` gives a buffer for a new block.
    ///
    /// # Errors
    /// As [`Block::take`].
    pub fn take(
        &mut self,
        packet: &Packet<'_>,
        limits: Limits,
        codes: &mut CodeCache,
        spare: impl FnOnce() -> Vec<u8>,
    ) -> Result<Taken> {
        match self.blocks.get_mut(usize::from(packet.block)) {
            Some(slot) => slot
                .get_or_insert_with(|| Block::new(packet, limits.shard_len, spare()))
                .take(packet, codes),
            None => Ok(Taken::Surplus),
        }
    }

    /// Whether all blocks are complete.
    pub fn is_complete(&self) -> bool {
        self.used()
            .all(|block| block.as_ref().is_some_and(Block::is_complete))
    }

    fn used(&self) -> impl Iterator<Item = &Option<Block>> {
        self.blocks
            .iter()
            .take(usize::from(self.last_block).saturating_add(1))
    }

    /// Bytes that the blocks were made for.
    pub fn len(&self) -> usize {
        self.blocks.iter().flatten().map(Block::len).sum()
    }

    /// The buffers, for use in later frames.
    pub fn into_buffers(self) -> impl Iterator<Item = Vec<u8>> {
        self.blocks.into_iter().flatten().map(Block::into_bytes)
    }

    /// The access unit of a complete frame.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a frame header that cannot be, [`Error::FrameTooLarge`].
    pub fn frame(&self, limits: Limits) -> Result<ReceivedFrame> {
        let malformed = |why| Error::Malformed {
            what: "video frame",
            why,
        };
        let shards = || self.blocks.iter().flatten().flat_map(Block::shards);
        let payload = limits.shard_len.saturating_sub(HEADER_LEN);
        let first = shards().next().ok_or(malformed("it has no packets"))?;
        let extra_flags = first.get(25).copied().unwrap_or(0);
        let header = first
            .get(HEADER_LEN..)
            .and_then(|rest| rest.first_chunk::<FRAME_HEADER_LEN>());
        let [kind, l0, l1, frame_type, u0, u1, m0, m1] =
            *header.ok_or(malformed("it has no header"))?;
        if kind != SHORT_HEADER {
            return Err(malformed("unknown kind of frame header"));
        }
        let kind = FrameKind::from_wire(frame_type).ok_or(malformed("unknown frame type"))?;
        let used = usize::from(u16::from_le_bytes([u0, u1]));
        if used == 0 || used > payload {
            return Err(malformed("the last packet's length is impossible"));
        }
        let count = shards().count();
        let end = count
            .saturating_sub(1)
            .saturating_mul(payload)
            .saturating_add(used);
        let len = end.saturating_sub(FRAME_HEADER_LEN);
        if len == 0 {
            return Err(malformed("it is empty"));
        }
        if len > limits.max_frame_len {
            return Err(Error::FrameTooLarge {
                len,
                max: limits.max_frame_len,
            });
        }
        let mut data = Vec::with_capacity(len);
        let mut skip = FRAME_HEADER_LEN;
        for shard in shards() {
            let body = shard
                .get(HEADER_LEN.saturating_add(skip)..)
                .unwrap_or_default();
            let left = len.saturating_sub(data.len());
            data.extend_from_slice(body.get(..left).unwrap_or(body));
            skip = 0;
        }
        Ok(ReceivedFrame {
            data,
            kind,
            timestamp_90k: self.timestamp_90k,
            latency_100us: u16::from_le_bytes([l0, l1]),
            frame_index: self.frame_index,
            long_term_reference: extra_flags & 1 != 0,
            mark: u16::from_le_bytes([m0, m1]),
        })
    }
}
