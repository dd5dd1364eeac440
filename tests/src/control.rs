//! The control stream: an ENet peer that pings every 100 ms, carries input and requests, and hears the host's messages.

use crate::{
    breach::Breaches,
    crypto::Key,
    envelope::{self, Envelope, Message},
    impairment::Darkness,
    input::Input,
    uplink::Uplink,
};
use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rusty_enet as enet;
use std::{
    net::{SocketAddr, UdpSocket},
    os::fd::AsFd,
    sync::{
        Arc, Condvar, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

const CHANNELS: usize = 48;
const CONNECT: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_millis(100);
const LINGER: Duration = Duration::from_secs(2);

/// How the control stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The host said why (0x80030023 = normal).
    Terminated(u32),
    /// The connection went without a termination message: what a person sees as error -1.
    Dropped,
    /// We left; whether the host acknowledged within two seconds.
    Left { acknowledged: bool },
    /// We fell silent on purpose.
    Vanished,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    Reliable,
    /// Lost or late, but never overtaken.
    Sequenced,
    Unsequenced,
}

enum Command {
    Send {
        channel: u8,
        kind: u16,
        payload: Vec<u8>,
        delivery: Delivery,
    },
    /// Bytes that are no sealed message: for tests.
    Raw {
        channel: u8,
        bytes: Vec<u8>,
    },
    /// Go on from another address.
    Roam,
    /// Lose so many percent of the datagrams, both ways.
    Lose(f64),
    Leave,
    Vanish,
}

/// A handle for everybody who has something to send.
#[derive(Clone)]
pub struct Commands {
    sender: Sender<Command>,
    /// Set when somebody outside of loss handling asked for a key frame.
    question: Arc<Mutex<Option<Instant>>>,
    reports: Arc<Mutex<(Option<Instant>, u32)>>,
}

impl Commands {
    /// A reliable message.
    pub fn send(&self, channel: u8, kind: u16, payload: &[u8]) {
        self.deliver(channel, kind, payload, Delivery::Reliable);
    }

    fn deliver(&self, channel: u8, kind: u16, payload: &[u8], delivery: Delivery) {
        let _ = self.sender.send(Command::Send {
            channel,
            kind,
            payload: payload.to_vec(),
            delivery,
        });
    }

    pub fn input(&self, input: &Input) {
        let delivery = match input.reliable {
            true => Delivery::Reliable,
            false => Delivery::Sequenced,
        };
        self.deliver(input.channel, envelope::INPUT, &input.packet, delivery);
    }

    pub fn request_key_frame(&self) {
        *lock(&self.question) = Some(Instant::now());
        self.send(1, envelope::START_A, &[0, 0]);
    }

    /// The frames `first..=last` are lost.
    pub fn references_lost(&self, first: u32, last: u32) {
        let mut payload = [0; 24];
        payload[..4].copy_from_slice(&first.to_le_bytes());
        payload[8..12].copy_from_slice(&last.to_le_bytes());
        self.send(1, envelope::REFERENCES_LOST, &payload);
    }

    /// At most 8 per 100 ms, unsequenced.
    pub fn fec_status(&self, payload: Vec<u8>) {
        let mut reports = lock(&self.reports);
        let now = Instant::now();
        if reports
            .0
            .is_none_or(|since| now.duration_since(since) > Duration::from_millis(100))
        {
            *reports = (Some(now), 0);
        }
        reports.1 += 1;
        if reports.1 <= 8 {
            let _ = self.sender.send(Command::Send {
                channel: 0,
                kind: envelope::FEC_STATUS,
                payload,
                delivery: Delivery::Unsequenced,
            });
        }
    }

    /// Anything at all on an ENet channel: for tests of the host's patience.
    pub fn raw(&self, channel: u8, bytes: Vec<u8>) {
        let _ = self.sender.send(Command::Raw { channel, bytes });
    }

    /// Go on from another address and port, as when a device changes networks.
    pub fn roam(&self) {
        let _ = self.sender.send(Command::Roam);
    }

    /// From now on lose this share of the datagrams, in both directions.
    pub fn lose(&self, percent: f64) {
        let _ = self.sender.send(Command::Lose(percent));
    }

    pub(crate) fn take_key_frame_question(&self) -> Option<Instant> {
        lock(&self.question).take()
    }
}

/// What the rest of the client sees of the connection.
#[derive(Debug, Clone, Default)]
pub struct State {
    pub connected: bool,
    /// Channels that the host granted.
    pub channels: usize,
    pub end: Option<End>,
    /// Everything that the host said.
    pub messages: Vec<Message>,
}

impl State {
    /// What the host said of HDR last: whether it is on, and its numbers in their order on the wire.
    pub fn hdr(&self) -> Option<(bool, Vec<u16>)> {
        let mut all = self.messages.iter().rev();
        let last = all.find(|message| message.kind == envelope::HDR_MODE)?;
        let (enabled, words) = last.payload.split_first()?;
        let words = words.chunks_exact(2);
        Some((
            *enabled == 1,
            words
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                .collect(),
        ))
    }
}

type SharedState = Arc<(Mutex<State>, Condvar)>;

/// The running connection.
pub struct Control {
    pub commands: Commands,
    state: SharedState,
    thread: Option<JoinHandle<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl Control {
    /// Connect and send both start messages.
    pub fn connect(
        host: SocketAddr,
        connect_data: u32,
        key: &Key,
        version2: bool,
        darkness: Darkness,
        breaches: Breaches,
    ) -> Result<Self> {
        let uplink = Uplink::new(host, darkness)?;
        let waiting = uplink.handle()?;
        let envelope = Envelope::new(key, version2);
        let (sender, commands) = channel();
        let state: SharedState = SharedState::default();
        let worker_state = state.clone();
        let thread = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || {
                let outcome = Worker::new(
                    uplink,
                    waiting,
                    host,
                    connect_data,
                    envelope,
                    worker_state.clone(),
                    breaches,
                )
                .map(|worker| worker.run(commands));
                let end = outcome.unwrap_or(End::Dropped);
                lock(&worker_state.0).end.get_or_insert(end);
                worker_state.1.notify_all();
            })?;
        let commands = Commands {
            sender,
            question: Arc::default(),
            reports: Arc::default(),
        };
        let control = Self {
            commands,
            state,
            thread: Some(thread),
        };
        control.wait(CONNECT + Duration::from_secs(1), |state| {
            state.connected || state.end.is_some()
        });
        if !control.state().connected {
            bail!(
                "no ENet connection with {host} within 10 s: is the UDP port reachable, was the connect data right?"
            );
        }
        control.commands.send(0, envelope::START_A, &[0, 0]);
        control.commands.send(0, envelope::START_B, &[0]);
        Ok(control)
    }

    pub fn state(&self) -> State {
        lock(&self.state.0).clone()
    }

    /// Wait until `holds`; answers whether it did in time.
    pub fn wait(&self, timeout: Duration, holds: impl Fn(&State) -> bool) -> bool {
        let guard = lock(&self.state.0);
        let (guard, _) = self
            .state
            .1
            .wait_timeout_while(guard, timeout, |state| !holds(state))
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        holds(&guard)
    }

    /// Leave as a client does when its user quits, or just fall silent.
    pub fn leave(mut self, gracefully: bool) -> State {
        let _ = self.commands.sender.send(if gracefully {
            Command::Leave
        } else {
            Command::Vanish
        });
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.state()
    }
}

struct Worker {
    host: enet::Host<Uplink>,
    address: SocketAddr,
    uplink: Uplink,
    peer: enet::PeerID,
    socket: UdpSocket,
    envelope: Envelope,
    state: SharedState,
    breaches: Breaches,
}

impl Worker {
    fn new(
        uplink: Uplink,
        waiting: UdpSocket,
        host: SocketAddr,
        connect_data: u32,
        envelope: Envelope,
        state: SharedState,
        breaches: Breaches,
    ) -> Result<Self> {
        let settings = enet::HostSettings {
            peer_limit: 1,
            channel_limit: CHANNELS,
            ..Default::default()
        };
        let mut enet_host =
            enet::Host::new(uplink.clone(), settings).map_err(|e| anyhow::anyhow!("{e:?}"))?;
        enet_host
            .set_mtu(900)
            .map_err(|e| anyhow::anyhow!("{e:?}"))?;
        let peer = enet_host
            .connect(host, CHANNELS, connect_data)
            .map_err(|e| anyhow::anyhow!("{e:?}"))
            .context("no ENet peer")?
            .id();
        Ok(Self {
            host: enet_host,
            address: host,
            uplink,
            peer,
            socket: waiting,
            envelope,
            state,
            breaches,
        })
    }

    fn run(mut self, commands: Receiver<Command>) -> End {
        let started = Instant::now();
        let mut next_ping = Instant::now();
        let mut leaving: Option<Instant> = None;
        loop {
            while let Ok(Some(event)) = self
                .host
                .service()
                .map(|event| event.map(|event| event.no_ref()))
            {
                match event {
                    enet::EventNoRef::Connect { .. } => self.connected(),
                    enet::EventNoRef::Disconnect { .. } => {
                        return self.disconnected(leaving.is_some());
                    }
                    enet::EventNoRef::Receive { packet, .. } => self.received(packet.data()),
                }
            }
            let connected = lock(&self.state.0).connected;
            if !connected && started.elapsed() > CONNECT {
                return End::Dropped;
            }
            if let Some(since) = leaving {
                if since.elapsed() > LINGER {
                    self.breaches
                        .record("11.1", "control-disconnect-not-acknowledged", || {
                            "no answer within 2 s".into()
                        });
                    return End::Left {
                        acknowledged: false,
                    };
                }
            } else if connected {
                while let Ok(command) = commands.try_recv() {
                    match command {
                        Command::Send {
                            channel,
                            kind,
                            payload,
                            delivery,
                        } => self.send(channel, kind, &payload, delivery),
                        Command::Raw { channel, bytes } => {
                            self.transmit(channel, bytes, Delivery::Reliable)
                        }
                        Command::Roam => self.roam(),
                        Command::Lose(percent) => self.uplink.lose(percent),
                        Command::Vanish => return End::Vanished,
                        Command::Leave => {
                            self.host.peer_mut(self.peer).disconnect_later(0);
                            leaving = Some(Instant::now());
                            break;
                        }
                    }
                }
                if leaving.is_none() && Instant::now() >= next_ping {
                    next_ping = Instant::now() + PING_EVERY;
                    self.send(
                        0,
                        envelope::PING,
                        &[4, 0, 0, 0, 0, 0, 0, 0],
                        Delivery::Reliable,
                    );
                }
            } else if let Ok(Command::Vanish | Command::Leave) = commands.try_recv() {
                return End::Vanished;
            }
            self.host.flush();
            let _ = poll(
                &mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)],
                PollTimeout::from(2u8),
            );
        }
    }

    fn roam(&mut self) {
        let moved = self.uplink.roam(self.address);
        match moved.and_then(|()| self.uplink.handle()) {
            Ok(socket) => self.socket = socket,
            Err(error) => self
                .breaches
                .record("11.1", "no-other-address", || error.to_string()),
        }
    }

    fn connected(&mut self) {
        let peer = self.host.peer_mut(self.peer);
        peer.set_timeout(0, 10_000, 10_000);
        let channels = peer.channel_count();
        let mut state = lock(&self.state.0);
        (state.connected, state.channels) = (true, channels);
        drop(state);
        self.state.1.notify_all();
    }

    fn disconnected(&self, leaving: bool) -> End {
        let end = lock(&self.state.0).end;
        match end {
            _ if leaving => End::Left { acknowledged: true },
            Some(end) => end,
            None => {
                if lock(&self.state.0).connected {
                    self.breaches
                        .record("11.4", "control-ended-without-termination", || {
                            "the connection went without a termination message".into()
                        });
                }
                End::Dropped
            }
        }
    }

    fn send(&mut self, channel: u8, kind: u16, payload: &[u8], delivery: Delivery) {
        let bytes = self.envelope.seal(kind, payload);
        self.transmit(channel, bytes, delivery);
    }

    fn transmit(&mut self, channel: u8, bytes: Vec<u8>, delivery: Delivery) {
        let granted = lock(&self.state.0).channels;
        let channel = if granted < CHANNELS { 0 } else { channel };
        let packet = match delivery {
            Delivery::Reliable => enet::Packet::reliable(bytes),
            Delivery::Sequenced => enet::Packet::unreliable(bytes),
            Delivery::Unsequenced => enet::Packet::unreliable_unsequenced(bytes),
        };
        let _ = self.host.peer_mut(self.peer).send(channel, &packet);
    }

    fn received(&mut self, bytes: &[u8]) {
        let message = match self.envelope.open(bytes) {
            Ok(message) => message,
            Err(error) => {
                self.breaches
                    .record("11.2", "control-message-not-readable", || {
                        format!("{error:#}: {}", hex::encode(&bytes[..bytes.len().min(32)]))
                    });
                return;
            }
        };
        let expected = match message.kind {
            0x010b => Some(10),
            0x5500 => Some(6),
            0x5501 | 0x5502 => Some(5),
            0x5503 => Some(25),
            envelope::HDR_MODE => Some(27),
            envelope::TERMINATION => Some(4),
            _ => None,
        };
        let size = message.payload.len();
        self.breaches.require(
            expected.is_none_or(|expected| expected == size),
            "11.4",
            "control-payload-size",
            || format!("type {:#06x} with {size} bytes", message.kind),
        );
        let mut state = lock(&self.state.0);
        if let (envelope::TERMINATION, Ok(reason)) =
            (message.kind, message.payload.as_slice().try_into())
        {
            state
                .end
                .get_or_insert(End::Terminated(u32::from_be_bytes(reason)));
        }
        if state.messages.len() < 10_000 {
            state.messages.push(message);
        }
        drop(state);
        self.state.1.notify_all();
    }
}
