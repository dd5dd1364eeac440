//! The two kinds of IV that the control stream knows, over one interface.
use crate::Result;
use crate::crypto::{Gcm, Key, LegacyGcm, TAG_LEN};

pub(super) const TAG: usize = TAG_LEN;
const WHAT: &str = "control message";

/// The expanded key, ready for one kind of IV.
pub(super) enum Cipher {
    /// 12-byte IVs.
    Short(Box<Gcm>),
    /// 16-byte IVs.
    Long(Box<LegacyGcm>),
}

impl Cipher {
    pub(super) fn short(key: &Key) -> Self {
        Self::Short(Box::new(Gcm::new(key)))
    }

    pub(super) fn long(key: &Key) -> Self {
        Self::Long(Box::new(LegacyGcm::new(key)))
    }

    /// Seal in place; answers the tag. `iv` is cut to the cipher's IV length.
    pub(super) fn seal(&self, iv: [u8; 16], text: &mut [u8]) -> [u8; TAG] {
        match self {
            Self::Short(gcm) => gcm.seal(short(iv), text),
            Self::Long(gcm) => gcm.seal(iv, text),
        }
    }

    /// Open `text` (ciphertext) in place.
    pub(super) fn open(&self, iv: [u8; 16], tag: [u8; TAG], text: &mut [u8]) -> Result<()> {
        match self {
            Self::Short(gcm) => gcm.open(short(iv), tag, text, WHAT),
            Self::Long(gcm) => gcm.open(iv, tag, text, WHAT),
        }
    }
}

fn short(iv: [u8; 16]) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, ..] = iv;
    [a, b, c, d, e, f, g, h, i, j, k, l]
}
