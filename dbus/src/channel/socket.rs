//! The SOCK_SEQPACKET pair. Non-blocking per call, never by the shared status flags; received without a control
//! buffer, so that the kernel discards every descriptor that a peer tries to push.
use super::{
    message::{MAX_MESSAGE, ToAgent, ToService},
    wire::{Datagram, DecodeError, EncodeError},
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair},
};
use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

/// A connected pair: (service's end, agent's end).
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC;
    Ok(socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        flags,
    )?)
}

/// What came out of a receive that did not fail.
#[derive(Debug, PartialEq)]
pub enum Received<T> {
    Message(T),
    /// nothing is waiting
    Empty,
    /// the peer is gone
    Closed,
}

/// One end. Sending and receiving take `&self`: several threads may send.
pub struct Endpoint {
    fd: OwnedFd,
}

impl Endpoint {
    pub fn new(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// Never blocks. `Ok(false)`: the socket is full. `BrokenPipe`: the agent is gone.
    pub fn send_to_agent(&self, message: &ToAgent) -> io::Result<bool> {
        self.send(message.encode())
    }

    /// Never blocks. `Ok(false)`: the socket is full. `BrokenPipe`: the service is gone.
    pub fn send_to_service(&self, message: &ToService) -> io::Result<bool> {
        self.send(message.encode())
    }

    /// Agent's side: the next message from the service. A datagram that is no message is an error of the
    /// kind `InvalidData` around a [`DecodeError`].
    pub fn receive_from_service(&self) -> io::Result<Received<ToAgent>> {
        self.receive(ToAgent::decode)
    }

    /// Service's side: the next message, its shape checked and nothing else. [`super::Consumer`] judges the rest.
    pub(super) fn receive_from_agent(&self) -> io::Result<Received<ToService>> {
        self.receive(ToService::decode)
    }

    fn send(&self, message: Result<Datagram, EncodeError>) -> io::Result<bool> {
        let datagram = message.map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match send(self.fd.as_raw_fd(), datagram.as_bytes(), flags) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::ENOBUFS) => Ok(false),
            Err(Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN) => {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            Err(errno) => Err(errno.into()),
        }
    }

    fn receive<T>(
        &self,
        decode: impl FnOnce(&[u8]) -> Result<T, DecodeError>,
    ) -> io::Result<Received<T>> {
        let mut buffer = [0; MAX_MESSAGE];
        // With MSG_TRUNC the answer is the datagram's true length, also where it did not fit.
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        let len = loop {
            match recv(self.fd.as_raw_fd(), &mut buffer, flags) {
                Ok(len) => break len,
                Err(Errno::EAGAIN) => return Ok(Received::Empty),
                // The peer closed with unread messages: the error is reported once, what it sent still waits.
                Err(Errno::EINTR | Errno::ECONNRESET) => continue,
                Err(errno) => return Err(errno.into()),
            }
        };
        if len == 0 && self.is_hung_up()? {
            return Ok(Received::Closed);
        }
        buffer
            .get(..len)
            .ok_or(DecodeError::Oversize)
            .and_then(decode)
            .map(Received::Message)
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
    }

    /// Tells the end of the channel from an empty datagram: both read as length 0.
    fn is_hung_up(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::empty())];
        poll(&mut fds, PollTimeout::ZERO)?;
        let [fd] = fds;
        Ok(fd.revents().is_some_and(|events| {
            events.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL)
        }))
    }
}

impl AsFd for Endpoint {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
