//! Sealing of single video datagrams: a 32-byte prefix of IV, frame index and tag, then the ciphertext of the packet.
use crate::crypto::{Gcm, Key, TAG_LEN};
use crate::{Error, Result};

/// Bytes in front of a sealed packet.
pub const SEAL_LEN: usize = 32;

/// Seals the packets of one stream. The IV is a counter from 0, so one key must serve one `PacketSeal` only.
#[derive(Debug, Clone)]
pub struct PacketSeal {
    gcm: Gcm,
    counter: u64,
}

impl PacketSeal {
    /// A sealer whose next IV counter is 0.
    pub fn new(key: &Key) -> Self {
        Self::with_counter(key, 0)
    }

    /// A sealer that goes on where an earlier one under the same key ended.
    pub fn with_counter(key: &Key, counter: u64) -> Self {
        Self {
            gcm: Gcm::new(key),
            counter,
        }
    }

    /// Goes on where an earlier sealer under the same key ended.
    pub(super) fn set_counter(&mut self, counter: u64) {
        self.counter = counter;
    }

    /// The next IV counter.
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// Seals one datagram in place: the packet lies behind [`SEAL_LEN`] bytes of room. Shorter buffers are left alone.
    pub fn seal(&mut self, datagram: &mut [u8], frame_index: u32) {
        let Some((prefix, packet)) = datagram.split_first_chunk_mut::<SEAL_LEN>() else {
            return;
        };
        let iv = iv(self.counter);
        self.counter = self.counter.wrapping_add(1);
        let tag = self.gcm.seal(iv, packet);
        let (start, end) = prefix.split_at_mut(16);
        let (iv_place, hint) = start.split_at_mut(12);
        iv_place.copy_from_slice(&iv);
        hint.copy_from_slice(&frame_index.to_le_bytes());
        end.copy_from_slice(&tag);
    }
}

/// Opens the datagrams of one stream into a buffer of its own.
#[derive(Debug)]
pub struct PacketOpener {
    gcm: Gcm,
    plain: Vec<u8>,
}

impl PacketOpener {
    /// An opener for datagrams sealed under `key`.
    pub fn new(key: &Key) -> Self {
        Self {
            gcm: Gcm::new(key),
            plain: Vec::new(),
        }
    }

    /// The packet inside `datagram`; valid until the next call.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is too short to be sealed, [`Error::Unauthentic`].
    pub fn open(&mut self, datagram: &[u8]) -> Result<&[u8]> {
        let (prefix, sealed) =
            datagram
                .split_first_chunk::<SEAL_LEN>()
                .ok_or(Error::Malformed {
                    what: "sealed video packet",
                    why: "shorter than its prefix",
                })?;
        let (mut iv, mut tag) = ([0; 12], [0; TAG_LEN]);
        iv.iter_mut().zip(prefix).for_each(|(to, from)| *to = *from);
        tag.iter_mut()
            .zip(prefix.iter().skip(16))
            .for_each(|(to, from)| *to = *from);
        self.plain.clear();
        self.plain.extend_from_slice(sealed);
        self.gcm.open(iv, tag, &mut self.plain, "video packet")?;
        Ok(&self.plain)
    }
}

/// The frame index in front of a sealed packet: not authenticated, good only for dropping what is not wanted anyway.
pub(super) fn hint(datagram: &[u8]) -> Option<u32> {
    datagram
        .get(12..16)?
        .first_chunk()
        .map(|bytes| u32::from_le_bytes(*bytes))
}

/// u64 LE counter, three zero bytes, `V`.
fn iv(counter: u64) -> [u8; 12] {
    let mut iv = [0; 12];
    if let Some(low) = iv.first_chunk_mut::<8>() {
        *low = counter.to_le_bytes();
    }
    iv[11] = b'V';
    iv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_datagram_has_the_published_bytes() {
        let mut datagram = [0; 64];
        for (i, b) in datagram[32..].iter_mut().enumerate() {
            *b = i as u8;
        }
        let mut seal = PacketSeal::with_counter(&Key(std::array::from_fn(|i| i as u8)), 7);
        seal.seal(&mut datagram, 42);
        assert_eq!(
            hex::encode(datagram),
            "0700000000000000000000562a000000c53ae2bf6b76c3e6ceb099fdec37c3fc\
             746962976c738718073e882d19eccaa8f4f46230c10715f6769a46e4b4e152ae"
        );
        assert_eq!(seal.counter(), 8);
    }
}
