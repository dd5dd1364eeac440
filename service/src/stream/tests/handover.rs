//! A stream outlives the session that it shows: the client keeps its connection and its counters, and never sees anybody
//! else's session.
use super::*;
use crate::{agents::AgentInfo, stream::tests::agent::register_as};
use client::Heard;
use control::key_press;
use punktfunk_core::{
    control::{ClientMessage, HdrMetadata, HostMessage, termination},
    input::InputEvent,
};
use punktfunk_dbus::channel::{ToAgent, ToService};

/// Far beyond what a hand-over takes here.
const HOLD: Duration = Duration::from_secs(30);

fn rig() -> Rig {
    Rig::with(|config| config.hold = HOLD)
}

impl Rig {
    fn until(&self, holds: impl Fn(&StreamInfo) -> bool) {
        let mut changes = self.streams.changes();
        let waiting = async {
            while !self.streams.list().first().is_some_and(&holds) {
                changes.changed().await.unwrap();
            }
        };
        let waited = async { timeout(HOLD, waiting).await };
        let list = || format!("{:?}", self.streams.list());
        self.runtime
            .block_on(waited)
            .unwrap_or_else(|_| panic!("{}", list()));
    }

    fn shows(&self, session: &str) {
        self.until(|info| info.session == session && info.state != "held");
    }

    /// As `start_connected`, of a desktop, with an agent that is described.
    fn desktop(&self, uid: u32, session: &str, greeter: bool) -> (FakeAgent, Client) {
        let described = |info: &mut AgentInfo| info.greeter = greeter;
        self.desktop_of(uid, session, described, |_| {})
    }

    fn desktop_of(
        &self,
        uid: u32,
        session: &str,
        describe: impl FnOnce(&mut AgentInfo),
        wish: impl FnOnce(&mut StreamParams),
    ) -> (FakeAgent, Client) {
        let mut greeter = false;
        let (handle, opened) = register_as(&self.agents, uid, session, |info| {
            describe(info);
            info.seat = "seat0".into();
            greeter = info.greeter;
        });
        let mut setup = setup(1, handle, wish);
        let mut launch = Arc::into_inner(setup.launch).unwrap();
        launch.app = punktfunk_dbus::applications::DESKTOP;
        launch.client.terms.greeter = greeter;
        setup.launch = Arc::new(launch);
        let key = setup.launch.key.clone();
        self.runtime
            .block_on(self.streams.start(setup, &BTreeSet::new()))
            .unwrap();
        let mut agent = FakeAgent::new(opened.recv().unwrap());
        let mut client = Client::new(self.ports, &key);
        client.ping_video(video_ping(1));
        client.connect(connect_data(1));
        assert_eq!(agent.hear(), ToAgent::Idr);
        (agent, client)
    }
}

#[test]
fn another_session_of_the_owner_takes_over_and_the_frames_go_on_counting() {
    let rig = rig();
    let (mut first, client) = rig.desktop(1001, "c1", false);
    first.key_frame(b"one");
    first.frame(b"two", 0);
    assert_eq!(client.receive_frame().index, 1);
    assert_eq!(client.receive_frame().index, 2);
    rig.agents.for_owner(Uid(1001)).unwrap().end();
    drop(first);
    rig.until(|info| info.state == "held");
    assert_eq!(rig.streams.list()[0].source, "none");
    let (_handle, opened) = register_as(&rig.agents, 1001, "c2", |_| {});
    let mut second = FakeAgent::new(opened.recv_timeout(HOLD).unwrap());
    rig.shows("c2");
    assert_eq!(
        second.hear_order(),
        ToAgent::Idr,
        "the client is still there"
    );
    // Nothing before a key frame.
    second.frame(b"predicted", 0);
    second.key_frame(b"three");
    let frame = client.receive_frame();
    assert_eq!(frame.index, 3);
    assert_eq!(rig.figure(1, "hand_overs"), 1);
}

#[test]
fn the_next_session_is_asked_for_no_more_than_the_streams_share() {
    let rig = Rig::with(|config| {
        config.hold = HOLD;
        config.max_total_bitrate_mbit = 10;
    });
    let (first, _client) = rig.desktop(1001, "c1", false);
    // 10 Mbit/s less 20 % parity, 96 kbit/s of sound and 500 kbit/s of headers.
    assert_eq!(first.options.bitrate_kbps, 7404);
    rig.agents.for_owner(Uid(1001)).unwrap().end();
    drop(first);
    rig.until(|info| info.state == "held");
    let (_handle, opened) = register_as(&rig.agents, 1001, "c1", |_| {});
    let again = FakeAgent::new(opened.recv_timeout(HOLD).unwrap());
    assert_eq!(again.options.bitrate_kbps, 7404);
}

