//! The TOML file: its keys, and what each accepts. Mistakes are reported with line and key by the parser.
use super::{Config, ConfigError, Encryption, OUTPUT_POLICIES, Ports, SINKS, VIDEO_SOURCES, keys};
use crate::gamepads::Choice;
use serde::Deserialize;
use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    time::Duration,
};

/// Every key is optional; unknown keys are mistakes, because a misspelt one would otherwise do nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct File {
    name: Option<Name>,
    bind: Option<IpAddr>,
    state_dir: Option<PathBuf>,
    identity_dir: Option<PathBuf>,
    user: Option<String>,
    encryption: Option<EncryptionWord>,
    encryption_lan: Option<EncryptionWord>,
    encryption_wan: Option<EncryptionWord>,
    gamepad: Option<Gamepad>,
    legacy_control: Option<bool>,
    discovery: Option<bool>,
    perf: Option<bool>,
    ports: PortTable,
    external: ExternalTable,
    video: VideoTable,
    desktop: DesktopTable,
    sound: SoundTable,
    sessions: SessionsTable,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct PortTable {
    base: Option<u16>,
    http: Option<u16>,
    https: Option<u16>,
    rtsp: Option<u16>,
    video: Option<u16>,
    control: Option<u16>,
    audio: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct ExternalTable {
    ip: Option<Ipv4Addr>,
    http_port: Option<std::num::NonZeroU16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct VideoTable {
    source: Option<Source>,
    compositor: Option<Compositor>,
    fec_percent: Option<Percent>,
    adaptive_parity: Option<bool>,
    adaptive_bitrate: Option<bool>,
    drop: Option<u32>,
    pace_rate_mbit: Option<PaceRate>,
    max_total_bitrate_mbit: Option<TotalBitrate>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct DesktopTable {
    outputs: Option<OutputPolicy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct SoundTable {
    sink: Option<Sink>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct SessionsTable {
    hold_seconds: Option<HoldSeconds>,
    start_seconds: Option<StartSeconds>,
    max_streams: Option<Streams>,
    streams_per_user: Option<Streams>,
    reserve_places: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Name(String);
impl TryFrom<String> for Name {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        let fits = !name.is_empty() && name.len() <= 63 && !name.chars().any(char::is_control);
        fits.then_some(Self(name))
            .ok_or_else(|| "a name of 1 to 63 bytes without control characters".into())
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Source(String);
impl TryFrom<String> for Source {
    type Error = String;
    fn try_from(value: String) -> Result<Self, String> {
        video_source(&value).map(Self)
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Compositor(String);
impl TryFrom<String> for Compositor {
    type Error = String;
    fn try_from(value: String) -> Result<Self, String> {
        compositor(&value).map(Self)
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct OutputPolicy(String);
impl TryFrom<String> for OutputPolicy {
    type Error = String;
    fn try_from(value: String) -> Result<Self, String> {
        if OUTPUT_POLICIES.contains(&value.as_str()) {
            Ok(Self(value))
        } else {
            Err(format!("expected one of {}", OUTPUT_POLICIES.join(", ")))
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Sink(String);
impl TryFrom<String> for Sink {
    type Error = String;
    fn try_from(value: String) -> Result<Self, String> {
        if SINKS.contains(&value.as_str()) {
            Ok(Self(value))
        } else {
            Err(format!("expected one of {}", SINKS.join(", ")))
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Gamepad(Choice);
impl TryFrom<String> for Gamepad {
    type Error = String;
    fn try_from(value: String) -> Result<Self, String> {
        Choice::parse(&value)
            .map(Self)
            .ok_or_else(|| format!("expected one of {}", Choice::WORDS.join(", ")))
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "i64")]
struct Percent(u8);
impl TryFrom<i64> for Percent {
    type Error = &'static str;
    fn try_from(value: i64) -> Result<Self, Self::Error> {
        let percent = u8::try_from(value).ok().filter(|percent| *percent <= 100);
        percent
            .map(Self)
            .ok_or("expected a number from 0 to 100 (percent)")
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "i64")]
struct HoldSeconds(Duration);
impl TryFrom<i64> for HoldSeconds {
    type Error = &'static str;
    fn try_from(value: i64) -> Result<Self, Self::Error> {
        let seconds = u64::try_from(value).ok().filter(|seconds| *seconds <= 120);
        seconds
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or("expected a number from 0 to 120 (seconds)")
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "i64")]
struct StartSeconds(Duration);
impl TryFrom<i64> for StartSeconds {
    type Error = &'static str;
    fn try_from(value: i64) -> Result<Self, Self::Error> {
        let seconds = u64::try_from(value).ok();
        seconds
            .filter(|seconds| (5..=100).contains(seconds))
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or("expected a number from 5 to 100 (seconds)")
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "i64")]
struct Streams(u32);
impl TryFrom<i64> for Streams {
    type Error = &'static str;
    fn try_from(value: i64) -> Result<Self, Self::Error> {
        let most = u32::try_from(value).ok();
        most.filter(|most| (1..=32).contains(most))
            .map(Self)
            .ok_or("expected a number from 1 to 32 (streams)")
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "i64")]
struct PaceRate(u32);
impl TryFrom<i64> for PaceRate {
    type Error = &'static str;
    fn try_from(value: i64) -> Result<Self, Self::Error> {
        let rate = u32::try_from(value)
            .ok()
            .filter(|rate| (10..=100_000).contains(rate));
        rate.map(Self)
            .ok_or("expected a number from 10 to 100000 (Mbit/s)")
    }
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "i64")]
struct TotalBitrate(u32);
impl TryFrom<i64> for TotalBitrate {
    type Error = &'static str;
    fn try_from(value: i64) -> Result<Self, Self::Error> {
        let most = u32::try_from(value).ok().filter(|most| *most <= 100_000);
        most.map(Self)
            .ok_or("expected a number from 1 to 100000 (Mbit/s), or 0 for no limit")
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum EncryptionWord {
    Off,
    Offered,
    Required,
}

impl From<EncryptionWord> for Encryption {
    fn from(word: EncryptionWord) -> Self {
        match word {
            EncryptionWord::Off => Self::Off,
            EncryptionWord::Offered => Self::Offered,
            EncryptionWord::Required => Self::Required,
        }
    }
}

/// # Errors
/// The accepted words.
pub(super) fn video_source(value: &str) -> Result<String, String> {
    if VIDEO_SOURCES.contains(&value) {
        Ok(value.to_owned())
    } else {
        Err(format!("expected one of {}", VIDEO_SOURCES.join(", ")))
    }
}

/// # Errors
/// What a compositor's name looks like. Which names exist is known by the agents alone.
pub(super) fn compositor(value: &str) -> Result<String, String> {
    let fits = !value.is_empty()
        && value.len() <= 32
        && value
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits {
        Ok(value.to_owned())
    } else {
        Err("expected auto or a compositor's name in lower case, such as kwin, mutter, sway".into())
    }
}

/// Lay the file's values over `config`, and answer the file. Whether the ports go together is known once all files are.
pub(super) fn apply(
    config: &mut Config,
    path: &Path,
    text: &str,
) -> Result<toml::Table, ConfigError> {
    let broken = |message: String| ConfigError::File {
        path: path.display().to_string(),
        message,
    };
    let file: File = toml::from_str(text).map_err(|error| broken(explained(&error)))?;
    let table = toml::from_str(text).map_err(|error| broken(explained(&error)))?;
    replace(&mut config.name, file.name.map(|name| name.0));
    replace(&mut config.bind, file.bind);
    replace(
        &mut config.state_dir,
        absolute(file.state_dir, "state-dir").map_err(broken)?,
    );
    replace(
        &mut config.identity_dir,
        absolute(file.identity_dir, "identity-dir").map_err(broken)?,
    );
    replace(&mut config.user, file.user);
    // The general word first: those of the networks are laid over it.
    for (slot, word) in [
        (&mut config.encryption.lan, file.encryption_lan),
        (&mut config.encryption.wan, file.encryption_wan),
    ] {
        replace(slot, word.or(file.encryption).map(Encryption::from));
    }
    replace(&mut config.legacy_control, file.legacy_control);
    config.external.ip = file.external.ip.or(config.external.ip);
    if let Some(port) = file.external.http_port {
        config.external.http_port = Some(port.get());
    }
    replace(&mut config.gamepad, file.gamepad.map(|choice| choice.0));
    replace(
        &mut config.hold,
        file.sessions.hold_seconds.map(|seconds| seconds.0),
    );
    replace(
        &mut config.start,
        file.sessions.start_seconds.map(|seconds| seconds.0),
    );
    for (slot, most) in [
        (&mut config.max_streams, file.sessions.max_streams),
        (&mut config.streams_per_user, file.sessions.streams_per_user),
    ] {
        replace(slot, most.map(|most| most.0));
    }
    replace(&mut config.reserve_places, file.sessions.reserve_places);
    replace(&mut config.discovery, file.discovery);
    replace(&mut config.perf, file.perf);
    replace(
        &mut config.video_source,
        file.video.source.map(|source| source.0),
    );
    replace(
        &mut config.compositor,
        file.video.compositor.map(|name| name.0),
    );
    replace(
        &mut config.outputs,
        file.desktop.outputs.map(|policy| policy.0),
    );
    replace(&mut config.sink, file.sound.sink.map(|sink| sink.0));
    replace(
        &mut config.fec_percent,
        file.video.fec_percent.map(|percent| percent.0),
    );
    replace(&mut config.adaptive_parity, file.video.adaptive_parity);
    replace(&mut config.adaptive_bitrate, file.video.adaptive_bitrate);
    replace(&mut config.video_drop, file.video.drop);
    replace(
        &mut config.pace_rate_mbit,
        file.video.pace_rate_mbit.map(|rate| rate.0),
    );
    replace(
        &mut config.max_total_bitrate_mbit,
        file.video.max_total_bitrate_mbit.map(|most| most.0),
    );
    config.ports = ports(config.ports, &file.ports).map_err(broken)?;
    Ok(table)
}

/// The parser's words, with line and column; for an unknown key, the one that was probably meant instead of all of them.
fn explained(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let unknown = error
        .message()
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split('`').next());
    let (Some(unknown), Some((before, _))) = (unknown, text.rsplit_once(", expected ")) else {
        return text;
    };
    match keys::nearest(unknown) {
        Some(known) => format!("{before}; did you mean `{known}`?"),
        None => format!("{before}; punktfunk.toml(5) lists the keys"),
    }
}

fn replace<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

fn absolute(path: Option<PathBuf>, key: &str) -> Result<Option<PathBuf>, String> {
    match path {
        Some(path) if !path.is_absolute() => Err(format!(
            "{key} = {:?}: the path must be absolute",
            path.display().to_string()
        )),
        path => Ok(path),
    }
}

fn ports(default: Ports, table: &PortTable) -> Result<Ports, String> {
    let mut ports = match table.base {
        Some(base) => Ports::from_base(base).ok_or_else(|| {
            format!("ports.base = {base}: the ports derived from it do not exist")
        })?,
        None => default,
    };
    replace(&mut ports.http, table.http);
    replace(&mut ports.https, table.https);
    replace(&mut ports.rtsp, table.rtsp);
    replace(&mut ports.video, table.video);
    replace(&mut ports.control, table.control);
    replace(&mut ports.audio, table.audio);
    Ok(ports)
}
