//! The control stream: the sealed envelope and the typed messages inside it, both ways.
//!
//! Owns no connection: ENet below and the clock above belong to the caller. Everything read here comes from the network
//! and is bounded before it is looked at.

mod cipher;
mod client;
mod envelope;
mod host;
mod replay;
#[cfg(test)]
mod tests;

pub use client::{ClientMessage, FecStatus};
pub use envelope::{Iv, MAX_PACKET, Opener, Plain, Sealer};
pub use host::{HdrMetadata, HostMessage, termination};
pub use replay::ReplayWindow;

use crate::{Error, Result};

/// Split `bytes` into the first `N` and the rest.
fn take<'a, const N: usize>(bytes: &'a [u8], what: &'static str) -> Result<([u8; N], &'a [u8])> {
    match bytes.split_first_chunk::<N>() {
        Some((head, rest)) => Ok((*head, rest)),
        None => Err(Error::Malformed {
            what,
            why: "shorter than its fields",
        }),
    }
}

/// Little-endian fields, read one after the other.
struct Fields<'a> {
    bytes: &'a [u8],
    what: &'static str,
}

impl<'a> Fields<'a> {
    fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { bytes, what }
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = take::<N>(self.bytes, self.what)?;
        self.bytes = rest;
        Ok(head)
    }
    fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }
    fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }
    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }
    fn u16_be(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }
    fn u32_be(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }
}
