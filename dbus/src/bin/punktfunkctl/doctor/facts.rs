//! Everything that the checks look at, gathered once. Nothing here judges.
use super::{
    checks,
    desktop::{self, Desktop},
    listening::Listening,
};
use crate::{bus::Bus, failure::Failure, snapshot::Snapshot};
use nix::unistd::{AccessFlags, Group, User, access, geteuid};
use punktfunk_dbus::{
    encoder_speeds::{Measured, Speeds},
    names::ACCOUNT,
};
use std::{
    collections::BTreeMap,
    os::unix::{fs::MetadataExt, net::UnixStream},
    path::{Path, PathBuf},
    time::Duration,
};

const BUS_POLICY: [&str; 3] = [
    "/usr/share/dbus-1/system.d/org.punktfunk.Host1.conf",
    "/usr/local/share/dbus-1/system.d/org.punktfunk.Host1.conf",
    "/etc/dbus-1/system.d/org.punktfunk.Host1.conf",
];
const ACTION_FILE: [&str; 3] = [
    "/usr/share/polkit-1/actions/org.punktfunk.host.policy",
    "/usr/local/share/polkit-1/actions/org.punktfunk.host.policy",
    "/etc/polkit-1/actions/org.punktfunk.host.policy",
];
const PAD_RULES: [&str; 4] = [
    "/usr/lib/udev/rules.d/72-punktfunk.rules",
    "/lib/udev/rules.d/72-punktfunk.rules",
    "/usr/local/lib/udev/rules.d/72-punktfunk.rules",
    "/etc/udev/rules.d/72-punktfunk.rules",
];
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug, Clone)]
pub struct Facts {
    /// A development host: what an installation puts in place does not apply.
    pub private_bus: bool,
    pub bus: Result<(), Failure>,
    /// The service has its name on the bus.
    pub service: bool,
    /// What systemd says of the unit (`enabled`, `disabled`, ...); `None`: it was not asked or has no such unit.
    pub unit: Option<String>,
    /// What the service says; `None` where it does not run.
    pub snapshot: Option<Result<Snapshot, Failure>>,
    pub service_user: bool,
    pub polkit: bool,
    pub action_file: Option<PathBuf>,
    pub bus_policy: Option<PathBuf>,
    pub avahi: bool,
    pub uid: u32,
    /// The caller's logind session, where it is in one.
    pub session: Option<String>,
    /// Where PipeWire's socket should be; `None` without a runtime directory.
    pub pipewire: Option<PathBuf>,
    pub pipewire_present: bool,
    pub desktop: Desktop,
    /// The host's settings that are words; empty where the service does not say.
    pub settings: BTreeMap<String, String>,
    /// Whether the session that the caller's agent offers is locked.
    pub locked: Option<bool>,
    pub listening: Option<Listening>,
    /// Bytes.
    pub wmem_max: Option<u64>,
    pub uinput: PadNode,
    pub uhid: PadNode,
    pub pad_rules: Option<PathBuf>,
    /// What the caller's agent measured of its software encoders.
    pub speeds: BTreeMap<String, Measured>,
}

/// A node that gamepads are made through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PadNode {
    Missing,
    /// There, but closed to the account that serves (of a development host: to the caller).
    Closed,
    Open,
}

impl PadNode {
    fn look(path: &str, development: bool) -> Self {
        let Ok(node) = std::fs::metadata(path) else {
            return Self::Missing;
        };
        let open = if development {
            access(path, AccessFlags::R_OK | AccessFlags::W_OK).is_ok()
        } else {
            let group = Group::from_name(ACCOUNT).ok().flatten();
            let of_group = group.is_some_and(|group| group.gid.as_raw() == node.gid());
            of_group && node.mode() & 0o060 == 0o060
        };
        if open { Self::Open } else { Self::Closed }
    }
}

impl Facts {
    pub async fn gather(bus_address: Option<&str>) -> Self {
        let pipewire = pipewire_socket(|name| std::env::var_os(name).map(PathBuf::from));
        let private_bus =
            bus_address.is_some() || redirected(std::env::var("DBUS_SYSTEM_BUS_ADDRESS").ok());
        let mut facts = Self {
            private_bus,
            bus: Ok(()),
            service: false,
            unit: None,
            snapshot: None,
            service_user: matches!(User::from_name(ACCOUNT), Ok(Some(_))),
            polkit: false,
            action_file: first_present(&ACTION_FILE),
            bus_policy: first_present(&BUS_POLICY),
            avahi: false,
            uid: geteuid().as_raw(),
            session: std::env::var("XDG_SESSION_ID").ok(),
            pipewire_present: pipewire.as_deref().is_some_and(listens),
            pipewire,
            desktop: Desktop::gather().await,
            settings: BTreeMap::new(),
            locked: None,
            listening: Listening::read(),
            wmem_max: read_number("/proc/sys/net/core/wmem_max"),
            uinput: PadNode::look("/dev/uinput", private_bus),
            uhid: PadNode::look("/dev/uhid", private_bus),
            pad_rules: first_present(&PAD_RULES),
            speeds: Speeds::path()
                .and_then(|path| Speeds::load(&path))
                .map(|speeds| speeds.encoders)
                .unwrap_or_default(),
        };
        match Bus::connect(bus_address).await {
            Ok(bus) => facts.ask(&bus).await,
            Err(failure) => facts.bus = Err(failure),
        }
        facts
    }

