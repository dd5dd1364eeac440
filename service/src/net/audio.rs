//! A stream's audio socket: a few small datagrams at a time, never waited for.
use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, send},
};
use std::{net::UdpSocket, os::fd::AsRawFd};

/// One client's audio socket, connected to it.
pub struct AudioSender(UdpSocket);

impl AudioSender {
    pub fn new(socket: UdpSocket) -> Self {
        Self(socket)
    }

    /// `false`: the kernel's buffer is full and the datagram is lost, as sound that is late is of no use.
    pub fn send(&self, datagram: &[u8]) -> bool {
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        loop {
            match send(self.0.as_raw_fd(), datagram, flags) {
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN | Errno::ENOBUFS) => return false,
                // News about an earlier datagram, or a path that is away: as good as lost on the way.
                Ok(_) | Err(_) => return true,
            }
        }
    }
}
