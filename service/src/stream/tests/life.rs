//! How streams begin and end.
use super::*;
use client::Heard;
use punktfunk_core::control::{HostMessage, termination};
use punktfunk_dbus::channel::{ToAgent, ToService, message::SourceState};

fn told(reason: u32) -> Heard {
    Heard::Message(HostMessage::Termination { reason })
}

#[test]
fn an_agent_that_lies_ends_its_own_stream_and_no_other() {
    let rig = Rig::new();
    let (mut liar, mut victim) = rig.start_connected(1);
    let (mut honest, client) = rig.start_connected(2);
    honest.key_frame(b"one");
    client.receive_frame();
    liar.lie();
    assert_eq!(victim.hear(), told(termination::FRAME_CONVERSION));
    assert_eq!(victim.hear(), Heard::Disconnected);
    for index in 2..20 {
        honest.frame(b"more", 0);
        assert_eq!(client.receive_frame().index, index);
    }
    // Its registration is gone; the other's is not.
    assert!(rig.agents.for_owner(Uid(1001)).is_none());
    assert!(rig.agents.for_owner(Uid(1002)).is_some());
}

#[test]
fn an_agent_that_dies_ends_the_stream_and_the_client_is_told() {
    let rig = Rig::new();
    let (agent, mut client) = rig.start_connected(1);
    drop(agent);
    assert_eq!(client.hear(), told(termination::NORMAL));
    assert_eq!(client.hear(), Heard::Disconnected);
    rig.wait_until_gone();
}

#[test]
fn an_agent_that_fails_says_why() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    agent.say(&ToService::Failed {
        reason: "the encoder is gone".into(),
    });
    assert_eq!(client.hear(), told(termination::FRAME_CONVERSION));
    assert_eq!(agent.hear_order(), ToAgent::ReleaseAll);
}

#[test]
fn an_agent_that_is_unregistered_ends_its_stream() {
    let rig = Rig::new();
    let (_agent, mut client) = rig.start_connected(1);
    rig.agents.for_owner(Uid(1001)).unwrap().end();
    assert_eq!(client.hear(), told(termination::NORMAL));
    rig.wait_until_gone();
}

#[test]
fn states_are_told_to_those_who_watch() {
    let rig = Rig::new();
    let mut changes = rig.streams.changes();
    let (mut agent, mut client) = rig.start(1);
    let state = || rig.streams.list()[0].state;
    assert_eq!(state(), "waiting for the client");
    client.ping_video(video_ping(1));
    client.connect(connect_data(1));
    assert_eq!(agent.hear(), ToAgent::Idr);
    agent.key_frame(b"x");
    let mut until = |wanted: &str| {
        let waiting = async {
            while state() != wanted {
                changes.changed().await.unwrap();
            }
        };
        rig.runtime
            .block_on(async { timeout(Duration::from_secs(5), waiting).await })
            .expect(wanted);
    };
    until("streaming");
    for (told, state, source) in [
        (SourceState::Locked, "locked", "locked"),
        (SourceState::Paused, "paused", "paused"),
        (SourceState::Suspended, "suspended", "suspended"),
        (SourceState::NoOutput, "no output", "no-output"),
        (SourceState::Capturing, "streaming", "capturing"),
    ] {
        let reason = format!("because of {source}");
        agent.say(&ToService::State {
            state: told,
            reason: reason.clone(),
        });
        until(state);
        let info = rig.streams.list().remove(0);
        assert_eq!((info.source, info.source_reason), (source, reason));
    }
    assert!(
        rig.streams
            .for_client(&ClientId("client1".into()))
            .is_some()
    );
    assert!(
        rig.streams
            .for_client(&ClientId("client2".into()))
            .is_none()
    );
}

#[test]
fn a_bitrate_is_passed_on() {
    let rig = Rig::new();
    let (mut agent, _client) = rig.start_connected(1);
    // 20 Mbit/s less 20 % parity, 96 kbit/s of sound and 500 kbit/s of headers.
    assert_eq!(agent.options.bitrate_kbps, 15_404);
    assert!(rig.streams.set_bitrate(StreamId(1), 5000));
    assert_eq!(agent.hear_order(), ToAgent::Bitrate { kbps: 5000 });
    assert_eq!(rig.streams.list()[0].bitrate_kbps, 5000);
    assert!(!rig.streams.set_bitrate(StreamId(2), 5000));
    assert!(rig.streams.request_keyframe(StreamId(1)));
}

#[test]
fn a_new_stream_of_the_same_client_replaces_the_old_one() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    let (handle, opened) = agent::register(&rig.agents, 2000, false);
    let mut second = setup(2, handle, |_| {});
    let mut launch = Arc::into_inner(second.launch).unwrap();
    launch.client.id = ClientId("client1".into());
    second.launch = Arc::new(launch);
    let streams = Arc::clone(&rig.streams);
    let starting = rig
        .runtime
        .spawn(async move { streams.start(second, &BTreeSet::new()).await });
    assert_eq!(client.hear(), told(termination::NORMAL));
    assert_eq!(client.hear(), Heard::Disconnected);
    assert_eq!(agent.hear_order(), ToAgent::ReleaseAll);
    rig.runtime.block_on(starting).unwrap().unwrap();
    let new_agent = FakeAgent::new(opened.recv().unwrap());
    assert_eq!(new_agent.options.stream, 2);
    assert_eq!(rig.streams.list().len(), 1);
}

#[test]
fn a_shutdown_tells_every_client() {
    let rig = Rig::new();
    let (_agent, mut first) = rig.start_connected(1);
    let (_other_agent, mut second) = rig.start_connected(2);
    let streams = Arc::clone(&rig.streams);
    let ending = rig.runtime.spawn(async move { streams.shutdown().await });
    assert_eq!(first.hear(), told(termination::NORMAL));
    assert_eq!(second.hear(), told(termination::NORMAL));
    assert_eq!(first.hear(), Heard::Disconnected);
    assert_eq!(second.hear(), Heard::Disconnected);
    rig.runtime.block_on(ending).unwrap();
    assert!(rig.streams.list().is_empty());
}

#[test]
fn a_client_that_never_pings_is_given_up() {
    let rig = Rig::impatient(Duration::from_millis(50));
    let (mut agent, _client) = rig.start(1);
    assert_eq!(agent.hear_order(), ToAgent::ReleaseAll);
    assert_eq!(agent.hear_order(), ToAgent::Stop);
    rig.wait_until_gone();
}

#[test]
fn an_agent_that_never_makes_a_frame_is_given_up_and_the_client_told() {
    let rig = Rig::impatient(Duration::from_millis(500));
    let (_agent, mut client) = rig.start_connected(1);
    assert_eq!(client.hear(), told(termination::FRAME_CONVERSION));
}

#[test]
fn one_account_cannot_take_all_streams() {
    let rig = Rig::with(|config| config.streams_per_user = 1);
    let (_agent, _client) = rig.start(1);
    let mut second = setup(2, rig.agents.for_owner(Uid(1001)).unwrap(), |_| {});
    let mut launch = Arc::into_inner(second.launch).unwrap();
    launch.client.owner = Uid(1001);
    second.launch = Arc::new(launch);
    let refused = rig
        .runtime
        .block_on(rig.streams.start(second, &BTreeSet::new()));
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("streams-per-user"), "{text}");
    // Another account's are not counted.
    let _other = rig.start(3);
}
