//! What must become of each block, from its size and from which of its packets the bad network let through.

use super::packet::Packet;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    data: u16,
    parity: u16,
    last_block: u8,
    /// Packets that came through, and how many of them carry data.
    came: u16,
    data_came: u16,
}

impl Entry {
    fn repairable(&self) -> bool {
        let lost = self.data + self.parity - self.came.min(self.data + self.parity);
        lost <= self.parity
    }
}

/// Every packet of the stream on its way through the bad network.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    blocks: BTreeMap<(u32, u8), Entry>,
    /// Frames that the client gave up.
    pub given_up: BTreeSet<u32>,
}

/// What parity predicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    pub lost_frames: BTreeSet<u32>,
    /// Blocks in which data was lost and that parity rebuilds; those behind a lost block of their frame are not looked at.
    pub repaired_blocks: u64,
}

impl Ledger {
    pub fn note(&mut self, packet: &Packet, lost: bool) {
        let entry = self
            .blocks
            .entry((packet.frame, packet.block))
            .or_insert(Entry {
                data: packet.data,
                parity: packet.parity(),
                last_block: packet.last_block,
                ..Entry::default()
            });
        if !lost {
            entry.came += 1;
            entry.data_came += u16::from(!packet.is_parity());
        }
    }

    /// For frames 1 to `last`.
    pub fn prediction(&self, last: u32) -> Prediction {
        let mut prediction = Prediction {
            lost_frames: BTreeSet::new(),
            repaired_blocks: 0,
        };
        for frame in 1..=last {
            let blocks: Vec<_> = self.blocks.range((frame, 0)..=(frame, u8::MAX)).collect();
            let expected = blocks.first().map_or(1, |(_, entry)| entry.last_block + 1);
            for block in 0..expected {
                let entry = blocks.iter().find(|((_, index), _)| *index == block);
                let Some((_, entry)) = entry.filter(|(_, entry)| entry.repairable()) else {
                    prediction.lost_frames.insert(frame);
                    break;
                };
                prediction.repaired_blocks += u64::from(entry.data_came < entry.data);
            }
        }
        prediction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_survives_as_many_losses_as_it_has_parity() {
        let mut ledger = Ledger::default();
        // Ten and two; frame 1 loses nothing, 2 two data packets, 3 three, 4 comes not at all, 5 one parity packet.
        for (frame, lost) in [(1, 0..0), (2, 3..5), (3, 0..3), (5, 11..12)] {
            for shard in 0..12 {
                let packet = Packet {
                    bytes: Vec::new(),
                    sequence: 0,
                    timestamp: 0,
                    stream_index: 0,
                    frame,
                    flags: 1,
                    block: 0,
                    last_block: 0,
                    data: 10,
                    shard,
                    percent: 20,
                };
                ledger.note(&packet, lost.contains(&shard));
            }
        }
        let prediction = ledger.prediction(5);
        assert_eq!(prediction.lost_frames, BTreeSet::from([3, 4]));
        assert_eq!(prediction.repaired_blocks, 1);
    }
}
