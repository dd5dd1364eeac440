//! Streams from end to end, with an agent and clients in this process and real sockets between them.
#![expect(clippy::arithmetic_side_effects, reason = "tests")]
mod agent;
mod allocations;
mod client;
mod control;
mod handover;
mod host_messages;
mod life;
mod line;
mod loss;
mod media;
mod pads;
mod parts;
mod permits;
mod sharing;

use super::*;
use crate::gamepads::tests::NoPads;
use crate::{
    agents::Agents,
    config::{Config, Ports},
    ids::Uid,
    store::ClientRecord,
};
use agent::FakeAgent;
use client::{Client, HostPorts};
use punktfunk_core::{
    crypto::Key,
    sdp::{AudioParams, Codec},
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tokio::runtime::Runtime;

/// A host with as many agents and clients as a test needs.
struct Rig {
    runtime: Runtime,
    streams: Arc<Streams>,
    agents: Agents,
    ports: HostPorts,
    /// What its agents say of their encoders.
    invalidates_refs: bool,
}

fn config(edit: impl FnOnce(&mut Config)) -> Arc<Config> {
    let ports = Ports {
        http: 0,
        https: 0,
        rtsp: 0,
        video: 0,
        control: 0,
        audio: 0,
    };
    let mut config = Config {
        ports,
        bind: Ipv6Addr::UNSPECIFIED.into(),
        fec_percent: 20,
        hold: Duration::ZERO,
        ..Config::default()
    };
    edit(&mut config);
    Arc::new(config)
}

impl Rig {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(edit: impl FnOnce(&mut Config)) -> Self {
        Self::made(|| Streams::with(config(edit), FIRST_LIMIT, Box::new(NoPads)))
    }

    fn impatient(patience: Duration) -> Self {
        Self::made(|| Streams::with(config(|_| {}), patience, Box::new(NoPads)))
    }

    fn made(streams: impl FnOnce() -> std::io::Result<Streams>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        let streams = streams().unwrap();
        let ports = ports(&streams);
        Self {
            runtime: runtime.unwrap(),
            streams: Arc::new(streams),
            agents: Agents::new(),
            ports,
            invalidates_refs: false,
        }
    }

    /// Start the stream of client `number`, which has a user and an agent of its own.
    fn start(&self, number: u8) -> (FakeAgent, Client) {
        self.start_with(number, |_| {})
    }

    fn start_with(&self, number: u8, edit: impl FnOnce(&mut StreamParams)) -> (FakeAgent, Client) {
        let (handle, opened) = agent::register(
            &self.agents,
            1000 + u32::from(number),
            self.invalidates_refs,
        );
        let setup = setup(number, handle, edit);
        let key = setup.launch.key.clone();
        self.runtime
            .block_on(self.streams.start(setup, &BTreeSet::new()))
            .unwrap();
        (
            FakeAgent::new(opened.recv().unwrap()),
            Client::new(self.ports, &key),
        )
    }

    /// As `start`, with a client that is connected and can receive; the agent has been asked for a key frame.
    fn start_connected(&self, number: u8) -> (FakeAgent, Client) {
        let (mut agent, mut client) = self.start(number);
        client.ping_video(video_ping(number));
        client.connect(connect_data(number));
        assert_eq!(agent.hear(), punktfunk_dbus::channel::ToAgent::Idr);
        (agent, client)
    }

    fn wait_until_gone(&self) {
        let ids = self.streams.0.ids();
        let gone = async { timeout(Duration::from_secs(5), self.streams.0.gone(&ids)).await };
        self.runtime
            .block_on(gone)
            .expect("the stream does not end");
    }

    fn figure(&self, number: u8, name: &str) -> u64 {
        let infos = self.streams.list();
        let info = infos
            .iter()
            .find(|info| info.id == StreamId(number.into()))
            .unwrap();
        *info.statistics.get(name).unwrap()
    }
}

fn ports(streams: &Streams) -> HostPorts {
    let (video, audio) = streams.0.pings.ports().unwrap();
    HostPorts {
        video,
        control: streams.0.control.port(),
        audio,
    }
}

fn setup(
    number: u8,
    agent: crate::agents::AgentHandle,
    edit: impl FnOnce(&mut StreamParams),
) -> StreamSetup {
    let mut params = StreamParams {
        width: 1280,
        height: 720,
        fps: 60,
        codec: Codec::H264,
        packet_size: 1024,
        configured_bitrate_kbps: 20_000,
        min_fec_packets: 2,
        slices: 1,
        chroma_444: false,
        hdr: false,
        hdr_asked: false,
        max_reference_frames: 0,
        refresh_rate_x100: 0,
        csc_mode: 0,
        encryption: 1,
        audio: AudioParams {
            channels: 2,
            channel_mask: 3,
            high_quality: false,
            packet_ms: 5,
            encrypted: false,
        },
        sends_fec_status: true,
        uses_ping_payload: true,
        qos_video: 0,
        qos_audio: 0,
    };
    edit(&mut params);
    let client = ClientRecord {
        id: ClientId(format!("client{number}")),
        name: format!("Client {number}"),
        certificate_der: Vec::new(),
        owner: Uid(1000 + u32::from(number)),
        paired_at: 0,
        last_seen: 0,
        permissions: crate::store::DEFAULT_PERMISSIONS
            .map(str::to_owned)
            .to_vec(),
        terms: crate::store::Terms::default(),
    };
    let launch = Launch {
        stream: StreamId(number.into()),
        client,
        agent,
        app: 1,
        key: Key([number; 16]),
        key_id: -5,
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        local: IpAddr::V4(Ipv4Addr::LOCALHOST),
        play_on_host: false,
        video_ping: video_ping(number),
        audio_ping: audio_ping(number),
        connect_data: connect_data(number),
    };
    StreamSetup {
        launch: Arc::new(launch),
        params,
    }
}

fn video_ping(number: u8) -> [u8; 16] {
    [b'a' + number; 16]
}

fn audio_ping(number: u8) -> [u8; 16] {
    [b'A' + number; 16]
}

fn connect_data(number: u8) -> u32 {
    0xABCD_0000 + u32::from(number)
}
