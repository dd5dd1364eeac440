//! Configuration: `/etc/punktfunk/punktfunk.toml` and its drop-ins, what was set over the bus, and documented environment
//! overrides for tests.
//!
//! Owns defaults, validation and the words in which a mistake is reported, and [`Settings`]: what holds now, which can
//! change while streams run.
mod encryption;
mod file;
mod keys;
mod layers;
mod ports;
mod saved;
mod settings;

pub use encryption::{Encryption, EncryptionPolicy};
pub use keys::{Effect, KEYS, Key, TEST_KEYS, Value};
pub use ports::Ports;
pub use settings::{Change, Settings, View};

use crate::{cli::Cli, gamepads::Choice};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    time::Duration,
};

/// Where the configuration is looked for when `--config` is not given.
pub const DEFAULT_FILE: &str = "/etc/punktfunk/punktfunk.toml";
/// Default of [`Config::state_dir`]: made by systemd's `StateDirectory=`, owned by the service's account.
pub const DEFAULT_STATE_DIR: &str = "/var/lib/punktfunk";
/// Default of [`Config::identity_dir`]: owned by root, mode 0700, so that nothing that serves can replace it.
pub const DEFAULT_IDENTITY_DIR: &str = "/var/lib/punktfunk-identity";
/// The account that serves. Another one needs other files than the package's: see docs/configuration.md.
pub const DEFAULT_USER: &str = punktfunk_dbus::names::ACCOUNT;

/// What [`Config::video_source`] may say.
pub const VIDEO_SOURCES: [&str; 9] = [
    "auto",
    "synthetic",
    "synthetic-fast",
    "portal",
    "mutter",
    "kwin-virtual",
    "sway",
    "wlroots",
    "gamescope",
];

/// The values of `desktop.outputs`, the default first.
const OUTPUT_POLICIES: [&str; 3] = ["extend", "primary", "exclusive"];

/// The values of `sound.sink`, the default first.
const SINKS: [&str; 2] = ["own", "default"];

#[derive(Debug, Clone)]
pub struct Config {
    /// The name that clients show; default: the machine's host name.
    pub name: String,
    pub ports: Ports,
    /// Addresses to bind; default `[::]` (dual stack).
    pub bind: IpAddr,
    /// Client store; belongs to the account that serves.
    pub state_dir: PathBuf,
    /// Certificate, key and unique id of the host; read before privileges are dropped.
    pub identity_dir: PathBuf,
    /// The account that serves; not looked at in development mode.
    pub user: String,
    /// `auto`, `synthetic`, `synthetic-fast`, `portal`, `mutter` (PUNKTFUNK_VIDEO_SOURCE)
    pub video_source: String,
    /// `auto` or a compositor's name (PUNKTFUNK_COMPOSITOR)
    pub compositor: String,
    /// What becomes of a session's other outputs while one is streamed: one of [`OUTPUT_POLICIES`].
    pub outputs: String,
    /// Which sink of a session is heard: one of [`SINKS`].
    pub sink: String,
    /// 0..=100; 0 = data only (PUNKTFUNK_FEC_PCT)
    pub fec_percent: u8,
    /// Parity follows the loss that clients report.
    pub adaptive_parity: bool,
    /// The encoder's rate follows it.
    pub adaptive_bitrate: bool,
    /// Drop the first of every N video datagrams before sending; 0 = none (PUNKTFUNK_VIDEO_DROP)
    pub video_drop: u32,
    /// Log per-stage timing each second (PUNKTFUNK_PERF)
    pub perf: bool,
    /// What is asked of clients, for each network.
    pub encryption: EncryptionPolicy,
    /// Take clients that know only the control stream's old encryption, whose IVs repeat.
    pub legacy_control: bool,
    /// How this host is reached from outside, if that is another address or port.
    pub external: External,
    /// Mbit/s at which the rest of a frame is spread after its first burst.
    pub pace_rate_mbit: u32,
    /// Mbit/s that all streams together may use; 0 = as much as their clients ask for.
    pub max_total_bitrate_mbit: u32,
    /// Which pad a client's controller becomes.
    pub gamepad: Choice,
    /// How long a stream waits for a session when the one that it shows is gone; zero: it ends.
    pub hold: Duration,
    /// How long a launch waits for a session that is started for it, agent included.
    pub start: Duration,
    /// Streams that there may be at a time, 32 at most: threads, sockets and rings are bounded by this.
    pub max_streams: u32,
    /// Streams that the clients of one account may have at a time.
    pub streams_per_user: u32,
    /// No account gets a second stream that another one may need for its first.
    pub reserve_places: bool,
    /// Announce the host by mDNS.
    pub discovery: bool,
    /// Development mode: private bus, no polkit, no logind, callers of our own uid only.
    pub development: bool,
}

