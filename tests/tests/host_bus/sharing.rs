//! Whole streams of several accounts in one host: what they share of its bitrate and its places, as their agents, their clients and
//! callers on the bus are told. The agents are doubles; the clients come over the network.
use crate::{
    mocks::Answer,
    ports::free_base_port,
    rig::{ROOT, Rig, Scratch, call},
};
use punktfunk_agent_double::{
    Behaviour, Codec, Mode, Offer, Order, Orders, PlayerSettings, Recording, Streams, player,
};
use punktfunk_core::sdp::Codecs;
use punktfunk_dbus::{applications::DESKTOP, open_stream::OpenStream};
use punktfunk_service::{
    agents::{AgentError, AgentInfo, Opening, StreamSource},
    cli::Cli,
    config::{Config, Settings},
    ids::{SessionId, Uid},
    net,
};
use punktfunk_tests::{Client, Ending, HostAddress, Identity, Options, Running};
use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    os::fd::OwnedFd,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Mutex, MutexGuard, watch},
    task::JoinSet,
};
use zbus::{
    Connection,
    zvariant::{OwnedValue, Value},
};

/// Far above what anything here takes.
const SOON: Duration = Duration::from_secs(60);
const ALICE: Uid = Uid(4001);
const BOB: Uid = Uid(4002);
const MODE: Mode = Mode {
    codec: Codec::H264,
    width: 640,
    height: 360,
    fps: 30,
};
/// What leaves 15404 kbit/s for the video: 20 % parity, 96 kbit/s of sound and 500 kbit/s of headers taken off.
const WISH_KBPS: u32 = 20_000;

/// An agent in this process.
struct Double(Streams);

impl StreamSource for Double {
    fn open_stream(&self, options: OpenStream, ring: OwnedFd, channel: OwnedFd) -> Opening<'_> {
        let opened = self.0.begin(options, ring, channel);
        Box::pin(std::future::ready(opened.map_err(AgentError::Refused)))
    }
}

/// A host with everything but polkit and logind, which say what the test wants.
struct SharedHost {
    rig: Rig,
    caller: Connection,
    address: HostAddress,
    _parts: JoinSet<()>,
    _stop: watch::Sender<bool>,
    _turn: MutexGuard<'static, ()>,
}

impl SharedHost {
    async fn start(lines: &str) -> Self {
        // Ports are looked for, and then bound.
        static TURN: Mutex<()> = Mutex::const_new(());
        let turn = TURN.lock().await;
        let scratch = Scratch::new();
        let file = scratch.0.join("punktfunk.toml");
        std::fs::write(&file, format!("discovery = false\n{lines}")).unwrap();
        let cli = Cli {
            config: Some(file),
            check: false,
            dev: true,
            state_dir: Some(scratch.0.clone()),
            base_port: Some(free_base_port()),
        };
        let config = Config::load_with(&cli, |_| None).unwrap();
        let settings = Settings::open_with(&cli, |_| None, config).unwrap();
        let rig = Rig::with(scratch, settings).await;
        rig.polkit.answer_all(Answer::Yes);
        let ports = rig.host.settings.now().ports;
        let bound = net::bind(&rig.host.settings.now()).unwrap();
        let (stop, stopping) = watch::channel(false);
        let mut parts = JoinSet::new();
        let host = || Arc::clone(&rig.host);
        parts.spawn(net::nvhttp::serve_http(
            host(),
            bound.http,
            stopping.clone(),
        ));
        let https = net::nvhttp::serve_https(host(), bound.https, stopping.clone());
        parts.spawn(async { https.await.unwrap() });
        parts.spawn(net::rtsp::serve(host(), bound.rtsp, stopping));
        let sharing = host();
        parts.spawn(async move { sharing.streams.follow_settings().await });
        Self {
            caller: rig.bus.connect().await,
            address: HostAddress {
                ip: Ipv4Addr::LOCALHOST.into(),
                http_port: ports.http,
            },
            rig,
            _parts: parts,
            _stop: stop,
            _turn: turn,
        }
    }

