//! A client: three sockets and an ENet connection, driven step by step.
use super::agent::{KEY_HEAD, SLICE_HEAD};
use super::line::Line;
use nix::poll::{PollFd, PollFlags, poll};
use punktfunk_core::{
    Role,
    control::{ClientMessage, HostMessage, Iv, Opener, Sealer},
    crypto::Key,
};
use rusty_enet::{EventNoRef, Host, HostSettings, Packet, PeerID};
use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::AsFd,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(5);

/// Where the host listens: video, control, audio.
#[derive(Clone, Copy)]
pub struct HostPorts {
    pub video: u16,
    pub control: u16,
    pub audio: u16,
}

/// What the control connection brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    Connected,
    Message(HostMessage),
    Disconnected,
}

pub struct Client {
    ports: HostPorts,
    pub video: UdpSocket,
    pub audio: UdpSocket,
    enet: Host<Line>,
    /// What lies between the control connection and the host.
    pub line: Line,
    peer: Option<PeerID>,
    sealer: Sealer,
    opener: Opener,
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

impl Client {
    pub fn new(ports: HostPorts, key: &Key) -> Self {
        let line = Line::new();
        let settings = HostSettings {
            peer_limit: 1,
            channel_limit: 48,
            ..HostSettings::default()
        };
        let mut enet = Host::new(line.clone(), settings).unwrap();
        enet.set_mtu(900).unwrap();
        Self {
            ports,
            video: socket(),
            audio: socket(),
            enet,
            line,
            peer: None,
            sealer: Sealer::new(key, Iv::V2, Role::Client).unwrap(),
            opener: Opener::new(key, Iv::V2, Role::Host).unwrap(),
        }
    }

    pub fn ping_video(&self, payload: [u8; 16]) {
        let ping = [&payload[..], &[0, 0, 0, 1]].concat();
        self.video
            .send_to(&ping, (Ipv4Addr::LOCALHOST, self.ports.video))
            .unwrap();
    }

    pub fn ping_audio(&self, payload: [u8; 16]) {
        let ping = [&payload[..], &[0, 0, 0, 1]].concat();
        self.audio
            .send_to(&ping, (Ipv4Addr::LOCALHOST, self.ports.audio))
            .unwrap();
    }

    /// Begin to connect.
    pub fn dial(&mut self, connect_data: u32) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.control));
        self.enet.connect(address, 48, connect_data).unwrap();
        self.enet.flush();
    }

    pub fn is_connected(&self) -> bool {
        self.peer.is_some()
    }

    pub fn connect(&mut self, connect_data: u32) {
        self.dial(connect_data);
        assert_eq!(self.hear(), Heard::Connected);
    }

    /// The next thing on the control connection.
    pub fn hear(&mut self) -> Heard {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(event) = self.enet.service().unwrap().map(|event| event.no_ref()) {
                // The event comes before the acknowledgement leaves.
                self.enet.flush();
                return self.understand(event);
            }
            assert!(
                Instant::now() < deadline,
                "nothing on the control connection"
            );
            let line = self.line.lock();
            let mut fds = [PollFd::new(line.socket.as_fd(), PollFlags::POLLIN)];
            poll(&mut fds, 10u8).unwrap();
        }
    }

    fn understand(&mut self, event: EventNoRef) -> Heard {
        match event {
            EventNoRef::Connect { peer, .. } => {
                self.peer = Some(peer);
                Heard::Connected
            }
            EventNoRef::Disconnect { .. } => Heard::Disconnected,
            EventNoRef::Receive { packet, .. } => {
                let plain = self.opener.open(packet.data()).unwrap();
                Heard::Message(HostMessage::parse(plain.kind, plain.payload).unwrap())
            }
        }
    }

    /// Let ENet repeat and acknowledge; what the host says meanwhile is dropped.
    pub fn pump(&mut self) {
        while let Some(event) = self.enet.service().unwrap().map(|event| event.no_ref()) {
            self.understand(event);
        }
        self.enet.flush();
    }

    pub fn say(&mut self, message: &ClientMessage<'_>) {
        let (kind, payload) = message.encode();
        let sealed = self.sealer.seal(kind, &payload).unwrap();
        self.say_raw(0, &sealed);
    }

    /// Bytes that need not be a message.
    pub fn say_raw(&mut self, channel: u8, bytes: &[u8]) {
        let peer = self.enet.peer_mut(self.peer.unwrap());
        peer.send(channel, &Packet::reliable(bytes)).unwrap();
        self.enet.flush();
    }

    /// Datagrams from the very address of the control connection.
    pub fn inject(&self, bytes: &[u8]) {
        self.line
            .lock()
            .socket
            .send_to(bytes, (Ipv4Addr::LOCALHOST, self.ports.control))
            .unwrap();
    }

    pub fn hang_up(&mut self) {
        self.enet.peer_mut(self.peer.unwrap()).disconnect_later(0);
        assert_eq!(self.hear(), Heard::Disconnected);
    }

    /// The next video datagram (not sealed).
    pub fn receive(&self) -> VideoPacket {
        let mut buffer = [0; 2048];
        let len = self.video.recv(&mut buffer).expect("no video");
        VideoPacket(buffer[..len].to_vec())
    }

    /// The head of the next frame; datagrams before it are passed over.
    pub fn receive_frame(&self) -> Frame {
        loop {
            let packet = self.receive();
            if packet.is_data() && packet.flags() & 4 != 0 && packet.block() == 0 {
                let bytes = &packet.0[40..];
                let slice = bytes
                    .strip_prefix(KEY_HEAD)
                    .or_else(|| bytes.strip_prefix(SLICE_HEAD));
                return Frame {
                    index: packet.frame_index(),
                    kind: packet.0[35],
                    percent: packet.percent(),
                    bytes: slice.unwrap_or(bytes).to_vec(),
                };
            }
        }
    }
}

/// A video datagram.
pub struct VideoPacket(pub Vec<u8>);

impl VideoPacket {
    pub fn frame_index(&self) -> u32 {
        u32::from_le_bytes(self.0[20..24].try_into().unwrap())
    }
    pub fn flags(&self) -> u8 {
        self.0[24]
    }
    /// Not parity, whose flags are code words.
    pub fn is_data(&self) -> bool {
        let info = u32::from_le_bytes(self.0[28..32].try_into().unwrap());
        (info >> 12) & 0x3FF < info >> 22
    }
    pub fn percent(&self) -> u32 {
        let info = u32::from_le_bytes(self.0[28..32].try_into().unwrap());
        (info >> 4) & 0xFF
    }
    /// The number of the frame's last block.
    pub fn last_block(&self) -> u8 {
        self.0[27] >> 6
    }
    /// Data and parity packets of its block.
    pub fn shards(&self) -> u32 {
        let data = u32::from_le_bytes(self.0[28..32].try_into().unwrap()) >> 22;
        data + (data * self.percent()).div_ceil(100)
    }
    pub fn block(&self) -> u8 {
        (self.0[27] >> 4) & 3
    }
}

/// The head of a frame: what its first packet carries of its slice.
pub struct Frame {
    pub index: u32,
    pub kind: u8,
    /// Parity in percent of the data.
    pub percent: u32,
    pub bytes: Vec<u8>,
}
