//! Datagrams in, Opus packets out, in order, with lost ones rebuilt from parity where that is possible.
//!
//! A block is given up as soon as a packet of the second block after it arrives. Memory is two blocks, and results up to a
//! fixed number.
use super::block::Block;
use super::{AudioSeal, BLOCK, DATA_TYPE, FEC_HEADER_LEN, FEC_TYPE, MAX_DATAGRAM, PARITY, RTP_LEN};
use crate::crypto::Cbc;
use crate::fec::Code;
use crate::{Error, Result};
use std::collections::VecDeque;

/// Blocks in flight.
const WINDOW: usize = 2;
/// Results that wait to be fetched; further ones push out the oldest. A second of 5 ms packets.
const MAX_READY: usize = 200;
/// Blocks by which sequence numbers may jump before the receiver starts afresh.
const MAX_JUMP: i16 = 64;

/// One Opus packet, as it was given to the packetiser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioPacket {
    pub sequence: u16,
    /// Milliseconds since the start of the stream, modulo 2^32.
    pub timestamp_ms: u32,
    /// `None`: lost, let the decoder conceal it.
    pub opus: Option<Vec<u8>>,
}

/// Counters since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AudioStats {
    /// Packets delivered, rebuilt ones included.
    pub packets: u64,
    /// Packets rebuilt from parity.
    pub repaired: u64,
    /// Packets given up.
    pub lost: u64,
    /// Datagrams refused, and sealed packets that did not open.
    pub rejected: u64,
}

/// The receiving side of an audio stream.
#[derive(Debug)]
pub struct AudioReceiver {
    packet_ms: u8,
    seal: Option<(Cbc, u32)>,
    code: Code,
    /// First sequence number of the oldest block in flight; `None` before the first packet.
    base: Option<u16>,
    /// Timestamp that belongs to `base`.
    timestamp_ms: u32,
    blocks: VecDeque<Block>,
    ready: VecDeque<AudioPacket>,
    stats: AudioStats,
}

/// A datagram's place in its block.
struct Shard<'a> {
    base: u16,
    index: usize,
    /// Timestamp of the block's first packet.
    timestamp_ms: u32,
    payload: &'a [u8],
}

impl AudioReceiver {
    /// A receiver for packets of `packet_ms` milliseconds, sealed as told.
    pub fn new(packet_ms: u8, seal: Option<AudioSeal>) -> Self {
        Self {
            packet_ms,
            seal: seal.map(|seal| (Cbc::new(&seal.key), seal.key_id)),
            code: Code::audio(),
            base: None,
            timestamp_ms: 0,
            blocks: VecDeque::new(),
            ready: VecDeque::new(),
            stats: AudioStats::default(),
        }
    }

    /// Counters since the start.
    pub fn stats(&self) -> AudioStats {
        self.stats
    }

    /// The next packet in order.
    pub fn pop(&mut self) -> Option<AudioPacket> {
        self.ready.pop_front()
    }

    /// Gives up what is missing, so that packets behind it come out. For the end of a stream.
    pub fn flush(&mut self) {
        while !self.blocks.is_empty() {
            self.finish_oldest();
        }
    }

    /// Takes one datagram, in any order. Errors concern this datagram only and are counted.
    ///
    /// # Errors
    /// [`Error::Malformed`] naming the rule that it breaks.
    pub fn push(&mut self, datagram: &[u8]) -> Result<()> {
        let shard = self
            .parse(datagram)
            .inspect_err(|_| self.stats.rejected = self.stats.rejected.saturating_add(1))?;
        let base = *self.base.get_or_insert_with(|| {
            self.timestamp_ms = shard.timestamp_ms;
            shard.base
        });
        let blocks = shard.base.wrapping_sub(base).cast_signed() / 4;
        if !(-MAX_JUMP..=MAX_JUMP).contains(&blocks) {
            self.flush();
            self.base = Some(shard.base);
            self.timestamp_ms = shard.timestamp_ms;
            self.take(0, &shard);
            return Ok(());
        }
        // A negative distance is a finished block's: late, or parity that was not needed.
        if let Ok(place) = usize::try_from(blocks) {
            self.take(place, &shard);
        }
        Ok(())
    }

