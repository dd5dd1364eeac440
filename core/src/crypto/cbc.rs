//! AES-128-CBC with PKCS#7 padding, which audio uses.
use super::Key;
use crate::{Error, Result};
use aes::Aes128;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit, block_padding::Pkcs7};

const BLOCK: usize = 16;

/// AES-128-CBC with PKCS#7 padding, keyed once.
#[derive(Clone)]
pub struct Cbc {
    cipher: Aes128,
}

impl std::fmt::Debug for Cbc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cbc(..)")
    }
}

impl Cbc {
    /// Expands the key once, for many packets.
    pub fn new(key: &Key) -> Self {
        Self {
            cipher: Aes128::new(&key.0.into()),
        }
    }

    /// Bytes of ciphertext for `len` bytes of plaintext: the next multiple of 16 above `len`.
    pub fn sealed_len(len: usize) -> usize {
        len.saturating_add(BLOCK).saturating_sub(len % BLOCK)
    }

    /// Appends the ciphertext of `plain` to `out`.
    #[expect(
        clippy::expect_used,
        clippy::indexing_slicing,
        reason = "the room for the padding is made just before"
    )]
    pub fn seal_into(&self, iv: [u8; BLOCK], plain: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(plain);
        out.resize(start.saturating_add(Self::sealed_len(plain.len())), 0);
        ::cbc::Encryptor::inner_iv_init(&self.cipher, &iv.into())
            .encrypt_padded::<Pkcs7>(&mut out[start..], plain.len())
            .expect("there is room for the padding");
    }

    /// The plaintext of `sealed`. CBC is not authenticated: a wrong key shows only when the padding is wrong.
    ///
    /// # Errors
    /// [`Error::Malformed`] naming `what` when the length is no positive multiple of 16 or the padding is wrong.
    pub fn open(&self, iv: [u8; BLOCK], sealed: &[u8], what: &'static str) -> Result<Vec<u8>> {
        let mut data = sealed.to_vec();
        let len = ::cbc::Decryptor::inner_iv_init(&self.cipher, &iv.into())
            .decrypt_padded::<Pkcs7>(&mut data)
            .map_err(|_| Error::Malformed {
                what,
                why: "not CBC blocks with PKCS#7 padding under this key",
            })?
            .len();
        data.truncate(len);
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_seals_to_the_known_bytes() {
        let cbc = Cbc::new(&Key(std::array::from_fn(|i| i as u8)));
        let opus = [0xfc, 1, 2, 3, 4, 5, 6, 7, 8, 9];
        for (iv, want) in [
            ("ffed2979", "1b4c0d229d8353a0431b2fe31fbbe95a"),
            ("ffed297e", "885f31d120458d8fa7d1a4ecb7cfbdba"),
        ] {
            let mut full = [0; 16];
            full[..4].copy_from_slice(&hex::decode(iv).unwrap());
            let mut out = vec![9];
            cbc.seal_into(full, &opus, &mut out);
            assert_eq!(hex::encode(&out[1..]), want);
            assert_eq!(cbc.open(full, &out[1..], "audio").unwrap(), opus);
        }
    }

    #[test]
    fn whole_blocks_get_a_block_of_padding() {
        assert_eq!(
            [0, 1, 15, 16, 17].map(Cbc::sealed_len),
            [16, 16, 16, 32, 32]
        );
    }

    #[test]
    fn broken_cbc_is_an_error() {
        let cbc = Cbc::new(&Key([1; 16]));
        assert!(cbc.open([0; 16], &[0; 15], "audio").is_err());
        assert!(cbc.open([0; 16], &[], "audio").is_err());
        assert!(cbc.open([0; 16], &[0; 32], "audio").is_err());
    }
}
