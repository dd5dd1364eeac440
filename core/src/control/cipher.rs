//! AES-128-GCM with the two kinds of IV that the control stream knows. No associated data.
use crate::{Error, Result, crypto::Key};
use aes_gcm::{
    AesGcm,
    aead::{AeadInOut, KeyInit, consts::U16},
    aes::Aes128,
};
use ring::aead;

pub(super) const TAG: usize = 16;
const WHAT: &str = "control message";

/// The expanded key, ready for one kind of IV.
pub(super) enum Cipher {
    /// 12-byte IVs.
    Short(aead::LessSafeKey),
    /// 16-byte IVs, which `ring` does not take.
    Long(Box<AesGcm<Aes128, U16>>),
}

impl Cipher {
    pub(super) fn short(key: &Key) -> Result<Self> {
        let key = aead::UnboundKey::new(&aead::AES_128_GCM, &key.0)
            .map_err(|_| Error::BadConfig("control key"))?;
        Ok(Self::Short(aead::LessSafeKey::new(key)))
    }

    pub(super) fn long(key: &Key) -> Result<Self> {
        let cipher = AesGcm::<Aes128, U16>::new_from_slice(&key.0)
            .map_err(|_| Error::BadConfig("control key"))?;
        Ok(Self::Long(Box::new(cipher)))
    }

    /// Seal in place; answers the tag. `iv` is cut to the cipher's IV length.
    pub(super) fn seal(&self, iv: [u8; 16], text: &mut [u8]) -> Result<[u8; TAG]> {
        match self {
            Self::Short(key) => {
                let tag = key
                    .seal_in_place_separate_tag(short_nonce(iv), aead::Aad::empty(), text)
                    .map_err(|_| Error::Malformed {
                        what: WHAT,
                        why: "too long to seal",
                    })?;
                take_tag(tag.as_ref())
            }
            Self::Long(cipher) => {
                let tag = cipher
                    .encrypt_inout_detached(&iv.into(), &[], text.into())
                    .map_err(|_| Error::Malformed {
                        what: WHAT,
                        why: "too long to seal",
                    })?;
                take_tag(tag.as_slice())
            }
        }
    }

    /// Open `text` (ciphertext) in place.
    pub(super) fn open(&self, iv: [u8; 16], tag: [u8; TAG], text: &mut [u8]) -> Result<()> {
        match self {
            Self::Short(key) => key
                .open_in_place_separate_tag(
                    short_nonce(iv),
                    aead::Aad::empty(),
                    tag.into(),
                    text,
                    0..,
                )
                .map(drop)
                .map_err(|_| Error::Unauthentic(WHAT)),
            Self::Long(cipher) => cipher
                .decrypt_inout_detached(&iv.into(), &[], text.into(), &tag.into())
                .map_err(|_| Error::Unauthentic(WHAT)),
        }
    }
}

fn short_nonce(iv: [u8; 16]) -> aead::Nonce {
    let [a, b, c, d, e, f, g, h, i, j, k, l, ..] = iv;
    aead::Nonce::assume_unique_for_key([a, b, c, d, e, f, g, h, i, j, k, l])
}

fn take_tag(tag: &[u8]) -> Result<[u8; TAG]> {
    tag.try_into().map_err(|_| Error::Malformed {
        what: WHAT,
        why: "tag length",
    })
}
