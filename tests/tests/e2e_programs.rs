//! The programs as a person runs them: `punktfunkctl` and `punktfunk-testclient` against a host on a private bus.

mod fixture;

use fixture::{
    Host, Setup,
    process::{binary, wait_until},
};
use punktfunk_tests::{Ending, Options, control::End};
use std::{
    fs,
    process::{Command, Output},
    time::Duration,
};

const SOON: Duration = Duration::from_secs(60);

fn ctl(host: &Host, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("punktfunkctl"));
    command.args(["--bus", host.bus_address()]).args(arguments);
    command
}

fn test_client(host: &Host, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_punktfunk-testclient"));
    let address = format!("{}:{}", host.address().ip, host.address().http_port);
    command
        .args(arguments)
        .args(["--host", &address])
        .arg("--state")
        .arg(host.directory().join("client"));
    command
}

#[track_caller]
fn succeeds(mut command: Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("a program that starts");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(
        status.success(),
        "{command:?}: {status}\n{stdout}\n{stderr}"
    );
    stdout.into_owned()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("not JSON ({e}): {text}"))
}

#[test]
fn a_device_is_paired_streams_is_seen_and_forgotten_with_the_programs_alone() {
    let host = Setup::default().start();
    let mut approving = ctl(&host, &["pair", "--pin", "0042", "--name", "the tester"])
        .spawn()
        .expect("punktfunkctl");
    let proxy = host.proxy();
    assert!(wait_until(SOON, || host
        .block(proxy.pairing_window_open())
        .unwrap_or(false)));
    let paired = succeeds(test_client(&host, &["pair", "--pin", "0042"]));
    assert!(paired.contains("paired as"), "{paired}");
    assert!(approving.wait().expect("punktfunkctl").success());

    let apps = succeeds(test_client(&host, &["list"]));
    assert!(apps.lines().count() >= 1 && apps.contains('\t'), "{apps}");
    let file = |name: &str| host.directory().join(name).display().to_string();
    let (report, stream, picture) = (
        file("report.json"),
        file("stream.h264"),
        file("picture.png"),
    );
    let shown = succeeds(test_client(
        &host,
        &[
            "stream",
            "--seconds",
            "3",
            "--expect-counters",
            "--report",
            &report,
            "--out",
            &stream,
            "--png",
            &picture,
        ],
    ));
    assert!(
        shown.contains("0 skipped") || shown.contains("skip"),
        "{shown}"
    );
    let report = json(&fs::read_to_string(report).expect("report"));
    assert!(
        report["video"]["frames_decoded"].as_u64() >= Some(180),
        "{report}"
    );
    assert_eq!(
        report["breaches"].as_array().map(Vec::len),
        Some(0),
        "{report}"
    );
    assert!(fs::read(stream).expect("stream").starts_with(&[0, 0, 0, 1]));
    let decoder = png::Decoder::new(std::io::BufReader::new(
        fs::File::open(picture).expect("picture"),
    ));
    let reader = decoder.read_info().expect("PNG");
    assert_eq!((reader.info().width, reader.info().height), (1280, 720));

    let clients = json(&succeeds(ctl(&host, &["--json", "clients"])));
    assert!(clients.to_string().contains("the tester"), "{clients}");
    succeeds(ctl(&host, &["clients", "remove", "the tester"]));
    let refused = test_client(&host, &["list"]).output().expect("test client");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("401"));
}

#[test]
fn a_running_stream_is_listed_told_to_send_a_key_frame_and_stopped() {
    let host = Setup::default().start();
    let client = host.client();
    let options = Options {
        width: 640,
        height: 480,
        ..host.options(&client)
    };
    let running = client.stream(&options, false).expect("stream");
    assert!(running.wait_decoded(30, SOON));
    let streams = json(&succeeds(ctl(&host, &["--json", "streams"])));
    let listed = streams
        .as_array()
        .and_then(|list| list.first())
        .unwrap_or_else(|| panic!("one stream: {streams}"));
    assert!(listed.to_string().contains("640"), "{listed}");
    let id = listed["id"]
        .as_str()
        .map_or_else(|| listed["id"].to_string(), str::to_owned);
    let before = running.shared.snapshot().key_frames;
    succeeds(ctl(&host, &["streams", "keyframe", &id]));
    assert!(
        running
            .shared
            .wait(SOON, |statistics| statistics.key_frames > before)
    );
    succeeds(ctl(&host, &["streams", "stop", &id]));
    assert_eq!(running.wait_end(SOON), Some(End::Terminated(0x8003_0023)));
    let report = running.finish(Ending::Disconnect).expect("report");
    assert!(report.breaches.is_empty(), "{report}");
    host.await_streams(0);
}

#[test]
fn unpairing_a_device_ends_its_stream() {
    let host = Setup::default().start();
    let client = host.client();
    let running = client
        .stream(
            &Options {
                width: 640,
                height: 480,
                ..host.options(&client)
            },
            false,
        )
        .expect("stream");
    assert!(running.wait_decoded(10, SOON));
    succeeds(ctl(
        &host,
        &["clients", "remove", &client.identity.fingerprint()],
    ));
    assert!(matches!(running.wait_end(SOON), Some(End::Terminated(_))));
    running.finish(Ending::Vanish).expect("report");
    assert!(client.server_info(true).is_err(), "401");
}

#[test]
fn the_test_client_says_what_is_wrong_when_there_is_no_host_or_no_pairing() {
    let host = Setup::default().without_agent().start();
    let unpaired = test_client(&host, &["list"]).output().expect("test client");
    assert_eq!(unpaired.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unpaired.stderr).contains("punktfunk-testclient pair"));
    let mut nobody = Command::new(env!("CARGO_BIN_EXE_punktfunk-testclient"));
    let nobody = nobody
        .args(["info", "--host", "127.0.0.1:1", "--state"])
        .arg(host.directory().join("client"))
        .output()
        .expect("test client");
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("cannot connect"));
}