    /// A session of this account, with an agent in it: what that is told.
    fn log_in(&self, uid: Uid) -> Orders {
        let recording = Recording::of(MODE).expect("a recording, made with Debian's ffmpeg");
        let recordings = BTreeMap::from([(MODE, Arc::new(recording))]);
        let orders = Orders::default();
        let offer = Offer {
            codecs: vec!["h264".into()],
            invalidates_refs: false,
            behaviour: Behaviour::Honest,
            patient: true,
            touch: false,
            orders: orders.clone(),
        };
        let streams = Streams::new(offer, move |options| {
            player::open(&recordings, PlayerSettings::default(), options)
        });
        let info = AgentInfo {
            session: SessionId(format!("c{}", uid.0)),
            uid,
            seat: String::new(),
            compositor: "double".into(),
            encoders: vec!["double".into()],
            codecs: vec!["h264".into()],
            hdr: Codecs::NONE,
            hdr_sources: Vec::new(),
            chroma_444: Codecs::NONE,
            hdr_chroma_444: Codecs::NONE,
            invalidates_refs: false,
            touch: false,
            active: true,
            locked: false,
            greeter: false,
            version: "0".into(),
        };
        let agents = &self.rig.host.agents;
        agents.admit(info, Arc::new(Double(streams))).unwrap();
        orders
    }

    /// A paired client of this account.
    fn device(&self, owner: Uid) -> Client {
        let (host, identity) = (&self.rig.host, Identity::generate().unwrap());
        let certificate = &identity.certificate_der;
        host.clients.add("tablet", certificate, owner).unwrap();
        let mut client = Client::new(self.address, identity);
        client.pinned = Some(host.identity.certificate_der.clone());
        client
    }

    /// The streams are numbered as they are launched.
    async fn property(&self, stream: u64, name: &str) -> OwnedValue {
        let path = format!("{ROOT}/streams/{stream}");
        let of = ("org.punktfunk.Host1.Stream", name);
        let properties = "org.freedesktop.DBus.Properties";
        let reply = call(&self.caller, &path, properties, "Get", &of).await;
        reply.unwrap().body().deserialize().unwrap()
    }

    async fn limit(&self, stream: u64) -> u32 {
        let limit = self.property(stream, "BitrateLimitKbps").await;
        limit.try_into().unwrap()
    }

    async fn configure(&self, key: &str, value: u32) {
        let settings = HashMap::from([(key, Value::from(value))]);
        let interface = "org.punktfunk.Host1";
        let set = call(&self.caller, ROOT, interface, "SetConfiguration", &settings);
        set.await.unwrap();
    }

    /// Wait until so many streams run.
    async fn counts(&self, streams: usize) {
        let host = &self.rig.host;
        let mut changes = host.streams.changes();
        let counted = async {
            while host.streams.list().len() != streams {
                changes.changed().await.unwrap();
            }
        };
        let counted = tokio::time::timeout(SOON, counted).await;
        assert!(counted.is_ok(), "{:?}", host.streams.list());
    }
}

fn wishes() -> Options {
    Options {
        app: DESKTOP,
        width: MODE.width,
        height: MODE.height,
        fps: MODE.fps,
        bitrate_kbps: WISH_KBPS,
        high_quality_audio: false,
        decode: false,
        ..Options::default()
    }
}

/// Watch until the client has pictures.
fn watches(client: &Client) -> Running {
    let running = client.stream(&wishes(), false).expect("a stream");
    assert!(running.wait_frames(3, SOON), "no pictures");
    running
}

/// Why the client gets no stream, in the words that its person reads.
fn refused(client: &Client) -> String {
    let error = client.stream(&wishes(), false).err();
    format!("{:#}", error.expect("the stream should be refused"))
}

fn leaves(running: Running) {
    let report = running.finish(Ending::Disconnect).expect("report");
    assert!(report.breaches.is_empty(), "{report}");
    assert_eq!(report.ended, "left");
}

