//! One received packet: its fields, read and checked on their own. Whether it agrees with its block and frame is for the
//! reassembler to say.
use super::header::{EOF, HEADER_LEN, MULTI_FEC, PIC, RTP_BYTE, SOF};
use super::plan::MAX_UNPROTECTED_SHARDS;
use crate::fec::{self, MAX_SHARDS};
use crate::{Error, Result};

fn malformed(why: &'static str) -> Error {
    Error::Malformed {
        what: "video packet",
        why,
    }
}

/// The fields of a packet. All bounds of the wire hold for a value of this type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    pub sequence: u16,
    pub timestamp_90k: u32,
    /// 24 bits; meaningful in data packets only, as are `flags` and `extra_flags`.
    pub stream_index: u32,
    pub frame_index: u32,
    pub flags: u8,
    pub extra_flags: u8,
    /// This block and the frame's last one, 0..=3.
    pub block: u8,
    pub last_block: u8,
    /// Data shards of the block, 1..=1023.
    pub data: usize,
    /// Parity shards of the block, as computed from `percent`.
    pub parity: usize,
    pub percent: u8,
    /// Index within the block, below `data + parity`.
    pub shard: usize,
    /// The whole packet.
    pub bytes: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a plain (already opened) packet.
    ///
    /// # Errors
    /// [`Error::Malformed`] naming the rule that it breaks.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let (head, payload) = bytes
            .split_first_chunk::<HEADER_LEN>()
            .ok_or(malformed("shorter than its header"))?;
        let [
            rtp,
            _,
            s0,
            s1,
            t0,
            t1,
            t2,
            t3,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            rest @ ..,
        ] = head;
        let [
            i0,
            i1,
            i2,
            i3,
            f0,
            f1,
            f2,
            f3,
            flags,
            extra_flags,
            multi,
            blocks,
            e0,
            e1,
            e2,
            e3,
        ] = *rest;
        if *rtp != RTP_BYTE {
            return Err(malformed("not RTP version 2 with an extension"));
        }
        if payload.is_empty() {
            return Err(malformed("no payload"));
        }
        let info = u32::from_le_bytes([e0, e1, e2, e3]);
        let field =
            |shift: u32, mask: u32| usize::try_from(info.wrapping_shr(shift) & mask).unwrap_or(0);
        let (data, shard) = (field(22, 0x3FF), field(12, 0x3FF));
        let percent = u8::try_from(field(4, 0xFF)).unwrap_or(0);
        let parity = if percent == 0 {
            0
        } else {
            fec::parity_count(data, percent)
        };
        let most = if parity == 0 {
            MAX_UNPROTECTED_SHARDS
        } else {
            MAX_SHARDS
        };
        let total = data.saturating_add(parity);
        if data == 0 || total > most {
            return Err(malformed("impossible shard counts"));
        }
        if shard >= total {
            return Err(malformed("shard index outside its block"));
        }
        let (block, last_block) = (blocks.wrapping_shr(4) & 3, blocks.wrapping_shr(6));
        if block > last_block {
            return Err(malformed("block index above the last block"));
        }
        let packet = Self {
            sequence: u16::from_be_bytes([*s0, *s1]),
            timestamp_90k: u32::from_be_bytes([*t0, *t1, *t2, *t3]),
            stream_index: u32::from_le_bytes([i0, i1, i2, i3]).wrapping_shr(8),
            frame_index: u32::from_le_bytes([f0, f1, f2, f3]),
            flags,
            extra_flags,
            block,
            last_block,
            data,
            parity,
            percent,
            shard,
            bytes,
        };
        if packet.is_data() && (multi != MULTI_FEC || !flags_fit(flags, shard, data)) {
            return Err(malformed("flags do not fit the place in the block"));
        }
        Ok(packet)
    }

    /// Whether this is a data packet; parity packets hold code bytes in some header fields.
    pub fn is_data(&self) -> bool {
        self.shard < self.data
    }
}

/// Every data packet carries picture data, the first of a block SOF, the last EOF, and nothing else is set.
pub(super) fn flags_fit(flags: u8, shard: usize, data: usize) -> bool {
    let mut wanted = PIC;
    if shard == 0 {
        wanted |= SOF;
    }
    if shard.saturating_add(1) == data {
        wanted |= EOF;
    }
    flags == wanted
}