#[test]
fn an_agent_that_is_started_anew_is_taken_back() {
    let rig = rig();
    let (first, _client) = rig.desktop(1001, "c1", false);
    rig.agents.for_owner(Uid(1001)).unwrap().end();
    drop(first);
    rig.until(|info| info.state == "held");
    let (_handle, opened) = register_as(&rig.agents, 1001, "c1", |_| {});
    let mut again = FakeAgent::new(opened.recv_timeout(HOLD).unwrap());
    assert_eq!(again.hear_order(), ToAgent::Idr);
    assert_eq!(again.options.width, 1280);
}

#[test]
fn a_stream_is_never_handed_to_another_users_session() {
    let rig = Rig::with(|config| config.hold = Duration::from_millis(300));
    let (first, mut client) = rig.desktop(1001, "c1", false);
    let (_other, opened) = register_as(&rig.agents, 1002, "c2", |info| info.seat = "seat0".into());
    let (_screen, greeted) = register_as(&rig.agents, 990, "c3", |info| {
        (info.greeter, info.seat) = (true, "seat0".into());
    });
    rig.agents.for_owner(Uid(1001)).unwrap().end();
    drop(first);
    assert_eq!(
        client.hear(),
        Heard::Message(HostMessage::Termination {
            reason: termination::NORMAL
        })
    );
    rig.wait_until_gone();
    assert!(opened.try_recv().is_err(), "another user was asked");
    assert!(greeted.try_recv().is_err(), "a log-in screen was asked");
}

#[test]
fn a_log_in_screen_gives_way_to_the_session_of_the_clients_owner_alone() {
    let rig = rig();
    let (mut screen, _client) = rig.desktop(990, "c9", true);
    let (_bob, bobs) = register_as(&rig.agents, 1002, "c2", |info| info.seat = "seat0".into());
    let (_alice, alices) = register_as(&rig.agents, 1001, "c1", |_| {});
    let mut session = FakeAgent::new(alices.recv_timeout(HOLD).unwrap());
    rig.shows("c1");
    assert_eq!(session.hear_order(), ToAgent::Idr);
    // The log-in screen is let go of: nothing stays pressed there.
    assert_eq!(screen.hear_order(), ToAgent::ReleaseAll);
    assert_eq!(screen.hear_order(), ToAgent::Stop);
    assert!(bobs.try_recv().is_err());
    assert_eq!(rig.streams.list()[0].user, Uid(1001));
}

#[test]
fn a_client_that_may_watch_log_in_screens_no_more_does_not() {
    let rig = rig();
    let (_screen, mut client) = rig.desktop(990, "c9", true);
    rig.streams.set_greeter(&ClientId("client1".into()), false);
    assert_eq!(
        client.hear(),
        Heard::Message(HostMessage::Termination {
            reason: termination::NORMAL
        })
    );
}

#[test]
fn a_session_that_comes_to_the_front_of_a_seat_is_preferred_and_one_that_leaves_it_is_kept() {
    let rig = rig();
    let (_first, _client) = rig.desktop(1001, "c1", false);
    let shown = rig.agents.for_owner(Uid(1001)).unwrap();
    shown.update(|info| info.seat = String::new());
    let (seated, opened) = register_as(&rig.agents, 1001, "c2", |info| {
        (info.seat, info.active) = ("seat0".into(), false);
    });
    assert_eq!(rig.streams.list()[0].session, "c1");
    seated.update(|info| info.active = true);
    let _second = FakeAgent::new(opened.recv_timeout(HOLD).unwrap());
    rig.shows("c2");
    seated.update(|info| info.active = false);
    seated.update(|info| info.locked = true);
    assert_eq!(rig.streams.list()[0].session, "c2");
    assert_eq!(rig.figure(1, "hand_overs"), 1);
}

#[test]
fn a_session_that_cannot_go_on_with_the_codec_ends_the_stream_and_says_so() {
    let rig = rig();
    let (first, mut client) = rig.desktop(1001, "c1", false);
    let (_handle, opened) = register_as(&rig.agents, 1001, "c2", |info| {
        info.codecs = vec!["h265".into()];
    });
    rig.agents
        .of_session(&crate::ids::SessionId("c1".into()))
        .unwrap()
        .end();
    drop(first);
    assert_eq!(
        client.hear(),
        Heard::Message(HostMessage::Termination {
            reason: termination::FRAME_CONVERSION
        })
    );
    assert!(opened.try_recv().is_err());
}

/// HEVC with 10 bits, HDR where there are `sources` of it.
fn deep(info: &mut AgentInfo, sources: &[&str]) {
    info.codecs = vec!["h264".into(), "h265".into()];
    info.hdr = [Codec::Hevc].into_iter().collect();
    info.hdr_sources = sources.iter().map(|&name| name.to_owned()).collect();
}

fn in_hdr(params: &mut StreamParams) {
    params.codec = Codec::Hevc;
    (params.hdr, params.hdr_asked) = (true, true);
}

fn hdr(enabled: bool, max_display: u16) -> (ToService, Heard) {
    let metadata = HdrMetadata {
        max_display,
        ..HdrMetadata::default()
    };
    let told = HostMessage::Hdr { enabled, metadata };
    (ToService::Hdr { enabled, metadata }, Heard::Message(told))
}

