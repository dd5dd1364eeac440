//! The matrices that repair losses, kept for those that come again: a burst hits the blocks of a frame in the same places, and
//! losses at the end of a block are the commonest of all.
use super::{Family, MAX_SHARDS, matrix::Losses};

/// Solved losses that are kept; the one that was not used for longest makes room.
const KEPT: usize = 8;

/// Which losses of which code: a bit for each shard that the repair reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    shape: (usize, usize, Family),
    read: [u64; MAX_SHARDS.div_ceil(64)],
}

impl Key {
    pub fn of(data: usize, parity: usize, family: Family, losses: Losses<'_>) -> Self {
        let mut key = Self {
            shape: (data, parity, family),
            read: [0; 4],
        };
        let parity_shards = losses
            .used
            .iter()
            .map(|k| usize::from(*k).saturating_add(data));
        let data_shards = losses.here.iter().map(|k| usize::from(*k));
        for shard in data_shards.chain(parity_shards) {
            if let Some(word) = key.read.get_mut(shard / 64) {
                *word |= 1u64.wrapping_shl(u32::try_from(shard % 64).unwrap_or(0));
            }
        }
        key
    }
}

/// The matrices of the latest losses, the newest first. At most 8 of 16 KiB; their memory is used again.
#[derive(Debug, Default)]
pub struct Inverses(Vec<(Key, Vec<u8>)>);

impl Inverses {
    /// The matrix for `key`, made by `solve` unless it is kept. `solve` gets what an older one left behind; `None` when it answers
    /// `false`.
    pub(super) fn get(
        &mut self,
        key: Key,
        solve: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> Option<&[u8]> {
        if let Some(at) = self.0.iter().position(|(known, _)| *known == key) {
            self.0.get_mut(..=at)?.rotate_right(1);
            return self.0.first().map(|(_, matrix)| matrix.as_slice());
        }
        let mut matrix = Vec::new();
        if self.0.len() >= KEPT {
            matrix = self.0.pop()?.1;
            matrix.clear();
        }
        if !solve(&mut matrix) {
            return None;
        }
        self.0.insert(0, (key, matrix));
        self.0.first().map(|(_, matrix)| matrix.as_slice())
    }
}
