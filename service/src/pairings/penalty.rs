//! Refusal times for sources whose pairings failed. Counted per /24 and /64: a guesser owns more than one address.
use std::{collections::HashMap, net::IpAddr, time::Duration};
use tokio::time::Instant;

/// After the first failure; doubles with each further one.
const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(300);
/// A source that stays quiet so long after its penalty starts anew.
const FORGET: Duration = Duration::from_secs(600);
/// Networks remembered at a time; beyond that the one whose penalty ends first is forgotten.
const MAX_SOURCES: usize = 256;

#[derive(Debug, Clone, Copy)]
struct Record {
    failures: u32,
    until: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Penalties(HashMap<IpAddr, Record>);

impl Penalties {
    /// Time until this source is heard again; `None` when it has no penalty.
    pub(super) fn left(&self, source: IpAddr, now: Instant) -> Option<Duration> {
        let until = self.0.get(&network(source))?.until;
        until
            .checked_duration_since(now)
            .filter(|left| !left.is_zero())
    }

    pub(super) fn add(&mut self, source: IpAddr, now: Instant) {
        self.0
            .retain(|_, record| now.saturating_duration_since(record.until) < FORGET);
        let network = network(source);
        if self.0.len() >= MAX_SOURCES && !self.0.contains_key(&network) {
            let first = self
                .0
                .iter()
                .min_by_key(|(_, record)| record.until)
                .map(|(key, _)| *key);
            if let Some(first) = first {
                self.0.remove(&first);
            }
        }
        let record = self.0.entry(network).or_insert(Record {
            failures: 0,
            until: now,
        });
        let factor = 2_u32.saturating_pow(record.failures.min(16));
        let length = FIRST.saturating_mul(factor).min(LONGEST);
        record.failures = record.failures.saturating_add(1);
        record.until = now.checked_add(length).unwrap_or(now);
    }

    pub(super) fn forgive(&mut self, source: IpAddr) {
        self.0.remove(&network(source));
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn penalties_grow_cover_the_neighbours_and_are_forgiven() {
        let mut penalties = Penalties::default();
        let now = Instant::now();
        assert_eq!(penalties.left(ip("10.0.0.1"), now), None);
        let mut last = Duration::ZERO;
        for _ in 0..12 {
            penalties.add(ip("10.0.0.1"), now);
            let left = penalties.left(ip("10.0.0.200"), now).unwrap();
            assert!(left > last || left == LONGEST);
            last = left;
        }
        assert_eq!(last, LONGEST);
        assert_eq!(penalties.left(ip("10.0.1.1"), now), None);
        penalties.forgive(ip("10.0.0.7"));
        assert_eq!(penalties.left(ip("10.0.0.1"), now), None);
        penalties.add(ip("2001:db8::1"), now);
        assert!(penalties.left(ip("2001:db8::ffff:1"), now).is_some());
        assert_eq!(penalties.left(ip("2001:db8:0:1::1"), now), None);
    }

    #[test]
    fn memory_for_sources_is_bounded() {
        let mut penalties = Penalties::default();
        let now = Instant::now();
        for network in 0..2000_u16 {
            let [a, b] = network.to_be_bytes();
            penalties.add(IpAddr::from([10, a, b, 1]), now);
        }
        assert_eq!(penalties.0.len(), MAX_SOURCES);
    }
}
