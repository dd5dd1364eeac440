//! Data and parity in, payloads in order out: blocks of four, repaired as soon as four of six are there.

use super::{
    packet::Packet,
    repair::{parity, repair},
    sound::Statistics,
};
use crate::breach::Breaches;

/// One payload for the decoder: its sequence number, and the bytes unless they are lost.
pub type Delivery = (u16, Option<Vec<u8>>);

struct Block {
    base: u16,
    data: [Option<Vec<u8>>; 4],
    parity: [Option<Vec<u8>>; 2],
    /// Payloads already passed on.
    delivered: usize,
    repaired: bool,
    verified: bool,
}

/// Collects the packets of one stream.
pub struct Queue {
    packet_ms: u32,
    block: Option<Block>,
    size: Option<usize>,
    /// Sizes changed or blocks are not aligned: a client turns repair off for good.
    fec_off: bool,
    started: bool,
    breaches: Breaches,
}

impl Queue {
    pub fn new(packet_ms: u8, breaches: Breaches) -> Self {
        Self {
            packet_ms: packet_ms.into(),
            block: None,
            size: None,
            fec_off: false,
            started: false,
            breaches,
        }
    }

    pub fn push(&mut self, packet: Packet, statistics: &mut Statistics) -> Vec<Delivery> {
        let mut out = Vec::new();
        let (base, payload) = match &packet {
            Packet::Data {
                sequence, payload, ..
            } => (sequence & !3, payload.len()),
            Packet::Parity { base, payload, .. } => (*base, payload.len()),
        };
        self.check(&packet);
        let size = *self.size.get_or_insert(payload);
        if !self
            .breaches
            .require(size == payload, "10.4", "audio-size-changed", || {
                format!("{payload} bytes after {size}")
            })
        {
            self.fec_off = true;
        }
        match &self.block {
            Some(block) if base == block.base => {}
            Some(block) if (base.wrapping_sub(block.base) as i16) < 0 => {
                statistics.late += 1;
                return out;
            }
            Some(_) => {
                self.close(statistics, &mut out);
                self.block = Some(Block::new(base));
            }
            None => self.block = Some(Block::new(base)),
        }
        let Some(block) = self.block.as_mut() else {
            return out;
        };
        let place = match packet {
            Packet::Data {
                sequence, payload, ..
            } => (&mut block.data[usize::from(sequence & 3)], payload),
            Packet::Parity { row, payload, .. } => (&mut block.parity[row], payload),
        };
        if place.0.is_some() {
            // A repaired packet that arrives after all is late, not sent twice.
            statistics.duplicates += u64::from(!block.repaired);
            return out;
        }
        *place.0 = Some(place.1);
        if !self.started {
            // The stream may be joined in the middle of a block: nothing before the first packet was ever ours.
            self.started = true;
            block.delivered = block.data.iter().position(Option::is_some).unwrap_or(0);
        }
        let missing = block.data[block.delivered..]
            .iter()
            .filter(|payload| payload.is_none())
            .count();
        let at_hand = block.data.iter().flatten().count() + block.parity.iter().flatten().count();
        if missing > 0 && at_hand >= 4 && !self.fec_off && repair(&mut block.data, &block.parity) {
            block.repaired = true;
            statistics.repaired += missing as u64;
        }
        if !block.verified && !block.repaired && at_hand == 6 {
            block.verified = true;
            statistics.verified_blocks += 1;
            self.verify();
        }
        if let Some(block) = self.block.as_mut() {
            block.deliver(&mut out);
        }
        out
    }

    fn check(&self, packet: &Packet) {
        let (sequence, timestamp) = match packet {
            Packet::Data {
                sequence,
                timestamp,
                ..
            } => (*sequence, *timestamp),
            Packet::Parity {
                base, timestamp, ..
            } => (*base, *timestamp),
        };
        // Both counters start at 0, so that they agree for as long as the sequence has not wrapped (five minutes).
        let expected = u32::from(sequence).wrapping_mul(self.packet_ms);
        let wrapped = 0x1_0000u32.wrapping_mul(self.packet_ms);
        self.breaches.require(
            timestamp % wrapped == expected % wrapped,
            "10.1",
            "audio-timestamp",
            || format!("sequence {sequence}: timestamp {timestamp}, {expected} expected"),
        );
    }

    fn verify(&self) {
        let Some(block) = &self.block else { return };
        let [Some(a), Some(b), Some(c), Some(d)] = &block.data else {
            return;
        };
        for row in 0..2 {
            let computed = parity(row, [a, b, c, d]);
            self.breaches.require(
                block.parity[row].as_ref() == Some(&computed),
                "10.4",
                "audio-parity-wrong",
                || format!("block {} parity {row}", block.base),
            );
        }
    }

