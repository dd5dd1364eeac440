//! What a frame costs in memory: nothing.
use super::agent::{KEY_HEAD, SLICE_HEAD};
use super::*;
use crate::{
    net::wake::Wake,
    stream::{
        adaptation::Adaptation,
        link::StreamLink,
        media::{Command, Feed, Media},
        permits::Permits,
        plan,
        recovery::Recovery,
        shown::Shown,
    },
};
use punktfunk_core::{audio::AudioPacketizer, video::Packetizer};
use punktfunk_dbus::channel::{Consumer, Endpoint, Ring, ToAgent, message::FRAME_KEY, socket};
use std::{net::UdpSocket, sync::mpsc};

/// The media thread's work of one stream, on the test's own thread, with an agent and a client that is ready.
#[test]
fn a_frame_allocates_nothing_once_the_buffers_have_their_size() {
    let rig = Rig::new();
    let (handle, opened) = agent::register(&rig.agents, 1001, false);
    // As fast as any, so that the test may be.
    let setup = setup(1, handle.clone(), |params| params.fps = 240);
    let config = config(|_| {});
    let request = plan::request(&setup, &config);
    let ring = Ring::create(plan::geometry(&setup.params)).unwrap();
    let (ours, theirs) = socket::pair().unwrap();
    let agent_ring = ring.agent_fd().unwrap();
    let opening = handle.open_stream(request.clone(), agent_ring, theirs);
    rig.runtime.block_on(opening).unwrap();
    let mut agent = FakeAgent::new(opened.recv().unwrap());

    let wake = Arc::new(Wake::new().unwrap());
    let endpoint = Arc::new(Endpoint::new(ours));
    let shown = Arc::new(Shown::new(handle, Arc::clone(&endpoint)));
    let (commands, received) = mpsc::channel();
    let (happenings, _happened) = tokio::sync::mpsc::unbounded_channel();
    let link = Arc::new(StreamLink::new(
        setup.launch.stream,
        Arc::clone(&shown),
        commands.clone(),
        Arc::clone(&wake),
        happenings,
        rig.streams.0.control.outbox(None),
        Permits::new(shown, &setup.launch.client.permissions),
    ));
    let media = Media {
        feed: Feed {
            consumer: Consumer::new(endpoint, plan::limits(&setup.params, ring.geometry())),
            ring,
            recovery: Recovery::new(false),
            video_kbps: request.bitrate_kbps,
            on_violation: Box::new(|violation| panic!("{violation}")),
        },
        packetizer: Packetizer::new(plan::packetizer(&setup, &config)).unwrap(),
        codec: setup.params.codec,
        audio: AudioPacketizer::new(5, None),
        link: Arc::clone(&link),
        commands: received,
        wake: Arc::clone(&wake),
        adaptation: Adaptation::new(plan::adaptation(
            &setup,
            &config,
            request.bitrate_kbps,
            None,
        )),
        fps: setup.params.fps,
        pace_rate_mbit: 0,
        video_drop: 0,
        perf: false,
    };
    let mut work = media.begin();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(client.local_addr().unwrap()).unwrap();
    commands.send(Command::Video(socket)).unwrap();
    commands.send(Command::ControlUp).unwrap();
    wake.ring();
    work.turn().unwrap();

    let sent = || {
        link.statistics()
            .frames_sent
            .load(std::sync::atomic::Ordering::Relaxed)
    };
    let mut hand_over = |len: usize, key: bool, in_parts: bool| {
        let bytes = vec![7; len];
        let before = sent();
        let work = &mut work;
        let counted = std::thread::scope(|scope| {
            let agent = &mut agent;
            let client = &client;
            scope.spawn(move || {
                let head = if key { KEY_HEAD } else { SLICE_HEAD };
                let flags = if key { FRAME_KEY } else { 0 };
                let unit = [head, &bytes].concat();
                if !in_parts {
                    agent.unit(&unit, flags);
                    return;
                }
                let mut parts = unit.chunks(unit.len().div_ceil(4));
                let mut growing = agent.begin(parts.next().unwrap(), flags, 4);
                // Each part is on its way before the next one exists, so that each has a block of its own.
                for block in 0..3 {
                    while client_block(client) != block {}
                    let part = parts.next().unwrap();
                    if block == 2 {
                        return agent.end(growing, part);
                    }
                    agent.grow(&mut growing, part);
                }
            });
            allocation_counter::measure(|| {
                while sent() == before {
                    work.turn().unwrap();
                }
            })
        });
        // The slot comes back, whatever else the agent is told.
        while !matches!(agent.hear(), ToAgent::SlotFree { .. }) {}
        client.set_nonblocking(true).unwrap();
        while client.recv(&mut [0; 2048]).is_ok() {}
        client.set_nonblocking(false).unwrap();
        counted.count_total
    };
    // Sizes to come, so that buffers and codes are there: a small one, a usual one, a large one of several blocks.
    const SIZES: [usize; 3] = [900, 42_000, 300_000];
    for (number, len) in SIZES.into_iter().cycle().take(18).enumerate() {
        hand_over(len, number == 0, number % 2 == 1 && len > 10_000);
    }
    for (number, len) in SIZES.into_iter().cycle().take(60).enumerate() {
        let in_parts = number % 2 == 1 && len > 10_000;
        let allocations = hand_over(len, number % 20 == 0, in_parts);
        assert_eq!(
            allocations, 0,
            "frame {number} of {len} bytes, in parts: {in_parts}"
        );
    }
    let in_parts = &link.statistics().frames_in_parts;
    assert_eq!(in_parts.load(std::sync::atomic::Ordering::Relaxed), 6 + 20);
    // The counter counts.
    assert!(allocation_counter::measure(|| drop(std::hint::black_box(vec![1]))).count_total > 0);
}

/// The FEC block of the next datagram.
fn client_block(client: &UdpSocket) -> u8 {
    let mut bytes = [0; 2048];
    client.recv(&mut bytes).expect("video");
    (bytes[27] >> 4) & 3
}
