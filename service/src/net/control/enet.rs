//! ENet by `rusty_enet`, behind our own socket.
//!
//! The library is C turned into Rust. Should it panic in spite of [`super::admission`], its state is left alone (and
//! leaked), its connections count as lost, and a new host goes on with the same socket.
use super::{
    ControlTransport, Event, PeerId,
    admission::{Admission, MAX_MESSAGE},
};
use crate::net::datagram;
use rusty_enet::{
    Address, EventNoRef, Host, HostSettings, MTU_MAX, Packet, PacketReceived, PeerID, PeerState,
    Socket,
};
use std::{
    collections::{BTreeSet, VecDeque},
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    os::fd::{AsFd, BorrowedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    time::{Duration, Instant},
};

/// What clients open; the highest in use is 0x2F.
const CHANNELS: usize = 48;
/// What clients are built with.
const MTU: u16 = 900;
/// Connections at one time, half-open ones included.
const PEERS: usize = 128;
/// Unread bytes of one connection.
const MAX_WAITING: usize = 256 << 10;
/// Datagrams looked at before other work gets its turn.
const TURN: usize = 256;
/// ENet gives a silent peer up after this long.
const TIMEOUT_MS: u32 = 10_000;

/// Where a peer is, and which of our addresses it knows.
#[derive(Debug, Clone)]
struct Place {
    peer: SocketAddr,
    local: Option<IpAddr>,
}

impl Address for Place {
    fn same_host(&self, other: &Self) -> bool {
        self.peer.ip() == other.peer.ip()
    }
    fn same(&self, other: &Self) -> bool {
        self.peer == other.peer
    }
    fn is_broadcast(&self) -> bool {
        false
    }
}

struct GuardedSocket {
    socket: Rc<UdpSocket>,
    admission: Admission,
}

impl Socket for GuardedSocket {
    type Address = Place;
    // An error would end the service of every peer; one datagram less is repaired by ENet.
    type Error = Infallible;

    fn send(&mut self, to: Place, buffer: &[u8]) -> Result<usize, Infallible> {
        if let Err(error) = datagram::send_from(&self.socket, buffer, to.peer, to.local) {
            tracing::debug!(peer = %to.peer, %error, "a control datagram could not be sent");
        }
        Ok(buffer.len())
    }

    fn receive(
        &mut self,
        buffer: &mut [u8; MTU_MAX],
    ) -> Result<Option<(Place, PacketReceived)>, Infallible> {
        for _ in 0..TURN {
            let arrived = match datagram::receive(&self.socket, buffer) {
                Ok(Some(arrived)) => arrived,
                Ok(None) => return Ok(None),
                Err(error) => {
                    tracing::warn!("receiving control datagrams: {error}");
                    return Ok(None);
                }
            };
            let bytes = buffer.get(..arrived.len).unwrap_or_default();
            if self.admission.admits(arrived.source, bytes) {
                let place = Place {
                    peer: arrived.source,
                    local: arrived.local,
                };
                return Ok(Some((place, PacketReceived::Complete(arrived.len))));
            }
        }
        Ok(None)
    }
}

/// The ENet host of the control port.
pub(super) struct EnetTransport {
    host: Host<GuardedSocket>,
    socket: Rc<UdpSocket>,
    connected: BTreeSet<PeerId>,
    /// Connections that a panic cost, still to be reported.
    lost: VecDeque<PeerId>,
}

impl EnetTransport {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        let socket = Rc::new(socket);
        let host = new_host(&socket, Admission::default())?;
        Ok(Self {
            host,
            socket,
            connected: BTreeSet::new(),
            lost: VecDeque::new(),
        })
    }

    fn next(&mut self) -> Option<Event> {
        // Nothing is left to report only when `service` says so: it also sends what is due.
        loop {
            let event = match self.host.service() {
                Ok(event) => event?.no_ref(),
                Err(never) => match never {},
            };
            return Some(match event {
                EventNoRef::Connect { peer, data } => {
                    let connection = self.host.peer_mut(peer);
                    connection.set_timeout(0, TIMEOUT_MS / 2, TIMEOUT_MS);
                    self.connected.insert(PeerId(peer.0));
                    Event::Connected {
                        peer: PeerId(peer.0),
                        connect_data: data,
                    }
                }
                EventNoRef::Disconnect { peer, .. } => {
                    if !self.connected.remove(&PeerId(peer.0)) {
                        continue;
                    }
                    Event::Disconnected {
                        peer: PeerId(peer.0),
                    }
                }
                EventNoRef::Receive { peer, packet, .. } => Event::Received {
                    peer: PeerId(peer.0),
                    payload: packet.data().to_vec(),
                },
            });
        }
    }

    /// Run `work` on the host; after a panic begin anew.
    fn guarded<R>(&mut self, work: impl FnOnce(&mut Self) -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(answer) => Some(answer),
            Err(_) => {
                tracing::error!(
                    "the ENet library failed; its {} connections are lost",
                    self.connected.len()
                );
                self.lost.extend(std::mem::take(&mut self.connected));
                let admission = std::mem::take(&mut self.host.socket_mut().admission);
                match new_host(&self.socket, admission) {
                    // Its destructor walks the very lists that may be broken.
                    Ok(fresh) => std::mem::forget(std::mem::replace(&mut self.host, fresh)),
                    Err(error) => tracing::error!("no new ENet host: {error}"),
                }
                None
            }
        }
    }
}

