//! The session key and the few ciphers that GameStream uses.
//!
//! Owns key handling and the cipher calls; which bytes are sealed and how an IV is made is the business of the
//! planes (RTSP, control, video, audio), each of which documents its own layout. Pairing keeps its ECB to itself: nobody
//! else should have it.
mod cbc;
mod gcm;

pub use cbc::Cbc;
pub use gcm::{Gcm, LegacyGcm, TAG_LEN};

/// The 16-byte AES key of a stream (`rikey`). Its `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub [u8; 16]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}
