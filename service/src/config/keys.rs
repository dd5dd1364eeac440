//! Every key of the configuration: its name, when a change of it takes effect, and its value as it is now.
use super::Config;
use std::{collections::BTreeMap, fmt};

/// When a changed value is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// From now on; by streams, from the next one on, but for what they share.
    Live,
    /// After a restart of the service.
    Restart,
    /// After a restart, and from the administrator's files alone: it decides about privileges.
    FileOnly,
}

/// One key, with its tables: `video.fec-percent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    pub name: &'static str,
    pub effect: Effect,
}

const fn live(name: &'static str) -> Key {
    let effect = Effect::Live;
    Key { name, effect }
}
const fn restart(name: &'static str) -> Key {
    let effect = Effect::Restart;
    Key { name, effect }
}
const fn file_only(name: &'static str) -> Key {
    let effect = Effect::FileOnly;
    Key { name, effect }
}

pub const KEYS: [Key; 35] = [
    live("name"),
    restart("bind"),
    file_only("state-dir"),
    file_only("identity-dir"),
    file_only("user"),
    live("encryption"),
    live("encryption-lan"),
    live("encryption-wan"),
    restart("gamepad"),
    live("legacy-control"),
    live("discovery"),
    live("perf"),
    restart("ports.base"),
    restart("ports.http"),
    restart("ports.https"),
    restart("ports.rtsp"),
    restart("ports.video"),
    restart("ports.control"),
    restart("ports.audio"),
    live("external.ip"),
    live("external.http-port"),
    live("video.source"),
    live("video.compositor"),
    live("video.fec-percent"),
    live("video.adaptive-parity"),
    live("video.adaptive-bitrate"),
    live("video.pace-rate-mbit"),
    live("video.max-total-bitrate-mbit"),
    live("desktop.outputs"),
    live("sound.sink"),
    live("sessions.hold-seconds"),
    live("sessions.start-seconds"),
    live("sessions.max-streams"),
    live("sessions.streams-per-user"),
    live("sessions.reserve-places"),
];

/// Known, but for tests: not shown among the settings and not set over the bus.
pub const TEST_KEYS: [&str; 1] = ["video.drop"];

/// A setting's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

impl From<Value> for toml::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Text(text) => Self::String(text),
            Value::Number(number) => Self::Integer(number),
            Value::Flag(flag) => Self::Boolean(flag),
        }
    }
}

/// The key of this name.
pub fn key(name: &str) -> Option<Key> {
    KEYS.into_iter().find(|key| key.name == name)
}

/// Every setting with its value. Keys that only stand for several others (`encryption`, `ports.base`) and addresses
/// that are not known are left out.
pub fn values(config: &Config) -> BTreeMap<&'static str, Value> {
    let text = |text: &str| Value::Text(text.to_owned());
    let path = |path: &std::path::Path| Value::Text(path.display().to_string());
    let mut values = BTreeMap::from([
        ("name", text(&config.name)),
        ("bind", Value::Text(config.bind.to_string())),
        ("state-dir", path(&config.state_dir)),
        ("identity-dir", path(&config.identity_dir)),
        ("user", text(&config.user)),
        ("encryption-lan", text(config.encryption.lan.as_str())),
        ("encryption-wan", text(config.encryption.wan.as_str())),
        ("gamepad", text(config.gamepad.word())),
        ("legacy-control", Value::Flag(config.legacy_control)),
        ("discovery", Value::Flag(config.discovery)),
        ("perf", Value::Flag(config.perf)),
        ("video.source", text(&config.video_source)),
        ("video.compositor", text(&config.compositor)),
        (
            "video.fec-percent",
            Value::Number(config.fec_percent.into()),
        ),
        ("video.adaptive-parity", Value::Flag(config.adaptive_parity)),
        (
            "video.adaptive-bitrate",
            Value::Flag(config.adaptive_bitrate),
        ),
        (
            "video.pace-rate-mbit",
            Value::Number(config.pace_rate_mbit.into()),
        ),
        (
            "video.max-total-bitrate-mbit",
            Value::Number(config.max_total_bitrate_mbit.into()),
        ),
        ("desktop.outputs", text(&config.outputs)),
        ("sound.sink", text(&config.sink)),
        (
            "sessions.hold-seconds",
            Value::Number(i64::try_from(config.hold.as_secs()).unwrap_or(i64::MAX)),
        ),
        (
            "sessions.start-seconds",
            Value::Number(i64::try_from(config.start.as_secs()).unwrap_or(i64::MAX)),
        ),
        (
            "sessions.max-streams",
            Value::Number(config.max_streams.into()),
        ),
        (
            "sessions.streams-per-user",
            Value::Number(config.streams_per_user.into()),
        ),
        (
            "sessions.reserve-places",
            Value::Flag(config.reserve_places),
        ),
        ("ports.http", Value::Number(config.ports.http.into())),
        ("ports.https", Value::Number(config.ports.https.into())),
        ("ports.rtsp", Value::Number(config.ports.rtsp.into())),
        ("ports.video", Value::Number(config.ports.video.into())),
        ("ports.control", Value::Number(config.ports.control.into())),
        ("ports.audio", Value::Number(config.ports.audio.into())),
    ]);
    if let Some(ip) = config.external.ip {
        values.insert("external.ip", Value::Text(ip.to_string()));
    }
    if let Some(port) = config.external.http_port {
        values.insert("external.http-port", Value::Number(port.into()));
    }
    values
}

/// The keys that a file sets, with their tables.
pub(super) fn named_in(table: &toml::Table) -> Vec<String> {
    let mut names = Vec::new();
    for (name, value) in table {
        match value {
            toml::Value::Table(inner) => {
                names.extend(inner.keys().map(|key| format!("{name}.{key}")));
            }
            _ => names.push(name.clone()),
        }
    }
    names
}

/// The known key that an unknown one was probably meant to be: by its last part, at most a few letters off.
pub(super) fn nearest(unknown: &str) -> Option<&'static str> {
    let distance = |known: &str| {
        let last = known.rsplit('.').next().unwrap_or(known);
        strsim::damerau_levenshtein(last, unknown).min(strsim::damerau_levenshtein(known, unknown))
    };
    KEYS.into_iter()
        .map(|key| (distance(key.name), key.name))
        .filter(|(far, _)| *far <= 3 && far.saturating_mul(2) <= unknown.chars().count())
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shown_value_has_a_key_and_every_key_a_name_of_its_own() {
        let mut names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
        for name in values(&Config::default()).keys() {
            assert!(names.contains(name), "{name}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KEYS.len());
    }

    #[test]
    fn a_misspelt_key_finds_the_one_that_was_meant() {
        assert_eq!(nearest("fec-precent"), Some("video.fec-percent"));
        assert_eq!(nearest("encrypton"), Some("encryption"));
        assert_eq!(nearest("htpp"), Some("ports.http"));
        assert_eq!(nearest("banana"), None);
    }
}
