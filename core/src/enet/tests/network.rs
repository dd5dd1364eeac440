//! A network without time of its own, our host on it, and a client made of an ENet that is not ours.
use crate::enet::{
    Event, Host, PeerId,
    framing::{Command, Header},
};
use rusty_enet::{self as rival, EventNoRef, HostSettings, MTU_MAX, Packet, PacketReceived};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    convert::Infallible,
    rc::Rc,
    time::Duration,
};

/// A datagram with one command, as a peer that we write ourselves sends it.
pub fn datagram(header: Header, command: &Command<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    header.write(&mut bytes);
    command.write(&mut bytes);
    bytes
}

/// An address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At(pub u16);

impl rival::Address for At {
    fn same_host(&self, other: &Self) -> bool {
        self == other
    }
    fn same(&self, other: &Self) -> bool {
        self == other
    }
    fn is_broadcast(&self) -> bool {
        false
    }
}

struct InFlight {
    arrives: Duration,
    from: At,
    to: At,
    bytes: Vec<u8>,
}

/// Datagrams on their way. Loses some of them, by a sequence that a seed decides.
pub struct Network {
    now: Rc<Cell<Duration>>,
    delay: Duration,
    loss_percent: u64,
    random: u64,
    on_the_way: Vec<InFlight>,
    pub sent: usize,
}

pub type Shared = Rc<RefCell<Network>>;

impl Network {
    pub fn new(round_trip_ms: u64, loss_percent: u64, seed: u64) -> Shared {
        Rc::new(RefCell::new(Self {
            // The rival takes 0 for "never".
            now: Rc::new(Cell::new(Duration::from_secs(1))),
            delay: Duration::from_micros(round_trip_ms * 500),
            loss_percent,
            random: seed | 1,
            on_the_way: Vec::new(),
            sent: 0,
        }))
    }

    pub fn now(&self) -> Duration {
        self.now.get()
    }

    pub fn advance(&mut self, time: Duration) {
        self.now.set(self.now.get() + time);
    }

    pub fn lose(&mut self, percent: u64) {
        self.loss_percent = percent;
    }

    pub fn send(&mut self, from: At, to: At, bytes: &[u8]) {
        self.sent += 1;
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        if self.random % 100 < self.loss_percent {
            return;
        }
        self.on_the_way.push(InFlight {
            arrives: self.now() + self.delay,
            from,
            to,
            bytes: bytes.to_vec(),
        });
    }

    pub fn receive(&mut self, to: At) -> Option<(At, Vec<u8>)> {
        let now = self.now();
        let here = |one: &InFlight| one.to == to && one.arrives <= now;
        let at = self.on_the_way.iter().position(here)?;
        let one = self.on_the_way.remove(at);
        Some((one.from, one.bytes))
    }
}

struct Wire {
    network: Shared,
    address: Rc<Cell<At>>,
}

impl rival::Socket for Wire {
    type Address = At;
    type Error = Infallible;
    fn send(&mut self, to: At, bytes: &[u8]) -> Result<usize, Infallible> {
        let from = self.address.get();
        self.network.borrow_mut().send(from, to, bytes);
        Ok(bytes.len())
    }
    fn receive(
        &mut self,
        buffer: &mut [u8; MTU_MAX],
    ) -> Result<Option<(At, PacketReceived)>, Infallible> {
        let arrived = self.network.borrow_mut().receive(self.address.get());
        Ok(arrived.map(|(from, bytes)| {
            buffer[..bytes.len()].copy_from_slice(&bytes);
            (from, PacketReceived::Complete(bytes.len()))
        }))
    }
}

fn rival_host(
    network: &Shared,
    address: &Rc<Cell<At>>,
    peers: usize,
) -> rival::Host<impl rival::Socket<Address = At, Error = Infallible> + use<>> {
    let clock = Rc::clone(&network.borrow().now);
    let wire = Wire {
        network: Rc::clone(network),
        address: Rc::clone(address),
    };
    let settings = HostSettings {
        peer_limit: peers,
        channel_limit: 48,
        time: Box::new(move || clock.get()),
        seed: Some(7),
        ..HostSettings::default()
    };
    let mut host = rival::Host::new(wire, settings).unwrap();
    host.set_mtu(900).unwrap();
    host
}

/// What happened to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    Connected,
    Message(u8, Vec<u8>),
    Disconnected,
}

/// An unmodified ENet peer.
pub struct Client {
    host: Box<dyn AnyHost>,
    pub address: Rc<Cell<At>>,
    pub heard: VecDeque<Heard>,
}

/// Hides the socket's type.
pub trait AnyHost {
    fn service(&mut self) -> Option<EventNoRef>;
    fn connect(&mut self, to: At, channels: usize, data: u32);
    fn send(&mut self, peer: usize, channel: u8, packet: &Packet);
    fn disconnect_later(&mut self);
    fn flush(&mut self);
}

