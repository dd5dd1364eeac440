//! From root to an account that can do nothing. These tests need root; without it they say so and pass.
use crate::daemon::{Bus, Scratch, Service, base_port, command, run};
use nix::unistd::{User, chown, getuid};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    process::Command,
};

/// An account of every Debian that owns nothing.
const ACCOUNT: &str = "nobody";

fn account() -> Option<User> {
    if !getuid().is_root() {
        eprintln!("skipped: needs root");
        return None;
    }
    Some(
        User::from_name(ACCOUNT)
            .unwrap()
            .expect("nobody is missing"),
    )
}

/// As the unit starts it: by root, with a state directory of the account's and an identity of root's.
fn as_installed(bus: &Bus, scratch: &Scratch, account: &str) -> Command {
    let state = scratch.0.join("state");
    let identity = scratch.0.join("identity");
    fs::create_dir_all(&state).unwrap();
    if let Some(user) = User::from_name(account).unwrap() {
        chown(&state, Some(user.uid), Some(user.gid)).unwrap();
    }
    let text = format!(
        "user = \"{account}\"\nstate-dir = \"{}\"\nidentity-dir = \"{}\"\ndiscovery = false\n",
        state.display(),
        identity.display()
    );
    let config = scratch.file("punktfunk.toml", &text);
    let mut command = command(&bus.address);
    command.arg("--config").arg(config);
    command.arg("--base-port").arg(base_port().to_string());
    command
}

#[test]
fn started_by_root_every_thread_belongs_to_the_account_and_can_do_nothing() {
    let Some(user) = account() else { return };
    let bus = Bus::start();
    let scratch = Scratch::new();
    let service = Service::start(as_installed(&bus, &scratch, ACCOUNT));
    let threads = service.threads();
    assert!(threads.len() > 1, "it has threads by now");
    for status in threads {
        let field = |name: &str| {
            let line = status
                .lines()
                .find(|line| line.starts_with(&format!("{name}:")))
                .unwrap();
            line.split_whitespace()
                .skip(1)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(field("Uid"), vec![user.uid.to_string(); 4]);
        assert_eq!(field("Gid"), vec![user.gid.to_string(); 4]);
        assert!(
            !field("Groups").contains(&"0".to_owned()),
            "root's groups are gone"
        );
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(set), ["0000000000000000"], "{set}");
        }
        assert_eq!(field("NoNewPrivs"), ["1"]);
    }
}

#[test]
fn the_identity_stays_roots_and_the_store_the_accounts() {
    let Some(user) = account() else { return };
    let bus = Bus::start();
    let scratch = Scratch::new();
    let _service = Service::start(as_installed(&bus, &scratch, ACCOUNT));
    let identity = scratch.0.join("identity");
    for path in [identity.clone(), identity.join("key.pem")] {
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(metadata.uid(), 0, "{}", path.display());
        assert_eq!(
            metadata.permissions().mode() & 0o077,
            0,
            "{}",
            path.display()
        );
    }
    assert_eq!(
        fs::metadata(scratch.0.join("state")).unwrap().uid(),
        user.uid.as_raw()
    );
}

#[test]
fn without_its_account_it_does_not_serve() {
    if account().is_none() {
        return;
    }
    let bus = Bus::start();
    for (name, word) in [("no-such-account-here", "no account"), ("root", "uid 0")] {
        let scratch = Scratch::new();
        let (status, said) = run(as_installed(&bus, &scratch, name));
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(
            said.contains(word) && said.contains("must not run as root"),
            "{said}"
        );
    }
}

#[test]
fn a_state_directory_of_somebody_else_is_refused() {
    if account().is_none() {
        return;
    }
    let bus = Bus::start();
    let scratch = Scratch::new();
    let command = as_installed(&bus, &scratch, ACCOUNT);
    chown(&scratch.0.join("state"), Some(0.into()), Some(0.into())).unwrap();
    let (status, said) = run(command);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains("state directory") && said.contains("chown"),
        "{said}"
    );
}

#[test]
fn in_development_root_becomes_the_owner_of_the_state_directory() {
    let Some(user) = account() else { return };
    let bus = Bus::start();
    let scratch = Scratch::new();
    let state = scratch.0.join("state");
    fs::create_dir(&state).unwrap();
    chown(&state, Some(user.uid), Some(user.gid)).unwrap();
    let service = Service::start(crate::daemon::development(&bus, &scratch));
    for status in service.threads() {
        let uid = status
            .lines()
            .find(|line| line.starts_with("Uid:"))
            .unwrap();
        assert!(
            uid.split_whitespace()
                .skip(1)
                .all(|id| id == user.uid.to_string()),
            "{uid}"
        );
    }
    assert_eq!(
        fs::metadata(state.join("identity/key.pem")).unwrap().uid(),
        user.uid.as_raw()
    );
}

#[tokio::test]
async fn in_development_another_account_is_refused_everything() {
    let Some(user) = account() else { return };
    let bus = Bus::start();
    let scratch = Scratch::new();
    let state = scratch.0.join("state");
    fs::create_dir(&state).unwrap();
    chown(&state, Some(user.uid), Some(user.gid)).unwrap();
    let _service = Service::start(crate::daemon::development(&bus, &scratch));
    // This test is root's: on the bus, and to polkit, that would be enough for anything.
    let builder = zbus::connection::Builder::address(bus.address.as_str()).unwrap();
    let root = builder.build().await.unwrap();
    for (interface, member) in [
        ("org.freedesktop.DBus.ObjectManager", "GetManagedObjects"),
        ("org.freedesktop.DBus.Introspectable", "Introspect"),
        ("org.punktfunk.Host1", "ClosePairing"),
    ] {
        let name = "org.punktfunk.Host1";
        let path = "/org/punktfunk/Host1";
        let outcome = root
            .call_method(Some(name), path, Some(interface), member, &())
            .await;
        match outcome {
            Err(zbus::Error::MethodError(name, ..)) => {
                assert_eq!(name.as_str(), "org.freedesktop.DBus.Error.AccessDenied");
            }
            other => panic!("{member}: {other:?}"),
        }
    }
}
