//! Packets in, frames out: blocks in order, repaired where the parity allows, given up as soon as something later arrives.

use super::{
    block::{Block, Codes, Dropped, Taken},
    frame::Frame,
    packet::{HEADER, Packet},
    statistics::Statistics,
};
use crate::breach::Breaches;
use std::{collections::VecDeque, time::Instant};

/// Something that the rest of the client has to act on.
pub enum Event {
    Frame(Frame),
    /// These frames will never be complete.
    Lost {
        first: u32,
        last: u32,
    },
    /// Payload of a FEC status message.
    FecStatus(Vec<u8>),
}

/// The frame being collected.
struct Assembly {
    arrived: Instant,
    timestamp: u32,
    done: Vec<Vec<u8>>,
    /// Data shards of the finished blocks.
    blocks: Vec<u16>,
    packets: u32,
    block: Option<Block>,
}

/// A block that was given up, watched for stragglers that would have completed it.
struct GivenUp {
    frame: u32,
    block: u8,
    data: u16,
    had: u16,
}

/// Collects the packets of one stream.
pub struct Reassembly {
    /// First frame that is neither delivered nor lost.
    next_frame: u32,
    current: Option<Assembly>,
    /// The last finished block, for its trailing parity.
    tail: Option<Block>,
    given_up: VecDeque<GivenUp>,
    /// (frame, block, first RTP sequence number) that must follow the last block seen.
    follows: Option<(u32, u8, u16)>,
    last_timestamp: Option<u32>,
    codes: Codes,
    pub dropped: Dropped,
    /// Stragglers are our own doing when we reorder.
    reordering: bool,
    breaches: Breaches,
}

impl Reassembly {
    pub fn new(reordering: bool, breaches: Breaches) -> Self {
        Self {
            next_frame: 1,
            current: None,
            tail: None,
            given_up: VecDeque::new(),
            follows: None,
            last_timestamp: None,
            codes: Codes::default(),
            dropped: Dropped::default(),
            reordering,
            breaches,
        }
    }

    pub fn push(
        &mut self,
        packet: Packet,
        now: Instant,
        statistics: &mut Statistics,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        self.check_parity_minimum(&packet);
        let current = self
            .current
            .as_ref()
            .map_or(0, |assembly| assembly.blocks.len() as u8);
        if packet.frame < self.next_frame
            || (packet.frame == self.next_frame && packet.block < current)
        {
            self.trailing(packet, statistics);
            return events;
        }
        if packet.frame > self.next_frame {
            self.give_up(statistics, &mut events);
            events.push(Event::Lost {
                first: self.next_frame,
                last: packet.frame - 1,
            });
            statistics.frames_lost += u64::from(packet.frame - self.next_frame);
            self.next_frame = packet.frame;
        }
        let assembly = self.current.get_or_insert_with(|| Assembly {
            arrived: now,
            timestamp: packet.timestamp,
            done: Vec::new(),
            blocks: Vec::new(),
            packets: 0,
            block: None,
        });
        if packet.block > assembly.blocks.len() as u8 {
            // A later block: the one before it can no longer be finished, and with it the frame.
            self.give_up(statistics, &mut events);
            events.push(Event::Lost {
                first: packet.frame,
                last: packet.frame,
            });
            statistics.frames_lost += 1;
            self.next_frame = packet.frame + 1;
            return events;
        }
        self.breaches.require(
            packet.timestamp == assembly.timestamp,
            "8.1",
            "video-timestamp-differs-in-frame",
            || format!("frame {}", packet.frame),
        );
        if assembly.block.is_none() {
            let block = Block::open(&packet);
            if let Some((frame, index, sequence)) = self.follows
                && (frame, index) == (block.frame, block.index)
            {
                self.breaches.require(sequence == block.first_sequence, "8.1", "video-sequence-not-consecutive", || {
                    format!("frame {frame} block {index} starts at {}, the block before it ended at {}", block.first_sequence, sequence.wrapping_sub(1))
                });
            }
            if packet.frame == 1 && packet.block == 0 {
                let starts = block.first_sequence <= 0x7fff && packet.stream_index <= 0x7f_ffff;
                self.breaches.require(
                    starts || packet.is_parity(),
                    "8.1",
                    "video-counters-start-too-high",
                    || {
                        format!(
                            "RTP {}, index {}",
                            block.first_sequence, packet.stream_index
                        )
                    },
                );
            }
            let next = if block.index == block.last_block {
                (block.frame + 1, 0)
            } else {
                (block.frame, block.index + 1)
            };
            self.follows = Some((next.0, next.1, block.next_sequence()));
            assembly.block = Some(block);
        }
        let Some(block) = assembly.block.as_mut() else {
            return events;
        };
        if block.take(packet, &self.breaches) == Taken::Duplicate {
            statistics.duplicate_packets += 1;
        }
        if block.is_repairable() {
            self.finish_block(statistics, &mut events);
        }
        events
    }

    fn check_parity_minimum(&self, packet: &Packet) {
        self.breaches.require(
            packet.percent == 0 || packet.parity() >= 2,
            "9.1",
            "video-parity-below-minimum",
            || {
                format!(
                    "frame {}: {}+{} with a minimum of 2",
                    packet.frame,
                    packet.data,
                    packet.parity()
                )
            },
        );
    }

