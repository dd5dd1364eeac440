//! Datagrams in, access units out, in order, with repaired losses and reported gaps.
//!
//! A frame is given up as soon as a packet arrives that is `reorder_frames` frames newer. Memory is bounded by the
//! number of frames in flight, by their bytes, and by the number of results that nobody fetched.
use super::assembly::{Assembly, Limits, ReceivedFrame};
use super::block::Taken;
use super::header::RTP_LEN;
use super::packet::Packet;
use super::seal::{self, PacketOpener};
use crate::crypto::Key;
use crate::fec::CodeCache;
use crate::{Error, Result};
use std::collections::VecDeque;

/// Results that wait to be fetched; further ones push out the oldest.
const MAX_READY: usize = 256;
/// Frames by which the index may jump ahead: longer gaps need a run of packets that agree.
const MAX_JUMP: i32 = 4096;
/// Packets far from the expected index, close to each other, that make the receiver follow them.
const STRAYS_TO_FOLLOW: u32 = 64;
/// Bytes of block buffers that are kept for later frames.
const MAX_SPARE_BYTES: usize = 16 << 20;

/// Settings of a [`Reassembler`].
#[derive(Debug, Clone)]
pub struct ReassemblerConfig {
    /// P of the wire, as for the packetiser.
    pub packet_size: usize,
    /// Longest access unit taken, in bytes.
    pub max_frame_len: usize,
    /// A frame is lost when a packet of the frame this many later arrives: 1..=16. 1 is what Moonlight does.
    pub reorder_frames: u8,
    /// Bytes of incomplete frames at any time, and of complete ones that wait to be fetched.
    pub max_bytes_in_flight: usize,
    /// Opens sealed datagrams; plain ones are then refused.
    pub seal: Option<Key>,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The next frame, complete.
    Frame(ReceivedFrame),
    /// Frames `first..=last` cannot be completed any more.
    Lost { first: u32, last: u32 },
}

/// Counters since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReceiveStats {
    /// Datagrams pushed.
    pub packets: u64,
    /// Frames delivered.
    pub frames: u64,
    /// Frames given up, those never seen included.
    pub lost_frames: u64,
    /// Data packets rebuilt from parity.
    pub repaired_shards: u64,
    /// Packets that were here already or not needed.
    pub surplus: u64,
    /// Packets of frames that are finished.
    pub late: u64,
    /// Frames that were complete but thrown away because nobody fetched them.
    pub unfetched: u64,
    /// Packets refused as malformed, unauthentic or beyond a limit.
    pub rejected: u64,
}

#[derive(Debug)]
enum Slot {
    Empty,
    Partial(Box<Assembly>),
    Done(ReceivedFrame),
    Failed,
}

/// The receiving side of a video stream.
#[derive(Debug)]
pub struct Reassembler {
    limits: Limits,
    reorder: usize,
    max_bytes: usize,
    opener: Option<PacketOpener>,
    codes: CodeCache,
    /// The frame that is delivered next; slot k is frame `next + k`.
    next: u32,
    slots: VecDeque<Slot>,
    ready: VecDeque<Outcome>,
    ready_bytes: usize,
    bytes_in_flight: usize,
    spare: Vec<Vec<u8>>,
    /// A run of packets far from `next`: the latest index and how many.
    strays: (u32, u32),
    stats: ReceiveStats,
}

impl Reassembler {
    /// A receiver that expects frame 1 first.
    ///
    /// # Errors
    /// [`Error::BadConfig`] for a packet size or reorder window out of range.
    pub fn new(config: ReassemblerConfig) -> Result<Self> {
        if !(64..=65_000).contains(&config.packet_size) {
            return Err(Error::BadConfig(
                "the packet size must be 64 to 65000 bytes",
            ));
        }
        if !(1..=16).contains(&config.reorder_frames) {
            return Err(Error::BadConfig(
                "the reorder window must be 1 to 16 frames",
            ));
        }
        Ok(Self {
            limits: Limits {
                shard_len: config.packet_size.saturating_add(RTP_LEN),
                max_frame_len: config.max_frame_len,
            },
            reorder: usize::from(config.reorder_frames),
            max_bytes: config.max_bytes_in_flight,
            opener: config.seal.as_ref().map(PacketOpener::new),
            codes: CodeCache::default(),
            next: 1,
            slots: VecDeque::new(),
            ready: VecDeque::new(),
            ready_bytes: 0,
            bytes_in_flight: 0,
            spare: Vec::new(),
            strays: (0, 0),
            stats: ReceiveStats::default(),
        })
    }

