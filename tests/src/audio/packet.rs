//! One audio datagram: data or parity, with the rules of sections 10.1 and 10.4.

use crate::breach::Breaches;

const LARGEST: usize = 1400;

/// A parsed datagram. The payload is still sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    Data {
        sequence: u16,
        timestamp: u32,
        payload: Vec<u8>,
    },
    Parity {
        row: usize,
        base: u16,
        timestamp: u32,
        payload: Vec<u8>,
    },
}

impl Packet {
    pub fn parse(bytes: &[u8], breaches: &Breaches) -> Option<Self> {
        breaches.require(
            bytes.len() <= LARGEST,
            "10.1",
            "audio-packet-too-large",
            || format!("{} bytes", bytes.len()),
        );
        if !breaches.require(bytes.len() > 12, "10.1", "audio-packet-length", || {
            format!("{} bytes", bytes.len())
        }) {
            return None;
        }
        let be16 = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let be32 = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        breaches.require(bytes[0] == 0x80, "10.1", "audio-rtp-byte-0", || {
            format!("{:#04x}", bytes[0])
        });
        breaches.require(be32(8) == 0, "10.1", "audio-ssrc", || be32(8).to_string());
        match bytes[1] {
            97 => Some(Self::Data {
                sequence: be16(2),
                timestamp: be32(4),
                payload: bytes[12..].to_vec(),
            }),
            127 if bytes.len() > 24 => {
                let (row, base) = (usize::from(bytes[12]), be16(14));
                breaches.require(
                    bytes[13] == 97 && be32(4) == 0 && be32(20) == 0,
                    "10.4",
                    "audio-parity-header",
                    || hex::encode(&bytes[..24]),
                );
                let sound = breaches
                    .require(row < 2, "10.4", "audio-parity-index", || row.to_string())
                    & breaches.require(base % 4 == 0, "10.4", "audio-parity-base", || {
                        base.to_string()
                    });
                sound.then(|| Self::Parity {
                    row,
                    base,
                    timestamp: be32(16),
                    payload: bytes[24..].to_vec(),
                })
            }
            kind => {
                breaches.record("10.1", "audio-payload-type", || {
                    format!("type {kind}, {} bytes", bytes.len())
                });
                None
            }
        }
    }
}
