//! How a frame is cut into FEC blocks: counts only, no bytes.
use crate::fec::{self, MAX_SHARDS};

/// Most FEC blocks of a frame (two bits on the wire).
pub const MAX_BLOCKS: usize = 4;
/// Most data packets of a block without parity (ten bits on the wire).
pub const MAX_UNPROTECTED_SHARDS: usize = 1023;

/// The longest access unit that the wire can carry at packet size `packet_size`, in bytes.
pub fn max_frame_len(packet_size: usize) -> usize {
    packet_size
        .saturating_sub(super::header::FIELDS_LEN)
        .saturating_mul(MAX_BLOCKS * MAX_UNPROTECTED_SHARDS)
        .saturating_sub(super::header::FRAME_HEADER_LEN)
}

/// The shape of one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub data: usize,
    pub parity: usize,
    /// The percentage from which a client computes exactly `parity`.
    pub percent: u8,
}

impl Block {
    pub fn total(self) -> usize {
        self.data.saturating_add(self.parity)
    }
}

/// What the user wants of every frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wishes {
    pub percent: u8,
    pub min_parity: u8,
    pub max_data: usize,
}

/// Cuts a frame of `packets` data packets into at most four blocks, all but the last equal.
///
/// A frame that four blocks of the wished size cannot hold gets larger blocks, then a lower percentage, and only when no
/// parity at all fits, none.
pub(super) fn blocks(packets: usize, wishes: Wishes) -> impl Iterator<Item = Block> {
    let wanted = packets.div_ceil(wishes.max_data.clamp(1, largest_block(wishes.percent)));
    let data = packets.div_ceil(wanted.clamp(1, MAX_BLOCKS)).max(1);
    let percent = percent_for(data, wishes.percent);
    (0..packets.div_ceil(data)).map(move |k| {
        let left = packets.saturating_sub(k.saturating_mul(data));
        protect(left.min(data), percent, usize::from(wishes.min_parity))
    })
}

/// Cuts `packets` data packets into exactly `count` blocks, the first ones larger by one where they are not equal: part of a frame whose
/// number of blocks is told already. Each block holds one packet at least.
pub(super) fn exactly(packets: usize, count: usize, wishes: Wishes) -> impl Iterator<Item = Block> {
    let packets = packets.max(count);
    let each = packets.checked_div(count).unwrap_or(0);
    let larger = packets.checked_rem(count).unwrap_or(0);
    (0..count).map(move |k| {
        let data = each.saturating_add(usize::from(k < larger));
        let percent = percent_for(data, wishes.percent);
        protect(data, percent, usize::from(wishes.min_parity))
    })
}

/// Most data packets of a block with all the parity that is wished.
pub(super) fn largest_protected(wishes: Wishes) -> usize {
    wishes.max_data.min(largest_block(wishes.percent))
}

/// The largest percentage up to `percent` at which so many data packets fit into one block.
fn percent_for(data: usize, percent: u8) -> u8 {
    let mut smaller = (1..=percent).rev();
    smaller.find(|p| data <= largest_block(*p)).unwrap_or(0)
}

/// Most data shards of a block at `percent`, so that data and parity stay within 255.
fn largest_block(percent: u8) -> usize {
    if percent == 0 {
        MAX_UNPROTECTED_SHARDS
    } else {
        (MAX_SHARDS * 100)
            .checked_div(usize::from(percent).saturating_add(100))
            .unwrap_or(0)
    }
}

/// Chooses the percentage first and takes the parity count from it, as the client will.
fn protect(data: usize, percent: u8, min_parity: usize) -> Block {
    let bare = Block {
        data,
        parity: 0,
        percent: 0,
    };
    if percent == 0 || data == 0 {
        return bare;
    }
    let block = |percent| Block {
        data,
        parity: fec::parity_count(data, percent),
        percent,
    };
    let plain = block(percent);
    if plain.parity >= min_parity {
        return if plain.total() <= MAX_SHARDS {
            plain
        } else {
            bare
        };
    }
    let start = u8::try_from(
        min_parity
            .saturating_mul(100)
            .checked_div(data)
            .unwrap_or(0),
    )
    .unwrap_or(u8::MAX);
    (start.max(percent)..=u8::MAX)
        .map(block)
        .take_while(|b| b.total() <= MAX_SHARDS)
        .find(|b| b.parity >= min_parity)
        .unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(packets: usize, percent: u8, min_parity: u8, max_data: usize) -> Vec<Block> {
        blocks(
            packets,
            Wishes {
                percent,
                min_parity,
                max_data,
            },
        )
        .collect()
    }

    #[test]
    fn every_plan_obeys_the_rules_of_the_wire() {
        for percent in [0, 1, 5, 15, 18, 20, 40, 100, 255] {
            for min_parity in [0, 1, 2, 5, 255] {
                for max_data in [1, 3, 100, 200, 255, 4000] {
                    for packets in
                        (1..300).chain([500, 848, 849, 900, 1016, 1020, 1021, 1024, 4091, 4092])
                    {
                        let plan = plan(packets, percent, min_parity, max_data);
                        let case = format!(
                            "{packets} packets, {percent} %, min {min_parity}, max {max_data}: {plan:?}"
                        );
                        assert!((1..=MAX_BLOCKS).contains(&plan.len()), "{case}");
                        assert_eq!(
                            plan.iter().map(|b| b.data).sum::<usize>(),
                            packets,
                            "{case}"
                        );
                        let (last, equal) = plan.split_last().unwrap();
                        assert!(
                            equal
                                .iter()
                                .all(|b| b.data == equal[0].data && b.data >= last.data),
                            "{case}"
                        );
                        for b in &plan {
                            assert!(b.data >= 1 && b.data <= MAX_UNPROTECTED_SHARDS, "{case}");
                            assert!(b.parity == 0 || b.total() <= MAX_SHARDS, "{case}");
                            assert_eq!(b.parity, fec::parity_count(b.data, b.percent), "{case}");
                            assert!(percent > 0 || b.parity == 0, "{case}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn small_frames_get_the_minimum_parity_with_a_percentage_that_says_so() {
        assert_eq!(
            plan(1, 20, 2, 200),
            [Block {
                data: 1,
                parity: 2,
                percent: 200
            }]
        );
        assert_eq!(
            plan(4, 20, 2, 200),
            [Block {
                data: 4,
                parity: 2,
                percent: 50
            }]
        );
        assert_eq!(
            plan(100, 1, 2, 200),
            [Block {
                data: 100,
                parity: 2,
                percent: 2
            }]
        );
        assert_eq!(
            plan(10, 20, 2, 200),
            [Block {
                data: 10,
                parity: 2,
                percent: 20
            }]
        );
    }

    #[test]
    fn large_frames_lose_parity_step_by_step() {
        assert_eq!(
            plan(848, 20, 2, 255)
                .iter()
                .map(|b| b.percent)
                .collect::<Vec<_>>(),
            [20; 4]
        );
        let squeezed = plan(900, 20, 2, 255);
        assert_eq!(
            squeezed[0],
            Block {
                data: 225,
                parity: 30,
                percent: 13
            }
        );
        assert!(plan(1020, 20, 2, 255).iter().all(|b| b.parity == 0));
        assert_eq!(
            plan(4092, 20, 2, 255)
                .iter()
                .map(|b| b.data)
                .collect::<Vec<_>>(),
            [1023; 4]
        );
    }
}
