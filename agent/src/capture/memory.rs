//! Reads memory that somebody else may write to, shrink or lie about, without ever mapping or touching it directly.
//!
//! The kernel copies, so a file that was truncated or an address where nothing is makes an error, where a load from a mapping
//! would be a SIGBUS.

use std::{
    io::{self, IoSliceMut},
    os::fd::BorrowedFd,
};

use nix::{
    errno::Errno,
    sys::{
        stat::fstat,
        statfs::{FsType, HUGETLBFS_MAGIC, TMPFS_MAGIC, fstatfs},
        uio::{RemoteIoVec, pread, process_vm_readv},
    },
    unistd::Pid,
};

/// Memory of a known size that is read in pieces.
pub trait Bytes {
    fn size(&self) -> usize;

    /// Copy `into.len()` bytes from `at`.
    ///
    /// # Errors
    /// Not all of it is there.
    fn read(&self, at: usize, into: &mut [u8]) -> io::Result<()>;
}

/// A part of a file in memory (memfd).
pub struct Shared<'a> {
    file: BorrowedFd<'a>,
    start: u64,
    size: usize,
}

impl<'a> Shared<'a> {
    /// `size` bytes from `start`, as far as the file reaches now.
    ///
    /// # Errors
    /// The file does not live in memory: reading it might never end.
    pub fn new(file: BorrowedFd<'a>, start: u32, size: u32) -> io::Result<Self> {
        let kind: FsType = fstatfs(file)?.filesystem_type();
        if kind != TMPFS_MAGIC && kind != HUGETLBFS_MAGIC {
            return Err(io::Error::other("it is no shared memory"));
        }
        let there = u64::try_from(fstat(file)?.st_size).unwrap_or(0);
        let there = there.saturating_sub(start.into());
        Ok(Self {
            file,
            start: start.into(),
            size: usize::try_from(there).map_or(size as usize, |there| there.min(size as usize)),
        })
    }
}

impl Bytes for Shared<'_> {
    fn size(&self) -> usize {
        self.size
    }

    fn read(&self, at: usize, mut into: &mut [u8]) -> io::Result<()> {
        let mut at = self.start + at as u64;
        while !into.is_empty() {
            let offset = i64::try_from(at).map_err(io::Error::other)?;
            match pread(self.file, into, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    into = into.split_at_mut(read).1;
                    at += read as u64;
                }
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// A range of addresses of this process that PipeWire mapped.
pub struct Mapped {
    pub address: usize,
    pub size: usize,
}

impl Bytes for Mapped {
    fn size(&self) -> usize {
        self.size
    }

    fn read(&self, at: usize, into: &mut [u8]) -> io::Result<()> {
        let len = into.len();
        if at.checked_add(len).is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let base = self.address + at;
        let from = [RemoteIoVec { base, len }];
        match process_vm_readv(Pid::this(), &mut [IoSliceMut::new(into)], &from)? {
            read if read == len => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// A four-byte number in native order.
///
/// # Errors
/// As for [`Bytes::read`].
pub fn number(bytes: &impl Bytes, at: usize) -> io::Result<u32> {
    let mut number = [0; 4];
    bytes.read(at, &mut number)?;
    Ok(u32::from_ne_bytes(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::memfd::{MFdFlags, memfd_create};
    use std::{
        fs::File,
        os::{fd::AsFd, unix::fs::FileExt},
    };

    impl Bytes for Vec<u8> {
        fn size(&self) -> usize {
            self.len()
        }

        fn read(&self, at: usize, into: &mut [u8]) -> io::Result<()> {
            let end = at.saturating_add(into.len());
            let from = self.get(at..end).ok_or(io::ErrorKind::UnexpectedEof)?;
            into.copy_from_slice(from);
            Ok(())
        }
    }

    #[test]
    fn a_file_that_is_truncated_under_the_reader_is_an_error_and_no_signal() {
        let file = File::from(memfd_create(c"pf-test", MFdFlags::MFD_CLOEXEC).unwrap());
        file.set_len(8192).unwrap();
        file.write_all_at(&[7; 8192], 0).unwrap();
        let memory = Shared::new(file.as_fd(), 4096, 4096).unwrap();
        let mut page = [0; 4096];
        memory.read(0, &mut page).unwrap();
        assert_eq!(page, [7; 4096]);
        file.set_len(4100).unwrap();
        assert!(memory.read(0, &mut page).is_err());
        assert_eq!(Shared::new(file.as_fd(), 4096, 4096).unwrap().size(), 4);
        assert_eq!(Shared::new(file.as_fd(), 9000, 4096).unwrap().size(), 0);
    }

    #[test]
    fn what_is_no_shared_memory_is_not_read() {
        let (reader, _writer) = std::io::pipe().unwrap();
        assert!(Shared::new(reader.as_fd(), 0, 4096).is_err());
        let zero = File::open("/proc/self/maps").unwrap();
        assert!(Shared::new(zero.as_fd(), 0, 4096).is_err());
    }

    #[test]
    fn an_address_where_nothing_is_makes_an_error() {
        let there = [1u8, 2, 3, 4, 5, 6, 7, 8];
        let memory = Mapped {
            address: there.as_ptr().expose_provenance(),
            size: 8,
        };
        let mut half = [0; 4];
        memory.read(4, &mut half).unwrap();
        assert_eq!(half, [5, 6, 7, 8]);
        assert!(memory.read(5, &mut half).is_err());
        assert!(memory.read(usize::MAX, &mut half).is_err());
        let nowhere = Mapped {
            address: 8,
            size: 4096,
        };
        assert!(nowhere.read(0, &mut half).is_err());
    }
}
