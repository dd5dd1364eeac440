#![allow(clippy::arithmetic_side_effects, reason = "test data")]
use super::*;
use crate::{
    agents::{AgentError, AgentInfo, Agents, Opening, StreamSource},
    config::Encryption,
    ids::{SessionId, Uid},
};
use punktfunk_core::sdp::{Codec, Codecs, Offer};
use punktfunk_dbus::applications::DESKTOP;
use punktfunk_dbus::open_stream::OpenStream;
use std::os::fd::OwnedFd;

/// A source that gives HDR.
const SOURCE: &str = "bright";

struct Nothing;
impl StreamSource for Nothing {
    fn open_stream(&self, _: OpenStream, _: OwnedFd, _: OwnedFd) -> Opening<'_> {
        Box::pin(async { Err(AgentError::Gone) })
    }
}

fn info(codecs: &[&str]) -> AgentInfo {
    AgentInfo {
        touch: false,
        session: SessionId("c1".into()),
        uid: Uid(1),
        seat: String::new(),
        compositor: String::new(),
        encoders: Vec::new(),
        codecs: codecs.iter().map(|&codec| codec.to_owned()).collect(),
        hdr: Codecs::NONE,
        hdr_sources: Vec::new(),
        chroma_444: Codecs::NONE,
        hdr_chroma_444: Codecs::NONE,
        invalidates_refs: false,
        active: true,
        locked: false,
        greeter: false,
        version: String::new(),
    }
}

fn request(client: &str, sealed: bool) -> LaunchRequest {
    let agent = Agents::new()
        .admit(info(&["h264"]), Arc::new(Nothing))
        .unwrap();
    let client = ClientRecord {
        id: ClientId(client.into()),
        name: client.into(),
        certificate_der: Vec::new(),
        owner: Uid(1),
        paired_at: 0,
        last_seen: 0,
        permissions: Vec::new(),
        terms: crate::store::Terms::default(),
    };
    let peer = IpAddr::from([10, 0, 0, 1]);
    LaunchRequest {
        client,
        agent,
        app: DESKTOP,
        key: Key([1; 16]),
        key_id: 0,
        peer,
        local: peer,
        play_on_host: false,
        sealed,
    }
}

#[test]
fn an_unused_launch_expires_and_its_app_stays_running() {
    let launches = Launches::new();
    let launch = launches.create(request("a", false)).unwrap();
    let negotiation = launches.by_source(launch.peer, None).unwrap();
    let now = Instant::now();
    assert!(!negotiation.unused_since(now, UNUSED_LIMIT));
    assert!(negotiation.unused_since(now + UNUSED_LIMIT + Duration::from_secs(1), UNUSED_LIMIT));
    launches.expire(now + UNUSED_LIMIT + Duration::from_secs(1));
    assert!(matches!(
        launches.by_source(launch.peer, None),
        Err(SourceError::Unknown)
    ));
    assert!(!launches.is_current(&launch));
    assert_eq!(launches.running_app(&launch.client.id), DESKTOP);
}

#[test]
fn a_launch_whose_agent_is_being_asked_does_not_expire_and_starts_once() {
    let launches = Launches::new();
    let launch = launches.create(request("a", false)).unwrap();
    let negotiation = launches.by_source(launch.peer, None).unwrap();
    assert!(negotiation.begin_start() && !negotiation.begin_start());
    launches.expire(Instant::now() + Duration::from_secs(3600));
    assert!(launches.is_current(&launch));
    negotiation.end_start(true);
    assert!(negotiation.started() && !negotiation.begin_start());
    launches.finish(&launch);
    assert!(matches!(
        launches.by_source(launch.peer, None),
        Err(SourceError::Unknown)
    ));
}

#[test]
fn every_launch_has_fresh_secrets_and_a_number_of_its_own() {
    let launches = Launches::new();
    let one = launches.create(request("a", true)).unwrap();
    let two = launches.create(request("b", true)).unwrap();
    let all = [
        one.video_ping,
        one.audio_ping,
        two.video_ping,
        two.audio_ping,
    ];
    for (i, ping) in all.iter().enumerate() {
        assert!(ping.iter().all(u8::is_ascii_alphanumeric));
        assert!(!all[i + 1..].contains(ping));
    }
    assert!(one.connect_data != two.connect_data && one.connect_data != 0);
    assert!(one.stream != two.stream);
    assert_ne!(launches.next_sequence(), launches.next_sequence());
}

