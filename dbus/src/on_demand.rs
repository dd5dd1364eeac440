//! What an administrator says about one account's sessions on demand: a file in `/etc/punktfunk/on-demand.d`, named by the uid, whose
//! being there enables the account. `punktfunkctl` writes it, the service reads how long a session is kept, the unit's manager hands
//! the rest to the session. Lines of `KEY=VALUE`, as units take them (`EnvironmentFile=`).

use std::{
    collections::HashMap,
    fmt, fs, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

/// Where accounts are enabled. Root's alone: whoever writes there opens a log-in without a password.
pub const DIRECTORY: &str = "/etc/punktfunk/on-demand.d";
/// What can be asked for; `auto` is the first of them that is installed. KWin is late: most versions of it give no pictures without a screen.
pub const COMPOSITORS: [&str; 5] = ["gnome", "sway", "mutter", "kwin", "gamescope"];
/// People's accounts: systemd's range, home accounts included. The polkit rule says the same.
pub const PERSONS: RangeInclusive<u32> = 1000..=60_513;
/// A file with a compositor's name and a number in it is not longer.
const MAX_BYTES: u64 = 16 << 10;

/// How long a session is kept without a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// It ends when the client leaves.
    Stream,
    For(Duration),
    /// Until the machine stops.
    Always,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// One of [`COMPOSITORS`], or `auto`.
    pub compositor: String,
    pub keep: Keep,
}

impl Default for Keep {
    fn default() -> Self {
        Self::For(Duration::from_secs(600))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            compositor: "auto".into(),
            keep: Keep::default(),
        }
    }
}

impl FromStr for Keep {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "stream" => return Ok(Self::Stream),
            "always" => return Ok(Self::Always),
            _ => {}
        }
        let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
            Some(number) => (number, text.as_bytes().last()),
            None => (text, None),
        };
        let seconds = match unit {
            Some(b's') => 1,
            Some(b'h') => 3600,
            _ => 60,
        };
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: Option<u32> = number.parse().ok().filter(|_| is_number);
        number
            .map(|number| {
                Self::For(Duration::from_secs(
                    u64::from(number).saturating_mul(seconds),
                ))
            })
            .ok_or_else(|| {
                format!("{text} is neither \"stream\", \"always\" nor a time: 10 or 10m, 30s, 2h")
            })
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stream => f.write_str("stream"),
            Self::Always => f.write_str("always"),
            Self::For(time) => match time.as_secs() {
                seconds if seconds % 60 == 0 => write!(f, "{}m", seconds / 60),
                seconds => write!(f, "{seconds}s"),
            },
        }
    }
}

/// # Errors
/// The names that there are.
pub fn compositor(name: &str) -> Result<String, String> {
    (name == "auto" || COMPOSITORS.contains(&name))
        .then(|| name.to_owned())
        .ok_or_else(|| format!("{name} is none of auto, {}", COMPOSITORS.join(", ")))
}

impl Policy {
    /// The account's file.
    pub fn file(directory: &Path, uid: u32) -> PathBuf {
        directory.join(uid.to_string())
    }

    /// What is said of this account; None: it is not enabled. The inner error says what is wrong in the file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(directory: &Path, uid: u32) -> io::Result<Option<Result<Self, String>>> {
        let path = Self::file(directory, uid);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.len() > MAX_BYTES => Ok(Some(Err("it is too large".into()))),
            Ok(_) => Ok(Some(Self::parse(&fs::read_to_string(&path)?))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Other keys than the two are the compositor's environment.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        let assignments: HashMap<&str, &str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with(['#', ';']))
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.trim(), value.trim().trim_matches(['"', '\''])))
            .collect();
        let mut policy = Self::default();
        if let Some(name) = assignments
            .get("COMPOSITOR")
            .filter(|name| !name.is_empty())
        {
            policy.compositor = compositor(name).map_err(|why| format!("COMPOSITOR: {why}"))?;
        }
        if let Some(keep) = assignments.get("KEEP") {
            policy.keep = keep.parse::<Keep>().map_err(|why| format!("KEEP: {why}"))?;
        }
        Ok(policy)
    }

    /// The text of a file that says this.
    pub fn text(&self) -> String {
        format!("COMPOSITOR={}\nKEEP={}\n", self.compositor, self.keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_enables_and_says_how_long() {
        let keep = |text: &str| Policy::parse(text).map(|policy| policy.keep);
        let minutes = |minutes: u64| Ok(Keep::For(Duration::from_secs(minutes * 60)));
        assert_eq!(keep(""), minutes(10));
        assert_eq!(keep("COMPOSITOR=sway\nKEEP=30\n"), minutes(30));
        assert_eq!(keep("KEEP=2h"), minutes(120));
        assert_eq!(keep("KEEP=7s"), Ok(Keep::For(Duration::from_secs(7))));
        assert_eq!(keep("# KEEP=1\nKEEP=\"always\""), Ok(Keep::Always));
        assert_eq!(keep("KEEP=stream"), Ok(Keep::Stream));
        for wrong in ["soon", "", "-1", "+1", "1 d", "99999999999", "ms"] {
            assert!(
                keep(&format!("KEEP={wrong}")).unwrap_err().contains("KEEP"),
                "{wrong}"
            );
        }
        assert!(
            Policy::parse("COMPOSITOR=xterm")
                .unwrap_err()
                .contains("sway")
        );
        assert!(matches!(
            Policy::read(Path::new("/nonexistent"), 1000),
            Ok(None)
        ));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for keep in ["stream", "always", "10m", "90s", "120m"] {
            let policy = Policy {
                compositor: "sway".into(),
                keep: keep.parse().unwrap(),
            };
            assert!(policy.text().contains(&format!("KEEP={keep}\n")), "{keep}");
            assert_eq!(Policy::parse(&policy.text()), Ok(policy));
        }
    }
}