fn new_host(socket: &Rc<UdpSocket>, admission: Admission) -> io::Result<Host<GuardedSocket>> {
    let begin = Instant::now();
    let settings = HostSettings {
        peer_limit: PEERS,
        channel_limit: CHANNELS,
        // ENet takes 0 for "never", and wall clocks jump.
        time: Box::new(move || begin.elapsed().saturating_add(Duration::from_secs(1))),
        ..HostSettings::default()
    };
    let guarded = GuardedSocket {
        socket: Rc::clone(socket),
        admission,
    };
    let mut host = Host::new(guarded, settings)
        .map_err(|error| io::Error::other(format!("ENet: {error:?}")))?;
    let limit = |error| io::Error::other(format!("ENet: {error:?}"));
    host.set_mtu(MTU).map_err(limit)?;
    host.set_maximum_packet_size(MAX_MESSAGE as usize)
        .map_err(limit)?;
    host.set_maximum_waiting_data(MAX_WAITING).map_err(limit)?;
    Ok(host)
}

impl ControlTransport for EnetTransport {
    fn expect(&mut self, connect_data: u32) {
        self.host.socket_mut().admission.expect(connect_data);
    }

    fn forget(&mut self, connect_data: u32) {
        self.host.socket_mut().admission.forget(connect_data);
    }

    fn service(&mut self) -> Option<Event> {
        if let Some(peer) = self.lost.pop_front() {
            return Some(Event::Disconnected { peer });
        }
        self.guarded(Self::next).flatten()
    }

    fn send(&mut self, peer: PeerId, channel: u8, payload: Vec<u8>) {
        self.guarded(|this| {
            if let Some(connection) = this.host.get_peer_mut(PeerID(peer.0))
                && let Err(error) = connection.send(channel, &Packet::reliable(payload))
            {
                tracing::debug!(?error, "a control message could not be queued");
            }
        });
    }

    fn disconnect(&mut self, peer: PeerId) {
        self.guarded(|this| {
            if let Some(connection) = this.host.get_peer_mut(PeerID(peer.0)) {
                connection.disconnect_later(0);
            }
        });
    }

    fn reset(&mut self, peer: PeerId) {
        self.connected.remove(&peer);
        self.guarded(|this| {
            if let Some(connection) = this.host.get_peer_mut(PeerID(peer.0))
                && connection.state() != PeerState::Disconnected
            {
                connection.reset();
            }
        });
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    /// Drive both ends until the host reports something.
    fn next(host: &mut EnetTransport, client: &mut Host<UdpSocket>) -> Event {
        let begun = Instant::now();
        loop {
            let _ = client.service().unwrap();
            if let Some(event) = host.service() {
                return event;
            }
            assert!(begun.elapsed() < Duration::from_secs(5), "nothing happens");
            std::thread::yield_now();
        }
    }

    fn client() -> Host<UdpSocket> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Host::new(
            socket,
            HostSettings {
                peer_limit: 1,
                ..HostSettings::default()
            },
        )
        .unwrap()
    }

    #[test]
    fn a_panic_in_the_library_costs_its_connections_and_not_the_plane() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        let mut host = EnetTransport::new(socket).unwrap();
        host.expect(7);
        host.expect(8);
        let mut first = client();
        first.connect(address, CHANNELS, 7).unwrap();
        let Event::Connected {
            peer,
            connect_data: 7,
        } = next(&mut host, &mut first)
        else {
            panic!("not connected");
        };
        let answer: Option<()> = host.guarded(|_| panic!("as a bug in the library would"));
        assert_eq!(answer, None);
        assert_eq!(next(&mut host, &mut first), Event::Disconnected { peer });
        // The socket and what may come in by it are as before.
        let mut second = client();
        second.connect(address, CHANNELS, 8).unwrap();
        let event = next(&mut host, &mut second);
        assert!(matches!(
            event,
            Event::Connected {
                connect_data: 8,
                ..
            }
        ));
    }
}
