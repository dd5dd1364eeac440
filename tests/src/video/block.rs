//! One FEC block being collected: shards, repair, and the checks that parity and repair are what the code prescribes.

use super::packet::Packet;
use crate::breach::Breaches;
use fec_rs::ReedSolomon;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

/// Codes by (data, parity): building one costs milliseconds.
#[derive(Default)]
pub struct Codes(HashMap<(u16, u16), Arc<ReedSolomon>>);

impl Codes {
    pub fn get(&mut self, data: u16, parity: u16) -> Option<Arc<ReedSolomon>> {
        if let Some(code) = self.0.get(&(data, parity)) {
            return Some(code.clone());
        }
        let code = Arc::new(ReedSolomon::new(usize::from(data), usize::from(parity)).ok()?);
        self.0.insert((data, parity), code.clone());
        Some(code)
    }
}

/// The packets that the impairment took away, to compare repairs with. Bounded.
#[derive(Default)]
pub struct Dropped(VecDeque<Packet>);

impl Dropped {
    pub fn remember(&mut self, packet: Packet) {
        if self.0.len() == 512 {
            self.0.pop_front();
        }
        self.0.push_back(packet);
    }

    fn find(&self, frame: u32, block: u8, shard: u16) -> Option<&Packet> {
        self.0
            .iter()
            .rev()
            .find(|packet| (packet.frame, packet.block, packet.shard) == (frame, block, shard))
    }
}

/// A block in the making.
pub struct Block {
    pub frame: u32,
    pub index: u8,
    pub last_block: u8,
    pub data: u16,
    pub parity: u16,
    pub percent: u8,
    pub timestamp: u32,
    /// RTP sequence number of shard 0.
    pub first_sequence: u16,
    /// streamPacketIndex of shard 0, once a data shard told it.
    pub first_stream_index: Option<u32>,
    shards: Vec<Option<Vec<u8>>>,
    pub received_data: u16,
    pub received_parity: u16,
    /// Highest shard index seen.
    pub highest: u16,
}

/// How a shard was taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    New,
    Duplicate,
    /// It contradicts the block and is not used.
    Contradiction,
}

/// A finished block.
pub struct Complete {
    /// Data shards in order, full packets.
    pub packets: Vec<Vec<u8>>,
    pub repaired: u16,
}

impl Block {
    /// The block that this packet opens; the packet itself is not taken yet.
    pub fn open(packet: &Packet) -> Self {
        let (data, parity) = (packet.data, packet.parity());
        Self {
            frame: packet.frame,
            index: packet.block,
            last_block: packet.last_block,
            data,
            parity,
            percent: packet.percent,
            timestamp: packet.timestamp,
            first_sequence: packet.sequence.wrapping_sub(packet.shard),
            first_stream_index: None,
            shards: vec![None; usize::from(data + parity)],
            received_data: 0,
            received_parity: 0,
            highest: 0,
        }
    }

    pub fn is(&self, packet: &Packet) -> bool {
        (self.frame, self.index) == (packet.frame, packet.block)
    }

    /// The RTP sequence number that follows this block.
    pub fn next_sequence(&self) -> u16 {
        self.first_sequence.wrapping_add(self.data + self.parity)
    }

    pub fn received(&self) -> u16 {
        self.received_data + self.received_parity
    }

    /// Enough shards to have every data packet.
    pub fn is_repairable(&self) -> bool {
        self.received() >= self.data
    }

    pub fn take(&mut self, packet: Packet, breaches: &Breaches) -> Taken {
        let same = (packet.data, packet.percent, packet.last_block)
            == (self.data, self.percent, self.last_block);
        if !breaches.require(same, "8.1", "video-block-contradiction", || {
            format!(
                "frame {} block {}: {}@{} % after {}@{} %",
                self.frame, self.index, packet.data, packet.percent, self.data, self.percent
            )
        }) {
            return Taken::Contradiction;
        }
        breaches.require(
            packet.timestamp == self.timestamp,
            "8.1",
            "video-timestamp-differs-in-frame",
            || format!("frame {}", self.frame),
        );
        breaches.require(
            packet.sequence.wrapping_sub(packet.shard) == self.first_sequence,
            "8.1",
            "video-sequence-not-consecutive",
            || {
                format!(
                    "frame {} block {}: shard {} has sequence {}, shard 0 {}",
                    self.frame, self.index, packet.shard, packet.sequence, self.first_sequence
                )
            },
        );
        if !packet.is_parity() {
            let first = packet.stream_index.wrapping_sub(u32::from(packet.shard)) & 0xff_ffff;
            let expected = *self.first_stream_index.get_or_insert(first);
            breaches.require(
                first == expected,
                "8.1",
                "video-stream-packet-index",
                || {
                    format!(
                        "frame {} block {}: shard {} has index {}, shard 0 {expected}",
                        self.frame, self.index, packet.shard, packet.stream_index
                    )
                },
            );
        }
        let parity = packet.is_parity();
        self.highest = self.highest.max(packet.shard);
        let Some(place) = self.shards.get_mut(usize::from(packet.shard)) else {
            return Taken::Contradiction;
        };
        if place.is_some() {
            return Taken::Duplicate;
        }
        *place = Some(packet.bytes);
        if parity {
            self.received_parity += 1;
        } else {
            self.received_data += 1;
        }
        Taken::New
    }

