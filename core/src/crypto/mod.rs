//! The session key and the few ciphers that GameStream uses.

/// The 16-byte AES key of a stream (`rikey`). Its `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub [u8; 16]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}