#[test]
fn an_hdr_stream_goes_on_in_sdr_where_the_next_session_has_ten_bits_alone_and_comes_back() {
    let rig = rig();
    let (first, mut client) = rig.desktop_of(1001, "c1", |info| deep(info, &["fake"]), in_hdr);
    assert_eq!(client.hear(), hdr(true, 0).1);
    let end = |session: &str| {
        let session = crate::ids::SessionId(session.into());
        rig.agents.of_session(&session).unwrap().end();
    };
    end("c1");
    drop(first);
    let (_handle, opened) = register_as(&rig.agents, 1001, "c2", |info| deep(info, &[]));
    let second = FakeAgent::new(opened.recv_timeout(HOLD).unwrap());
    // what the client's decoder was made for
    assert!(second.options.hdr && second.options.codec == "h265");
    assert_eq!(client.hear(), hdr(false, 0).1);
    rig.shows("c2");
    end("c2");
    drop(second);
    let (_handle, opened) = register_as(&rig.agents, 1001, "c3", |info| deep(info, &["fake"]));
    let third = FakeAgent::new(opened.recv_timeout(HOLD).unwrap());
    let (says, told) = hdr(true, 700);
    third.say(&says);
    assert_eq!(client.hear(), told);
    rig.shows("c3");
    assert_eq!(rig.figure(1, "hand_overs"), 2);
}

#[test]
fn an_hdr_stream_ends_where_the_next_session_has_no_ten_bits() {
    let rig = rig();
    let (first, mut client) = rig.desktop_of(1001, "c1", |info| deep(info, &["fake"]), in_hdr);
    assert_eq!(client.hear(), hdr(true, 0).1);
    let (_handle, opened) = register_as(&rig.agents, 1001, "c2", |info| {
        deep(info, &["fake"]);
        info.hdr = punktfunk_core::sdp::Codecs::NONE;
    });
    let session = crate::ids::SessionId("c1".into());
    rig.agents.of_session(&session).unwrap().end();
    drop(first);
    let reason = termination::FRAME_CONVERSION;
    assert_eq!(
        client.hear(),
        Heard::Message(HostMessage::Termination { reason })
    );
    assert!(opened.try_recv().is_err());
}

#[test]
fn an_encoder_of_another_profile_ends_the_stream() {
    let rig = rig();
    let (mut first, mut client) = rig.desktop(1001, "c1", false);
    first.key_frame(b"one");
    client.receive_frame();
    rig.agents.for_owner(Uid(1001)).unwrap().end();
    drop(first);
    let (_handle, opened) = register_as(&rig.agents, 1001, "c2", |_| {});
    let mut second = FakeAgent::new(opened.recv_timeout(HOLD).unwrap());
    assert_eq!(second.hear_order(), ToAgent::Idr);
    let mut high = agent::KEY_HEAD.to_vec();
    high[5] = 100;
    second.unit(&high, punktfunk_dbus::channel::message::FRAME_KEY);
    assert_eq!(
        client.hear(),
        Heard::Message(HostMessage::Termination {
            reason: termination::FRAME_CONVERSION
        })
    );
}

#[test]
fn an_application_lives_in_its_own_session_alone() {
    let rig = Rig::with(|config| config.hold = Duration::from_millis(300));
    let (agent, mut client) = rig.start_connected(1);
    // The setup's application is 1; the desktop is another number.
    assert_ne!(1, punktfunk_dbus::applications::DESKTOP);
    let (_handle, opened) = register_as(&rig.agents, 1001, "c2", |_| {});
    rig.agents
        .of_session(&crate::ids::SessionId("c1001".into()))
        .unwrap()
        .end();
    drop(agent);
    assert_eq!(
        client.hear(),
        Heard::Message(HostMessage::Termination {
            reason: termination::NORMAL
        })
    );
    assert!(opened.try_recv().is_err());
}

#[test]
fn what_is_typed_for_one_session_never_reaches_the_next() {
    let rig = rig();
    let (mut screen, mut client) = rig.desktop(990, "c9", true);
    let mut press = |code| {
        client.say(&ClientMessage::Input(&key_press(code).encode()));
    };
    press(65);
    // What is still on its way when the session changes belongs to whichever is shown when it arrives.
    assert_eq!(typed(&mut screen), key_press(65));
    let (_alice, alices) = register_as(&rig.agents, 1001, "c1", |_| {});
    let mut session = FakeAgent::new(alices.recv_timeout(HOLD).unwrap());
    rig.shows("c1");
    drop(screen);
    press(66);
    assert_eq!(typed(&mut session), key_press(66));
}

/// The next input that an agent is given.
fn typed(agent: &mut FakeAgent) -> InputEvent {
    loop {
        match agent.hear_order() {
            ToAgent::Input(event) => return event,
            ToAgent::Idr | ToAgent::Release(_) => {}
            other => panic!("{other:?}"),
        }
    }
}
