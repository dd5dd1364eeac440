//! The kernel's uhid interface: fixed structures written to and read from /dev/uhid, one for each call.
//!
//! Everything that is read was put together by the kernel, but its contents can come from any program that opened the
//! device: sizes are checked.
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::OpenOptionsExt,
    },
};

pub(super) const PATH: &str = "/dev/uhid";
/// Bytes of a report at most, and of a report's descriptor.
const DATA_MAX: usize = 4096;
/// The largest structure (CREATE2), with its leading type.
const EVENT_SIZE: usize = 4376;
const BUS_USB: u16 = 0x03;

mod kind {
    pub const DESTROY: u32 = 1;
    pub const OUTPUT: u32 = 6;
    pub const GET_REPORT: u32 = 9;
    pub const GET_REPORT_REPLY: u32 = 10;
    pub const CREATE2: u32 = 11;
    pub const INPUT2: u32 = 12;
    pub const SET_REPORT: u32 = 13;
    pub const SET_REPORT_REPLY: u32 = 14;
}

/// `EIO`, for what the device does not have.
pub(super) const REFUSED: u16 = 5;

/// A device to be.
pub(super) struct Description<'a> {
    pub name: &'a str,
    pub phys: &'a str,
    pub uniq: &'a str,
    pub vendor: u32,
    pub product: u32,
    pub version: u32,
    pub descriptor: &'a [u8],
}

/// What the kernel wants, as far as a device must answer it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A program or driver wrote a report; its first byte is its number.
    Output(Vec<u8>),
    /// Answer with [`Uhid::reply`], within five seconds.
    Get { id: u32, number: u8 },
    /// Answer with [`Uhid::acknowledge`].
    Set { id: u32, report: Vec<u8> },
    /// Start, stop, open, close, and whatever comes with later kernels.
    Nothing,
}

/// One device. It goes when this is dropped.
pub(super) struct Uhid(File);

impl Uhid {
    /// # Errors
    /// No such node, no permission.
    pub(super) fn open() -> io::Result<Self> {
        let flags = nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(PATH);
        file.map(Self)
    }

    /// A device over something that behaves like /dev/uhid.
    #[cfg(test)]
    pub(super) fn over(file: File) -> Self {
        Self(file)
    }

    /// Bring the device into being. Drivers bind a moment later, and ask for their feature reports then.
    pub(super) fn create(&mut self, device: &Description<'_>) -> io::Result<()> {
        let size = u16::try_from(device.descriptor.len())
            .ok()
            .filter(|size| usize::from(*size) <= DATA_MAX)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let mut event = Vec::with_capacity(EVENT_SIZE);
        event.extend_from_slice(&kind::CREATE2.to_ne_bytes());
        push_text(&mut event, device.name, 128);
        push_text(&mut event, device.phys, 64);
        push_text(&mut event, device.uniq, 64);
        event.extend_from_slice(&size.to_ne_bytes());
        event.extend_from_slice(&BUS_USB.to_ne_bytes());
        for number in [device.vendor, device.product, device.version, 0] {
            event.extend_from_slice(&number.to_ne_bytes());
        }
        event.extend_from_slice(device.descriptor);
        self.write(&event)
    }

    /// The device reports something; the first byte is the report's number.
    pub(super) fn input(&mut self, report: &[u8]) -> io::Result<()> {
        self.write(&with_data(kind::INPUT2, &[], report)?)
    }

    /// Answer a [`Asked::Get`]; `None`: there is no such report.
    pub(super) fn reply(&mut self, id: u32, report: Option<&[u8]>) -> io::Result<()> {
        let error = if report.is_some() { 0 } else { REFUSED };
        let [a, b, c, d] = id.to_ne_bytes();
        let [e, f] = error.to_ne_bytes();
        let head = [a, b, c, d, e, f];
        self.write(&with_data(
            kind::GET_REPORT_REPLY,
            &head,
            report.unwrap_or_default(),
        )?)
    }

    /// Answer a [`Asked::Set`].
    pub(super) fn acknowledge(&mut self, id: u32, error: u16) -> io::Result<()> {
        let mut event = kind::SET_REPORT_REPLY.to_ne_bytes().to_vec();
        event.extend_from_slice(&id.to_ne_bytes());
        event.extend_from_slice(&error.to_ne_bytes());
        self.write(&event)
    }