impl<S: rival::Socket<Address = At, Error = Infallible>> AnyHost for rival::Host<S> {
    fn service(&mut self) -> Option<EventNoRef> {
        rival::Host::service(self)
            .unwrap()
            .map(|event| event.no_ref())
    }
    fn connect(&mut self, to: At, channels: usize, data: u32) {
        rival::Host::connect(self, to, channels, data).unwrap();
    }
    fn send(&mut self, peer: usize, channel: u8, packet: &Packet) {
        self.peer_mut(rival::PeerID(peer))
            .send(channel, packet)
            .unwrap();
    }
    fn disconnect_later(&mut self) {
        self.peer_mut(rival::PeerID(0)).disconnect_later(0);
    }
    fn flush(&mut self) {
        rival::Host::flush(self);
    }
}

impl Client {
    pub fn new(network: &Shared, address: u16) -> Self {
        let address = Rc::new(Cell::new(At(address)));
        Self {
            host: Box::new(rival_host(network, &address, 1)),
            address,
            heard: VecDeque::new(),
        }
    }

    pub fn connect(&mut self, data: u32) {
        self.host.connect(SERVER, 48, data);
    }

    pub fn send(&mut self, channel: u8, packet: &Packet) {
        self.host.send(0, channel, packet);
        self.host.flush();
    }

    pub fn send_if_up(&mut self, packet: &Packet, up: bool) {
        if up {
            self.send(0, packet);
        }
    }

    pub fn leave(&mut self) {
        self.host.disconnect_later();
    }

    pub fn step(&mut self) {
        while let Some(event) = self.host.service() {
            self.heard.push_back(match event {
                EventNoRef::Connect { .. } => Heard::Connected,
                EventNoRef::Disconnect { .. } => Heard::Disconnected,
                EventNoRef::Receive {
                    channel_id, packet, ..
                } => Heard::Message(channel_id, packet.data().to_vec()),
            });
        }
        self.host.flush();
    }
}

pub const SERVER: At = At(1);

/// Our host on the network.
pub struct Server {
    pub host: Host<At>,
    pub events: VecDeque<Event>,
    /// What counts as the peer's own.
    pub proof: Vec<u8>,
}

impl Server {
    pub fn new() -> Self {
        Self {
            host: Host::new(),
            events: VecDeque::new(),
            proof: b"sealed".to_vec(),
        }
    }

    pub fn step(&mut self, network: &Shared) {
        let now = network.borrow().now();
        loop {
            let arrived = network.borrow_mut().receive(SERVER);
            let Some((from, bytes)) = arrived else { break };
            let proof = &self.proof;
            self.host
                .receive(now, &from, &bytes, &mut |_, payload| payload == proof);
            while let Some(event) = self.host.poll_event() {
                self.events.push_back(event);
            }
        }
        self.host.tick(now);
        let mut datagram = Vec::new();
        while let Some(to) = self.host.transmit(now, &mut datagram) {
            network.borrow_mut().send(SERVER, to, &datagram);
        }
        while let Some(event) = self.host.poll_event() {
            self.events.push_back(event);
        }
    }
}

/// The other ENet as a host.
pub struct Rival {
    pub host: Box<dyn AnyHost>,
}

impl Rival {
    pub fn new(network: &Shared) -> Self {
        let address = Rc::new(Cell::new(SERVER));
        Self {
            host: Box::new(rival_host(network, &address, 8)),
        }
    }
}

/// A host with one connected client.
pub fn connected(network: &Shared) -> (Server, Client, PeerId) {
    let (mut server, mut client) = (Server::new(), Client::new(network, 2));
    server.host.expect(7);
    client.connect(7);
    run(network, &mut server, &mut client, 2000, |server, client| {
        !server.events.is_empty() && !client.heard.is_empty()
    });
    assert_eq!(client.heard.pop_front(), Some(Heard::Connected));
    let Some(Event::Connected {
        peer,
        connect_data: 7,
    }) = server.events.pop_front()
    else {
        panic!("not connected");
    };
    (server, client, peer)
}

/// Let at most `ms` milliseconds pass, until `done`; answers whether it was.
pub fn run(
    network: &Shared,
    server: &mut Server,
    client: &mut Client,
    ms: u32,
    mut done: impl FnMut(&Server, &Client) -> bool,
) -> bool {
    for _ in 0..ms {
        if done(server, client) {
            return true;
        }
        network.borrow_mut().advance(Duration::from_millis(1));
        server.step(network);
        client.step();
    }
    done(server, client)
}

pub fn messages(server: &Server) -> Vec<(u8, Vec<u8>)> {
    let message = |event: &Event| match event {
        Event::Received {
            channel, payload, ..
        } => Some((*channel, payload.clone())),
        _ => None,
    };
    server.events.iter().filter_map(message).collect()
}
