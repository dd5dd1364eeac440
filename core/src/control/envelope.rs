//! The sealed envelope: u16 1, u16 length, u32 sequence number, tag, ciphertext of (u16 type, u16 length, payload).
use super::{
    Fields,
    cipher::{Cipher, TAG},
    replay::ReplayWindow,
};
use crate::{Error, Result, Role, crypto::Key};

/// Longest envelope taken. The largest message of a client is an input packet of a few dozen bytes.
pub const MAX_PACKET: usize = 1024;
const ENVELOPE: u16 = 0x0001;
const HEADER: usize = 8;
const INNER: usize = 4;
const WHAT: &str = "control message";

/// How the IV is made from the sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Iv {
    /// 12 bytes: sequence number, direction, stream. Agreed by `encryptionEnabled` bit 1.
    V2,
    /// 16 bytes holding the low 8 bits of the sequence number: weak, and only if nothing better was agreed.
    Legacy,
}

impl Iv {
    /// The scheme that ANNOUNCE's `encryptionEnabled` stands for.
    pub fn agreed(encryption: u32) -> Self {
        if encryption & 1 != 0 {
            Self::V2
        } else {
            Self::Legacy
        }
    }

    fn cipher(self, key: &Key) -> Cipher {
        match self {
            Self::V2 => Cipher::short(key),
            Self::Legacy => Cipher::long(key),
        }
    }

    fn bytes(self, sender: Role, sequence: u32) -> [u8; 16] {
        let [a, b, c, d] = sequence.to_le_bytes();
        let who = match sender {
            Role::Client => b'C',
            Role::Host => b'H',
        };
        match self {
            Self::V2 => [a, b, c, d, 0, 0, 0, 0, 0, 0, who, b'C', 0, 0, 0, 0],
            Self::Legacy => [a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        }
    }
}

/// Seals messages of one sender; the sequence number starts at 0.
pub struct Sealer {
    cipher: Cipher,
    iv: Iv,
    sender: Role,
    next: u32,
}

impl Sealer {
    pub fn new(key: &Key, iv: Iv, sender: Role) -> Result<Self> {
        Self::starting_at(key, iv, sender, 0)
    }

    /// As `new`, with the first sequence number given (a connection that goes on).
    pub fn starting_at(key: &Key, iv: Iv, sender: Role, sequence: u32) -> Result<Self> {
        Ok(Self {
            cipher: iv.cipher(key),
            iv,
            sender,
            next: sequence,
        })
    }

    /// The ENet payload for one message.
    ///
    /// # Errors
    /// `Malformed` when the payload is too long; `BadConfig` after 2^32 messages, because an IV would come again.
    pub fn seal(&mut self, kind: u16, payload: &[u8]) -> Result<Vec<u8>> {
        let too_long = Error::Malformed {
            what: WHAT,
            why: "payload too long",
        };
        let inner = INNER.saturating_add(payload.len());
        let rest = inner.saturating_add(HEADER - 4 + TAG);
        if rest.saturating_add(4) > MAX_PACKET {
            return Err(too_long);
        }
        let (Ok(rest), Ok(len)) = (u16::try_from(rest), u16::try_from(payload.len())) else {
            return Err(too_long);
        };
        let sequence = self.next;
        self.next = sequence
            .checked_add(1)
            .ok_or(Error::BadConfig("control sequence numbers are used up"))?;

        let mut text = Vec::with_capacity(inner);
        text.extend_from_slice(&kind.to_le_bytes());
        text.extend_from_slice(&len.to_le_bytes());
        text.extend_from_slice(payload);
        let tag = self
            .cipher
            .seal(self.iv.bytes(self.sender, sequence), &mut text);

        let mut packet = Vec::with_capacity(usize::from(rest).saturating_add(4));
        packet.extend_from_slice(&ENVELOPE.to_le_bytes());
        packet.extend_from_slice(&rest.to_le_bytes());
        packet.extend_from_slice(&sequence.to_le_bytes());
        packet.extend_from_slice(&tag);
        packet.extend_from_slice(&text);
        Ok(packet)
    }
}

/// Opens messages of one sender and refuses repeats.
pub struct Opener {
    cipher: Cipher,
    iv: Iv,
    sender: Role,
    window: ReplayWindow,
    text: Vec<u8>,
}

/// An opened message; valid until the next one is opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Plain<'a> {
    pub sequence: u32,
    pub kind: u16,
    pub payload: &'a [u8],
}

impl Opener {
    pub fn new(key: &Key, iv: Iv, sender: Role) -> Result<Self> {
        Ok(Self {
            cipher: iv.cipher(key),
            iv,
            sender,
            window: ReplayWindow::default(),
            text: Vec::with_capacity(MAX_PACKET),
        })
    }

    /// Check, open and unwrap one ENet payload.
    ///
    /// # Errors
    /// `Malformed` for a broken envelope, `Replayed` for a sequence number seen before, `Unauthentic` for a wrong key
    /// or altered bytes. None of them changes the state.
    pub fn open(&mut self, packet: &[u8]) -> Result<Plain<'_>> {
        let sequence = self.unseal(packet)?;
        if !self.window.accept(sequence) {
            return Err(Error::Replayed(WHAT));
        }
        let mut inner = Fields::new(&self.text, WHAT);
        let kind = inner.u16()?;
        let len = usize::from(inner.u16()?);
        let payload = inner.bytes.get(..len).ok_or(Error::Malformed {
            what: WHAT,
            why: "inner length exceeds the message",
        })?;
        Ok(Plain {
            sequence,
            kind,
            payload,
        })
    }

    /// Whether this is a message of the sender that was not opened before. It still can be: nothing is remembered.
    pub fn vouches(&mut self, packet: &[u8]) -> bool {
        self.unseal(packet).is_ok()
    }

    /// Decrypt into `self.text`; answers the sequence number.
    fn unseal(&mut self, packet: &[u8]) -> Result<u32> {
        let malformed = |why| Error::Malformed { what: WHAT, why };
        if packet.len() > MAX_PACKET {
            return Err(malformed("longer than any message"));
        }
        let mut fields = Fields::new(packet, WHAT);
        if fields.u16()? != ENVELOPE {
            return Err(malformed("not a sealed envelope"));
        }
        if usize::from(fields.u16()?) != fields.bytes.len() {
            return Err(malformed("length field does not match"));
        }
        let sequence = fields.u32()?;
        let tag = fields.array::<TAG>()?;
        if fields.bytes.len() < INNER {
            return Err(malformed("no room for a message"));
        }
        if !self.window.admits(sequence) {
            return Err(Error::Replayed(WHAT));
        }
        self.text.clear();
        self.text.extend_from_slice(fields.bytes);
        self.cipher
            .open(self.iv.bytes(self.sender, sequence), tag, &mut self.text)?;
        Ok(sequence)
    }
}
