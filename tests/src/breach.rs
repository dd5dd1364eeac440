//! Breaches of the wire description, by name. One list per client, shared by all of its threads.

use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

/// One rule that the host broke: where the rule stands, what was seen first, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breach {
    pub rule: &'static str,
    /// Section of the wire description.
    pub section: &'static str,
    /// The first sighting.
    pub detail: String,
    pub count: u64,
}

/// The list of a client; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Breaches(Arc<Mutex<BTreeMap<&'static str, Breach>>>);

impl Breaches {
    /// Record a sighting. `detail` is only evaluated for the first of a rule.
    pub fn record(
        &self,
        section: &'static str,
        rule: &'static str,
        detail: impl FnOnce() -> String,
    ) {
        self.lock()
            .entry(rule)
            .and_modify(|breach| breach.count += 1)
            .or_insert_with(|| Breach {
                rule,
                section,
                detail: detail(),
                count: 1,
            });
    }

    /// Record a breach unless `holds`. Answers `holds`.
    pub fn require(
        &self,
        holds: bool,
        section: &'static str,
        rule: &'static str,
        detail: impl FnOnce() -> String,
    ) -> bool {
        if !holds {
            self.record(section, rule, detail);
        }
        holds
    }

    pub fn list(&self) -> Vec<Breach> {
        self.lock().values().cloned().collect()
    }

    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Breach>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sightings_of_one_rule_are_counted_and_the_first_is_kept() {
        let breaches = Breaches::default();
        assert!(breaches.require(true, "8.1", "ssrc", || unreachable!()));
        assert!(
            !breaches
                .clone()
                .require(false, "8.1", "ssrc", || "first".into())
        );
        breaches.record("8.1", "ssrc", || "second".into());
        let list = breaches.list();
        assert_eq!(
            (list.len(), list[0].count, list[0].detail.as_str()),
            (1, 2, "first")
        );
    }
}
