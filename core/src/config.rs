//! What a [`Session`](crate::Session) is told at its start.
use crate::crypto::Key;

/// Which end of the stream a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends frames.
    Host,
    /// Receives frames.
    Client,
}

/// The erasure code that protects packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FecField {
    /// GameStream's Cauchy code over GF(2^8): at most 255 packets in a block.
    Gf256,
}

/// Settings of a session; both ends need the same ones, but for the role.
#[derive(Debug, Clone)]
pub struct Config {
    pub role: Role,
    pub fec_field: FecField,
    /// Parity as a share of *all* packets of a block, in percent, 0..=60: 15 means that any 15 of 100 packets may be
    /// lost. (The wire counts parity against data packets; 15 % of all is 18 % of those.) 0 = data only.
    pub fec_percent: u8,
    /// Fewest parity packets of a block, unless `fec_percent` is 0.
    pub min_parity: u8,
    /// Data packets of a FEC block, 1..=255, as long as the frame fits into four such blocks.
    pub data_shards_per_block: usize,
    /// Frame bytes that one packet carries, 48..=64 984.
    pub shard_bytes: usize,
    /// Longest frame in bytes. The wire's own limit, four blocks of 1023 packets, may be lower.
    pub max_frame_bytes: usize,
    /// A missing frame is given up when a packet of the frame this many later arrives, 1..=16.
    pub reorder_frames: u8,
    /// Seals every packet when set. A key must not be used for a second session.
    pub seal: Option<Key>,
}

impl Config {
    /// The first profile: GF(2^8), 15 % parity and at least one parity packet, 200 data shards in a block, shards of
    /// 1024 bytes, frames of up to 64 MiB (as far as the wire can carry them), no encryption.
    pub fn p1_defaults(role: Role) -> Self {
        Self {
            role,
            fec_field: FecField::Gf256,
            fec_percent: 15,
            min_parity: 1,
            data_shards_per_block: 200,
            shard_bytes: 1024,
            max_frame_bytes: 64 << 20,
            reorder_frames: 2,
            seal: None,
        }
    }
}
