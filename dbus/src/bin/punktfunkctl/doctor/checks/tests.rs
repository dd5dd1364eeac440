//! A healthy machine has nothing to mend; each fault is found by its own check and comes with a remedy.
use super::{super::Verdict, *};
use crate::{
    doctor::{PadNode, desktop::Desktop, listening::Listening},
    failure::{Failure, FailureKind},
    snapshot::{Account, Agent, Host, Snapshot},
};
use punktfunk_dbus::encoder_speeds::Measured;
use std::collections::BTreeMap;

fn healthy() -> Facts {
    let ports = [
        ("http", 47989),
        ("https", 47984),
        ("rtsp", 48010),
        ("video", 47998),
        ("control", 47999),
        ("audio", 48000),
    ];
    let host = Host {
        version: "0.1.0".into(),
        host_name: "den".into(),
        unique_id: "0123456789abcdef".into(),
        fingerprint: "00".into(),
        ports: ports.map(|(name, port)| (name.to_owned(), port)).into(),
        encryption: ["lan", "wan"]
            .map(|network| (network.into(), "offered".into()))
            .into(),
        pairing_window_open: false,
        client_count: 0,
        agent_count: 1,
        stream_count: 0,
    };
    let agent = Agent {
        user: Account {
            uid: 1000,
            name: None,
        },
        session: "2".into(),
        seat: "seat0".into(),
        compositor: "mutter".into(),
        encoders: vec!["nvenc".into(), "openh264".into()],
        codecs: vec!["h264".into()],
    };
    Facts {
        private_bus: false,
        bus: Ok(()),
        service: true,
        unit: Some("enabled".into()),
        snapshot: Some(Ok(Snapshot {
            host,
            pairings: Vec::new(),
            clients: Vec::new(),
            agents: vec![agent],
            streams: Vec::new(),
        })),
        service_user: true,
        polkit: true,
        action_file: Some("/a".into()),
        bus_policy: Some("/b".into()),
        avahi: true,
        uid: 1000,
        session: Some("2".into()),
        pipewire: Some("/run/user/1000/pipewire-0".into()),
        pipewire_present: true,
        desktop: Desktop {
            name: "gnome".into(),
            session_manager: true,
            kwin: None,
            kwin_grant: None,
            screen_cast: None,
            globals: None,
            wants_gamescope: None,
            gamescope: None,
            gamescope_help: None,
            gamescope_runs: false,
        },
        settings: [
            ("desktop.outputs", "extend"),
            ("video.source", "auto"),
            ("video.compositor", "auto"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into(),
        locked: Some(false),
        listening: Some(Listening {
            tcp: [47989, 47984, 48010].into(),
            udp: [47998, 47999, 48000].into(),
        }),
        wmem_max: Some(4 << 20),
        uinput: PadNode::Open,
        uhid: PadNode::Open,
        pad_rules: Some("/c".into()),
        speeds: BTreeMap::new(),
    }
}

fn snapshot(facts: &mut Facts) -> &mut Snapshot {
    facts.snapshot.as_mut().unwrap().as_mut().unwrap()
}

/// Checks that are neither ok nor skipped.
fn complaints(facts: &Facts) -> BTreeMap<&'static str, Verdict> {
    let findings = ALL.iter().map(|check| check(facts));
    let bad = findings.filter(|f| matches!(f.verdict, Verdict::Warn | Verdict::Fail));
    bad.map(|finding| {
        assert!(
            finding.remedy.is_some_and(|remedy| !remedy.is_empty()),
            "{}",
            finding.check
        );
        (finding.check, finding.verdict)
    })
    .collect()
}

#[test]
fn a_healthy_machine_has_nothing_to_mend() {
    assert_eq!(complaints(&healthy()), BTreeMap::new());
}

#[test]
fn each_fault_is_found_by_its_own_check_alone() {
    type Break = fn(&mut Facts);
    let faults: [(&str, Verdict, Break); 21] = [
        ("bus policy", Verdict::Fail, |f| f.bus_policy = None),
        ("account", Verdict::Fail, |f| f.service_user = false),
        ("unit", Verdict::Warn, |f| f.unit = Some("disabled".into())),
        ("unit", Verdict::Fail, |f| f.unit = Some("masked".into())),
        ("polkit", Verdict::Fail, |f| f.polkit = false),
        ("actions", Verdict::Fail, |f| f.action_file = None),
        ("ports", Verdict::Fail, |f| {
            f.listening.as_mut().unwrap().udp.remove(&48000);
        }),
        ("send buffer", Verdict::Warn, |f| f.wmem_max = Some(212_992)),
        ("gamepads", Verdict::Warn, |f| f.uinput = PadNode::Missing),
        ("gamepads", Verdict::Warn, |f| f.uhid = PadNode::Closed),
        ("gamepads", Verdict::Warn, |f| f.pad_rules = None),
        ("agent", Verdict::Fail, |f| {
            snapshot(f).agents[0].user.uid = 1001
        }),
        ("PipeWire", Verdict::Warn, |f| f.pipewire_present = false),
        ("WirePlumber", Verdict::Warn, |f| {
            f.desktop.session_manager = false
        }),
        ("capture", Verdict::Fail, |f| {
            snapshot(f).agents[0].compositor = "kde".into()
        }),
        ("capture", Verdict::Fail, |f| {
            snapshot(f).agents[0].compositor = "hyprland".into()
        }),
        ("lock", Verdict::Warn, |f| f.locked = Some(true)),
        ("outputs", Verdict::Fail, |f| {
            f.settings
                .insert("desktop.outputs".into(), "exclusive".into());
        }),
        ("gamescope", Verdict::Fail, |f| {
            f.desktop.wants_gamescope = Some("/home/u/.config/punktfunk/apps.toml".into())
        }),
        ("encoders", Verdict::Fail, |f| {
            snapshot(f).agents[0].encoders.clear()
        }),
        ("codecs", Verdict::Warn, |f| {
            snapshot(f).agents[0].codecs.clear()
        }),
    ];
    for (check, verdict, fault) in faults {
        let mut facts = healthy();
        fault(&mut facts);
        assert_eq!(complaints(&facts), BTreeMap::from([(check, verdict)]));
    }
}

#[test]
fn without_a_bus_only_the_bus_and_what_needs_none_is_judged() {
    let mut facts = healthy();
    facts.bus = Err(Failure::new(FailureKind::NoBus, "no").with_remedy("start it"));
    (facts.service, facts.snapshot, facts.unit, facts.polkit) = (false, None, None, false);
    let found = complaints(&facts);
    assert_eq!(found.get("message bus"), Some(&Verdict::Fail));
    assert_eq!(found.get("service"), None);
    assert_eq!(found.get("polkit"), None);
    assert_eq!(found.get("agent"), None);
}

#[test]
fn a_stopped_service_is_one_failure_and_not_a_row_of_them() {
    let mut facts = healthy();
    (facts.service, facts.snapshot) = (false, None);
    assert_eq!(
        complaints(&facts),
        BTreeMap::from([("service", Verdict::Fail)])
    );
}

#[test]
fn what_is_granted_or_installed_is_no_complaint_any_more() {
    let mut facts = healthy();
    snapshot(&mut facts).agents[0].compositor = "kde".into();
    facts.desktop.kwin_grant = Some("/g".into());
    assert_eq!(complaints(&facts), BTreeMap::new());
    snapshot(&mut facts).agents[0].compositor = "hyprland".into();
    facts.desktop.screen_cast = Some(5);
    facts.desktop.wants_gamescope = Some("/a".into());
    facts.desktop.gamescope = Some("/usr/games/gamescope".into());
    facts.desktop.gamescope_help = Some("  --backend  rendering backend\n    headless\n".into());
    assert_eq!(complaints(&facts), BTreeMap::new());
    // an agent that was started before its desktop does not know it; then the caller's own counts
    snapshot(&mut facts).agents[0].compositor = "unknown".into();
    assert_eq!(complaints(&facts), BTreeMap::new());
}

#[test]
fn a_portal_that_the_configuration_asks_for_is_missed_on_any_desktop() {
    for key in ["video.source", "video.compositor"] {
        let mut facts = healthy();
        snapshot(&mut facts).agents[0].compositor = "sway".into();
        assert_eq!(desktop::capture(&facts).verdict, Verdict::Ok);
        facts.settings.insert(key.into(), "portal".into());
        let text = format!("{:?}", desktop::capture(&facts));
        assert!(text.contains("config reset"), "{text}");
        assert_eq!(desktop::capture(&facts).verdict, Verdict::Fail);
        facts.desktop.screen_cast = Some(5);
        assert_eq!(desktop::capture(&facts).verdict, Verdict::Ok);
    }
}

#[test]
fn a_gamescope_that_needs_a_window_is_named_with_its_version() {
    let mut facts = healthy();
    facts.desktop.wants_gamescope = Some("/a".into());
    facts.desktop.gamescope = Some("/usr/games/gamescope".into());
    // one that says nothing cannot be started either
    assert_eq!(complaints(&facts).get("gamescope"), Some(&Verdict::Fail));
    facts.desktop.gamescope_help = Some("gamescope version 3.11.49\n  -W, --output-width\n".into());
    let text = format!("{:?}", desktop::gamescope(&facts));
    assert!(
        text.contains("/usr/games/gamescope (version 3.11.49)")
            && text.contains("version 3.14 or later"),
        "{text}"
    );
}

#[test]
fn a_policy_for_outputs_is_held_against_the_source_that_has_to_keep_it() {
    let judged = |source: &str, compositor: &str| {
        let mut facts = healthy();
        snapshot(&mut facts).agents[0].compositor = compositor.into();
        facts
            .settings
            .insert("desktop.outputs".into(), "primary".into());
        facts.settings.insert("video.source".into(), source.into());
        desktop::outputs(&facts).verdict
    };
    for (source, compositor, verdict) in [
        ("auto", "kwin", Verdict::Ok),
        ("auto", "sway", Verdict::Fail),
        ("auto", "labwc", Verdict::Fail),
        ("portal", "kwin", Verdict::Fail),
        ("kwin-virtual", "kwin", Verdict::Ok),
        ("gamescope", "mutter", Verdict::Ok),
    ] {
        assert_eq!(judged(source, compositor), verdict, "{source} {compositor}");
    }
    // one of the agent's own has no other outputs, one that runs already may be on a screen
    let mut facts = healthy();
    facts.desktop.gamescope_runs = true;
    let settings = [
        ("desktop.outputs", "primary"),
        ("video.source", "gamescope"),
    ];
    let settings = settings.map(|(key, value)| (key.to_owned(), value.to_owned()));
    facts.settings.extend(settings);
    assert_eq!(desktop::outputs(&facts).verdict, Verdict::Fail);
}

#[test]
fn a_compositor_that_lets_its_monitors_be_copied_needs_no_portal() {
    let mut facts = healthy();
    snapshot(&mut facts).agents[0].compositor = "labwc".into();
    let offered = |facts: &mut Facts, name: &str, version: u32| {
        let globals = facts.desktop.globals.get_or_insert_default();
        globals.insert(name.into(), version);
    };
    let failed = BTreeMap::from([("capture", Verdict::Fail)]);
    assert_eq!(complaints(&facts), failed);
    offered(&mut facts, "zwlr_screencopy_manager_v1", 3);
    offered(&mut facts, "zwlr_virtual_pointer_manager_v1", 2);
    // pictures without input: a portal may have both
    assert_eq!(complaints(&facts), failed);
    let remedy = desktop::capture(&facts).remedy.unwrap();
    assert!(remedy.contains("video.source=wlroots"), "{remedy}");
    offered(&mut facts, "zwp_virtual_keyboard_manager_v1", 1);
    assert_eq!(complaints(&facts), BTreeMap::new());
    let said = desktop::capture(&facts).found;
    assert!(said.contains("wlr-screencopy"), "{said}");
}

#[test]
fn a_desktop_that_gives_sixty_pictures_a_second_only_says_so() {
    let mut facts = healthy();
    snapshot(&mut facts).agents[0].compositor = "kde".into();
    facts.desktop.kwin_grant = Some("/g".into());
    let said = |facts: &Facts| desktop::capture(facts).found;
    assert!(!said(&facts).contains("60"));
    facts.desktop.kwin = Some((6, 3));
    assert!(said(&facts).contains("60 pictures a second"));
    facts.desktop.kwin = Some((6, 6));
    assert!(!said(&facts).contains("60"));
}

#[test]
fn a_machine_that_encodes_on_the_cpu_is_told_so() {
    let mut facts = healthy();
    snapshot(&mut facts).agents[0].encoders = vec!["openh264".into()];
    assert_eq!(
        complaints(&facts),
        BTreeMap::from([("encoders", Verdict::Warn)])
    );
    let said = |facts: &Facts| session::encoders(facts).found;
    assert!(
        said(&facts).ends_with("not measured yet"),
        "{}",
        said(&facts)
    );
    let measured = Measured {
        library: "built in".into(),
        pixels_per_second: 1920 * 1080 * 87,
    };
    facts.speeds.insert("openh264".into(), measured);
    assert_eq!(
        said(&facts),
        "openh264 (1080p at 87 pictures a second): on the CPU"
    );
}

#[test]
fn root_is_not_blamed_for_having_no_session() {
    let mut facts = healthy();
    facts.uid = 0;
    assert_eq!(complaints(&facts), BTreeMap::new());
}

#[test]
fn a_development_host_needs_no_installation() {
    let mut facts = healthy();
    (facts.private_bus, facts.service_user, facts.unit) = (true, false, None);
    (facts.action_file, facts.bus_policy, facts.polkit) = (None, None, false);
    facts.pad_rules = None;
    assert_eq!(complaints(&facts), BTreeMap::new());
}
