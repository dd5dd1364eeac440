//! The agent's half of the ring: the service's sealed memfd, mapped writable.
//!
//! The service reads a slot only between its announcement and its release, and this side writes it only outside of that;
//! keeping to it is [`super::slots`]'s part. The seals promise that the mapping can never lose its pages.

use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::{
        mman::{MapFlags, ProtFlags, mmap, munmap},
        stat::fstat,
    },
};
use punktfunk_dbus::channel::Geometry;
use std::{
    io,
    num::NonZeroUsize,
    os::fd::{AsFd, OwnedFd},
    ptr::NonNull,
};

/// A mapped ring.
pub struct RingWriter {
    base: NonNull<u8>,
    geometry: Geometry,
}

// SAFETY: the mapping belongs to this value alone and is not tied to the thread that made it.
#[expect(unsafe_code, reason = "a raw pointer is not Send by itself")]
unsafe impl Send for RingWriter {}

impl RingWriter {
    /// Map all slots of `ring`.
    ///
    /// # Errors
    /// A descriptor that is not a memfd sealed against shrinking, or too small for the geometry.
    pub fn map(ring: &OwnedFd, geometry: Geometry) -> io::Result<Self> {
        let refuse = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why);
        let seals =
            fcntl(ring.as_fd(), FcntlArg::F_GET_SEALS).map_err(|_| refuse("it is not a memfd"))?;
        if !SealFlag::from_bits_truncate(seals).contains(SealFlag::F_SEAL_SHRINK) {
            return Err(refuse("it could shrink while it is mapped"));
        }
        let len = usize::from(geometry.slots)
            .checked_mul(geometry.slot_size as usize)
            .and_then(NonZeroUsize::new)
            .ok_or_else(|| refuse("it has no slots"))?;
        let size = fstat(ring.as_fd())?.st_size;
        if usize::try_from(size).unwrap_or(0) < len.get() {
            return Err(refuse("it is smaller than its slots"));
        }
        // SAFETY: a fresh shared mapping at an address of the kernel's choice replaces nothing; the file is at least this
        // long and sealed against shrinking, so every page of it stays backed.
        #[expect(unsafe_code, reason = "there is no safe way to map a file")]
        let base = unsafe {
            mmap(
                None,
                len,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED,
                ring,
                0,
            )
        }?;
        Ok(Self {
            base: base.cast(),
            geometry,
        })
    }

    /// Bytes that a slot holds.
    pub fn slot_size(&self) -> usize {
        self.geometry.slot_size as usize
    }

    /// Copy `bytes` to a slot, `at` bytes behind its beginning; false when that is not all inside of it.
    pub fn write(&mut self, slot: u16, at: usize, bytes: &[u8]) -> bool {
        let end = at.checked_add(bytes.len());
        if slot >= self.geometry.slots || end.is_none_or(|end| end > self.slot_size()) {
            return false;
        }
        // SAFETY: slot, place and length are inside the mapping (checked above, its size is slots * slot_size, which did not
        // overflow); `bytes` cannot overlap it, because no reference into the mapping is ever handed out.
        #[expect(unsafe_code, reason = "the mapping is a raw pointer")]
        unsafe {
            let start = self.base.add(usize::from(slot) * self.slot_size() + at);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), start.as_ptr(), bytes.len());
        }
        true
    }
}

impl Drop for RingWriter {
    fn drop(&mut self) {
        let len = usize::from(self.geometry.slots) * self.slot_size();
        // SAFETY: exactly the mapping of `map`, which nothing refers to any more.
        #[expect(unsafe_code, reason = "there is no safe way to unmap a file")]
        let _ = unsafe { munmap(self.base.cast(), len) };
    }
}
