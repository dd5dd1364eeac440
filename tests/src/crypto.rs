//! The ciphers of the protocol, as a client needs them: ECB for pairing, GCM for messages and video, CBC for audio.

use aes::{
    Aes128,
    cipher::{
        BlockModeDecrypt, BlockModeEncrypt, KeyInit, KeyIvInit,
        block_padding::{NoPadding, Pkcs7},
    },
};
use aes_gcm::{
    AesGcm, Nonce,
    aead::{Aead, consts::U12, consts::U16},
};
use ring::rand::{SecureRandom, SystemRandom};

/// `rikey` or a pairing key.
pub type Key = [u8; 16];
/// A GCM tag.
pub type Tag = [u8; 16];

/// Random bytes from the system.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the system has random bytes");
    bytes
}

/// SHA-256 over the concatenation of `parts`.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// AES-128-ECB without padding; `plain` must be whole blocks.
pub fn ecb_encrypt(key: &Key, plain: &[u8]) -> Vec<u8> {
    assert_eq!(
        plain.len() % 16,
        0,
        "ECB without padding takes whole blocks"
    );
    ecb::Encryptor::<Aes128>::new(key.into()).encrypt_padded_vec::<NoPadding>(plain)
}

/// The reverse; `None` unless `cipher` is whole blocks.
pub fn ecb_decrypt(key: &Key, cipher: &[u8]) -> Option<Vec<u8>> {
    ecb::Decryptor::<Aes128>::new(key.into())
        .decrypt_padded_vec::<NoPadding>(cipher)
        .ok()
}

/// AES-128-CBC with PKCS#7.
pub fn cbc_encrypt(key: &Key, iv: &[u8; 16], plain: &[u8]) -> Vec<u8> {
    cbc::Encryptor::<Aes128>::new(key.into(), iv.into()).encrypt_padded_vec::<Pkcs7>(plain)
}

/// The reverse; `None` when the length or the padding is wrong.
pub fn cbc_decrypt(key: &Key, iv: &[u8; 16], cipher: &[u8]) -> Option<Vec<u8>> {
    cbc::Decryptor::<Aes128>::new(key.into(), iv.into())
        .decrypt_padded_vec::<Pkcs7>(cipher)
        .ok()
}

/// AES-128-GCM without associated data, with either of the two IV lengths of the protocol.
pub struct Gcm {
    short: AesGcm<Aes128, U12>,
    long: AesGcm<Aes128, U16>,
}

/// An initialisation vector: 12 bytes for everything but the legacy control stream.
#[derive(Debug, Clone, Copy)]
pub enum Iv {
    Short([u8; 12]),
    Long([u8; 16]),
}

impl Gcm {
    pub fn new(key: &Key) -> Self {
        Self {
            short: AesGcm::new(key.into()),
            long: AesGcm::new(key.into()),
        }
    }

    /// Ciphertext (as long as `plain`) and tag.
    pub fn seal(&self, iv: Iv, plain: &[u8]) -> (Vec<u8>, Tag) {
        let mut out = match iv {
            Iv::Short(iv) => self.short.encrypt(&Nonce::from(iv), plain),
            Iv::Long(iv) => self.long.encrypt(&Nonce::from(iv), plain),
        }
        .expect("messages are far below the limit of GCM");
        let mut tag = [0; 16];
        tag.copy_from_slice(&out[plain.len()..]);
        out.truncate(plain.len());
        (out, tag)
    }

    /// The plaintext, or `None` when key, IV, tag or bytes do not belong together.
    pub fn open(&self, iv: Iv, tag: &[u8], cipher: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = Vec::with_capacity(cipher.len() + tag.len());
        sealed.extend_from_slice(cipher);
        sealed.extend_from_slice(tag);
        match iv {
            Iv::Short(iv) => self.short.decrypt(&Nonce::from(iv), sealed.as_slice()),
            Iv::Long(iv) => self.long.decrypt(&Nonce::from(iv), sealed.as_slice()),
        }
        .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    #[test]
    fn the_pairing_vector_of_section_14_comes_out() {
        let digest = sha256(&[&KEY, b"1234"]);
        let key: Key = digest[..16].try_into().unwrap();
        assert_eq!(hex::encode(key), "bad0b4f7cae08eb7c1b5acc763a8ed25");
        let plain: Vec<u8> = (0x20..0x30).collect();
        let sealed = ecb_encrypt(&key, &plain);
        assert_eq!(hex::encode(&sealed), "533daf529237d7015f7d48e3c777ee51");
        assert_eq!(ecb_decrypt(&key, &sealed).unwrap(), plain);
        assert!(ecb_decrypt(&key, &sealed[1..]).is_none());
    }

    #[test]
    fn the_video_vector_of_section_14_opens() {
        let mut iv = [0; 12];
        iv[0] = 7;
        iv[11] = b'V';
        let tag = hex::decode("c53ae2bf6b76c3e6ceb099fdec37c3fc").unwrap();
        let cipher =
            hex::decode("746962976c738718073e882d19eccaa8f4f46230c10715f6769a46e4b4e152ae")
                .unwrap();
        let plain: Vec<u8> = (0..0x20).collect();
        let gcm = Gcm::new(&KEY);
        assert_eq!(gcm.open(Iv::Short(iv), &tag, &cipher).unwrap(), plain);
        assert!(gcm.open(Iv::Short(iv), &tag, &cipher[1..]).is_none());
        assert_eq!(
            gcm.seal(Iv::Short(iv), &plain),
            (cipher, tag.try_into().unwrap())
        );
    }
}
