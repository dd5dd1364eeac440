//! The SOCK_SEQPACKET pair. Non-blocking per call, never by the shared status flags; no descriptors are received.
use super::message::{ToAgent, ToService};
use std::{io, os::fd::{AsFd, BorrowedFd, OwnedFd}};

/// A connected pair: (service's end, agent's end).
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> { todo!() }

/// What came out of a receive that did not fail.
#[derive(Debug, PartialEq)]
pub enum Received<T> { Message(T), /// nothing is waiting
    Empty, /// the peer is gone
    Closed }

/// One end. Sending and receiving take `&self`: several threads may send.
pub struct Endpoint { fd: OwnedFd }

impl Endpoint {
    pub fn new(fd: OwnedFd) -> Self { Self { fd } }
    /// `Ok(false)`: the socket is full.
    pub fn send_to_agent(&self, message: &ToAgent) -> io::Result<bool> { let _ = message; todo!() }
    pub fn send_to_service(&self, message: &ToService) -> io::Result<bool> { let _ = message; todo!() }
    /// Agent's side: the next message from the service.
    pub fn receive_from_service(&self) -> io::Result<Received<ToAgent>> { todo!() }
}
impl AsFd for Endpoint { fn as_fd(&self) -> BorrowedFd<'_> { self.fd.as_fd() } }
