//! Audio packets: RTP, 4+2 parity, CBC sealing.
//!
//! Owns the datagrams of one audio stream. Does not know Opus: a packet is some bytes that should all be equally long.
mod block;
mod packetizer;
mod receiver;
#[cfg(test)]
mod tests;

pub use packetizer::{AudioPacketizer, AudioSeal};
pub use receiver::{AudioPacket, AudioReceiver, AudioStats};

/// RTP header of a data packet.
const RTP_LEN: usize = 12;
/// RTP and FEC header of a parity packet.
const FEC_HEADER_LEN: usize = 24;
/// Payload type of data packets.
const DATA_TYPE: u8 = 97;
/// Payload type of parity packets.
const FEC_TYPE: u8 = 127;
/// Data packets of a block.
const BLOCK: usize = 4;
/// Parity packets of a block.
const PARITY: usize = 2;
/// Clients receive no longer datagrams.
pub const MAX_DATAGRAM: usize = 1400;
/// Longest payload (sealed, if it is sealed) that leaves room for the header of a parity packet.
pub const MAX_PAYLOAD: usize = MAX_DATAGRAM - FEC_HEADER_LEN;