/// Wait until this is what the encoder of a stream was asked for last.
#[track_caller]
fn aims(agent: &Orders, stream: u64, expected: u32) {
    let rates = |orders: &[(u64, Order)]| -> Vec<u32> {
        let of = orders.iter().filter(|(number, _)| *number == stream);
        of.filter_map(|(_, order)| match order {
            Order::Opened { kbps, .. } | Order::Bitrate { kbps } => Some(*kbps),
            _ => None,
        })
        .collect()
    };
    let told = agent.wait(SOON, |seen| rates(&seen.orders).last() == Some(&expected));
    let all = agent.look(|seen| rates(&seen.orders));
    assert!(told, "stream {stream}: {expected} kbit/s expected: {all:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_accounts_share_the_hosts_bitrate_whoever_comes_leaves_or_asks_for_less() {
    // A busy machine may lose packets; that is not what this is about.
    let steady = "adaptive-parity = false\nadaptive-bitrate = false\n";
    let host = SharedHost::start(&format!("[video]\nmax-total-bitrate-mbit = 20\n{steady}")).await;
    let (alice, bob) = (host.log_in(ALICE), host.log_in(BOB));
    let (hers, his, tablet) = (host.device(ALICE), host.device(BOB), host.device(BOB));
    let hers = watches(&hers);
    aims(&alice, 1, 15_404);
    assert_eq!(host.limit(1).await, 0);
    // Half for each account, ...
    let his = watches(&his);
    aims(&alice, 1, 7404);
    aims(&bob, 2, 7404);
    assert_eq!((host.limit(1).await, host.limit(2).await), (7404, 7404));
    // ... however many streams it has.
    let second = watches(&tablet);
    aims(&bob, 2, 3514);
    aims(&bob, 3, 3514);
    assert_eq!(host.limit(1).await, 7404);
    let statistics: HashMap<String, OwnedValue> =
        host.property(2, "Statistics").await.try_into().unwrap();
    let reason = String::try_from(statistics["last_decision"].clone()).unwrap();
    assert_eq!(reason, "host limit");
    // What she does not want is his.
    let (path, stream) = (format!("{ROOT}/streams/1"), "org.punktfunk.Host1.Stream");
    let set = call(&host.caller, &path, stream, "SetBitrate", &2000u32).await;
    set.unwrap();
    aims(&alice, 1, 2000);
    aims(&bob, 2, 6244);
    aims(&bob, 3, 6244);
    assert_eq!(host.limit(1).await, 0);
    leaves(second);
    aims(&bob, 2, 13_085);
    // Settings hold for streams that run, and end none.
    host.configure("video.max-total-bitrate-mbit", 8).await;
    aims(&bob, 2, 3587);
    aims(&alice, 1, 2000);
    host.configure("video.max-total-bitrate-mbit", 0).await;
    aims(&bob, 2, 15_404);
    assert_eq!(host.limit(2).await, 0);
    host.counts(2).await;
    leaves(hers);
    leaves(his);
    host.counts(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_holds_all_but_the_last_place_leaves_that_to_others_and_clients_are_told_why() {
    let host = SharedHost::start("[sessions]\nmax-streams = 3\n").await;
    let (_alice, bob) = (host.log_in(ALICE), host.log_in(BOB));
    let hers = [(); 3].map(|()| host.device(ALICE));
    let his = [(); 2].map(|()| host.device(BOB));
    let first = watches(&hers[0]);
    let second = watches(&hers[1]);
    let why = refused(&hers[2]);
    assert!(why.contains("kept for accounts that have none"), "{why}");
    let only = watches(&his[0]);
    assert_eq!(bob.look(|seen| seen.opened), 1);
    for device in [&his[1], &hers[2]] {
        let why = refused(device);
        assert!(why.contains("all 3 streams"), "{why}");
    }
    leaves(second);
    host.counts(2).await;
    // Nobody is without now: who comes first has the third.
    let more = watches(&his[1]);
    assert_eq!(bob.look(|seen| seen.opened), 2);
    for running in [first, only, more] {
        leaves(running);
    }
    host.counts(0).await;
}
