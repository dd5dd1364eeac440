//! Where log lines go: the journal when systemd started us, else standard error.
use std::{
    io::IsTerminal,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

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
        registry.with(journal).init();
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

#[cfg(test)]
mod tests {
    use super::*;

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
