//! The service's half of the ring. The agent maps it; the service only ever `pread`s an announced slot.
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, SealFlag, fcntl, open},
    libc::off_t,
    sys::{
        memfd::{MFdFlags, memfd_create},
        stat::Mode,
        uio::preadv,
    },
};
use std::{
    fs::File,
    io::{self, IoSliceMut},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::FileExt,
    },
};

/// More slots than any depth of queue needs.
pub const MAX_SLOTS: u16 = 64;
/// The cap of one access unit.
pub const MAX_SLOT_SIZE: u32 = 64 << 20;
/// The cap of one stream's ring.
pub const MAX_RING: u64 = 256 << 20;

/// Kernel 6.3 and later; refused with EINVAL before.
const MFD_NOEXEC_SEAL: u32 = 8;

/// N slots of equal size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    pub slots: u16,
    pub slot_size: u32,
}

impl Geometry {
    /// Whether a ring of this shape may be made: 1 to [`MAX_SLOTS`] slots, none empty, at most [`MAX_RING`] bytes.
    pub fn is_sane(&self) -> bool {
        (1..=MAX_SLOTS).contains(&self.slots)
            && (1..=MAX_SLOT_SIZE).contains(&self.slot_size)
            && self.size() <= MAX_RING
    }

    /// Bytes of the whole ring.
    pub fn size(&self) -> u64 {
        u64::from(self.slots).saturating_mul(u64::from(self.slot_size))
    }

    /// Where a slot begins, in bytes; `None` for a slot that the ring does not have.
    pub fn offset(&self, slot: u16) -> Option<u64> {
        (slot < self.slots).then(|| u64::from(slot).saturating_mul(u64::from(self.slot_size)))
    }
}

/// The memory of one stream's access units, in the service.
pub struct Ring {
    memory: File,
    geometry: Geometry,
}

impl Ring {
    /// A memfd of `slots * slot_size` bytes, sealed against resizing. Its pages are charged to who writes them.
    pub fn create(geometry: Geometry) -> io::Result<Self> {
        if !geometry.is_sane() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "a ring has 1 to {MAX_SLOTS} slots of 1 to {MAX_SLOT_SIZE} bytes, {MAX_RING} bytes in all, not {} of {}",
                    geometry.slots, geometry.slot_size
                ),
            ));
        }
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let no_exec = flags | MFdFlags::from_bits_retain(MFD_NOEXEC_SEAL);
        let memory = match memfd_create("punktfunk-ring", no_exec) {
            Err(Errno::EINVAL) => memfd_create("punktfunk-ring", flags)?,
            other => other?,
        };
        let memory = File::from(memory);
        memory.set_len(geometry.size())?;
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&memory, FcntlArg::F_ADD_SEALS(seals))?;
        Ok(Self { memory, geometry })
    }

    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// A separately opened description for the agent: its status flags and its file position are its own.
    pub fn agent_fd(&self) -> io::Result<OwnedFd> {
        let path = format!("/proc/self/fd/{}", self.memory.as_raw_fd());
        Ok(open(
            path.as_str(),
            OFlag::O_RDWR | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?)
    }

    /// Copy `len` bytes of `slot` into `into` (replacing its contents). The caller has validated both; values
    /// outside the ring are refused all the same. A buffer that is reused uncleared is not zeroed first.
    pub fn read(&self, slot: u16, len: u32, into: &mut Vec<u8>) -> io::Result<()> {
        let offset = self
            .geometry
            .offset(slot)
            .filter(|_| len <= self.geometry.slot_size)
            .ok_or(io::ErrorKind::InvalidInput)?;
        into.resize(
            usize::try_from(len).map_err(|_| io::ErrorKind::InvalidInput)?,
            0,
        );
        self.memory.read_exact_at(into, offset)
    }

    /// Copy bytes of `slot`, from byte `at` on, to `places`, one behind the other, as many as they take. Each call reads afresh what
    /// the agent may have changed: whoever reads a byte twice can find it different.
    pub fn read_into(
        &self,
        slot: u16,
        at: usize,
        mut places: &mut [IoSliceMut<'_>],
    ) -> io::Result<()> {
        let wanted = places.iter().map(|place| place.len()).sum::<usize>();
        let end = at.checked_add(wanted);
        let inside = end.is_some_and(|end| {
            usize::try_from(self.geometry.slot_size).is_ok_and(|size| end <= size)
        });
        let start = self.geometry.offset(slot).filter(|_| inside);
        let mut offset = start
            .zip(u64::try_from(at).ok())
            .and_then(|(start, at)| start.checked_add(at))
            .ok_or(io::ErrorKind::InvalidInput)?;
        IoSliceMut::advance_slices(&mut places, 0);
        while !places.is_empty() {
            let from = off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
            match preadv(&self.memory, places, from) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    IoSliceMut::advance_slices(&mut places, read);
                    offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}
