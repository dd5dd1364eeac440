//! The sealed envelope of control messages, with both kinds of IV.

use crate::crypto::{Gcm, Iv, Key};
use anyhow::{Context, Result, bail};

/// Message types, client to host.
pub const START_A: u16 = 0x0302;
pub const START_B: u16 = 0x0307;
pub const PING: u16 = 0x0200;
pub const FEC_STATUS: u16 = 0x5502;
pub const REFERENCES_LOST: u16 = 0x0301;
pub const INPUT: u16 = 0x0206;
/// Host to client.
pub const TERMINATION: u16 = 0x0109;
pub const HDR_MODE: u16 = 0x010e;

const HEADER: usize = 24;

/// A decrypted control message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub kind: u16,
    pub payload: Vec<u8>,
}

/// Seals and opens for one session. The client's sequence starts at 0.
pub struct Envelope {
    gcm: Gcm,
    version2: bool,
    sequence: u32,
}

impl Envelope {
    pub fn new(key: &Key, version2: bool) -> Self {
        Self {
            gcm: Gcm::new(key),
            version2,
            sequence: 0,
        }
    }

    fn iv(&self, sequence: u32, direction: u8) -> Iv {
        if self.version2 {
            let mut iv = [0; 12];
            iv[..4].copy_from_slice(&sequence.to_le_bytes());
            iv[10] = direction;
            iv[11] = b'C';
            Iv::Short(iv)
        } else {
            let mut iv = [0; 16];
            iv[0] = sequence.to_le_bytes()[0];
            Iv::Long(iv)
        }
    }

    /// The next message of the client.
    pub fn seal(&mut self, kind: u16, payload: &[u8]) -> Vec<u8> {
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        self.seal_as(b'C', sequence, kind, payload)
    }

    /// Any message of either side: for vectors and misbehaviour.
    pub fn seal_as(&self, direction: u8, sequence: u32, kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut inner = kind.to_le_bytes().to_vec();
        inner.extend((payload.len() as u16).to_le_bytes());
        inner.extend(payload);
        let (cipher, tag) = self.gcm.seal(self.iv(sequence, direction), &inner);
        let mut bytes = 1u16.to_le_bytes().to_vec();
        bytes.extend(((4 + 16 + inner.len()) as u16).to_le_bytes());
        bytes.extend(sequence.to_le_bytes());
        bytes.extend(tag);
        bytes.extend(cipher);
        bytes
    }

    /// A message of the host.
    pub fn open(&self, bytes: &[u8]) -> Result<Message> {
        if bytes.len() < HEADER + 4 {
            bail!("{} bytes are no control message", bytes.len());
        }
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        if half(0) != 1 {
            bail!("type {:#06x} is not the encrypted envelope", half(0));
        }
        if usize::from(half(2)) != bytes.len() - 4 {
            bail!(
                "the length field says {}, {} bytes follow it",
                half(2),
                bytes.len() - 4
            );
        }
        let sequence = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        let inner = self
            .gcm
            .open(self.iv(sequence, b'H'), &bytes[8..HEADER], &bytes[HEADER..])
            .context("the tag does not match")?;
        let [k0, k1, l0, l1, payload @ ..] = inner.as_slice() else {
            bail!("no inner header")
        };
        if usize::from(u16::from_le_bytes([*l0, *l1])) != payload.len() {
            bail!(
                "the inner length is {}, the payload {}",
                u16::from_le_bytes([*l0, *l1]),
                payload.len()
            );
        }
        Ok(Message {
            kind: u16::from_le_bytes([*k0, *k1]),
            payload: payload.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    #[test]
    fn the_control_vectors_of_section_14_come_out() {
        let mut v2 = Envelope::new(&KEY, true);
        assert_eq!(
            hex::encode(v2.seal(START_A, &[0, 0])),
            "01001a000000000022302723537811166cb9bfead7dad4575cd629f5cafe"
        );
        let mouse = hex::decode("0000000807000000000afffd").unwrap();
        assert_eq!(
            hex::encode(v2.seal_as(b'C', 2, INPUT, &mouse)),
            "01002400020000003a804d20b05fd55823aa2906b89c9e49a34e719649df1ab50672cdfb3bc4471a"
        );
        let legacy = Envelope::new(&KEY, false);
        assert_eq!(
            hex::encode(legacy.seal_as(b'C', 0, START_A, &[0, 0])),
            "01001a0000000000566c8363e380dad031b24ee56ee40bb6021579f6ebbe"
        );
        assert_eq!(
            hex::encode(legacy.seal_as(b'C', 300, START_A, &[0, 0])),
            "01001a002c0100006be90609dfe73abdf8fed87b477070e07a26c3c1fbee"
        );
    }

    #[test]
    fn the_host_vectors_open_and_nothing_altered_does() {
        let v2 = Envelope::new(&KEY, true);
        let termination =
            hex::decode("01001c0006000000f6fd6046e1d9cd907e327d1394da5c2e686177e0f2d1af26")
                .unwrap();
        assert_eq!(
            v2.open(&termination).unwrap(),
            Message {
                kind: TERMINATION,
                payload: vec![0x80, 3, 0, 0x23]
            }
        );
        let rumble = hex::decode(
            "0100220005000000b60d447a31d66aa0bd5d651e92081a793787750bb821b6a788cfcd742a42",
        )
        .unwrap();
        let opened = v2.open(&rumble).unwrap();
        assert_eq!(
            (opened.kind, &opened.payload[4..]),
            (0x010b, [0, 0, 0x34, 0x12, 0x78, 0x56].as_slice())
        );
        for at in 0..termination.len() {
            let mut altered = termination.clone();
            altered[at] ^= 1;
            assert!(v2.open(&altered).is_err(), "byte {at}");
        }
    }
}
