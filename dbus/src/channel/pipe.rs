//! The pipe of the announcements: a word about a frame has to wake the service and be read before anything else can happen to the frame,
//! and that is cheaper by a third with a pipe than with a socket (docs/performance.md).
//!
//! A pipe has no datagrams, so every word is a record of [`RECORD`] bytes: its length, itself, and zeros. A record is written and read
//! whole (it is far below PIPE_BUF). Each end is an open file of its own: the agent's flags are not the service's.
use super::{
    message::ToService,
    socket::Received,
    wire::{Datagram, DecodeError},
};
use nix::{
    errno::Errno,
    fcntl::OFlag,
    unistd::{pipe2, read, write},
};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

/// Bytes of each word.
pub const RECORD: usize = 64;

/// (read end, write end), neither of which ever blocks.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?)
}

/// A message as it goes through the pipe; `None` when it is too long for that.
pub fn record(message: &Datagram) -> Option<[u8; RECORD]> {
    let message = message.as_bytes();
    let mut record = [0; RECORD];
    let (len, place) = record.split_first_mut()?;
    *len = u8::try_from(message.len()).ok()?;
    place.get_mut(..message.len())?.copy_from_slice(message);
    Some(record)
}

/// `Ok(false)`: the pipe is full. `BrokenPipe`: the service is gone.
pub(super) fn say(pipe: impl AsFd, message: &Datagram) -> io::Result<bool> {
    let record = record(message).ok_or(io::ErrorKind::InvalidInput)?;
    loop {
        match write(&pipe, &record) {
            Ok(_) => return Ok(true),
            Err(Errno::EAGAIN) => return Ok(false),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The next word. What is none is an error of the kind `InvalidData` around a [`DecodeError`].
pub(super) fn hear(pipe: impl AsFd) -> io::Result<Received<ToService>> {
    let mut record = [0; RECORD];
    let len = loop {
        match read(&pipe, &mut record) {
            Ok(0) => return Ok(Received::Closed),
            Ok(len) => break len,
            Err(Errno::EAGAIN) => return Ok(Received::Empty),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    };
    let message = if len == RECORD {
        decode(&record)
    } else {
        Err(DecodeError::Length)
    };
    message
        .map(Received::Message)
        .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// The message of a record.
///
/// # Errors
/// A record that is none, or whose message does not belong here.
pub fn decode(record: &[u8; RECORD]) -> Result<ToService, DecodeError> {
    let (len, place) = record.split_first().ok_or(DecodeError::Length)?;
    let (message, rest) = place
        .split_at_checked(usize::from(*len))
        .ok_or(DecodeError::Length)?;
    if rest.iter().any(|byte| *byte != 0) {
        return Err(DecodeError::Value);
    }
    let message = ToService::decode(message)?;
    if message.is_of_a_frame() {
        Ok(message)
    } else {
        Err(DecodeError::Place)
    }
}
