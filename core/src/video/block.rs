//! One FEC block on its way in: which shards are here, and their bytes.
use super::header::HEADER_LEN;
use super::packet::{Packet, flags_fit};
use crate::fec::{CodeCache, Layout};
use crate::{Error, Result};

fn contradiction(why: &'static str) -> Error {
    Error::Malformed {
        what: "video packet",
        why,
    }
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is one more shard of an incomplete block.
    Kept,
    /// It was here already, or the block was complete without it.
    Surplus,
    /// It completed the block; so many data shards were rebuilt.
    Completed { repaired: usize },
}

/// A block in the making.
#[derive(Debug)]
pub(super) struct Block {
    data: usize,
    parity: usize,
    percent: u8,
    /// Stream packet index of shard 0, once a data packet said it.
    first_index: Option<u32>,
    present: Vec<bool>,
    received: usize,
    data_received: usize,
    complete: bool,
    /// Shards at stride `shard_len`; a shard's bytes mean something only when it is present.
    bytes: Vec<u8>,
    shard_len: usize,
}

impl Block {
    /// Bytes that a block of this packet's shape takes.
    pub fn size(packet: &Packet<'_>, shard_len: usize) -> usize {
        packet
            .data
            .saturating_add(packet.parity)
            .saturating_mul(shard_len)
    }

    /// An empty block shaped as `packet` says, in `bytes`, which is grown to [`Block::size`].
    pub fn new(packet: &Packet<'_>, shard_len: usize, mut bytes: Vec<u8>) -> Self {
        let need = Self::size(packet, shard_len);
        if bytes.len() < need {
            bytes.resize(need, 0);
        }
        Self {
            data: packet.data,
            parity: packet.parity,
            percent: packet.percent,
            first_index: None,
            present: vec![false; packet.data.saturating_add(packet.parity)],
            received: 0,
            data_received: 0,
            complete: false,
            bytes,
            shard_len,
        }
    }

    pub fn is_complete(&self) -> bool {
        self.complete
    }

    pub fn data(&self) -> usize {
        self.data
    }

    /// Bytes that this block was made for.
    pub fn len(&self) -> usize {
        self.present.len().saturating_mul(self.shard_len)
    }

    /// Gives the buffer back.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The data shards, headers included; meaningful when the block is complete.
    pub fn shards(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks_exact(self.shard_len).take(self.data)
    }

    /// Takes one packet of this block.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the packet contradicts what earlier packets of the block said (the block stays as it
    /// is), [`Error::Unrecoverable`] when repair gave packets that cannot have been sent (the block is useless).
    pub fn take(&mut self, packet: &Packet<'_>, codes: &mut CodeCache) -> Result<Taken> {
        if packet.data != self.data || packet.percent != self.percent {
            return Err(contradiction(
                "the block's shape differs from earlier packets",
            ));
        }
        if packet.is_data() {
            let back = u32::try_from(packet.shard).unwrap_or(0);
            let first = packet.stream_index.wrapping_sub(back) & 0x00FF_FFFF;
            if *self.first_index.get_or_insert(first) != first {
                return Err(contradiction(
                    "stream packet index out of step with its block",
                ));
            }
        }
        let Some(present) = self.present.get_mut(packet.shard) else {
            return Err(contradiction("shard index outside its block"));
        };
        if *present || self.complete {
            return Ok(Taken::Surplus);
        }
        let start = packet.shard.saturating_mul(self.shard_len);
        let place = self
            .bytes
            .get_mut(start..)
            .and_then(|rest| rest.get_mut(..self.shard_len));
        let Some((place, padding)) =
            place.and_then(|place| place.split_at_mut_checked(packet.bytes.len()))
        else {
            return Err(contradiction("shard index outside its block"));
        };
        place.copy_from_slice(packet.bytes);
        padding.fill(0);
        *present = true;
        self.received = self.received.saturating_add(1);
        self.data_received = self
            .data_received
            .saturating_add(usize::from(packet.is_data()));
        if self.received < self.data {
            return Ok(Taken::Kept);
        }
        let repaired = if self.data_received == self.data {
            0
        } else {
            self.repair(codes)?
        };
        self.complete = true;
        Ok(Taken::Completed { repaired })
    }

    fn repair(&mut self, codes: &mut CodeCache) -> Result<usize> {
        let layout = Layout {
            stride: self.shard_len,
            offset: 0,
            len: self.shard_len,
        };
        let shape = (self.data, self.parity);
        let repaired = codes.reconstruct(shape, &mut self.bytes, layout, &self.present)?;
        let mut first = self.first_index;
        for ((k, shard), _) in (0u32..)
            .zip(self.shards())
            .zip(&self.present)
            .filter(|(_, here)| !**here)
        {
            let bad = Error::Unrecoverable {
                missing: repaired,
                parity: self.parity,
            };
            let Some(head) = shard.first_chunk::<HEADER_LEN>() else {
                return Err(bad);
            };
            let [.., i0, i1, i2, i3, _, _, _, _, flags, _, _, _, _, _, _, _] = *head;
            let index = u32::from_le_bytes([i0, i1, i2, i3])
                .wrapping_shr(8)
                .wrapping_sub(k)
                & 0x00FF_FFFF;
            if *first.get_or_insert(index) != index
                || !flags_fit(flags, usize::try_from(k).unwrap_or(usize::MAX), self.data)
            {
                return Err(bad);
            }
        }
        Ok(repaired)
    }
}
