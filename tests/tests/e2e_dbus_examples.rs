//! The examples of docs/dbus.md, as they stand there, against a host on a private bus.

mod fixture;

use fixture::{Setup, process::wait_until};
use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// A program that hangs fails.
const LIMIT: Duration = Duration::from_secs(60);

/// Language and text of each fenced block.
fn examples() -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/dbus.md");
    let text = std::fs::read_to_string(path).unwrap();
    text.split("```")
        .skip(1)
        .step_by(2)
        .map(|block| {
            let (language, body) = block.split_once('\n').unwrap();
            (language.to_owned(), body.to_owned())
        })
        .collect()
}

#[test]
fn every_documented_example_runs_as_it_stands() {
    let host = Setup::default().without_agent().start();
    let examples = examples();
    for (program, mark) in [
        ("sh", "busctl call"),
        ("sh", "gdbus call"),
        ("python", "gi.repository"),
        ("python", "import dbus"),
    ] {
        let (_, body) = examples
            .iter()
            .find(|(language, body)| language == program && body.contains(mark))
            .unwrap_or_else(|| panic!("no example with {mark}"));
        let mut command = match program {
            "sh" => Command::new("bash"),
            _ => Command::new("/usr/bin/python3"),
        };
        command.args(if program == "sh" {
            &["-eu", "-s"][..]
        } else {
            &["-"][..]
        });
        let mut child = command
            .env("DBUS_SYSTEM_BUS_ADDRESS", host.bus_address())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(body.as_bytes()).unwrap();
        drop(input);
        if !wait_until(LIMIT, || child.try_wait().unwrap().is_some()) {
            let _ = child.kill();
        }
        let output = child.wait_with_output().unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success(), "the example with {mark}: {said}");
        let expected = match mark {
            "busctl call" => "/org/punktfunk/Host1",
            "gdbus call" => "(uint32 60,)",
            "gi.repository" => "PairingWindowOpen",
            _ => "org.freedesktop.DBus.Error.InvalidArgs",
        };
        assert!(said.contains(expected), "the example with {mark}: {said}");
    }
}
