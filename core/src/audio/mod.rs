//! Audio packets: RTP, 4+2 parity, CBC sealing.
use crate::{Result, crypto::Key};

/// Turns Opus packets into datagrams: the data packet, and after every fourth the two parity packets.
pub struct AudioPacketizer {}

/// CBC sealing of audio: the key and `rikeyid` reinterpreted as u32.
#[derive(Clone)]
pub struct AudioSeal { pub key: Key, pub key_id: u32 }

impl AudioPacketizer {
    pub fn new(packet_ms: u8, seal: Option<AudioSeal>) -> Self { let _ = (packet_ms, seal); todo!() }
    /// Datagrams for one Opus packet, in sending order (1, or 3 after the fourth of a block); valid until the next call.
    pub fn packetize(&mut self, opus: &[u8]) -> Result<&[Vec<u8>]> { let _ = opus; todo!() }
}
