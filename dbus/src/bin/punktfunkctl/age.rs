//! Points in time as a person says them.
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |duration| duration.as_secs())
}

/// How long ago, in its largest unit; 0 means never.
pub fn ago(then: u64, now: u64) -> String {
    if then == 0 {
        return "never".into();
    }
    match now.saturating_sub(then) {
        0..=1 => "just now".into(),
        seconds @ 2..=119 => format!("{seconds} s ago"),
        seconds @ 120..=7199 => format!("{} min ago", seconds / 60),
        seconds @ 7200..=172_799 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} days ago", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_said_in_their_largest_unit() {
        let said = |age: u64| ago(1_000_000 - age, 1_000_000);
        assert_eq!(said(0), "just now");
        assert_eq!(said(119), "119 s ago");
        assert_eq!(said(120), "2 min ago");
        assert_eq!(said(7200), "2 h ago");
        assert_eq!(said(172_800), "2 days ago");
        assert_eq!(ago(5, 3), "just now");
        assert_eq!(ago(0, 3), "never");
    }
}
