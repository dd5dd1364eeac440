//! What a person reads when the service cannot start: what failed, why, what to do.
use crate::daemon::{Bus, Scratch, base_port, command, development, run};
use std::net::{TcpListener, UdpSocket};

#[test]
fn a_broken_configuration_is_reported_with_line_and_key_and_status_2() {
    let scratch = Scratch::new();
    let config = scratch.file("bad.toml", "name = \"x\"\n[video]\nfec-percent = 300\n");
    let mut command = command("unix:path=/nonexistent");
    command.arg("--dev").arg("--config").arg(&config);
    let (status, said) = run(command);
    assert_eq!(status.code(), Some(2), "{said}");
    for word in ["bad.toml", "line 3", "fec-percent", "0 to 100"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn an_environment_override_that_means_nothing_is_reported() {
    let scratch = Scratch::new();
    let mut command = command("unix:path=/nonexistent");
    command.arg("--dev").arg("--state-dir").arg(&scratch.0);
    command.env("PUNKTFUNK_FEC_PCT", "lots");
    let (status, said) = run(command);
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("PUNKTFUNK_FEC_PCT=\"lots\""), "{said}");
}

#[test]
fn without_a_bus_the_message_says_what_to_do() {
    let scratch = Scratch::new();
    let mut command = command("unix:path=/nonexistent/bus");
    command.arg("--dev").arg("--state-dir").arg(&scratch.0);
    let (status, said) = run(command);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains("message bus") && said.contains("dbus-run-session"),
        "{said}"
    );
}

#[test]
fn a_port_that_is_taken_is_named() {
    let bus = Bus::start();
    let scratch = Scratch::new();
    let base = base_port();
    let _tcp = TcpListener::bind(("0.0.0.0", base)).unwrap();
    let mut command = command(&bus.address);
    command
        .arg("--dev")
        .arg("--state-dir")
        .arg(scratch.0.join("s"));
    command.arg("--base-port").arg(base.to_string());
    let (status, said) = run(command);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains(&base.to_string()) && said.contains("uses it"),
        "{said}"
    );
}

#[test]
fn a_media_port_that_is_taken_is_named() {
    let bus = Bus::start();
    let scratch = Scratch::new();
    let base = base_port();
    let _udp = UdpSocket::bind(("0.0.0.0", base + 9)).unwrap();
    let mut command = command(&bus.address);
    command
        .arg("--dev")
        .arg("--state-dir")
        .arg(scratch.0.join("s"));
    command.arg("--base-port").arg(base.to_string());
    let (status, said) = run(command);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(&(base + 9).to_string()), "{said}");
}

#[test]
fn a_damaged_identity_is_named_and_not_replaced() {
    let bus = Bus::start();
    let scratch = Scratch::new();
    let identity = scratch.0.join("state/identity");
    std::fs::create_dir_all(&identity).unwrap();
    std::fs::write(identity.join("certificate.pem"), "not a certificate").unwrap();
    let (status, said) = run(development(&bus, &scratch));
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains("certificate.pem") && said.contains("backup"),
        "{said}"
    );
}

#[test]
fn help_and_version_need_nothing() {
    for option in ["--help", "--version"] {
        let mut command = command("unix:path=/nonexistent");
        command.arg(option);
        assert!(run(command).0.success(), "{option}");
    }
}

#[test]
fn a_missing_configuration_is_named_with_its_cause_once() {
    let mut command = command("unix:path=/nonexistent");
    command
        .arg("--dev")
        .arg("--config")
        .arg("/nonexistent/punktfunk.toml");
    let (status, said) = run(command);
    assert_eq!(status.code(), Some(2), "{said}");
    assert_eq!(said.matches("No such file").count(), 1, "{said}");
    assert!(said.contains("/nonexistent/punktfunk.toml"), "{said}");
}

#[test]
fn a_missing_account_is_reported_before_anything_is_made() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let scratch = Scratch::new();
    let (state, identity) = (scratch.0.join("state"), scratch.0.join("identity"));
    let config = format!(
        "user = \"nobody-has-this-name\"\nstate-dir = {state:?}\nidentity-dir = {identity:?}\n"
    );
    let mut command = command("unix:path=/nonexistent");
    command
        .arg("--config")
        .arg(scratch.file("punktfunk.toml", &config));
    let (status, said) = run(command);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains("nobody-has-this-name") && said.contains("useradd"),
        "{said}"
    );
    assert!(!state.exists() && !identity.exists(), "nothing was made");
}