/// What a router in front of this host makes of its address; told to clients, which remember it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct External {
    /// `ExternalIP` of serverinfo; left out of the answer when it is not known.
    pub ip: Option<Ipv4Addr>,
    /// `ExternalPort` of serverinfo: the HTTP port as seen from outside; default: the HTTP port.
    pub http_port: Option<u16>,
}

/// Why the configuration cannot be used; each variant names the place of the mistake.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration {path}: {source}")]
    Read {
        path: String,
        source: std::io::Error,
    },
    #[error("the configuration {path} is not valid:\n{message}")]
    File { path: String, message: String },
    #[error("the environment variable {name}={value:?} is not valid: {expected}")]
    Environment {
        name: &'static str,
        value: String,
        expected: String,
    },
    #[error("{0}")]
    CommandLine(String),
    #[error("{key} {why}")]
    NotSettable { key: String, why: &'static str },
    #[error("cannot keep the setting: {path}: {source}")]
    Write {
        path: String,
        source: std::io::Error,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: host_name(),
            ports: Ports::default(),
            bind: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            state_dir: DEFAULT_STATE_DIR.into(),
            identity_dir: DEFAULT_IDENTITY_DIR.into(),
            user: DEFAULT_USER.into(),
            video_source: "auto".into(),
            compositor: "auto".into(),
            outputs: OUTPUT_POLICIES[0].into(),
            sink: SINKS[0].into(),
            fec_percent: 20,
            adaptive_parity: true,
            adaptive_bitrate: true,
            video_drop: 0,
            perf: false,
            encryption: EncryptionPolicy::everywhere(Encryption::Offered),
            legacy_control: false,
            external: External::default(),
            pace_rate_mbit: 800,
            max_total_bitrate_mbit: 0,
            gamepad: Choice::Auto,
            hold: Duration::from_secs(15),
            start: Duration::from_secs(20),
            max_streams: 32,
            streams_per_user: 16,
            reserve_places: true,
            discovery: true,
            development: false,
        }
    }
}

impl Config {
    /// Streams listen to whichever sink is the session's default, for all clients.
    pub fn hears_default_sink(&self) -> bool {
        self.sink == SINKS[1]
    }

    /// What all streams together may use, in kbit/s; `None` = as much as they want.
    pub fn max_total_kbps(&self) -> Option<u32> {
        let mbit = self.max_total_bitrate_mbit;
        (mbit > 0).then(|| mbit.saturating_mul(1000))
    }

    /// Command line over environment over files over defaults: what root reads before it drops privileges. What was set
    /// over the bus comes later, see [`Settings::open`]: root reads nothing that the service may write.
    ///
    /// # Errors
    /// A file that was named but is missing, and any value that is not understood. A missing default file is not an error.
    pub fn load(cli: &Cli) -> Result<Self, ConfigError> {
        Self::load_with(cli, std::env::var_os)
    }