    async fn ask(&mut self, bus: &Bus) {
        let present = async |name: &str| bus.has_owner(name).await.unwrap_or(false);
        self.service = present(punktfunk_dbus::names::BUS_NAME).await;
        self.avahi = present("org.freedesktop.Avahi").await;
        let polkit = "org.freedesktop.PolicyKit1";
        self.polkit = present(polkit).await || bus.is_activatable(polkit).await.unwrap_or(false);
        if present("org.freedesktop.systemd1").await {
            self.unit = unit_state(bus).await;
        }
        if self.service {
            self.snapshot = Some(bus.snapshot().await);
            self.settings = settings(bus).await.unwrap_or_default();
        }
        if let Some(session) = checks::own_session(self) {
            self.locked = desktop::locked(bus, &session).await;
        }
    }
}

async fn settings(bus: &Bus) -> Result<BTreeMap<String, String>, Failure> {
    let all = bus.host().await?.configuration().await?;
    let words = all.into_iter().filter_map(|(key, value)| {
        let word = String::try_from(value).ok()?;
        Some((key, word))
    });
    Ok(words.collect())
}

/// Whether "the system bus" is another one than the system's.
fn redirected(address: Option<String>) -> bool {
    const SYSTEM: [&str; 2] = [
        "unix:path=/run/dbus/system_bus_socket",
        "unix:path=/var/run/dbus/system_bus_socket",
    ];
    address.is_some_and(|address| !SYSTEM.contains(&address.as_str()))
}

/// What systemd knows of the unit.
async fn unit_state(bus: &Bus) -> Option<String> {
    let call = bus.connection().call_method(
        Some("org.freedesktop.systemd1"),
        "/org/freedesktop/systemd1",
        Some("org.freedesktop.systemd1.Manager"),
        "GetUnitFileState",
        &("punktfunk.service",),
    );
    let answer = tokio::time::timeout(PATIENCE, call).await.ok()?.ok()?;
    answer.body().deserialize().ok()
}

/// As PipeWire's own clients look for it.
fn pipewire_socket(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let remote = variable("PIPEWIRE_REMOTE").unwrap_or_else(|| "pipewire-0".into());
    let directory = variable("PIPEWIRE_RUNTIME_DIR").or_else(|| variable("XDG_RUNTIME_DIR"));
    // An absolute remote replaces the directory.
    match directory {
        Some(directory) => Some(directory.join(remote)),
        None => remote.is_absolute().then_some(remote),
    }
}

/// Whether somebody takes connections there; the file of a socket stays when its program has ended.
fn listens(path: &Path) -> bool {
    UnixStream::connect(path).is_ok()
}

fn first_present(paths: &[&str]) -> Option<PathBuf> {
    paths.iter().map(PathBuf::from).find(|path| path.exists())
}

fn read_number(path: &str) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_bus_elsewhere_belongs_to_a_development_host() {
        assert!(!redirected(None));
        assert!(!redirected(Some(
            "unix:path=/run/dbus/system_bus_socket".into()
        )));
        assert!(redirected(Some("unix:path=/tmp/x/bus".into())));
    }

    #[test]
    fn a_socket_that_was_left_behind_listens_no_more() {
        let path = std::env::temp_dir().join(format!("pf-listens-{}", std::process::id()));
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let before = listens(&path);
        drop(listener);
        let after = listens(&path);
        std::fs::remove_file(&path).unwrap();
        assert_eq!((before, after), (true, false));
    }

    #[test]
    fn pipewire_is_looked_for_where_its_clients_look() {
        let with = |set: &'static [(&str, &str)]| {
            let variable = |name: &str| {
                let found = set.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| PathBuf::from(value))
            };
            pipewire_socket(variable)
        };
        assert_eq!(with(&[]), None);
        assert_eq!(
            with(&[("XDG_RUNTIME_DIR", "/run/user/1")]),
            Some("/run/user/1/pipewire-0".into())
        );
        assert_eq!(
            with(&[
                ("XDG_RUNTIME_DIR", "/a"),
                ("PIPEWIRE_RUNTIME_DIR", "/b"),
                ("PIPEWIRE_REMOTE", "x")
            ]),
            Some("/b/x".into())
        );
        assert_eq!(
            with(&[("XDG_RUNTIME_DIR", "/a"), ("PIPEWIRE_REMOTE", "/c/y")]),
            Some("/c/y".into())
        );
    }
}