    /// The longest datagram that can be of this stream, in bytes.
    pub fn max_datagram_len(&self) -> usize {
        let seal = if self.opener.is_some() {
            seal::SEAL_LEN
        } else {
            0
        };
        self.limits.shard_len.saturating_add(seal)
    }

    /// Counters since the start.
    pub fn stats(&self) -> ReceiveStats {
        self.stats
    }

    /// Takes one datagram, in any order. Errors concern this datagram only and are counted; the stream goes on.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Unauthentic`], [`Error::FrameTooLarge`], [`Error::Unrecoverable`].
    pub fn push(&mut self, datagram: &[u8]) -> Result<()> {
        self.stats.packets = self.stats.packets.saturating_add(1);
        let outcome = self.open_and_take(datagram);
        if outcome.is_err() {
            self.stats.rejected = self.stats.rejected.saturating_add(1);
        }
        outcome
    }

    /// The next result, in the order of frame indices.
    pub fn pop(&mut self) -> Option<Outcome> {
        let outcome = self.ready.pop_front();
        if let Some(Outcome::Frame(frame)) = &outcome {
            self.ready_bytes = self.ready_bytes.saturating_sub(frame.data.len());
        }
        outcome
    }

    /// Gives up all that is incomplete, so that complete frames behind it come out. For the end of a stream.
    pub fn flush(&mut self) {
        while matches!(self.slots.back(), Some(Slot::Empty)) {
            self.slots.pop_back();
        }
        let end = self
            .next
            .wrapping_add(u32::try_from(self.slots.len()).unwrap_or(0));
        self.advance_to(end);
    }

    fn open_and_take(&mut self, datagram: &[u8]) -> Result<()> {
        if datagram.len() > self.max_datagram_len() {
            return Err(Error::Malformed {
                what: "video packet",
                why: "longer than the negotiated size",
            });
        }
        // The opener is moved out for the call so that its buffer can be read while the rest of self changes.
        let Some(mut opener) = self.opener.take() else {
            return self.take_packet(datagram);
        };
        let result = if seal::hint(datagram).is_some_and(|index| index != 0 && self.is_late(index))
        {
            self.stats.late = self.stats.late.saturating_add(1);
            Ok(())
        } else {
            opener
                .open(datagram)
                .and_then(|packet| self.take_packet(packet))
        };
        self.opener = Some(opener);
        result
    }

    /// Frames from the expected one to `index`, negative for finished ones; indices wrap.
    fn distance(&self, index: u32) -> i32 {
        index.wrapping_sub(self.next).cast_signed()
    }

    fn is_late(&self, index: u32) -> bool {
        (-MAX_JUMP..0).contains(&self.distance(index))
    }

    fn take_packet(&mut self, bytes: &[u8]) -> Result<()> {
        let packet = Packet::parse(bytes)?;
        if self.is_late(packet.frame_index) {
            self.stats.late = self.stats.late.saturating_add(1);
            return Ok(());
        }
        if !(0..=MAX_JUMP).contains(&self.distance(packet.frame_index)) {
            self.stray(packet.frame_index)?;
        }
        self.strays.1 = 0;
        let limits = self.limits;
        let fresh = Assembly::new(&packet);
        let mut place = usize::try_from(self.distance(packet.frame_index)).unwrap_or(0);
        let known = match self.slots.get(place) {
            Some(Slot::Partial(assembly)) => assembly,
            Some(Slot::Empty) | None => &fresh,
            Some(Slot::Done(_) | Slot::Failed) => {
                self.stats.surplus = self.stats.surplus.saturating_add(1);
                return Ok(());
            }
        };
        let growth = known.admit(&packet, limits)?;
        if place >= self.reorder {
            // This packet is too new for the oldest frames to wait any longer.
            let back = u32::try_from(self.reorder.saturating_sub(1)).unwrap_or(0);
            self.advance_to(packet.frame_index.wrapping_sub(back));
            place = usize::try_from(self.distance(packet.frame_index)).unwrap_or(0);
        }
        if self.bytes_in_flight.saturating_add(growth) > self.max_bytes {
            return Err(Error::Malformed {
                what: "video packet",
                why: "too many bytes of incomplete frames",
            });
        }
        while self.slots.len() <= place {
            self.slots.push_back(Slot::Empty);
        }
        let Some(slot) = self.slots.get_mut(place) else {
            return Ok(());
        };
        if matches!(slot, Slot::Empty) {
            *slot = Slot::Partial(Box::new(fresh));
        }
        let Slot::Partial(assembly) = slot else {
            return Ok(());
        };
        self.bytes_in_flight = self.bytes_in_flight.saturating_add(growth);
        let spare = &mut self.spare;
        let outcome = match assembly.take(&packet, limits, &mut self.codes, || {
            spare.pop().unwrap_or_default()
        }) {
            Ok(Taken::Kept) => return Ok(()),
            Ok(Taken::Surplus) => {
                self.stats.surplus = self.stats.surplus.saturating_add(1);
                return Ok(());
            }
            Ok(Taken::Completed { repaired }) => {
                let repaired = u64::try_from(repaired).unwrap_or(u64::MAX);
                self.stats.repaired_shards = self.stats.repaired_shards.saturating_add(repaired);
                if !assembly.is_complete() {
                    return Ok(());
                }
                assembly.frame(limits)
            }
            Err(contradiction @ Error::Malformed { .. }) => return Err(contradiction),
            Err(useless) => Err(useless),
        };
        let (finished, result) = match outcome {
            Ok(frame) => (Slot::Done(frame), Ok(())),
            Err(error) => (Slot::Failed, Err(error)),
        };
        let old = std::mem::replace(slot, finished);
        self.recycle(old);
        self.deliver();
        result
    }