    /// [`Config::load`] with the environment passed in.
    pub fn load_with(
        cli: &Cli,
        environment: impl Fn(&'static str) -> Option<std::ffi::OsString>,
    ) -> Result<Self, ConfigError> {
        let files = layers::files(cli)?;
        layers::compose(cli, &environment, &files, None).map(|(config, _)| config)
    }

    fn use_development_directories(&mut self, environment: layers::Environment<'_>) {
        let base = environment("XDG_STATE_HOME")
            .map(PathBuf::from)
            .or_else(|| environment("HOME").map(|home| PathBuf::from(home).join(".local/state")))
            .unwrap_or_else(std::env::temp_dir);
        self.state_dir = base.join("punktfunk-dev");
        self.identity_dir = self.state_dir.join("identity");
    }

    /// Answers the keys that were overridden.
    fn apply_environment(
        &mut self,
        environment: layers::Environment<'_>,
    ) -> Result<Vec<&'static str>, ConfigError> {
        let mut overridden = Vec::new();
        let text = |name| environment(name).map(|value| value.to_string_lossy().into_owned());
        let bad = |name, value: String, expected: String| ConfigError::Environment {
            name,
            value,
            expected,
        };
        if let Some(value) = text("PUNKTFUNK_VIDEO_SOURCE") {
            overridden.push("video.source");
            self.video_source = file::video_source(&value)
                .map_err(|expected| bad("PUNKTFUNK_VIDEO_SOURCE", value, expected))?;
        }
        if let Some(value) = text("PUNKTFUNK_COMPOSITOR") {
            overridden.push("video.compositor");
            self.compositor = file::compositor(&value)
                .map_err(|expected| bad("PUNKTFUNK_COMPOSITOR", value, expected))?;
        }
        if let Some(value) = text("PUNKTFUNK_FEC_PCT") {
            overridden.push("video.fec-percent");
            self.fec_percent = value
                .parse()
                .ok()
                .filter(|percent| *percent <= 100)
                .ok_or_else(|| bad("PUNKTFUNK_FEC_PCT", value, "a number from 0 to 100".into()))?;
        }
        if let Some(value) = text("PUNKTFUNK_VIDEO_DROP") {
            overridden.push("video.drop");
            self.video_drop = value.parse().map_err(|_| {
                bad(
                    "PUNKTFUNK_VIDEO_DROP",
                    value,
                    "a number: the first of every so many datagrams is dropped, 0 = none".into(),
                )
            })?;
        }
        if let Some(value) = text("PUNKTFUNK_PERF") {
            overridden.push("perf");
            self.perf = match value.as_str() {
                "1" | "true" | "yes" => true,
                "0" | "false" | "no" | "" => false,
                _ => return Err(bad("PUNKTFUNK_PERF", value, "1 or 0".into())),
            };
        }
        Ok(overridden)
    }

    /// Answers the keys that were overridden.
    fn apply_command_line(&mut self, cli: &Cli) -> Result<Vec<&'static str>, ConfigError> {
        let mut overridden = Vec::new();
        if let Some(directory) = &cli.state_dir {
            overridden.push("state-dir");
            self.state_dir = directory.clone();
            // A directory given by hand keeps everything together, unless this is the real service.
            if cli.dev {
                self.identity_dir = directory.join("identity");
            }
        }
        if let Some(base) = cli.base_port {
            self.ports = Ports::from_base(base)
                .and_then(|ports| ports.validated().ok())
                .ok_or_else(|| {
                    ConfigError::CommandLine(format!(
                        "--base-port {base}: all ports derived from it must lie between 1024 and 65535; 1029 to 65514 will do"
                    ))
                })?;
            overridden.extend([
                "ports.http",
                "ports.https",
                "ports.rtsp",
                "ports.video",
                "ports.control",
                "ports.audio",
            ]);
        }
        Ok(overridden)
    }
}

fn host_name() -> String {
    nix::sys::utsname::uname()
        .ok()
        .and_then(|uts| uts.nodename().to_str().map(str::to_owned))
        .filter(|name| !name.is_empty() && name != "(none)")
        .unwrap_or_else(|| "punktfunk".into())
}

#[cfg(test)]
mod tests;
