use super::*;
use punktfunk_dbus::{channel::Violation, open_stream::OpenStream};
use std::os::fd::OwnedFd;

/// Never answers.
struct Silent;
impl StreamSource for Silent {
    fn open_stream(&self, _: OpenStream, _: OwnedFd, _: OwnedFd) -> Opening<'_> {
        Box::pin(std::future::pending())
    }
}

fn info(session: &str, uid: u32, seat: &str, active: bool) -> AgentInfo {
    AgentInfo {
        touch: false,
        session: SessionId(session.into()),
        uid: Uid(uid),
        seat: seat.into(),
        active,
        compositor: "none".into(),
        encoders: vec!["openh264".into()],
        codecs: vec!["h264".into()],
        hdr: punktfunk_core::sdp::Codecs::NONE,
        hdr_sources: Vec::new(),
        chroma_444: punktfunk_core::sdp::Codecs::NONE,
        hdr_chroma_444: punktfunk_core::sdp::Codecs::NONE,
        invalidates_refs: false,
        locked: false,
        greeter: false,
        version: "1".into(),
    }
}

fn admit(agents: &Agents, info: AgentInfo) -> Result<AgentHandle, AdmitError> {
    agents.admit(info, Arc::new(Silent))
}

#[test]
fn a_second_agent_of_the_same_session_is_refused() {
    let agents = Agents::new();
    let first = admit(&agents, info("c1", 1000, "", true)).unwrap();
    let refused = admit(&agents, info("c1", 1000, "", true)).unwrap_err();
    assert_eq!(refused, AdmitError::Exists(SessionId("c1".into())));
    first.end();
    assert!(admit(&agents, info("c1", 1000, "", true)).is_ok());
}

#[test]
fn the_end_of_an_old_agent_does_not_touch_its_successor() {
    let agents = Agents::new();
    let old = admit(&agents, info("c1", 1000, "", true)).unwrap();
    old.end();
    let new = admit(&agents, info("c1", 1000, "", true)).unwrap();
    old.end();
    assert_eq!(agents.of_session(&SessionId("c1".into())), Some(new));
}

#[test]
fn an_account_has_at_most_four_agents() {
    let agents = Agents::new();
    for number in 0..MAX_PER_UID {
        admit(&agents, info(&number.to_string(), 1000, "", true)).unwrap();
    }
    let fifth = admit(&agents, info("x", 1000, "", true)).unwrap_err();
    assert_eq!(fifth, AdmitError::TooManyOfUser);
    assert!(admit(&agents, info("y", 1001, "", true)).is_ok());
}

#[test]
fn the_session_in_front_is_preferred_then_a_headless_one() {
    let agents = Agents::new();
    let away = admit(&agents, info("a-away", 1000, "seat0", false)).unwrap();
    assert_eq!(agents.for_owner(Uid(1000)), Some(away.clone()));
    let headless = admit(&agents, info("b-headless", 1000, "", true)).unwrap();
    assert_eq!(agents.for_owner(Uid(1000)), Some(headless));
    away.update(|info| info.active = true);
    assert_eq!(agents.for_owner(Uid(1000)), Some(away));
    assert_eq!(agents.for_owner(Uid(1001)), None, "never another user's");
}

#[tokio::test]
async fn a_violation_drops_the_agent_and_refuses_its_account_for_a_while() {
    let agents = Agents::new();
    let liar = admit(&agents, info("c1", 1000, "", true)).unwrap();
    let neighbour = admit(&agents, info("c2", 1001, "", true)).unwrap();
    let mut changes = agents.changes();
    changes.mark_unchanged();
    liar.violation(Violation::SlotAnnouncedTwice(1));
    liar.gone().await;
    assert!(changes.has_changed().unwrap());
    assert_eq!(agents.for_owner(Uid(1000)), None);
    assert!(matches!(
        admit(&agents, info("c1", 1000, "", true)),
        Err(AdmitError::Penalised(_))
    ));
    assert_eq!(agents.for_owner(Uid(1001)), Some(neighbour));
}

#[tokio::test]
async fn a_stream_asked_of_an_agent_that_goes_away_fails_at_once() {
    let agents = Agents::new();
    let handle = admit(&agents, info("c1", 1000, "", true)).unwrap();
    let null = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let options = OpenStream {
        stream: 1,
        width: 64,
        height: 64,
        fps: 30,
        codec: "h264".into(),
        bitrate_kbps: 1000,
        slots: 4,
        slot_size: 4096,
        audio_channels: 2,
        audio_packet_ms: 5,
        audio_bitrate_kbps: 96,
        audio_high_quality: false,
        source: "auto".into(),
        compositor: "auto".into(),
        play_on_host: false,
        csc_mode: 0,
        slices: 1,
        app: 0,
        fps_x100: 6000,
        hdr: false,
        chroma_444: false,
        max_reference_frames: 0,
        lock_screen: None,
        outputs: None,
        frame_parts: None,
    };
    let asked = handle.open_stream(options, null(), null());
    handle.end();
    assert!(matches!(asked.await, Err(AgentError::Gone)));
}

#[test]
fn only_real_changes_of_a_session_are_announced() {
    let agents = Agents::new();
    let handle = admit(&agents, info("c1", 1000, "seat0", true)).unwrap();
    let mut changes = agents.changes();
    changes.mark_unchanged();
    handle.update(|info| info.active = true);
    assert!(!changes.has_changed().unwrap());
    handle.update(|info| info.locked = true);
    assert!(changes.has_changed().unwrap());
}
