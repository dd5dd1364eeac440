//! Where log lines go: the journal when systemd started us, else standard error.
pub mod audit;

use std::{
    collections::HashMap,
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tracing_subscriber::{
    EnvFilter, Layer, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt,
};

/// Set up logging for the whole process. `PUNKTFUNK_LOG` (or `RUST_LOG`) filters, default `info`.
///
/// Starts no thread: it is called before privileges are dropped.
pub fn start() {
    let filter = EnvFilter::try_from_env("PUNKTFUNK_LOG")
        .or_else(|_| EnvFilter::try_from_default_env())
        // mdns-sd reports every interface it cannot use as an error.
        .unwrap_or_else(|_| EnvFilter::new("info,mdns_sd=warn,zbus=warn"));
    let registry = tracing_subscriber::registry().with(filter);
    if under_systemd()
        && let Ok(journal) = tracing_journald::layer()
    {
        // A field `stream` of a line becomes PUNKTFUNK_STREAM. Audited lines name their fields themselves.
        let audited = |metadata: &tracing::Metadata<'_>| metadata.target() == audit::TARGET;
        let Ok(audit) = tracing_journald::layer() else {
            registry.with(journal).init();
            return;
        };
        registry
            .with(
                journal
                    .with_field_prefix(Some("PUNKTFUNK".into()))
                    .with_filter(filter_fn(move |metadata| !audited(metadata))),
            )
            .with(
                audit
                    .with_field_prefix(None)
                    .with_filter(filter_fn(audited)),
            )
            .init();
        return;
    }
    registry
        .with(
            tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(std::io::stderr().is_terminal())
                .with_target(false),
        )
        .init();
}

/// Both are set by systemd; the second alone is inherited from a desktop session's terminal as well.
fn under_systemd() -> bool {
    std::env::var_os("INVOCATION_ID").is_some()
        && std::env::var_os("JOURNAL_STREAM").is_some_and(|stream| journal_is_stderr(&stream))
}

/// `JOURNAL_STREAM` names the device and inode of the stream: a redirected standard error is not the journal.
fn journal_is_stderr(stream: &std::ffi::OsStr) -> bool {
    let Ok(stat) = nix::sys::stat::fstat(std::io::stderr()) else {
        return false;
    };
    stream.to_str() == Some(&format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Lets one line through in a while, where strangers decide how often there is something to say.
pub struct Rarely {
    last: Mutex<Option<Instant>>,
    pause: Duration,
}

impl Rarely {
    pub const fn new(pause: Duration) -> Self {
        Self {
            last: Mutex::new(None),
            pause,
        }
    }

    /// Whether to say it this time.
    pub fn now(&self) -> bool {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.saturating_duration_since(last) >= self.pause);
        if due {
            *last = Some(now);
        }
        due
    }
}

/// Lets some lines of each of many strangers through, and then none for a while.
pub struct Sparing {
    /// When each one's time began, and how many lines it had since.
    of: Mutex<Option<HashMap<u32, (Instant, u32)>>>,
    lines: u32,
    time: Duration,
}

/// Strangers that are told apart; beyond that all begin anew.
const MAX_STRANGERS: usize = 512;

impl Sparing {
    pub const fn new(lines: u32, time: Duration) -> Self {
        Self {
            of: Mutex::new(None),
            lines,
            time,
        }
    }

    /// Whether to say it this time, and what to add to the last one for a while.
    pub fn line(&self, stranger: u32) -> Option<&'static str> {
        self.at(stranger, Instant::now())
    }

    fn at(&self, stranger: u32, now: Instant) -> Option<&'static str> {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let of = of.get_or_insert_default();
        if of.len() >= MAX_STRANGERS {
            of.clear();
        }
        let (since, said) = of.entry(stranger).or_insert((now, 0));
        if now.saturating_duration_since(*since) >= self.time {
            (*since, *said) = (now, 0);
        }
        *said = said.saturating_add(1);
        match (*said).cmp(&self.lines) {
            std::cmp::Ordering::Less => Some(""),
            std::cmp::Ordering::Equal => Some("; further ones are not logged for a while"),
            std::cmp::Ordering::Greater => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_strangers_flood_is_cut_and_hides_no_other_stranger() {
        let sparing = Sparing::new(3, Duration::from_secs(10));
        let start = Instant::now();
        let said = |who, seconds| sparing.at(who, start + Duration::from_secs(seconds));
        assert_eq!(said(1, 0), Some(""));
        assert_eq!(said(1, 1), Some(""));
        assert!(said(1, 2).is_some_and(|more| more.contains("further")));
        assert_eq!(said(1, 3), None);
        assert_eq!(said(2, 3), Some(""));
        assert_eq!(said(1, 10), Some(""));
    }

    #[test]
    fn a_line_is_let_through_once_in_a_while() {
        let rarely = Rarely::new(Duration::from_secs(1));
        let start = Instant::now();
        let said = |millis| rarely.at(start + Duration::from_millis(millis));
        assert_eq!(
            [0, 500, 999, 1000, 1500, 2000].map(said),
            [true, false, false, true, false, true]
        );
    }
}
