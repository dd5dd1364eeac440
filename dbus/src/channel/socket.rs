//! The two ends of the channel: the SOCK_SEQPACKET pair, and the pipe beside it. Non-blocking per call, never by the shared status flags; received without a control
//! buffer, so that the kernel discards every descriptor that a peer tries to push.
use super::{
    message::{MAX_MESSAGE, ToAgent, ToService},
    pipe,
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
    sync::atomic::{AtomicBool, Ordering},
};

/// One end, as it is passed on.
#[derive(Debug)]
pub struct End {
    /// Of the SOCK_SEQPACKET pair.
    pub socket: OwnedFd,
    /// Of the pipe: where the service reads, or where the agent writes.
    pub frames: OwnedFd,
}

/// A connected pair: (service's end, agent's end).
pub fn pair() -> io::Result<(End, End)> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
    let (read, write) = pipe::pair()?;
    let end = |socket, frames| End { socket, frames };
    Ok((end(ours, read), end(theirs, write)))
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
    end: End,
    /// The agent has closed the pipe.
    frames_over: AtomicBool,
}

impl Endpoint {
    pub fn new(end: End) -> Self {
        Self {
            end,
            frames_over: AtomicBool::new(false),
        }
    }

    /// Service's side: what to wait for besides the socket, as long as there is something to wait for.
    pub fn frames(&self) -> Option<BorrowedFd<'_>> {
        let over = self.frames_over.load(Ordering::Relaxed);
        (!over).then(|| self.end.frames.as_fd())
    }

    /// Service's side, for who has nothing else to wait for: until there is something to receive; false when there is not in time.
    pub fn wait_for_agent(&self, limit: impl Into<PollTimeout>) -> io::Result<bool> {
        let wait = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let socket = wait(self.end.socket.as_fd());
        let ready = match self.frames() {
            Some(frames) => poll(&mut [wait(frames), socket], limit),
            None => poll(&mut [socket], limit),
        };
        Ok(ready? > 0)
    }

    /// Never blocks. `Ok(false)`: the socket is full. `BrokenPipe`: the agent is gone.
    pub fn send_to_agent(&self, message: &ToAgent) -> io::Result<bool> {
        self.send(&encoded(message.encode())?)
    }

    /// Never blocks. `Ok(false)`: the socket, or for the word about a frame the pipe, is full. `BrokenPipe`: the service is gone.
    pub fn send_to_service(&self, message: &ToService) -> io::Result<bool> {
        let datagram = encoded(message.encode())?;
        if message.is_of_a_frame() {
            pipe::say(&self.end.frames, &datagram)
        } else {
            self.send(&datagram)
        }
    }

    /// Agent's side: the next message from the service. A datagram that is no message is an error of the
    /// kind `InvalidData` around a [`DecodeError`].
    pub fn receive_from_service(&self) -> io::Result<Received<ToAgent>> {
        self.receive(ToAgent::decode)
    }

    /// Service's side: the next message, its shape checked and nothing else. [`super::Consumer`] judges the rest. Frames come first: they
    /// are what is waited for.
    pub(super) fn receive_from_agent(&self) -> io::Result<Received<ToService>> {
        if let Some(frames) = self.frames() {
            match pipe::hear(frames)? {
                Received::Message(message) => return Ok(Received::Message(message)),
                Received::Empty => {}
                // The agent is about to go, and may have said why.
                Received::Closed => self.frames_over.store(true, Ordering::Relaxed),
            }
        }
        match self.receive(ToService::decode)? {
            Received::Message(message) if message.is_of_a_frame() => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                DecodeError::Place,
            )),
            Received::Empty if self.frames().is_none() => Ok(Received::Closed),
            received => Ok(received),
        }
    }

    fn send(&self, datagram: &Datagram) -> io::Result<bool> {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match send(self.end.socket.as_raw_fd(), datagram.as_bytes(), flags) {
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
            match recv(self.end.socket.as_raw_fd(), &mut buffer, flags) {
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
        let mut fds = [PollFd::new(self.end.socket.as_fd(), PollFlags::empty())];
        poll(&mut fds, PollTimeout::ZERO)?;
        let [fd] = fds;
        Ok(fd.revents().is_some_and(|events| {
            events.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL)
        }))
    }
}

fn encoded(message: Result<Datagram, EncodeError>) -> io::Result<Datagram> {
    message.map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))
}

/// The socket.
impl AsFd for Endpoint {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.socket.as_fd()
    }
}
