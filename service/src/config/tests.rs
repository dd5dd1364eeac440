use super::*;
use std::{ffi::OsString, path::Path};

fn cli(config: Option<&Path>) -> Cli {
    Cli {
        config: config.map(Path::to_owned),
        check: false,
        dev: true,
        state_dir: Some("/nonexistent/state".into()),
        base_port: None,
    }
}

fn load(text: &str) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    file::apply(&mut config, Path::new("test.toml"), text)?;
    config.ports = config.ports.validated().map_err(ConfigError::CommandLine)?;
    Ok(config)
}

fn none(_: &'static str) -> Option<OsString> {
    None
}

#[test]
fn a_missing_default_file_means_defaults() {
    let config = Config::load_with(&cli(None), none).unwrap();
    assert_eq!(config.ports, Ports::default());
    assert_eq!(config.fec_percent, 20);
    assert_eq!(
        config.identity_dir,
        Path::new("/nonexistent/state/identity")
    );
}

#[test]
fn a_file_that_was_named_must_exist() {
    let error = Config::load_with(&cli(Some(Path::new("/nonexistent/p.toml"))), none).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/p.toml"), "{error}");
}

#[test]
fn the_example_is_valid_and_says_the_defaults() {
    let text = include_str!("../../punktfunk.toml");
    let uncommented: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') && !rest.is_empty() => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let default = Config::default();
    for text in [text, uncommented.as_str()] {
        let config = load(text).unwrap();
        assert_eq!(config.ports, default.ports);
        assert_eq!(config.fec_percent, default.fec_percent);
        assert_eq!(config.video_source, default.video_source);
        assert_eq!(config.outputs, default.outputs);
        assert_eq!(config.encryption, default.encryption);
        assert_eq!(config.external, default.external);
        assert_eq!(config.state_dir, default.state_dir);
        assert_eq!(config.identity_dir, default.identity_dir);
        assert_eq!(config.pace_rate_mbit, default.pace_rate_mbit);
        assert_eq!(config.max_total_kbps(), None);
        assert_eq!(config.max_streams, default.max_streams);
        assert_eq!(config.streams_per_user, default.streams_per_user);
        assert_eq!(config.reserve_places, default.reserve_places);
        assert_eq!(config.bind, default.bind);
        assert_eq!(config.gamepad, default.gamepad);
    }
    assert!(uncommented.contains("\nfec-percent = 20"), "keys are shown");
}

#[test]
fn a_mistake_is_reported_with_its_line_and_key() {
    for (text, key) in [
        ("name = \"x\"\n[video]\nfec-percent = 300\n", "fec-percent"),
        ("name = \"x\"\n[video]\nsource = \"vhs\"\n", "source"),
        ("name = \"x\"\n\nbanana = 3\n", "banana"),
        (
            "\n[video]\nmax-total-bitrate-mbit = -1\n",
            "max-total-bitrate-mbit",
        ),
        ("\n[sessions]\nmax-streams = 33\n", "max-streams"),
        ("\n[sessions]\nreserve-places = 1\n", "reserve-places"),
        ("name = \"x\"\n\ngamepad = \"wheel\"\n", "gamepad"),
    ] {
        let message = load(text).unwrap_err().to_string();
        assert!(message.contains("line 3"), "{message}");
        assert!(message.contains(key), "{message}");
        assert!(message.contains("test.toml"), "{message}");
    }
}

#[test]
fn ports_that_collide_or_need_privileges_are_refused() {
    let collide = load("[ports]\nhttp = 5000\nhttps = 5000\n").unwrap_err();
    assert!(collide.to_string().contains("ports.http and ports.https"));
    let low = load("[ports]\naudio = 80\n").unwrap_err();
    assert!(low.to_string().contains("ports.audio = 80"));
    assert!(load("[ports]\nbase = 65530\n").is_err());
    // TCP and UDP may share a number.
    assert!(load("[ports]\nhttp = 5000\nvideo = 5000\n").is_ok());
}

#[test]
fn the_environment_overrides_and_is_validated() {
    let fixed = |name: &'static str, value: &'static str| {
        Config::load_with(&cli(None), move |asked| {
            (asked == name).then(|| value.into())
        })
    };
    assert_eq!(fixed("PUNKTFUNK_FEC_PCT", "0").unwrap().fec_percent, 0);
    assert_eq!(fixed("PUNKTFUNK_VIDEO_DROP", "7").unwrap().video_drop, 7);
    assert!(fixed("PUNKTFUNK_PERF", "1").unwrap().perf);
    let source = fixed("PUNKTFUNK_VIDEO_SOURCE", "synthetic").unwrap();
    assert_eq!(source.video_source, "synthetic");
    for (name, value) in [
        ("PUNKTFUNK_FEC_PCT", "101"),
        ("PUNKTFUNK_FEC_PCT", "many"),
        ("PUNKTFUNK_VIDEO_SOURCE", "vhs"),
        ("PUNKTFUNK_VIDEO_DROP", "-1"),
        ("PUNKTFUNK_COMPOSITOR", "K Win"),
        ("PUNKTFUNK_PERF", "perhaps"),
    ] {
        let message = fixed(name, value).unwrap_err().to_string();
        assert!(
            message.contains(name) && message.contains(value),
            "{message}"
        );
    }
}