    fn take(&mut self, mut place: usize, shard: &Shard<'_>) {
        while place >= WINDOW {
            if self.blocks.is_empty() {
                self.blocks.push_back(Block::default());
            }
            self.finish_oldest();
            place = place.saturating_sub(1);
        }
        while self.blocks.len() <= place {
            self.blocks.push_back(Block::default());
        }
        if let Some(block) = self.blocks.get_mut(place) {
            let repaired = block.take(shard.index, shard.payload, &self.code);
            self.stats.repaired = self.stats.repaired.saturating_add(repaired);
        }
        self.deliver();
    }

    /// Hands out what is next in order, and drops blocks that are through.
    fn deliver(&mut self) {
        while let Some(block) = self.blocks.front_mut() {
            if let Some((index, payload)) = block.next() {
                self.announce(index, Some(payload));
            } else if block.is_through() {
                self.finish_oldest();
            } else {
                return;
            }
        }
    }

    /// Drops the oldest block, reporting what it never got as lost.
    fn finish_oldest(&mut self) {
        let Some(mut block) = self.blocks.pop_front() else {
            return;
        };
        while let Some((index, payload)) = block.next_or_lost() {
            self.announce(index, payload);
        }
        self.base = self.base.map(|base| base.wrapping_add(4));
        self.timestamp_ms = self
            .timestamp_ms
            .wrapping_add(u32::from(self.packet_ms).saturating_mul(4));
    }

    fn announce(&mut self, index: u8, payload: Option<Vec<u8>>) {
        let sequence = self.base.unwrap_or(0).wrapping_add(u16::from(index));
        let opus = match (payload, &self.seal) {
            (Some(sealed), Some((cbc, key_id))) => {
                let opened = cbc
                    .open(AudioSeal::iv(*key_id, sequence), &sealed, "audio packet")
                    .ok();
                self.stats.rejected = self
                    .stats
                    .rejected
                    .saturating_add(u64::from(opened.is_none()));
                opened
            }
            (payload, _) => payload,
        };
        let counter = if opus.is_some() {
            &mut self.stats.packets
        } else {
            &mut self.stats.lost
        };
        *counter = counter.saturating_add(1);
        let offset = u32::from(self.packet_ms).saturating_mul(u32::from(index));
        if self.ready.len() >= MAX_READY {
            self.ready.pop_front();
        }
        self.ready.push_back(AudioPacket {
            sequence,
            timestamp_ms: self.timestamp_ms.wrapping_add(offset),
            opus,
        });
    }

    fn parse<'a>(&self, datagram: &'a [u8]) -> Result<Shard<'a>> {
        let malformed = |why| Error::Malformed {
            what: "audio packet",
            why,
        };
        if datagram.len() > MAX_DATAGRAM {
            return Err(malformed("longer than 1400 bytes"));
        }
        let (head, payload) = datagram
            .split_first_chunk::<RTP_LEN>()
            .ok_or(malformed("shorter than its header"))?;
        let [version, kind, s0, s1, t0, t1, t2, t3, ..] = *head;
        if version != 0x80 {
            return Err(malformed("not RTP version 2"));
        }
        let shard = match kind {
            DATA_TYPE => {
                let sequence = u16::from_be_bytes([s0, s1]);
                let index = sequence & 3;
                let back = u32::from(self.packet_ms).saturating_mul(u32::from(index));
                let timestamp_ms = u32::from_be_bytes([t0, t1, t2, t3]).wrapping_sub(back);
                Shard {
                    base: sequence & !3,
                    index: usize::from(index),
                    timestamp_ms,
                    payload,
                }
            }
            FEC_TYPE => {
                const REST: usize = FEC_HEADER_LEN - RTP_LEN;
                let (fec, payload) = payload
                    .split_first_chunk::<REST>()
                    .ok_or(malformed("shorter than its FEC header"))?;
                let [index, kind, b0, b1, t0, t1, t2, t3, ..] = *fec;
                let base = u16::from_be_bytes([b0, b1]);
                if usize::from(index) >= PARITY || kind != DATA_TYPE || base & 3 != 0 {
                    return Err(malformed("impossible FEC header"));
                }
                let index = usize::from(index).saturating_add(BLOCK);
                Shard {
                    base,
                    index,
                    timestamp_ms: u32::from_be_bytes([t0, t1, t2, t3]),
                    payload,
                }
            }
            _ => return Err(malformed("unknown payload type")),
        };
        if shard.payload.is_empty() {
            return Err(malformed("no payload"));
        }
        Ok(shard)
    }
}
