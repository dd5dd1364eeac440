//! Opens sealed video datagrams (section 8.3).

use crate::{
    breach::Breaches,
    crypto::{Gcm, Iv, Key},
};
use std::collections::HashSet;

const HEADER: usize = 32;

/// Opens datagrams of one stream and watches that no IV comes twice.
pub struct Opening {
    gcm: Gcm,
    seen: HashSet<[u8; 12]>,
}

/// A datagram after opening: the frame hint of the outer header and the packet inside.
pub struct Opened {
    pub hint: u32,
    pub packet: Vec<u8>,
}

impl Opening {
    pub fn new(key: &Key) -> Self {
        Self {
            gcm: Gcm::new(key),
            seen: HashSet::new(),
        }
    }

    /// `None`: not authentic.
    pub fn open(&mut self, datagram: &[u8], breaches: &Breaches) -> Option<Opened> {
        let (Some(iv), Some(hint), Some(tag), Some(cipher)) = (
            datagram.get(..12),
            datagram.get(12..16),
            datagram.get(16..HEADER),
            datagram.get(HEADER..),
        ) else {
            breaches.record("8.3", "video-sealed-length", || {
                format!("{} bytes", datagram.len())
            });
            return None;
        };
        let mut nonce = [0; 12];
        nonce.copy_from_slice(iv);
        breaches.require(self.seen.insert(nonce), "8.3", "video-iv-reused", || {
            hex::encode(nonce)
        });
        let Some(packet) = self.gcm.open(Iv::Short(nonce), tag, cipher) else {
            breaches.record("8.3", "video-not-authentic", || {
                format!("{} bytes, IV {}", datagram.len(), hex::encode(nonce))
            });
            return None;
        };
        Some(Opened {
            hint: u32::from_le_bytes([hint[0], hint[1], hint[2], hint[3]]),
            packet,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_section_14_opens_once() {
        let datagram = hex::decode(concat!(
            "0700000000000000000000562a000000c53ae2bf6b76c3e6ceb099fdec37c3fc",
            "746962976c738718073e882d19eccaa8f4f46230c10715f6769a46e4b4e152ae"
        ))
        .unwrap();
        let breaches = Breaches::default();
        let mut opening = Opening::new(&std::array::from_fn(|i| i as u8));
        let opened = opening.open(&datagram, &breaches).unwrap();
        assert_eq!((opened.hint, opened.packet), (42, (0..0x20).collect()));
        assert!(breaches.is_empty());
        opening.open(&datagram, &breaches).unwrap();
        assert_eq!(breaches.list()[0].rule, "video-iv-reused");
        assert!(opening.open(&datagram[..63], &breaches).is_none());
        assert!(opening.open(&datagram[..20], &breaches).is_none());
    }
}