#[test]
fn the_offer_follows_the_agent_and_the_policy() {
    let mask =
        |codecs: &[&str]| codec_mask(&offer_for(Some(&info(codecs)), Encryption::Offered, SOURCE));
    assert_eq!(codec_mask(&offer_for(None, Encryption::Offered, SOURCE)), 1);
    assert_eq!(mask(&[]), 1);
    assert_eq!(mask(&["h264", "h265"]), 0x101);
    assert_eq!(mask(&["av1", "h265", "vp9"]), 0x1_0101);
    let deep = |hdr: &[Codec], chroma: &[Codec]| {
        let mut info = info(&["h264", "h265", "av1"]);
        info.hdr_sources = vec!["other".into(), SOURCE.into()];
        (info.hdr, info.chroma_444) = (
            hdr.iter().copied().collect(),
            chroma.iter().copied().collect(),
        );
        info.hdr_chroma_444 = info.hdr;
        codec_mask(&offer_for(Some(&info), Encryption::Offered, SOURCE))
    };
    assert_eq!(deep(&[Codec::Hevc], &[]), 0x1_0301);
    assert_eq!(deep(&[Codec::Av1], &[Codec::H264]), 0x7_0101);
    let (both, all) = (
        [Codec::Hevc, Codec::Av1],
        [Codec::H264, Codec::Hevc, Codec::Av1],
    );
    assert_eq!(deep(&both, &all), 0x7f_0301);
    // Each alone is not both at once.
    let mut apart = info(&["h264", "h265", "av1"]);
    apart.hdr_sources = vec![SOURCE.into()];
    (apart.hdr, apart.chroma_444) = (both.into_iter().collect(), all.into_iter().collect());
    apart.hdr_chroma_444 = [Codec::Av1].into_iter().collect();
    let offer = offer_for(Some(&apart), Encryption::Offered, SOURCE);
    assert_eq!(codec_mask(&offer), 0x6f_0301);
    // Depth without a source of HDR is granted and not told of.
    let mut dim = info(&["h264", "h265", "av1"]);
    dim.hdr = both.into_iter().collect();
    dim.hdr_sources = vec![SOURCE.into()];
    let offer = offer_for(Some(&dim), Encryption::Offered, "auto");
    assert_eq!((codec_mask(&offer), offer.ten_bit), (0x1_0101, dim.hdr));
    // Depth without the codec is nothing.
    let mut shallow = info(&["h264"]);
    shallow.hdr_sources = vec![SOURCE.into()];
    shallow.hdr = both.into_iter().collect();
    shallow.chroma_444 = [Codec::Hevc].into_iter().collect();
    assert_eq!(
        codec_mask(&offer_for(Some(&shallow), Encryption::Offered, SOURCE)),
        1
    );
    for invalidates_refs in [false, true] {
        let mut info = info(&["h264"]);
        info.invalidates_refs = invalidates_refs;
        let offer = offer_for(Some(&info), Encryption::Offered, SOURCE);
        assert_eq!(offer.invalidates_refs, invalidates_refs);
    }
    assert!(!offer_for(None, Encryption::Offered, SOURCE).invalidates_refs);
    let policy = |encryption| {
        let Offer {
            encryption_supported,
            encryption_required,
            ..
        } = offer_for(None, encryption, SOURCE);
        (encryption_supported, encryption_required)
    };
    assert_eq!(policy(Encryption::Off), (1, 1));
    assert_eq!(policy(Encryption::Offered), (7, 1));
    assert_eq!(policy(Encryption::Required), (7, 7));
}

#[test]
fn an_app_whose_launch_nobody_took_up_is_not_running_and_a_resumed_one_is() {
    let launches = Launches::new();
    let later = || Instant::now() + UNUSED_LIMIT + Duration::from_secs(1);
    let launch = || {
        let mut request = request("a", true);
        request.app = 5;
        launches.create(request).unwrap()
    };
    let client = launch().client.id.clone();
    assert_eq!(launches.running_app(&client), 5);
    launches.expire(later());
    assert_eq!(launches.running_app(&client), 0);
    // Once its stream was opened it runs, and a resume that comes to nothing does not change that.
    launches.begun(&launch());
    launches.expire(later());
    launch();
    launches.expire(later());
    assert_eq!(launches.running_app(&client), 5);
}

#[test]
fn touch_is_asked_for_only_where_the_agent_can_pass_it_on() {
    let flags =
        |agent: Option<&AgentInfo>| offer_for(agent, Encryption::Offered, SOURCE).feature_flags;
    assert_eq!(flags(None), 0);
    assert_eq!(flags(Some(&info(&["h264"]))), 0);
    let touch = AgentInfo {
        touch: true,
        ..info(&["h264"])
    };
    assert_eq!(flags(Some(&touch)), 1);
}

#[test]
fn what_was_running_is_resumed_after_a_restart_once_its_session_is_back() {
    let directory = std::env::temp_dir().join(format!("punktfunk-kept-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&directory).unwrap();
    let launches = Launches::kept_in(&directory);
    for (name, app) in [("desk", DESKTOP), ("game", 7), ("left", 8)] {
        let request = LaunchRequest {
            app,
            ..request(name, true)
        };
        launches.create(request).unwrap();
    }
    launches.cancel(&ClientId("left".into()));
    drop(launches);

    let next = Launches::kept_in(&directory);
    let running = |name: &str| next.running_app(&ClientId(name.into()));
    assert_eq!(running("desk"), 0, "nobody has said so yet");
    let agents = Agents::new();
    let agent_of = |session: &str, uid| {
        let info = AgentInfo {
            session: SessionId(session.into()),
            uid: Uid(uid),
            ..info(&["h264"])
        };
        agents.admit(info, Arc::new(Nothing)).unwrap()
    };
    assert!(next.adopt(&agent_of("c1b", 2)).is_empty());
    assert_eq!(running("game"), 0, "another user's session");
    // The desktop is in any of its user's sessions, an application in its own.
    assert!(next.adopt(&agent_of("c5", 1)).is_empty());
    assert_eq!((running("desk"), running("game")), (DESKTOP, 0));
    let asked = next.adopt(&agent_of("c1", 1));
    assert_eq!(asked.len(), 1, "whether it still runs has to be asked");
    assert_eq!((asked[0].1.app, asked[0].1.begun), (7, true));
    assert_eq!((running("game"), running("left")), (7, 0));
    std::fs::write(directory.join("running.json"), "{\"desk\":").unwrap();
    drop(Launches::kept_in(&directory));
    std::fs::remove_dir_all(directory).unwrap();
}
