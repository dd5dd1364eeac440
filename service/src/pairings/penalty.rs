//! Refusal times for sources whose pairings failed, and a bound on how often any source may begin one. A source is what
//! [`source_of`] says.
use crate::network::source_of;
use std::{collections::HashMap, net::IpAddr, time::Duration};
use tokio::time::Instant;

/// After the first failure; doubles with each further one.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(300);
/// A source that stays quiet so long after its penalty starts anew.
const FORGET: Duration = Duration::from_secs(600);
/// Attempts that one source may begin in [`STARTS_PERIOD`]: a person needs a few, a flood many.
const MAX_STARTS: u32 = 20;
const STARTS_PERIOD: Duration = Duration::from_secs(60);
/// Sources remembered at a time; beyond that the one whose penalty ends first is forgotten.
const MAX_SOURCES: usize = 256;

#[derive(Debug, Clone, Copy)]
struct Record {
    failures: u32,
    until: Instant,
    starts: u32,
    /// When `starts` was 0.
    since: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Penalties(HashMap<IpAddr, Record>);

impl Penalties {
    /// Time until this source is heard again; `None` when it has no penalty.
    pub(super) fn left(&self, source: IpAddr, now: Instant) -> Option<Duration> {
        let until = self.0.get(&source_of(source))?.until;
        until
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())
    }

    /// An attempt begins. `Some`: too many did, so much is left until the next may.
    pub(super) fn start(&mut self, source: IpAddr, now: Instant) -> Option<Duration> {
        let record = self.record(source, now);
        let age = now.saturating_duration_since(record.since);
        if age >= STARTS_PERIOD {
            record.starts = 0;
            record.since = now;
        } else if record.starts >= MAX_STARTS {
            return Some(STARTS_PERIOD.saturating_sub(age));
        }
        record.starts = record.starts.saturating_add(1);
        None
    }

    pub(super) fn add(&mut self, source: IpAddr, now: Instant) {
        let record = self.record(source, now);
        let factor = 2_u32.saturating_pow(record.failures.min(16));
        let length = FIRST.saturating_mul(factor).min(LONGEST);
        record.failures = record.failures.saturating_add(1);
        record.until = now.checked_add(length).unwrap_or(now);
    }

    /// A success: the failures before it were mistakes.
    pub(super) fn forgive(&mut self, source: IpAddr, now: Instant) {
        if let Some(record) = self.0.get_mut(&source_of(source)) {
            record.failures = 0;
            record.until = now;
        }
    }

    fn record(&mut self, source: IpAddr, now: Instant) -> &mut Record {
        self.0.retain(|_, record| {
            now.saturating_duration_since(record.until) < FORGET
                || now.saturating_duration_since(record.since) < STARTS_PERIOD
        });
        let source = source_of(source);
        if self.0.len() >= MAX_SOURCES && !self.0.contains_key(&source) {
            let first = self
                .0
                .iter()
                .min_by_key(|(_, record)| record.until)
                .map(|(key, _)| *key);
            if let Some(first) = first {
                self.0.remove(&first);
            }
        }
        self.0.entry(source).or_insert(Record {
            failures: 0,
            until: now,
            starts: 0,
            since: now,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn penalties_grow_hold_for_one_address_or_ipv6_64_and_are_forgiven() {
        let mut penalties = Penalties::default();
        let now = Instant::now();
        assert_eq!(penalties.left(ip("10.0.0.1"), now), None);
        let mut last = Duration::ZERO;
        for _ in 0..12 {
            penalties.add(ip("10.0.0.1"), now);
            let left = penalties.left(ip("::ffff:10.0.0.1"), now).unwrap();
            assert!(left > last || left == LONGEST);
            last = left;
        }
        assert_eq!(last, LONGEST);
        assert_eq!(penalties.left(ip("10.0.0.2"), now), None);
        penalties.forgive(ip("10.0.0.1"), now);
        assert_eq!(penalties.left(ip("10.0.0.1"), now), None);
        penalties.add(ip("2001:db8::1"), now);
        assert!(penalties.left(ip("2001:db8::ffff:1"), now).is_some());
        assert_eq!(penalties.left(ip("2001:db8:0:1::1"), now), None);
    }

    #[test]
    fn a_source_begins_so_many_attempts_a_minute_and_no_more() {
        let mut penalties = Penalties::default();
        let now = Instant::now();
        for _ in 0..MAX_STARTS {
            assert_eq!(penalties.start(ip("2001:db8::1"), now), None);
        }
        let later = now + Duration::from_secs(10);
        let left = penalties.start(ip("2001:db8::2"), later);
        assert_eq!(left, Some(Duration::from_secs(50)));
        assert_eq!(penalties.start(ip("2001:db8:0:1::1"), later), None);
        assert_eq!(
            penalties.start(ip("2001:db8::1"), now + STARTS_PERIOD),
            None
        );
    }

    #[test]
    fn memory_for_sources_is_bounded() {
        let mut penalties = Penalties::default();
        let now = Instant::now();
        for network in 0..2000_u16 {
            let [a, b] = network.to_be_bytes();
            penalties.add(IpAddr::from([10, a, b, 1]), now);
            penalties.start(IpAddr::from([11, a, b, 1]), now);
        }
        assert_eq!(penalties.0.len(), MAX_SOURCES);
    }
}
