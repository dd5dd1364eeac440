//! The encryption policy, for each network, with clients that encrypt and clients that do not.

mod fixture;

use fixture::{
    Host, Setup,
    process::{binary, wait_until},
};
use punktfunk_dbus::proxies::PairingProxy;
use punktfunk_tests::{Client, Ending, Options};
use std::{
    collections::HashMap,
    fs,
    process::{Command, Output},
    time::Duration,
};

const SOON: Duration = Duration::from_secs(60);

fn small(host: &Host, client: &Client) -> Options {
    Options {
        width: 640,
        height: 480,
        fps: 30,
        encryption: 0,
        audio_encryption_flag: false,
        ..host.options(client)
    }
}

/// Streams for some frames; the encryption bits in use and whether the sound was sealed.
#[track_caller]
fn streams(client: &Client, options: &Options) -> (u32, bool) {
    let running = client.stream(options, false).expect("stream");
    assert!(running.wait_frames(20, SOON));
    let report = running.finish(Ending::Disconnect).expect("report");
    assert!(report.breaches.is_empty(), "{report}");
    assert!(report.video.frames_decoded > 0, "{report}");
    client.cancel().expect("cancel");
    (report.encryption & 6, report.audio_sealed)
}

#[test]
fn offered_leaves_it_to_the_client() {
    let host = Setup::default().start();
    let client = host.client();
    let plain = small(&host, &client);
    assert_eq!(streams(&client, &plain), (0, false));
    let sealed = Options {
        encryption: 6,
        ..plain
    };
    assert_eq!(streams(&client, &sealed), (6, true));
}

#[test]
fn required_makes_clients_encrypt_and_refuses_those_that_do_not() {
    let host = Setup::default()
        .configured("encryption = \"required\"")
        .start();
    let client = host.client();
    // Its user did not wish for encryption; the host asks for it.
    let plain = small(&host, &client);
    assert_eq!(streams(&client, &plain), (6, true));
    let stubborn = Options {
        ignore_requested_encryption: true,
        ..plain.clone()
    };
    let refused = client.stream(&stubborn, false).err().expect("refused");
    assert!(format!("{refused:#}").contains("403"), "{refused:#}");
    let log = host.service_log();
    assert!(
        log.contains("do not include the required") && log.contains("encryption-lan"),
        "{log}"
    );
    client.cancel().expect("cancel");
    let old = Options {
        core_version: 0,
        ..plain
    };
    let refused = client.launch(&old, false).err().expect("refused");
    assert!(
        refused.to_string().contains("demands encryption"),
        "{refused}"
    );
}

#[test]
fn off_offers_nothing_but_the_control_stream() {
    let host = Setup::default().configured("encryption = \"off\"").start();
    let client = host.client();
    let wishing = Options {
        encryption: 6,
        ..small(&host, &client)
    };
    let launched = client.launch(&wishing, false).expect("launch");
    assert!(launched.session_url.starts_with("rtsp://"));
    client.cancel().expect("cancel");
    assert_eq!(streams(&client, &wishing), (0, false));
}

#[test]
fn the_policy_is_on_the_bus_for_each_network() {
    let host = Setup::default()
        .configured("encryption-lan = \"off\"\nencryption-wan = \"required\"")
        .without_agent()
        .start();
    let policy = host.block(host.proxy().encryption()).expect("property");
    let expected = [("lan", "off"), ("wan", "required")];
    assert_eq!(
        policy,
        HashMap::from(expected.map(|(network, word)| (network.into(), word.into())))
    );
}

/// A network namespace with an address that is in no subnet of this machine; gone with the test.
struct Abroad {
    name: String,
    link: String,
}

const HERE: &str = "198.51.100.1";
const THERE: &str = "203.0.113.2";

fn ip(arguments: &str) -> Result<(), String> {
    let Output { status, stderr, .. } = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .map_err(|e| e.to_string())?;
    match status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&stderr).into_owned()),
    }
}

impl Abroad {
    fn new() -> Result<Self, String> {
        let (name, link) = (
            format!("punktfunk-{}", std::process::id()),
            format!("pf{}", std::process::id()),
        );
        ip(&format!("netns add {name}"))?;
        let abroad = Self { name, link };
        let (name, link) = (&abroad.name, &abroad.link);
        ip(&format!(
            "link add {link} type veth peer name there netns {name}"
        ))?;
        for step in [
            format!("addr add {HERE}/32 dev {link}"),
            format!("link set {link} up"),
            format!("route add {THERE}/32 dev {link} src {HERE}"),
            format!("-n {name} addr add {THERE}/32 dev there"),
            format!("-n {name} link set there up"),
            format!("-n {name} route add {HERE}/32 dev there src {THERE}"),
        ] {
            ip(&step)?;
        }
        Ok(abroad)
    }

    /// The test client, run there.
    fn client(&self, host: &Host, arguments: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]);
        command
            .arg(binary("punktfunk-testclient"))
            .args(arguments)
            .args(["--host", &format!("{HERE}:{}", host.address().http_port)])
            .arg("--state")
            .arg(host.directory().join("abroad"));
        command
    }
}

impl Drop for Abroad {
    fn drop(&mut self) {
        let _ = ip(&format!("link del {}", self.link));
        let _ = ip(&format!("netns del {}", self.name));
    }
}

#[test]
fn a_client_from_outside_is_held_to_the_wan_policy_and_one_at_home_is_not() {
    let abroad = match Abroad::new() {
        Ok(abroad) => abroad,
        Err(why) => return eprintln!("skipped, it needs network namespaces: {why}"),
    };
    let host = Setup::default()
        .configured("encryption-lan = \"off\"\nencryption-wan = \"required\"")
        .start();
    let near = host.client();
    assert_eq!(streams(&near, &small(&host, &near)), (0, false));

    host.block(host.proxy().open_pairing(60)).expect("window");
    let mut pairing = abroad
        .client(&host, &["pair", "--pin", "7531"])
        .spawn()
        .expect("test client");
    let connection = host.connect();
    host.block(async {
        let path = host.await_object("org.punktfunk.Host1.Pairing").await;
        let proxy = PairingProxy::builder(&connection)
            .path(path)?
            .build()
            .await?;
        assert_eq!(proxy.address().await?, THERE);
        proxy.accept("7531", HashMap::new()).await
    })
    .expect("accepted");
    assert!(pairing.wait().expect("test client").success());
    let report = host.directory().join("abroad.json");
    let streamed = abroad
        .client(
            &host,
            &[
                "stream",
                "--encrypt",
                "none",
                "--seconds",
                "1",
                "--fps",
                "30",
            ],
        )
        .args(["--width", "640", "--height", "480", "--report"])
        .arg(&report)
        .output()
        .expect("test client");
    assert!(streamed.status.success(), "{streamed:?}");
    let report = fs::read_to_string(report).expect("report");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["encryption"].as_u64().map(|bits| bits & 6), Some(6));
    let refused = abroad
        .client(&host, &["stream", "--plain-rtsp", "--seconds", "1"])
        .output()
        .expect("test client");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("demands encryption"), "{said}");
    assert!(wait_until(SOON, || host
        .block(host.proxy().stream_count())
        .is_ok_and(|count| count == 0)));
}
