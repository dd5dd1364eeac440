//! The service's half of the ring. The agent maps it; the service only ever `pread`s an announced slot.
use std::{io, os::fd::OwnedFd};

/// N slots of equal size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry { pub slots: u16, pub slot_size: u32 }

pub struct Ring {}

impl Ring {
    /// A memfd of `slots * slot_size` bytes, sealed against resizing.
    pub fn create(geometry: Geometry) -> io::Result<Self> { let _ = geometry; todo!() }
    pub fn geometry(&self) -> Geometry { todo!() }
    /// A separately opened description for the agent: its status flags are its own.
    pub fn agent_fd(&self) -> io::Result<OwnedFd> { todo!() }
    /// Copy `len` bytes of `slot` into `into` (replacing its contents). The caller has validated both.
    pub fn read(&self, slot: u16, len: u32, into: &mut Vec<u8>) -> io::Result<()> { let _ = (slot, len, into); todo!() }
}
