//! Four data packets and their parity on the way in.
use super::{BLOCK, PARITY};
use crate::fec::{Code, Layout};

/// A block in the making; payloads are kept until the block is dropped, for repair needs them.
#[derive(Debug, Default)]
pub(super) struct Block {
    shards: [Option<Vec<u8>>; BLOCK + PARITY],
    /// Data packets that were handed out.
    delivered: u8,
}

impl Block {
    /// Keeps one payload, and rebuilds missing data as soon as four of the six are here. Gives the number of rebuilt ones.
    pub fn take(&mut self, index: usize, payload: &[u8], code: &Code) -> u64 {
        let Some(slot @ None) = self.shards.get_mut(index) else {
            return 0;
        };
        *slot = Some(payload.to_vec());
        let missing = self
            .shards
            .iter()
            .take(BLOCK)
            .filter(|shard| shard.is_none())
            .count();
        let here = self.shards.iter().flatten().count();
        let len = payload.len();
        // A block of unequal packets has no valid parity.
        if missing == 0
            || here < BLOCK
            || self.shards.iter().flatten().any(|shard| shard.len() != len)
        {
            return 0;
        }
        let mut bytes = Vec::with_capacity(len.saturating_mul(self.shards.len()));
        for shard in &self.shards {
            match shard {
                Some(shard) => bytes.extend_from_slice(shard),
                None => bytes.resize(bytes.len().saturating_add(len), 0),
            }
        }
        let present = self.shards.each_ref().map(Option::is_some);
        let Ok(repaired) = code.reconstruct(
            &mut bytes,
            Layout {
                stride: len,
                offset: 0,
                len,
            },
            &present,
        ) else {
            return 0;
        };
        for (slot, shard) in self
            .shards
            .iter_mut()
            .zip(bytes.chunks_exact(len))
            .take(BLOCK)
        {
            slot.get_or_insert_with(|| shard.to_vec());
        }
        u64::try_from(repaired).unwrap_or(0)
    }

    /// The next data payload in order, if it is here.
    pub fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let payload = self.next_here()?.clone();
        Some((self.step(), payload))
    }

    /// The next data payload, or `None` in its place when it is missing; ends after the fourth.
    pub fn next_or_lost(&mut self) -> Option<(u8, Option<Vec<u8>>)> {
        if self.is_through() {
            return None;
        }
        let payload = self.next_here().cloned();
        Some((self.step(), payload))
    }

    /// Whether all four were handed out.
    pub fn is_through(&self) -> bool {
        usize::from(self.delivered) >= BLOCK
    }

    fn next_here(&self) -> Option<&Vec<u8>> {
        self.shards
            .get(..BLOCK)?
            .get(usize::from(self.delivered))?
            .as_ref()
    }

    fn step(&mut self) -> u8 {
        let index = self.delivered;
        self.delivered = self.delivered.saturating_add(1);
        index
    }
}
