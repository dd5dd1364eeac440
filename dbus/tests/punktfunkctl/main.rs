//! punktfunkctl against a host that keeps the documented contract, over a real bus: what it prints, what it calls,
//! and its exit codes.
mod host;

use host::{PrivateBus, serve};
use serde_json::Value;
use std::{
    process::{Output, Stdio},
    sync::atomic::Ordering,
};
use tokio::process::Command;

async fn ctl(address: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_punktfunkctl"))
        .args(["--bus", address])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn json(address: &str, arguments: &[&str]) -> (Value, i32) {
    let output = ctl(address, &[arguments, &["--json"]].concat()).await;
    let value = serde_json::from_slice(&output.stdout);
    (
        value.unwrap_or_else(|e| panic!("{e}: {output:?}")),
        output.status.code().unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_say_what_the_host_says_and_steer_no_terminal() {
    let bus = PrivateBus::start();
    let (_host, _) = serve(&bus, Vec::new()).await;
    let status = text(&ctl(&bus.address, &["status"]).await.stdout);
    assert!(status.contains("den (punktfunk 0.1.0)"), "{status}");
    assert!(status.contains("2 (and 1 of other accounts)"), "{status}");
    assert!(status.contains("1280x720@60"), "{status}");
    let clients = text(&ctl(&bus.address, &["clients"]).await.stdout);
    assert!(
        clients.contains("ab12") && clients.contains("root") && clients.contains("never"),
        "{clients}"
    );
    assert!(!clients.contains('\u{1b}'));
    let (streams, code) = json(&bus.address, &["streams"]).await;
    assert_eq!(
        (code, &streams[0]["statistics"]["frames_sent"]),
        (0, &600.into())
    );
    assert_eq!(streams[0]["client"], "ab12");
    assert_eq!(streams[0]["session"], "c7");
    assert_eq!(
        (&streams[0]["source"], &streams[0]["source_reason"]),
        (
            &"no-output".into(),
            &"the compositor does not answer".into()
        )
    );
    let (agents, code) = json(&bus.address, &["agents"]).await;
    assert_eq!((code, agents), (0, Value::Array(Vec::new())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_paired_with_the_right_pin_and_the_window_is_closed() {
    let bus = PrivateBus::start();
    let (_host, calls) = serve(&bus, vec![("Shield", "10.0.0.9")]).await;
    let arguments = [
        "pair",
        "--pin",
        "1234",
        "--name",
        "Living room",
        "--wait",
        "30",
    ];
    let output = ctl(&bus.address, &arguments).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let progress = text(&output.stderr);
    assert!(
        progress.contains("\"Shield\" at 10.0.0.9 asks to be paired"),
        "{progress}"
    );
    let result = text(&output.stdout);
    assert!(
        result.contains("Paired Living room with the account root (client fe01)"),
        "{result}"
    );
    assert_eq!(calls.log(), ["open 30"]);
    assert_eq!(calls.closed.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_is_reported_as_one_and_the_window_is_closed() {
    let bus = PrivateBus::start();
    let (_host, calls) = serve(&bus, vec![("Shield", "10.0.0.9")]).await;
    let (answer, code) = json(&bus.address, &["pair", "--pin", "9999"]).await;
    assert_eq!((code, &answer["error"]["kind"]), (7, &"pairing".into()));
    assert_eq!(calls.closed.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_devices_none_is_guessed() {
    let bus = PrivateBus::start();
    let (_host, calls) = serve(&bus, vec![("Shield", "10.0.0.9"), ("Shield", "10.0.0.10")]).await;
    let (answer, code) = json(&bus.address, &["pair", "--pin", "1234"]).await;
    assert_eq!(code, 6, "{answer}");
    assert!(
        answer["error"]["remedy"]
            .as_str()
            .unwrap()
            .contains("--device")
    );
    let (answer, code) = json(&bus.address, &["pair", "--reject", "--device", "10.0.0.10"]).await;
    assert_eq!(
        (code, &answer["rejected"]["address"]),
        (0, &"10.0.0.10".into())
    );
    assert!(calls.log().contains(&"reject 10.0.0.10".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_device_within_the_time_is_said_and_the_window_is_closed() {
    let bus = PrivateBus::start();
    let (_host, calls) = serve(&bus, Vec::new()).await;
    let (answer, code) = json(&bus.address, &["pair", "--wait", "1"]).await;
    assert_eq!(code, 6, "{answer}");
    assert_eq!(calls.closed.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_reach_the_object_that_was_named() {
    let bus = PrivateBus::start();
    let (_host, calls) = serve(&bus, Vec::new()).await;
    for arguments in [
        &["clients", "remove", "ab"][..],
        &["clients", "owner", "ab", "root"],
        &["clients", "permissions", "ab", "view", "audio"],
        &["clients", "greeter", "ab", "on"],
        &["clients", "expires", "ab", "never"],
        &["streams", "stop", "7"],
        &["streams", "keyframe", "7"],
        &["streams", "bitrate", "7", "9000"],
        &["pair", "--cancel"],
    ] {
        let output = ctl(&bus.address, arguments).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    assert_eq!(
        calls.log(),
        [
            "unpair TV\u{1b}[2J",
            "owner 0",
            "permissions view audio",
            "greeter true",
            "expires 0",
            "stop",
            "keyframe",
            "bitrate 9000"
        ]
    );
    assert_eq!(calls.closed.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_obstacle_has_its_exit_code_and_a_remedy() {
    let bus = PrivateBus::start();
    let nowhere = "unix:path=/nonexistent/bus";
    let (answer, code) = json(nowhere, &["status"]).await;
    assert_eq!((code, &answer["error"]["kind"]), (3, &"no-bus".into()));
    let (answer, code) = json(&bus.address, &["status"]).await;
    assert_eq!((code, &answer["error"]["kind"]), (4, &"not-running".into()));
    assert!(
        answer["error"]["remedy"]
            .as_str()
            .unwrap()
            .contains("systemctl")
    );
    let (_host, _) = serve(&bus, Vec::new()).await;
    let (answer, code) = json(&bus.address, &["clients", "remove", "cd34"]).await;
    assert_eq!((code, &answer["error"]["kind"]), (5, &"denied".into()));
    let (_, code) = json(&bus.address, &["streams", "stop", "8"]).await;
    assert_eq!(code, 6);
    let wrong = ctl(&bus.address, &["pair", "--pin", "12"]).await;
    assert_eq!(wrong.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_works_without_a_bus_and_names_the_first_thing_to_mend() {
    let (answer, code) = json("unix:path=/nonexistent/bus", &["doctor"]).await;
    assert_eq!((code, &answer["healthy"]), (1, &false.into()));
    assert_eq!(answer["checks"][0]["check"], "message bus");
    assert_eq!(answer["checks"][0]["verdict"], "fail");
    let bus = PrivateBus::start();
    let (_host, _) = serve(&bus, Vec::new()).await;
    let output = text(&ctl(&bus.address, &["doctor"]).await.stdout);
    assert!(output.contains("den runs punktfunk 0.1.0"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_listed_set_taken_back_and_what_waits_is_said() {
    let bus = PrivateBus::start();
    let (_host, calls) = serve(&bus, Vec::new()).await;
    let all = text(&ctl(&bus.address, &["config"]).await.stdout);
    assert!(
        all.contains("xbox") && all.contains("bus (after a restart)"),
        "{all}"
    );
    let one = ctl(&bus.address, &["config", "get", "video.fec-percent"]).await;
    assert_eq!(text(&one.stdout), "20\n");
    let (one, code) = json(&bus.address, &["config", "get", "name"]).await;
    assert_eq!((one["name"]["value"].as_str(), code), (Some("den"), 0));
    let unknown = ctl(&bus.address, &["config", "get", "nothing"]).await;
    assert_eq!(unknown.status.code(), Some(6));
    let words = [
        "config",
        "set",
        "video.fec-percent=7",
        "name=a b",
        "discovery=false",
    ];
    let set = text(&ctl(&bus.address, &words).await.stdout);
    assert!(set.contains("restart") && set.contains("gamepad"), "{set}");
    let refused = ctl(&bus.address, &["config", "set", "nonsense=1"]).await;
    assert!(
        text(&refused.stderr).contains("not a setting"),
        "{refused:?}"
    );
    assert_eq!(
        ctl(&bus.address, &["config", "set", "name"])
            .await
            .status
            .code(),
        Some(1)
    );
    assert_ne!(
        ctl(&bus.address, &["config", "reset"]).await.status.code(),
        Some(0)
    );
    assert_eq!(
        ctl(&bus.address, &["config", "reset", "--all"])
            .await
            .status
            .code(),
        Some(0)
    );
    assert_eq!(
        ctl(&bus.address, &["config", "reload"]).await.status.code(),
        Some(0)
    );
    let log = calls.log();
    assert_eq!(
        log,
        [
            "set discovery=false name=\"a b\" video.fec-percent=int64 7",
            "set nonsense=int64 1",
            "reset ",
            "reload"
        ]
    );
}

#[tokio::test]
async fn completions_are_printed_for_each_shell_without_a_bus() {
    for (shell, mark) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef"),
        ("fish", "complete -c"),
    ] {
        let output = ctl("unix:path=/nonexistent", &["completions", shell]).await;
        let script = text(&output.stdout);
        assert!(output.status.success() && script.contains(mark), "{shell}");
        assert!(
            script.contains("permissions") && script.contains("reload"),
            "{shell}"
        );
    }
}