    fn finish_block(&mut self, statistics: &mut Statistics, events: &mut Vec<Event>) {
        let Some(assembly) = self.current.as_mut() else {
            return;
        };
        let Some(block) = assembly.block.take() else {
            return;
        };
        let Some(complete) = block.finish(&mut self.codes, &self.dropped, &self.breaches) else {
            statistics.unrepaired_though_repairable += 1;
            statistics.frames_lost += 1;
            events.push(Event::FecStatus(fec_status(&block)));
            events.push(Event::Lost {
                first: block.frame,
                last: block.frame,
            });
            self.next_frame = block.frame + 1;
            self.current = None;
            return;
        };
        if complete.repaired > 0 {
            statistics.repaired_blocks += 1;
            statistics.repaired_shards += u64::from(complete.repaired);
            events.push(Event::FecStatus(fec_status(&block)));
        }
        statistics.latest_block = (block.frame, block.index + 1, block.last_block + 1);
        assembly.blocks.push(block.data);
        assembly.packets += u32::from(block.data + block.parity);
        assembly.done.extend(complete.packets);
        let (last, frame) = (block.index == block.last_block, block.frame);
        self.tail = Some(block);
        self.verify_tail(statistics);
        if last && let Some(assembly) = self.current.take() {
            self.next_frame = frame + 1;
            self.finish_frame(frame, assembly, statistics, events);
        }
    }

    fn finish_frame(
        &mut self,
        index: u32,
        assembly: Assembly,
        statistics: &mut Statistics,
        events: &mut Vec<Event>,
    ) {
        self.breaches.require(
            well_cut(&assembly.blocks, &assembly.done),
            "9.1",
            "video-blocks-not-equal",
            || format!("frame {index}: {:?} data shards", assembly.blocks),
        );
        if let Some(last) = self.last_timestamp {
            self.breaches.require(
                assembly.timestamp.wrapping_sub(last) as i32 >= 0,
                "8.1",
                "video-timestamp-backwards",
                || format!("frame {index}: {} after {last}", assembly.timestamp),
            );
        }
        self.last_timestamp = Some(assembly.timestamp);
        let Some(mut frame) = Frame::assemble(
            index,
            assembly.timestamp,
            &assembly.done,
            assembly.arrived,
            &self.breaches,
        ) else {
            statistics.frames_lost += 1;
            events.push(Event::Lost {
                first: index,
                last: index,
            });
            return;
        };
        frame.packets = assembly.packets;
        frame.blocks = assembly.blocks.len() as u8;
        events.push(Event::Frame(frame));
    }

    /// The current block cannot be finished any more.
    fn give_up(&mut self, statistics: &mut Statistics, events: &mut Vec<Event>) {
        let Some(block) = self.current.take().and_then(|assembly| assembly.block) else {
            return;
        };
        statistics.unrepairable_blocks += 1;
        events.push(Event::FecStatus(fec_status(&block)));
        if self.given_up.len() == 64 {
            self.given_up.pop_front();
        }
        self.given_up.push_back(GivenUp {
            frame: block.frame,
            block: block.index,
            data: block.data,
            had: block.received(),
        });
    }

    /// A packet of a block that is finished or given up.
    fn trailing(&mut self, packet: Packet, statistics: &mut Statistics) {
        if let Some(tail) = self.tail.as_mut().filter(|tail| tail.is(&packet)) {
            if tail.take(packet, &self.breaches) == Taken::Duplicate {
                statistics.duplicate_packets += 1;
            }
            self.verify_tail(statistics);
            return;
        }
        statistics.late_packets += 1;
        if let Some(lost) = self
            .given_up
            .iter_mut()
            .find(|lost| (lost.frame, lost.block) == (packet.frame, packet.block))
        {
            lost.had += 1;
            if lost.had == lost.data && !self.reordering {
                statistics.unrepaired_though_repairable += 1;
            }
        }
    }

    fn verify_tail(&mut self, statistics: &mut Statistics) {
        // Every sixteenth frame is enough: a wrong code is wrong always.
        if let Some(tail) = &self.tail
            && (tail.frame <= 4 || tail.frame.is_multiple_of(16))
            && tail.parity > 0
            && tail.received() == tail.data + tail.parity
        {
            tail.verify_parity(&mut self.codes, &self.breaches);
            statistics.verified_blocks += 1;
        }
    }
}

/// All blocks but the last are equal. A frame that leaves slice by slice has blocks that begin with a slice instead, and what is left of
/// it at the end is cut evenly. `packets`: the data packets of all blocks.
fn well_cut(blocks: &[u16], packets: &[Vec<u8>]) -> bool {
    let (last, others) = blocks
        .split_last()
        .map_or((0, [].as_slice()), |(l, o)| (*l, o));
    let equal = others.windows(2).all(|pair| pair[0] == pair[1])
        && others.first().is_none_or(|first| last <= *first);
    let mut first = 0;
    let by_slices = blocks.windows(2).all(|pair| {
        first += usize::from(pair[0]);
        let payload = packets.get(first).and_then(|packet| packet.get(HEADER..));
        let starts = payload
            .is_some_and(|bytes| bytes.starts_with(&[0, 0, 1]) || bytes.starts_with(&[0, 0, 0, 1]));
        starts || pair[0] == pair[1] || pair[0] == pair[1] + 1
    });
    equal || by_slices
}

/// Section 11.3: what a client reports of a block that needed repair or was given up.
fn fec_status(block: &Block) -> Vec<u8> {
    let missing = (block.highest + 1).saturating_sub(block.received());
    let mut bytes = block.frame.to_be_bytes().to_vec();
    for value in [
        block.first_sequence.wrapping_add(block.highest),
        block.next_sequence(),
        missing,
        block.data,
        block.parity,
        block.received_data,
        block.received_parity,
    ] {
        bytes.extend(value.to_be_bytes());
    }
    bytes.extend([block.percent, block.index, block.last_block + 1]);
    bytes
}

#[cfg(test)]
#[path = "reassembly_tests.rs"]
mod tests;