    /// The next thing that the kernel wants; `None`: nothing now.
    pub(super) fn next(&mut self) -> io::Result<Option<Asked>> {
        let mut event = [0; EVENT_SIZE];
        match self.0.read(&mut event) {
            Ok(read) => Ok(parse(event.get(..read).unwrap_or_default())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One call, one structure: the kernel takes it whole or not at all.
    fn write(&mut self, event: &[u8]) -> io::Result<()> {
        self.0.write(event).map(drop)
    }
}

impl Drop for Uhid {
    fn drop(&mut self) {
        // Closing does the same.
        let _ = self.write(&kind::DESTROY.to_ne_bytes());
    }
}

impl AsFd for Uhid {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A text in a field of `size` bytes, ended by a zero.
fn push_text(event: &mut Vec<u8>, text: &str, size: usize) {
    let room = size.saturating_sub(1);
    let text = text.as_bytes().get(..room).unwrap_or(text.as_bytes());
    event.extend_from_slice(text);
    event.resize(
        event.len().saturating_add(size.saturating_sub(text.len())),
        0,
    );
}

/// The structures that end in a size and that much data.
fn with_data(kind: u32, head: &[u8], data: &[u8]) -> io::Result<Vec<u8>> {
    let size = u16::try_from(data.len())
        .ok()
        .filter(|size| usize::from(*size) <= DATA_MAX)
        .ok_or(io::ErrorKind::InvalidInput)?;
    let mut event = kind.to_ne_bytes().to_vec();
    event.extend_from_slice(head);
    event.extend_from_slice(&size.to_ne_bytes());
    event.extend_from_slice(data);
    Ok(event)
}

/// `None` for what is too short to be anything.
pub(super) fn parse(event: &[u8]) -> Option<Asked> {
    let (kind, body) = event.split_first_chunk::<4>()?;
    match u32::from_ne_bytes(*kind) {
        kind::OUTPUT => {
            let (data, rest) = body.split_at_checked(DATA_MAX)?;
            let (size, _kind) = rest.split_first_chunk::<2>()?;
            let report = data.get(..usize::from(u16::from_ne_bytes(*size)))?;
            Some(Asked::Output(report.to_vec()))
        }
        kind::GET_REPORT => {
            let (id, rest) = body.split_first_chunk::<4>()?;
            Some(Asked::Get {
                id: u32::from_ne_bytes(*id),
                number: *rest.first()?,
            })
        }
        kind::SET_REPORT => {
            let (id, rest) = body.split_first_chunk::<4>()?;
            let ([_number, _kind], rest) = rest.split_first_chunk::<2>()?;
            let (size, data) = rest.split_first_chunk::<2>()?;
            let report = data.get(..usize::from(u16::from_ne_bytes(*size)))?;
            Some(Asked::Set {
                id: u32::from_ne_bytes(*id),
                report: report.to_vec(),
            })
        }
        _ => Some(Asked::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_asks_is_read_and_nothing_beyond_it() {
        let mut output = kind::OUTPUT.to_ne_bytes().to_vec();
        output.extend([0x5A; DATA_MAX]);
        output.extend(48_u16.to_ne_bytes());
        output.push(1);
        assert_eq!(parse(&output), Some(Asked::Output(vec![0x5A; 48])));
        let length = output.len();
        output[length - 3..length - 1].copy_from_slice(&4097_u16.to_ne_bytes());
        assert_eq!(parse(&output), None, "larger than the structure");

        let mut get = kind::GET_REPORT.to_ne_bytes().to_vec();
        get.extend(77_u32.to_ne_bytes());
        get.extend([0x09, 0]);
        let asked = Asked::Get { id: 77, number: 9 };
        assert_eq!(parse(&get), Some(asked));

        let mut set = kind::SET_REPORT.to_ne_bytes().to_vec();
        set.extend(78_u32.to_ne_bytes());
        set.extend([0x02, 1]);
        set.extend(3_u16.to_ne_bytes());
        set.extend([2, 1, 0, 9, 9]);
        let report = vec![2, 1, 0];
        assert_eq!(parse(&set), Some(Asked::Set { id: 78, report }));
        set.truncate(13);
        assert_eq!(parse(&set), None);
    }

    #[test]
    fn every_shortened_event_is_refused_or_means_nothing() {
        for kind in 0..20_u32 {
            for length in 0..64 {
                let mut event = kind.to_ne_bytes().to_vec();
                event.resize(length, 0xFF);
                let asked = parse(&event);
                assert!(!matches!(asked, Some(Asked::Output(_) | Asked::Set { .. })));
            }
        }
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_and_still_ends() {
        let mut event = Vec::new();
        push_text(&mut event, "abc", 5);
        push_text(&mut event, "abcdefgh", 5);
        assert_eq!(event, b"abc\0\0abcd\0");
    }
}