    /// A later block begins: what is missing in this one is lost.
    fn close(&mut self, statistics: &mut Statistics, out: &mut Vec<Delivery>) {
        let Some(mut block) = self.block.take() else {
            return;
        };
        let missing = block.data[block.delivered..]
            .iter()
            .filter(|payload| payload.is_none())
            .count();
        statistics.lost += missing as u64;
        while block.delivered < 4 {
            let sequence = block.base.wrapping_add(block.delivered as u16);
            out.push((sequence, block.data[block.delivered].take()));
            block.delivered += 1;
        }
    }
}

impl Block {
    fn new(base: u16) -> Self {
        Self {
            base,
            data: Default::default(),
            parity: Default::default(),
            delivered: 0,
            repaired: false,
            verified: false,
        }
    }

    fn deliver(&mut self, out: &mut Vec<Delivery>) {
        while let Some(Some(payload)) = self.data.get(self.delivered) {
            out.push((
                self.base.wrapping_add(self.delivered as u16),
                Some(payload.clone()),
            ));
            self.delivered += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of four packets with their parity, in sending order.
    fn sent(blocks: u16) -> Vec<Packet> {
        let payload = |sequence: u16| vec![sequence as u8; 10];
        (0..blocks)
            .flat_map(|block| {
                let base = block * 4;
                let data: [Vec<u8>; 4] = std::array::from_fn(|i| payload(base + i as u16));
                let rows =
                    [0, 1].map(|row| parity(row, std::array::from_fn(|i| data[i].as_slice())));
                let timestamp = u32::from(base) * 5;
                let mut packets: Vec<Packet> = data
                    .into_iter()
                    .zip(0..)
                    .map(|(payload, i)| Packet::Data {
                        sequence: base + i,
                        timestamp: timestamp + u32::from(i) * 5,
                        payload,
                    })
                    .collect();
                packets.extend(
                    rows.into_iter()
                        .enumerate()
                        .map(|(row, payload)| Packet::Parity {
                            row,
                            base,
                            timestamp,
                            payload,
                        }),
                );
                packets
            })
            .collect()
    }

    fn receive(packets: Vec<Packet>) -> (Vec<Delivery>, Statistics, Breaches) {
        let breaches = Breaches::default();
        let mut queue = Queue::new(5, breaches.clone());
        let mut statistics = Statistics::default();
        let out = packets
            .into_iter()
            .flat_map(|packet| queue.push(packet, &mut statistics))
            .collect();
        (out, statistics, breaches)
    }

    #[test]
    fn a_clean_stream_comes_in_order_and_its_parity_is_verified() {
        let (out, statistics, breaches) = receive(sent(3));
        assert_eq!(
            out.iter()
                .map(|(sequence, _)| *sequence)
                .collect::<Vec<_>>(),
            (0..12).collect::<Vec<_>>()
        );
        assert_eq!(
            (
                statistics.verified_blocks,
                statistics.repaired,
                statistics.lost
            ),
            (3, 0, 0)
        );
        assert!(breaches.is_empty());
    }

    #[test]
    fn two_losses_in_a_block_are_repaired_and_three_are_lost() {
        let mut packets = sent(3);
        packets.retain(|packet| {
            !matches!(
                packet,
                Packet::Data {
                    sequence: 4 | 6 | 8 | 9 | 10,
                    ..
                }
            )
        });
        packets.push(Packet::Data {
            sequence: 12,
            timestamp: 60,
            payload: vec![12; 10],
        });
        let (out, statistics, breaches) = receive(packets);
        assert_eq!((statistics.repaired, statistics.lost), (2, 3));
        assert_eq!(out[4], (4, Some(vec![4; 10])));
        assert_eq!(out[9], (9, None));
        assert_eq!(out.len(), 13);
        assert!(breaches.is_empty());
    }

    #[test]
    fn sizes_timestamps_and_parity_are_held_to_the_description() {
        let mut packets = sent(1);
        packets[1] = Packet::Data {
            sequence: 1,
            timestamp: 480,
            payload: vec![1; 10],
        };
        packets[5] = Packet::Parity {
            row: 1,
            base: 0,
            timestamp: 0,
            payload: vec![0; 10],
        };
        packets.push(Packet::Data {
            sequence: 4,
            timestamp: 20,
            payload: vec![4; 11],
        });
        let (_, _, breaches) = receive(packets);
        let rules: Vec<_> = breaches.list().iter().map(|breach| breach.rule).collect();
        assert_eq!(
            rules,
            [
                "audio-parity-wrong",
                "audio-size-changed",
                "audio-timestamp"
            ]
        );
    }
}
