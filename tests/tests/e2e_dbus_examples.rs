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

/// What runs an example of this language; a text that has to be compiled first is.
fn runner(language: &str, body: &str, folder: &Path) -> Command {
    match language {
        "sh" => {
            let mut shell = Command::new("bash");
            shell.args(["-eu", "-s"]);
            shell
        }
        "python" => {
            let mut python = Command::new("/usr/bin/python3");
            python.arg("-");
            python
        }
        _ => {
            std::fs::create_dir_all(folder).unwrap();
            let (text, program) = (folder.join("example.cpp"), folder.join("example"));
            std::fs::write(&text, body).unwrap();
            let build = format!(
                "g++ -fPIC -o {} {} $(pkg-config --cflags --libs Qt5DBus)",
                program.display(),
                text.display()
            );
            let built = Command::new("sh").args(["-c", &build]).output().unwrap();
            let said = String::from_utf8_lossy(&built.stderr);
            assert!(built.status.success(), "{build}: {said}");
            Command::new(program)
        }
    }
}

#[test]
fn every_documented_example_runs_as_it_stands() {
    let mut host = Setup::default().without_agent().start();
    let folder = std::env::temp_dir().join(format!("pf-examples-{}", std::process::id()));
    let examples = examples();
    let invalid = "org.freedesktop.DBus.Error.InvalidArgs";
    for (language, mark, expected) in [
        ("sh", "busctl call", &["/org/punktfunk/Host1"][..]),
        ("sh", "gdbus call", &["(uint32 60,)"]),
        ("python", "gi.repository", &["PairingWindowOpen"]),
        ("python", "import dbus", &[invalid]),
        (
            "cpp",
            "QtDBus",
            &["/org/punktfunk/Host1/agents/", "open: true", invalid],
        ),
    ] {
        let (_, body) = examples
            .iter()
            .find(|(known, body)| known == language && body.contains(mark))
            .unwrap_or_else(|| panic!("no example with {mark}"));
        if language == "cpp" {
            // an object to be found; the others are told of nothing but what they do themselves
            host.start_agent();
            host.await_agents(1);
        }
        let mut child = runner(language, body, &folder)
            .env("DBUS_SYSTEM_BUS_ADDRESS", host.bus_address())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        // a program that was compiled does not read it
        let _ = input.write_all(body.as_bytes());
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
        for words in expected {
            assert!(said.contains(words), "the example with {mark}: {said}");
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
}
