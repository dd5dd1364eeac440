//! Waking a thread that waits in `poll`.
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

/// An eventfd: any thread may ring it, one thread waits for it.
#[derive(Debug)]
pub struct Wake(EventFd);

impl Wake {
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        Ok(Self(EventFd::from_flags(flags)?))
    }

    /// Make the waiter's `poll` return. Rings before it looks are one.
    pub fn ring(&self) {
        // The only failure is a counter that is full, and then the waiter is awake already.
        let _ = self.0.write(1);
    }

    /// Forget the rings so far.
    pub fn clear(&self) {
        let _ = self.0.read();
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
