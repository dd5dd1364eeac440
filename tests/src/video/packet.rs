//! One video packet after decryption: header fields of section 8.1, and which of its rules it breaks.

use crate::breach::Breaches;

/// RTP header, reserved bytes and the video header.
pub const HEADER: usize = 32;
pub const FLAG_PICTURE: u8 = 1;
pub const FLAG_EOF: u8 = 2;
pub const FLAG_SOF: u8 = 4;
const MAX_BLOCK_SHARDS: u16 = 255;

/// A packet, zero-padded to its full length of P + 16.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub bytes: Vec<u8>,
    pub sequence: u16,
    pub timestamp: u32,
    pub stream_index: u32,
    pub frame: u32,
    pub flags: u8,
    pub block: u8,
    pub last_block: u8,
    /// Data shards of the block.
    pub data: u16,
    /// Index of this shard: below `data` it carries the frame, from there on parity.
    pub shard: u16,
    pub percent: u8,
}

/// floor((data * percent + 99) / 100), the client's own computation of the parity count.
#[expect(clippy::manual_div_ceil, reason = "spelt as in the wire description")]
pub fn parity_count(data: u16, percent: u8) -> u16 {
    ((u32::from(data) * u32::from(percent) + 99) / 100) as u16
}

impl Packet {
    pub fn is_parity(&self) -> bool {
        self.shard >= self.data
    }

    /// Its fields without its bytes.
    pub fn head(&self) -> Self {
        Self {
            bytes: Vec::new(),
            ..*self
        }
    }

    pub fn parity(&self) -> u16 {
        parity_count(self.data, self.percent)
    }

    /// Parse a datagram of a stream with this P. `None`: no client would take it (a breach says why).
    pub fn parse(mut bytes: Vec<u8>, packet_size: usize, breaches: &Breaches) -> Option<Self> {
        let full = packet_size + 16;
        let length = bytes.len();
        if !breaches.require(
            length <= full && length > HEADER,
            "8.1",
            "video-packet-length",
            || format!("{length} bytes, P + 16 = {full}"),
        ) {
            return None;
        }
        bytes.resize(full, 0);
        let be16 = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let be32 = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let le32 = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        if !breaches.require(bytes[0] == 0x90, "8.1", "video-rtp-byte-0", || {
            format!("{:#04x} instead of 0x90", bytes[0])
        }) && bytes[0] & 0x10 == 0
        {
            return None;
        }
        let fec_info = le32(28);
        let packet = Self {
            sequence: be16(2),
            timestamp: be32(4),
            stream_index: le32(16) >> 8,
            frame: le32(20),
            flags: bytes[24],
            block: bytes[27] >> 4 & 3,
            last_block: bytes[27] >> 6,
            data: (fec_info >> 22) as u16,
            shard: (fec_info >> 12 & 0x3ff) as u16,
            percent: (fec_info >> 4 & 0xff) as u8,
            bytes,
        };
        let bytes = &packet.bytes;
        breaches.require(
            bytes[8..16].iter().all(|b| *b == 0),
            "8.1",
            "video-ssrc-or-reserved",
            || hex::encode(&bytes[8..16]),
        );
        breaches.require(
            bytes[27] & 0x0f == 0 && fec_info & 0x0f == 0,
            "8.1",
            "video-reserved-bits",
            || {
                format!(
                    "multiFecBlocks {:#04x}, fecInfo {fec_info:#010x}",
                    bytes[27]
                )
            },
        );
        let shape = packet.data > 0
            && packet.shard < packet.data + packet.parity()
            && (packet.percent == 0 || packet.data + packet.parity() <= MAX_BLOCK_SHARDS)
            && packet.block <= packet.last_block;
        if !breaches.require(shape, "9.1", "video-block-shape", || {
            format!(
                "shard {} of {}+{} ({} %), block {} of {}",
                packet.shard,
                packet.data,
                packet.parity(),
                packet.percent,
                packet.block,
                packet.last_block
            )
        }) {
            return None;
        }
        if !breaches.require(packet.frame >= 1, "8.1", "video-frame-index-zero", || {
            "frameIndex 0".into()
        }) {
            return None;
        }
        if packet.is_parity() {
            return Some(packet);
        }
        breaches.require(bytes[26] == 0x10, "8.1", "video-multi-fec-flags", || {
            format!("{:#04x} instead of 0x10", bytes[26])
        });
        breaches.require(bytes[16] == 0, "8.1", "video-reserved-bits", || {
            format!("low byte of streamPacketIndex {:#04x}", bytes[16])
        });
        breaches.require(
            length == full || packet.shard + 1 == packet.data,
            "8.1",
            "video-short-packet-inside-block",
            || {
                format!(
                    "{length} bytes as shard {} of {}",
                    packet.shard, packet.data
                )
            },
        );
        packet.check_flags(breaches);
        Some(packet)
    }

