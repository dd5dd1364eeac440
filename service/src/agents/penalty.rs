//! For how long an account's agents are refused after a violation.
use crate::ids::Uid;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

const FIRST: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(600);
/// An account that behaved for so long after its penalty starts from the beginning.
const FORGIVEN_AFTER: Duration = Duration::from_secs(3600);

#[derive(Default)]
pub(super) struct Penalties(HashMap<Uid, Penalty>);

struct Penalty {
    until: Instant,
    length: Duration,
}

impl Penalties {
    /// Another violation: twice as long as the last time. Answers the length.
    pub(super) fn add(&mut self, uid: Uid, now: Instant) -> Duration {
        self.0
            .retain(|_, penalty| now.saturating_duration_since(penalty.until) < FORGIVEN_AFTER);
        let length = self
            .0
            .get(&uid)
            .map_or(FIRST, |last| last.length.saturating_mul(2).min(LONGEST));
        let until = now.checked_add(length).unwrap_or(now);
        self.0.insert(uid, Penalty { until, length });
        length
    }

    /// What is left of a penalty.
    pub(super) fn remaining(&self, uid: Uid, now: Instant) -> Option<Duration> {
        let left = self.0.get(&uid)?.until.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn penalties_expire_double_and_are_forgiven() {
        let mut penalties = Penalties::default();
        let start = Instant::now();
        let uid = Uid(1000);
        assert_eq!(penalties.remaining(uid, start), None);
        assert_eq!(penalties.add(uid, start), FIRST);
        assert_eq!(penalties.remaining(uid, start), Some(FIRST));
        assert_eq!(penalties.remaining(Uid(1001), start), None);
        let later = start + FIRST;
        assert_eq!(penalties.remaining(uid, later), None);
        assert_eq!(penalties.add(uid, later), FIRST * 2);
        for _ in 0..10 {
            penalties.add(uid, later);
        }
        assert_eq!(penalties.add(uid, later), LONGEST);
        let forgiven = later + LONGEST + FORGIVEN_AFTER;
        assert_eq!(penalties.add(uid, forgiven), FIRST);
    }
}
