//! No more pictures are copied than the client shows.

use std::time::Duration;

/// Lets pictures through at a rate a third above the client's at most: its clock and the compositor's are two, and one that
/// is only slightly faster should not wait.
#[derive(Debug)]
pub struct Pace {
    gap_ns: u64,
    last_ns: Option<u64>,
}

impl Pace {
    pub fn new(fps: u32) -> Self {
        Self {
            gap_ns: 750_000_000 / u64::from(fps.max(1)),
            last_ns: None,
        }
    }

    /// How long until the next one may be taken.
    pub fn wait(&self, now_ns: u64) -> Duration {
        let due = self.last_ns.map_or(0, |last| last + self.gap_ns);
        Duration::from_nanos(due.saturating_sub(now_ns))
    }

    pub fn due(&self, now_ns: u64) -> bool {
        self.wait(now_ns).is_zero()
    }

    pub fn taken(&mut self, now_ns: u64) {
        self.last_ns = Some(now_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_monitor_is_copied_at_the_clients_rate_and_one_of_that_rate_never_waits() {
        let copied = |monitor: u64, fps| {
            let mut pace = Pace::new(fps);
            let mut copied = 0;
            for picture in 0..monitor {
                let now = picture * 1_000_000_000 / monitor;
                if pace.due(now) {
                    pace.taken(now);
                    copied += 1;
                }
            }
            copied
        };
        assert_eq!(copied(60, 60), 60);
        assert_eq!(copied(75, 60), 75);
        assert_eq!(copied(120, 60), 60);
        assert!((60..=80).contains(&copied(240, 60)));
        assert_eq!(copied(30, 120), 30);
    }

    #[test]
    fn what_waits_is_due_after_the_rest_of_the_gap() {
        let mut pace = Pace::new(75);
        assert!(pace.due(0));
        pace.taken(1_000_000);
        assert_eq!(pace.wait(4_000_000), Duration::from_millis(7));
        assert!(pace.due(11_000_000));
    }
}
