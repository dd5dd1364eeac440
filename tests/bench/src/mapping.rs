//! The agent's mapping of a ring, as far as a bench needs one.
#![allow(unsafe_code)]
use nix::{
    libc::c_void,
    sys::mman::{MapFlags, ProtFlags, mmap, munmap},
};
use std::{num::NonZeroUsize, os::fd::OwnedFd, ptr::NonNull};

pub struct Mapping {
    at: NonNull<c_void>,
    len: NonZeroUsize,
}

// SAFETY: the mapping belongs to no thread; only its owner writes to it.
unsafe impl Send for Mapping {}

impl Mapping {
    /// The first `len` bytes of `memory`, which has as many.
    pub fn of(memory: &OwnedFd, len: NonZeroUsize) -> Self {
        let (access, flags) = (
            ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
            MapFlags::MAP_SHARED | MapFlags::MAP_POPULATE,
        );
        // SAFETY: a new mapping at a place of the kernel's choice, of memory that cannot shrink.
        let at = unsafe { mmap(None, len, access, flags, memory, 0) }.expect("mmap");
        Self { at, len }
    }

    pub fn write(&mut self, frame: &[u8], at: u64) {
        let at = usize::try_from(at).expect("an offset");
        assert!(at + frame.len() <= self.len.get());
        // SAFETY: inside of the mapping, as was just checked, which is nobody else's memory in this process.
        unsafe {
            let place = self.at.cast::<u8>().add(at);
            place.copy_from_nonoverlapping(NonNull::from(frame).cast(), frame.len());
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: made by `of`, and nothing refers to it any more.
        let _ = unsafe { munmap(self.at, self.len.get()) };
    }
}
