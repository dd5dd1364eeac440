//! AES-128-GCM without associated data: 12-byte IVs on ring, the old 16-byte control IV on RustCrypto.
use super::Key;
use crate::{Error, Result};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::aes::{Aes128, cipher::consts::U16};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};

/// Bytes of an authentication tag.
pub const TAG_LEN: usize = 16;

/// AES-128-GCM with a 12-byte IV. The caller never repeats an IV under one key.
#[derive(Clone)]
pub struct Gcm {
    key: LessSafeKey,
}

impl std::fmt::Debug for Gcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gcm(..)")
    }
}

impl Gcm {
    /// Expands the key once, for many packets.
    pub fn new(key: &Key) -> Self {
        #[expect(clippy::expect_used, reason = "ring refuses only a wrong key length")]
        let unbound = UnboundKey::new(&AES_128_GCM, &key.0).expect("AES-128 takes 16 bytes");
        Self {
            key: LessSafeKey::new(unbound),
        }
    }

    /// Encrypts `data` in place and gives the tag.
    #[expect(
        clippy::expect_used,
        reason = "ring refuses only more than 64 GiB in one message"
    )]
    pub fn seal(&self, iv: [u8; 12], data: &mut [u8]) -> [u8; TAG_LEN] {
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::empty(), data)
            .expect("a message in memory is short enough");
        let mut out = [0; TAG_LEN];
        out.copy_from_slice(tag.as_ref());
        out
    }

    /// Checks the tag and decrypts `data` in place; on failure `data` holds nothing of use.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] naming `what` when key, IV, tag or bytes do not fit together.
    pub fn open(
        &self,
        iv: [u8; 12],
        tag: [u8; TAG_LEN],
        data: &mut [u8],
        what: &'static str,
    ) -> Result<()> {
        self.key
            .open_in_place_separate_tag(
                Nonce::assume_unique_for_key(iv),
                Aad::empty(),
                Tag::from(tag),
                data,
                0..,
            )
            .map(|_| ())
            .map_err(|_| Error::Unauthentic(what))
    }
}

/// AES-128-GCM with a 16-byte IV, which only the legacy control stream uses.
#[derive(Clone)]
pub struct LegacyGcm {
    cipher: aes_gcm::AesGcm<Aes128, U16>,
}

impl std::fmt::Debug for LegacyGcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LegacyGcm(..)")
    }
}

impl LegacyGcm {
    /// Expands the key once.
    pub fn new(key: &Key) -> Self {
        Self {
            cipher: KeyInit::new(&key.0.into()),
        }
    }

    /// Encrypts `data` in place and gives the tag.
    #[expect(
        clippy::expect_used,
        reason = "the cipher refuses only more than 64 GiB in one message"
    )]
    pub fn seal(&self, iv: [u8; 16], data: &mut [u8]) -> [u8; TAG_LEN] {
        self.cipher
            .encrypt_inout_detached(&iv.into(), b"", data.into())
            .expect("a message in memory is short enough")
            .into()
    }

    /// Checks the tag and decrypts `data` in place.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] naming `what`.
    pub fn open(
        &self,
        iv: [u8; 16],
        tag: [u8; TAG_LEN],
        data: &mut [u8],
        what: &'static str,
    ) -> Result<()> {
        self.cipher
            .decrypt_inout_detached(&iv.into(), b"", data.into(), &tag.into())
            .map_err(|_| Error::Unauthentic(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key(std::array::from_fn(|i| i as u8))
    }

    #[test]
    fn a_video_packet_seals_to_the_bytes_that_clients_expect() {
        let mut iv = [0; 12];
        iv[0] = 7;
        iv[11] = b'V';
        let mut data: Vec<u8> = (0..32).collect();
        let tag = Gcm::new(&key()).seal(iv, &mut data);
        assert_eq!(hex::encode(tag), "c53ae2bf6b76c3e6ceb099fdec37c3fc");
        assert_eq!(
            hex::encode(&data),
            "746962976c738718073e882d19eccaa8f4f46230c10715f6769a46e4b4e152ae"
        );
        Gcm::new(&key()).open(iv, tag, &mut data, "packet").unwrap();
        assert_eq!(data, (0..32).collect::<Vec<u8>>());
    }

    #[test]
    fn an_altered_packet_is_not_opened() {
        let mut data = *b"hello";
        let gcm = Gcm::new(&key());
        let tag = gcm.seal([1; 12], &mut data);
        data[0] ^= 1;
        assert!(matches!(
            gcm.open([1; 12], tag, &mut data, "packet"),
            Err(Error::Unauthentic("packet"))
        ));
    }

    #[test]
    fn the_legacy_control_iv_gives_the_known_bytes() {
        let legacy = LegacyGcm::new(&key());
        let mut data = [0x02, 0x03, 0x02, 0x00, 0x00, 0x00];
        let tag = legacy.seal([0; 16], &mut data);
        assert_eq!(hex::encode(tag), "566c8363e380dad031b24ee56ee40bb6");
        assert_eq!(hex::encode(data), "021579f6ebbe");
        legacy.open([0; 16], tag, &mut data, "control").unwrap();
        assert_eq!(data, [0x02, 0x03, 0x02, 0x00, 0x00, 0x00]);
        let mut iv = [0; 16];
        iv[0] = 0x2c;
        let tag = legacy.seal(iv, &mut data);
        assert_eq!(hex::encode(tag), "6be90609dfe73abdf8fed87b477070e0");
        assert!(legacy.open([0; 16], tag, &mut data, "control").is_err());
    }
}
