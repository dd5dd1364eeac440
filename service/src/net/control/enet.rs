//! The ENet host of the control port: [`punktfunk_core::enet`] with our socket and the machine's clock.
use super::{ControlTransport, Event, PeerId};
use crate::net::datagram;
use punktfunk_core::enet::{self, Host};
use std::{
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

/// Datagrams looked at before other work gets its turn.
const TURN: usize = 256;
/// Room for the longest datagram that a client sends. What is longer is cut off, and so is no datagram.
const BUFFER: usize = 2048;

/// Where a peer is, and which of our addresses it knows.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    peer: SocketAddr,
    local: Option<IpAddr>,
}

pub(super) struct EnetTransport {
    host: Host<Place>,
    socket: UdpSocket,
    origin: Instant,
    /// Datagrams that may be looked at before [`ControlTransport::send_due`].
    turn: usize,
    out: Vec<u8>,
}

impl EnetTransport {
    pub(super) fn new(socket: UdpSocket) -> Self {
        Self {
            host: Host::new(),
            socket,
            origin: Instant::now(),
            turn: TURN,
            out: Vec::new(),
        }
    }

    fn clock(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.origin)
    }
}

impl ControlTransport for EnetTransport {
    fn expect(&mut self, connect_data: u32) {
        self.host.expect(connect_data);
    }

    fn forget(&mut self, connect_data: u32) {
        self.host.forget(connect_data);
    }

    fn receive(
        &mut self,
        now: Instant,
        vouches: &mut dyn FnMut(PeerId, &[u8]) -> bool,
    ) -> Option<Event> {
        let clock = self.clock(now);
        let mut buffer = [0; BUFFER];
        loop {
            if let Some(event) = self.host.poll_event() {
                return Some(event);
            }
            self.turn = self.turn.checked_sub(1)?;
            match datagram::receive(&self.socket, &mut buffer) {
                Ok(Some(arrived)) => {
                    let place = Place {
                        peer: arrived.source,
                        local: arrived.local,
                    };
                    let bytes = buffer.get(..arrived.len).unwrap_or_default();
                    self.host.receive(clock, &place, bytes, vouches);
                }
                Ok(None) => return None,
                Err(error) => {
                    tracing::warn!("receiving control datagrams: {error}");
                    return None;
                }
            }
        }
    }

    fn send_due(&mut self, now: Instant) {
        self.turn = TURN;
        let clock = self.clock(now);
        self.host.tick(clock);
        while let Some(place) = self.host.transmit(clock, &mut self.out) {
            // ENet repairs what is lost, here as on the way.
            if let Err(error) =
                datagram::send_from(&self.socket, &self.out, place.peer, place.local)
            {
                tracing::debug!(peer = %place.peer, %error, "a control datagram could not be sent");
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.origin.checked_add(self.host.deadline()?)
    }

    fn send(&mut self, peer: PeerId, channel: u8, payload: &[u8]) -> Result<(), enet::SendError> {
        self.host.send(peer, channel, payload)
    }

    fn backlog(&self, peer: PeerId) -> usize {
        self.host.backlog(peer)
    }

    fn place(&self, peer: PeerId) -> Option<SocketAddr> {
        let place = self.host.address(peer)?;
        Some(datagram::canonical(place.peer))
    }

    fn disconnect(&mut self, peer: PeerId) {
        self.host.disconnect(peer);
    }

    fn reset(&mut self, peer: PeerId) {
        self.host.reset(peer);
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