    /// The flag rules of a data shard, also for rebuilt ones. `false`: the block is unusable.
    pub fn check_flags(&self, breaches: &Breaches) -> bool {
        let start = if self.shard == 0 { FLAG_SOF } else { 0 };
        let end = if self.shard + 1 == self.data {
            FLAG_EOF
        } else {
            0
        };
        breaches.require(
            self.flags == FLAG_PICTURE | start | end,
            "8.1",
            "video-flags",
            || {
                format!(
                    "flags {:#04x} on shard {} of {} in block {}",
                    self.flags, self.shard, self.data, self.block
                )
            },
        )
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A well-formed data packet.
    pub fn data_packet(
        packet_size: usize,
        frame: u32,
        shard: u16,
        data: u16,
        percent: u8,
    ) -> Vec<u8> {
        let mut bytes = vec![0; packet_size + 16];
        bytes[0] = 0x90;
        bytes[20..24].copy_from_slice(&frame.to_le_bytes());
        bytes[24] = FLAG_PICTURE
            | if shard == 0 { FLAG_SOF } else { 0 }
            | if shard + 1 == data { FLAG_EOF } else { 0 };
        bytes[26] = 0x10;
        let info = u32::from(data) << 22 | u32::from(shard) << 12 | u32::from(percent) << 4;
        bytes[28..32].copy_from_slice(&info.to_le_bytes());
        bytes
    }

    fn rule_of(bytes: Vec<u8>) -> Option<&'static str> {
        let breaches = Breaches::default();
        Packet::parse(bytes, 64, &breaches);
        breaches.list().first().map(|breach| breach.rule)
    }

    #[test]
    fn a_good_packet_breaks_no_rule_and_each_bad_one_names_its_own() {
        let good = data_packet(64, 1, 0, 2, 50);
        assert_eq!(rule_of(good.clone()), None);
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            rule_of(bytes)
        };
        assert_eq!(with(0, 0x80), Some("video-rtp-byte-0"));
        assert_eq!(with(12, 1), Some("video-ssrc-or-reserved"));
        assert_eq!(with(20, 0), Some("video-frame-index-zero"));
        assert_eq!(with(24, 0x0f), Some("video-flags"));
        assert_eq!(with(24, FLAG_PICTURE), Some("video-flags"));
        assert_eq!(with(26, 0), Some("video-multi-fec-flags"));
        assert_eq!(with(27, 0x10), Some("video-block-shape"));
        assert_eq!(with(29, 0xff), Some("video-block-shape"));
        assert_eq!(
            rule_of(good[..79].to_vec()),
            Some("video-short-packet-inside-block")
        );
        assert_eq!(
            rule_of([good.as_slice(), &[0]].concat()),
            Some("video-packet-length")
        );
    }

    #[test]
    fn the_parity_count_is_rounded_up_as_the_client_rounds() {
        assert_eq!(
            [(1, 200), (5, 20), (100, 20), (101, 20), (7, 0)].map(|(d, pct)| parity_count(d, pct)),
            [2, 1, 20, 21, 0]
        );
    }
}
