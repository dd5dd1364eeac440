//! The sealed form (`rtspenc://`): each message is one AES-128-GCM block with a clear sequence number.
use super::MAX_MESSAGE;
use crate::crypto::{Gcm, Key, TAG_LEN as TAG};
use crate::{Error, Result};

/// Length word, sequence number, tag.
const HEADER: usize = 24;
/// Top bit of the length word: "this is sealed".
const SEALED: u32 = 0x8000_0000;
const WHAT: &str = "sealed RTSP message";

/// Who wrote a message; part of the nonce, so that one side's block can never pass as the other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    ClientToHost,
    HostToClient,
}

/// Whether a message that starts with this byte is sealed; plain text never has the top bit set.
#[must_use]
pub fn is_sealed(first: u8) -> bool {
    first & 0x80 != 0
}

/// Length of the whole block that starts here; `None` while its length word is incomplete.
///
/// # Errors
/// [`Error::Malformed`] when the block is empty, longer than [`MAX_MESSAGE`], or not sealed.
pub fn sealed_len(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(word) = bytes.first_chunk::<4>() else {
        return Ok(None);
    };
    let word = u32::from_be_bytes(*word);
    if word & SEALED == 0 {
        return Err(malformed("the top bit of the length is not set"));
    }
    let plain = usize::try_from(word & !SEALED).unwrap_or(usize::MAX);
    let whole = plain.saturating_add(HEADER);
    if plain == 0 || whole > MAX_MESSAGE {
        return Err(malformed("the length is out of range"));
    }
    Ok(Some(whole))
}

/// Open exactly one block: its sequence number and plaintext.
///
/// # Errors
/// [`Error::Unauthentic`] when the key does not fit or bytes were altered; [`Error::Malformed`] when `block` is not
/// exactly one block.
pub fn open(key: &Key, from: Direction, block: &[u8]) -> Result<(u32, Vec<u8>)> {
    if sealed_len(block)? != Some(block.len()) {
        return Err(malformed("it is not exactly one block"));
    }
    let (header, ciphertext) = block
        .split_first_chunk::<HEADER>()
        .ok_or_else(|| malformed("it is too short"))?;
    let [_, _, _, _, s0, s1, s2, s3, tag @ ..] = header;
    let tag: &[u8; TAG] = tag;
    let sequence = u32::from_be_bytes([*s0, *s1, *s2, *s3]);
    let mut plain = ciphertext.to_vec();
    Gcm::new(key).open(nonce(sequence, from), *tag, &mut plain, WHAT)?;
    Ok((sequence, plain))
}

/// Seal one message. A sequence number must never be used twice with the same key and direction.
///
/// # Errors
/// [`Error::Malformed`] when `plain` is empty or longer than a block can hold.
pub fn seal(key: &Key, from: Direction, sequence: u32, plain: &[u8]) -> Result<Vec<u8>> {
    let whole = plain.len().saturating_add(HEADER);
    if plain.is_empty() || whole > MAX_MESSAGE {
        return Err(malformed("the length is out of range"));
    }
    let length = u32::try_from(plain.len()).map_err(|_| malformed("the length is out of range"))?;
    let mut ciphertext = plain.to_vec();
    let tag = Gcm::new(key).seal(nonce(sequence, from), &mut ciphertext);
    let mut block = Vec::with_capacity(whole);
    block.extend_from_slice(&(SEALED | length).to_be_bytes());
    block.extend_from_slice(&sequence.to_be_bytes());
    block.extend_from_slice(&tag);
    block.extend_from_slice(&ciphertext);
    Ok(block)
}

fn nonce(sequence: u32, from: Direction) -> [u8; 12] {
    let [a, b, c, d] = sequence.to_le_bytes();
    let side = match from {
        Direction::ClientToHost => b'C',
        Direction::HostToClient => b'H',
    };
    [a, b, c, d, 0, 0, 0, 0, 0, 0, side, b'R']
}

fn malformed(why: &'static str) -> Error {
    Error::Malformed { what: WHAT, why }
}
