//! A complete frame: the 8-byte frame header of section 8.2 and the access unit behind it.

use super::packet::HEADER;
use crate::breach::Breaches;
use std::time::Instant;

/// Frame type bytes.
pub const PREDICTED: u8 = 1;
pub const KEY: u8 = 2;
const KNOWN: [u8; 5] = [1, 2, 4, 5, 104];

/// A frame as it left reassembly.
#[derive(Debug, Clone)]
pub struct Frame {
    pub index: u32,
    /// 90 kHz.
    pub timestamp: u32,
    /// Host processing latency in 0.1 ms, 0 = not told.
    pub latency: u16,
    pub kind: u8,
    pub access_unit: Vec<u8>,
    /// Bytes of the access unit that lie in the frame's first packet.
    pub in_first_packet: usize,
    /// Arrival of the frame's first packet.
    pub arrived: Instant,
    /// When its last needed packet had come.
    pub whole: Instant,
    /// Data and parity packets that the host sent for it.
    pub packets: u32,
    pub blocks: u8,
}

#[cfg(test)]
impl Frame {
    /// Frame 1 with this content, for the rules about contents.
    pub fn holding(kind: u8, access_unit: &[u8], in_first_packet: usize) -> Self {
        Self {
            index: 1,
            timestamp: 0,
            latency: 0,
            kind,
            access_unit: access_unit.to_vec(),
            in_first_packet,
            arrived: Instant::now(),
            whole: Instant::now(),
            packets: 0,
            blocks: 0,
        }
    }

    /// Whether `look` finds a key frame in it, and which rules it breaks.
    pub fn judged(
        &self,
        look: fn(&Self, &Breaches) -> super::bitstream::Look,
    ) -> (bool, Vec<&'static str>) {
        let breaches = Breaches::default();
        let key = look(self, &breaches).key;
        (key, breaches.list().iter().map(|b| b.rule).collect())
    }
}

impl Frame {
    /// From the frame's data packets in order. `None`: no frame header to speak of.
    pub fn assemble(
        index: u32,
        timestamp: u32,
        packets: &[Vec<u8>],
        arrived: Instant,
        breaches: &Breaches,
    ) -> Option<Self> {
        let mut bytes: Vec<u8> = packets
            .iter()
            .flat_map(|packet| packet.get(HEADER..).unwrap_or_default())
            .copied()
            .collect();
        let payload = packets.first()?.len() - HEADER;
        if !breaches.require(
            bytes.len() > 8 && bytes[0] == 1,
            "8.2",
            "frame-header-not-short",
            || {
                format!(
                    "frame {index} starts with {:#04x}",
                    bytes.first().copied().unwrap_or(0)
                )
            },
        ) {
            return None;
        }
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let (latency, kind, last) = (half(1), bytes[3], usize::from(half(4)));
        breaches.require(KNOWN.contains(&kind), "8.2", "frame-type-unknown", || {
            format!("frame {index}: type {kind}")
        });
        breaches.require(half(6) == 0, "8.2", "frame-header-reserved", || {
            format!("frame {index}: {:#06x}", half(6))
        });
        let floor = if packets.len() == 1 { 9 } else { 1 };
        if breaches.require(
            (floor..=payload).contains(&last),
            "8.2",
            "frame-last-payload-length",
            || {
                format!(
                    "frame {index}: {last} of {payload}, {} packets",
                    packets.len()
                )
            },
        ) {
            let end = (packets.len() - 1) * payload + last;
            breaches.require(
                bytes[end..].iter().all(|b| *b == 0),
                "8.2",
                "frame-padding-not-zero",
                || format!("frame {index}: bytes behind lastPayloadLen {last}"),
            );
            bytes.truncate(end);
        }
        bytes.drain(..8);
        Some(Self {
            index,
            timestamp,
            latency,
            kind,
            access_unit: bytes,
            in_first_packet: payload - 8,
            arrived,
            whole: Instant::now(),
            packets: 0,
            blocks: 0,
        })
    }
}
