//! Opus packets in, datagrams out.
use super::{BLOCK, DATA_TYPE, FEC_HEADER_LEN, FEC_TYPE, MAX_PAYLOAD, PARITY, RTP_LEN};
use crate::crypto::{Cbc, Key};
use crate::fec::{Code, Layout};
use crate::{Error, Result};

/// CBC sealing of audio: the key and `rikeyid` reinterpreted as u32.
#[derive(Debug, Clone)]
pub struct AudioSeal {
    pub key: Key,
    pub key_id: u32,
}

impl AudioSeal {
    /// The IV of the packet with this sequence number: their sum, big-endian, then zeros.
    pub(super) fn iv(key_id: u32, sequence: u16) -> [u8; 16] {
        let mut iv = [0; 16];
        if let Some(head) = iv.first_chunk_mut::<4>() {
            *head = key_id.wrapping_add(u32::from(sequence)).to_be_bytes();
        }
        iv
    }
}

/// Turns Opus packets into datagrams: the data packet, and after every fourth the two parity packets.
#[derive(Debug)]
pub struct AudioPacketizer {
    packet_ms: u8,
    seal: Option<(Cbc, u32)>,
    code: Code,
    sequence: u16,
    timestamp: u32,
    /// The data packet, then the parity packets.
    out: Vec<Vec<u8>>,
    /// Payloads of the block so far, then room for its parity.
    block: Vec<u8>,
    /// Payload length of the block, `None` when its packets differ and it can have no parity.
    block_len: Option<usize>,
    block_timestamp: u32,
}

impl AudioPacketizer {
    /// `packet_ms` is the duration of an Opus packet: 5 or 10.
    pub fn new(packet_ms: u8, seal: Option<AudioSeal>) -> Self {
        Self {
            packet_ms,
            seal: seal.map(|seal| (Cbc::new(&seal.key), seal.key_id)),
            code: Code::audio(),
            sequence: 0,
            timestamp: 0,
            out: vec![Vec::new(); 1 + PARITY],
            block: Vec::new(),
            block_len: None,
            block_timestamp: 0,
        }
    }

    /// Datagrams for one Opus packet, in sending order (1, or 3 after the fourth of a block); valid until the next call.
    ///
    /// A block whose packets differ in length gets no parity: clients would take it as a sign that there is none at all.
    ///
    /// # Errors
    /// [`Error::EmptyFrame`] and [`Error::FrameTooLarge`]; neither uses up a sequence number.
    pub fn packetize(&mut self, opus: &[u8]) -> Result<&[Vec<u8>]> {
        if opus.is_empty() {
            return Err(Error::EmptyFrame);
        }
        let max = if self.seal.is_some() {
            MAX_PAYLOAD - MAX_PAYLOAD % 16 - 1
        } else {
            MAX_PAYLOAD
        };
        if opus.len() > max {
            return Err(Error::FrameTooLarge {
                len: opus.len(),
                max,
            });
        }
        let [data, parity @ ..] = self.out.as_mut_slice() else {
            return Ok(&[]);
        };
        data.clear();
        rtp_header(data, DATA_TYPE, self.sequence, self.timestamp);
        match &self.seal {
            Some((cbc, key_id)) => cbc.seal_into(AudioSeal::iv(*key_id, self.sequence), opus, data),
            None => data.extend_from_slice(opus),
        }
        let payload = data.get(RTP_LEN..).unwrap_or_default();
        let place = usize::from(self.sequence) % BLOCK;
        if place == 0 {
            self.block.clear();
            self.block_len = Some(payload.len());
            self.block_timestamp = self.timestamp;
        }
        self.block.extend_from_slice(payload);
        self.block_len = self.block_len.filter(|len| *len == payload.len());
        let base = self
            .sequence
            .wrapping_sub(u16::try_from(place).unwrap_or(0));
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(u32::from(self.packet_ms));
        let Some(len) = self.block_len.filter(|_| place == BLOCK - 1) else {
            return Ok(self.out.get(..1).unwrap_or_default());
        };
        self.block.resize(len.saturating_mul(BLOCK + PARITY), 0);
        self.code.encode(
            &mut self.block,
            Layout {
                stride: len,
                offset: 0,
                len,
            },
        )?;
        let shards = self.block.chunks_exact(len).skip(BLOCK);
        for ((index, out), shard) in (0u8..).zip(parity).zip(shards) {
            out.clear();
            rtp_header(
                out,
                FEC_TYPE,
                base.wrapping_add(4).wrapping_add(u16::from(index)),
                0,
            );
            out.extend_from_slice(&[index, DATA_TYPE]);
            out.extend_from_slice(&base.to_be_bytes());
            out.extend_from_slice(&self.block_timestamp.to_be_bytes());
            out.extend_from_slice(&[0; 4]);
            debug_assert_eq!(out.len(), FEC_HEADER_LEN);
            out.extend_from_slice(shard);
        }
        Ok(&self.out)
    }
}

fn rtp_header(out: &mut Vec<u8>, kind: u8, sequence: u16, timestamp: u32) {
    out.extend_from_slice(&[0x80, kind]);
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(&timestamp.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
}