    /// Counts packets far from the expected frame; follows them when enough agree, else refuses this one.
    fn stray(&mut self, index: u32) -> Result<()> {
        let (latest, count) = self.strays;
        let near = (-64..=64).contains(&index.wrapping_sub(latest).cast_signed());
        self.strays = (index, if near { count.saturating_add(1) } else { 1 });
        if self.strays.1 < STRAYS_TO_FOLLOW {
            return Err(Error::Malformed {
                what: "video packet",
                why: "frame index far from the expected one",
            });
        }
        // What lies between is no countable loss: the host started over, or was away for long.
        self.flush();
        self.next = index;
        Ok(())
    }

    /// Finishes all frames before `index`.
    fn advance_to(&mut self, index: u32) {
        while self.distance(index) > 0 {
            let Some(slot) = self.slots.pop_front() else {
                let last = index.wrapping_sub(1);
                self.lose(self.next, last);
                self.next = index;
                break;
            };
            self.finish_front(slot);
        }
        self.deliver();
    }

    /// Hands out finished frames at the front.
    fn deliver(&mut self) {
        while matches!(self.slots.front(), Some(Slot::Done(_) | Slot::Failed))
            && let Some(slot) = self.slots.pop_front()
        {
            self.finish_front(slot);
        }
    }

    fn finish_front(&mut self, slot: Slot) {
        let index = self.next;
        self.next = self.next.wrapping_add(1);
        match slot {
            Slot::Done(frame) => {
                self.stats.frames = self.stats.frames.saturating_add(1);
                self.announce(Outcome::Frame(frame));
            }
            other => {
                self.recycle(other);
                self.lose(index, index);
            }
        }
    }

    fn lose(&mut self, from: u32, to: u32) {
        let count = u64::from(to.wrapping_sub(from)).saturating_add(1);
        self.stats.lost_frames = self.stats.lost_frames.saturating_add(count);
        if let Some(Outcome::Lost { last, .. }) = self.ready.back_mut()
            && last.wrapping_add(1) == from
        {
            *last = to;
        } else {
            self.announce(Outcome::Lost {
                first: from,
                last: to,
            });
        }
    }

    fn announce(&mut self, outcome: Outcome) {
        let len = |outcome: &Outcome| match outcome {
            Outcome::Frame(frame) => frame.data.len(),
            Outcome::Lost { .. } => 0,
        };
        self.ready_bytes = self.ready_bytes.saturating_add(len(&outcome));
        self.ready.push_back(outcome);
        while self.ready.len() > MAX_READY
            || (self.ready.len() > 1 && self.ready_bytes > self.max_bytes)
        {
            let Some(oldest) = self.pop() else { break };
            if matches!(oldest, Outcome::Frame(_)) {
                self.stats.unfetched = self.stats.unfetched.saturating_add(1);
            }
        }
    }

    /// Keeps the buffers of an assembly for later frames.
    fn recycle(&mut self, slot: Slot) {
        let Slot::Partial(assembly) = slot else {
            return;
        };
        self.bytes_in_flight = self.bytes_in_flight.saturating_sub(assembly.len());
        for buffer in assembly.into_buffers() {
            let kept: usize = self.spare.iter().map(Vec::len).sum();
            if kept.saturating_add(buffer.len()) <= MAX_SPARE_BYTES {
                self.spare.push(buffer);
            }
        }
    }
}