#[test]
fn a_base_port_on_the_command_line_moves_all_six() {
    let mut cli = cli(None);
    cli.base_port = Some(24_000);
    let config = Config::load_with(&cli, none).unwrap();
    let expected = Ports {
        http: 24_000,
        https: 23_995,
        rtsp: 24_021,
        video: 24_009,
        control: 24_010,
        audio: 24_011,
    };
    assert_eq!(config.ports, expected);
    cli.base_port = Some(1_026);
    let message = Config::load_with(&cli, none).unwrap_err().to_string();
    assert!(message.contains("--base-port 1026"), "{message}");
}

#[test]
fn encryption_is_set_for_both_networks_at_once_or_for_each() {
    use Encryption::{Off, Offered, Required};
    for (text, lan, wan) in [
        ("", Offered, Offered),
        ("encryption = \"required\"", Required, Required),
        ("encryption-wan = \"required\"", Offered, Required),
        ("encryption-lan = \"off\"", Off, Offered),
        (
            "encryption-lan = \"off\"\nencryption = \"required\"",
            Off,
            Required,
        ),
    ] {
        assert_eq!(
            load(text).unwrap().encryption,
            EncryptionPolicy { lan, wan },
            "{text}"
        );
    }
    let message = load("encryption-wan = \"always\"").unwrap_err().to_string();
    assert!(
        message.contains("encryption-wan") && message.contains("required"),
        "{message}"
    );
}

#[test]
fn what_a_router_makes_of_the_address_can_be_told() {
    let external = load("[external]\nip = \"203.0.113.9\"\nhttp-port = 50000\n")
        .unwrap()
        .external;
    assert_eq!(external.ip, Some([203, 0, 113, 9].into()));
    assert_eq!(external.http_port, Some(50_000));
    for wrong in ["ip = \"2001:db8::1\"", "http-port = 0", "http-port = 70000"] {
        assert!(load(&format!("[external]\n{wrong}\n")).is_err(), "{wrong}");
    }
}

#[test]
fn what_streams_share_is_bounded_where_the_file_says_so() {
    let config = load("[video]\nmax-total-bitrate-mbit = 25\n").unwrap();
    assert_eq!(config.max_total_kbps(), Some(25_000));
    let text = "[sessions]\nmax-streams = 4\nstreams-per-user = 2\nreserve-places = false\n";
    let config = load(text).unwrap();
    assert_eq!((config.max_streams, config.streams_per_user), (4, 2));
    assert!(!config.reserve_places);
    for wrong in ["max-streams = 0", "streams-per-user = 0"] {
        let error = load(&format!("[sessions]\n{wrong}\n"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("from 1 to 32"), "{error}");
    }
    let error = load("[video]\nmax-total-bitrate-mbit = 100001\n").unwrap_err();
    assert!(error.to_string().contains("0 for no limit"), "{error}");
}

#[test]
fn what_becomes_of_other_outputs_is_one_of_three_words() {
    let config = load("[desktop]\noutputs = \"exclusive\"\n").unwrap();
    assert_eq!(config.outputs, "exclusive");
    let error = load("[desktop]\noutputs = \"off\"\n")
        .unwrap_err()
        .to_string();
    assert!(error.contains("extend, primary, exclusive"), "{error}");
}

#[test]
fn the_sink_that_is_heard_is_our_own_unless_the_file_says_otherwise() {
    assert!(!load("").unwrap().hears_default_sink());
    let config = load("[sound]\nsink = \"default\"\n").unwrap();
    assert!(config.hears_default_sink());
    let error = load("[sound]\nsink = \"speaker\"\n")
        .unwrap_err()
        .to_string();
    assert!(error.contains("own, default"), "{error}");
}

#[test]
fn every_file_that_lets_the_account_in_means_the_same_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // the file, what stands before the account's name and behind it, and how often
    let said = [
        ("systemd/sysusers.conf", "u     ", " ", 1),
        ("systemd/punktfunk.service", "\nUser=", "\n", 1),
        (
            "systemd/72-punktfunk.rules",
            "\"uinput\", GROUP=\"",
            "\", MODE=\"0660\"",
            1,
        ),
        (
            "systemd/72-punktfunk.rules",
            "\"uhid\", GROUP=\"",
            "\", MODE=\"0660\"",
            1,
        ),
        (
            "dbus/bus/org.punktfunk.Host1.conf",
            "<policy user=\"",
            "\"",
            1,
        ),
        (
            "polkit/org.punktfunk.host.policy",
            "unix-user:",
            "</annotate>",
            5,
        ),
        (
            "polkit/50-punktfunk-session.rules",
            "subject.user !== \"",
            "\"",
            1,
        ),
    ];
    for (file, before, behind, times) in said {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        let all = text.matches(before).count();
        let ours = format!("{before}{DEFAULT_USER}{behind}");
        assert_eq!((text.matches(&ours).count(), all), (times, times), "{file}");
    }
}