    /// The data packets, rebuilt where missing. `None`: the parity does not fit the data (a breach says how).
    pub fn finish(
        &self,
        codes: &mut Codes,
        dropped: &Dropped,
        breaches: &Breaches,
    ) -> Option<Complete> {
        let data = usize::from(self.data);
        if self.received_data == self.data {
            return Some(Complete {
                packets: self.shards[..data].iter().flatten().cloned().collect(),
                repaired: 0,
            });
        }
        let mut shards = self.shards.clone();
        codes
            .get(self.data, self.parity)?
            .reconstruct_data(&mut shards)
            .ok()?;
        let mut packets = Vec::with_capacity(data);
        let mut sound = true;
        for (at, shard) in shards.into_iter().take(data).enumerate() {
            let bytes = shard?;
            if self.shards[at].is_none() {
                sound &= self.check_rebuilt(at as u16, &bytes, dropped, breaches);
            }
            packets.push(bytes);
        }
        sound.then_some(Complete {
            packets,
            repaired: self.data - self.received_data,
        })
    }

    fn check_rebuilt(
        &self,
        shard: u16,
        bytes: &[u8],
        dropped: &Dropped,
        breaches: &Breaches,
    ) -> bool {
        let rebuilt = Packet {
            sequence: self.first_sequence.wrapping_add(shard),
            timestamp: self.timestamp,
            stream_index: u32::from_le_bytes([bytes[16], bytes[17], bytes[18], bytes[19]]) >> 8,
            frame: self.frame,
            flags: bytes[24],
            block: self.index,
            last_block: self.last_block,
            data: self.data,
            shard,
            percent: self.percent,
            bytes: Vec::new(),
        };
        let mut sound = rebuilt.check_flags(breaches);
        if let Some(first) = self.first_stream_index {
            sound &= breaches.require(
                rebuilt.stream_index == first + u32::from(shard),
                "9.2",
                "video-repair-stream-index",
                || {
                    format!(
                        "frame {} block {} shard {shard}: index {} rebuilt, {} expected",
                        self.frame,
                        self.index,
                        rebuilt.stream_index,
                        first + u32::from(shard)
                    )
                },
            );
        }
        if let Some(original) = dropped.find(self.frame, self.index, shard) {
            sound &= breaches.require(same_covered_bytes(&original.bytes, bytes), "9.2", "video-repair-differs", || {
                format!("frame {} block {} shard {shard}: the rebuilt packet is not the one that was sent", self.frame, self.index)
            });
        }
        sound
    }

    /// With every shard at hand: is the parity the one that the code prescribes? The bytes that the host patches after
    /// encoding are left out.
    pub fn verify_parity(&self, codes: &mut Codes, breaches: &Breaches) {
        if self.parity == 0 || self.received() != self.data + self.parity {
            return;
        }
        let Some(code) = codes.get(self.data, self.parity) else {
            return;
        };
        let mut shards: Vec<Vec<u8>> = self.shards.iter().flatten().cloned().collect();
        let sent = shards.split_off(usize::from(self.data));
        let mut computed = vec![vec![0; shards[0].len()]; sent.len()];
        if code.encode_sep(&shards, &mut computed).is_err() {
            return;
        }
        let same = sent
            .iter()
            .zip(&computed)
            .all(|(sent, computed)| same_covered_bytes(sent, computed));
        breaches.require(same, "9.3", "video-parity-wrong", || {
            format!(
                "frame {} block {}: {}+{}",
                self.frame, self.index, self.data, self.parity
            )
        });
    }
}

/// Equal in every byte that parity must cover as transmitted: streamPacketIndex, flags and payload.
fn same_covered_bytes(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a[16..20] == b[16..20] && a[24..26] == b[24..26] && a[32..] == b[32..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shards(count: usize, length: usize) -> Vec<Vec<u8>> {
        (0..count)
            .map(|i| (0..length).map(|b| (31 * i + 17 * b + 7) as u8).collect())
            .collect()
    }

    fn parity(data: usize, parity: usize, length: usize) -> Vec<String> {
        let mut codes = Codes::default();
        let code = codes.get(data as u16, parity as u16).unwrap();
        let mut out = vec![vec![0; length]; parity];
        code.encode_sep(&shards(data, length), &mut out).unwrap();
        out.iter().map(hex::encode).collect()
    }

    #[test]
    fn the_code_is_the_one_of_section_9_3() {
        assert_eq!(parity(4, 2, 8), ["7f39febd99db1d5c", "4f22de40a937af60"]);
        assert_eq!(
            parity(10, 3, 8),
            ["83fd8d58e3499a82", "d98a6c480ef4bf98", "cbb92ab0677130a7"]
        );
        assert_eq!(parity(1, 2, 4), ["8d0c9a1d", "f608ec16"]);
    }
}
