//! How many calls may be in progress: for each connection, for each account, and altogether.
use crate::ids::Uid;
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use zbus::names::{OwnedUniqueName, UniqueName};

/// Calls of one connection in progress; a person typing a password keeps one.
const PER_CONNECTION: usize = 16;
/// Calls of one account in progress, over all its connections.
const PER_UID: usize = 64;
/// Calls of everybody in progress.
const ALTOGETHER: usize = 1024;

#[derive(Clone, Default)]
pub(super) struct Limits(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    by_connection: HashMap<OwnedUniqueName, usize>,
    by_uid: HashMap<Uid, usize>,
    all: usize,
}

/// A call in progress, until it is dropped.
pub(super) struct Slot {
    limits: Limits,
    connection: OwnedUniqueName,
    uid: Option<Uid>,
}

impl Limits {
    /// None when the connection, or all together, have too many; or when there is no sender.
    pub(super) fn take(&self, sender: Option<&UniqueName<'_>>) -> Option<Slot> {
        let connection = OwnedUniqueName::from(sender?.to_owned());
        let mut counts = self.lock();
        if counts.all >= ALTOGETHER
            || !one_more(&mut counts.by_connection, &connection, PER_CONNECTION)
        {
            return None;
        }
        counts.all = counts.all.saturating_add(1);
        Some(Slot {
            limits: self.clone(),
            connection,
            uid: None,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// The account behind the connection is known now. False when it has too many calls on all its connections.
    pub(super) fn belongs_to(&mut self, uid: Uid) -> bool {
        let fits = one_more(&mut self.limits.lock().by_uid, &uid, PER_UID);
        if fits {
            self.uid = Some(uid);
        }
        fits
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.limits.lock();
        counts.all = counts.all.saturating_sub(1);
        one_less(&mut counts.by_connection, &self.connection);
        if let Some(uid) = self.uid {
            one_less(&mut counts.by_uid, &uid);
        }
    }
}

fn one_more<K: Clone + Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K, most: usize) -> bool {
    let count = counts.get(key).copied().unwrap_or(0);
    if count < most {
        counts.insert(key.clone(), count.saturating_add(1));
    }
    count < most
}

fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    match counts.get_mut(key) {
        Some(count) if *count > 1 => *count = count.saturating_sub(1),
        _ => drop(counts.remove(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flood(limits: &Limits, name: &str, uid: u32) -> Vec<Slot> {
        let name = UniqueName::try_from(name).unwrap();
        std::iter::from_fn(|| {
            let mut slot = limits.take(Some(&name))?;
            slot.belongs_to(Uid(uid)).then_some(slot)
        })
        .collect()
    }

    #[test]
    fn a_flood_of_one_connection_leaves_room_for_others_and_slots_come_back() {
        let limits = Limits::default();
        let mut held = flood(&limits, ":1.7", 1000);
        assert_eq!(held.len(), PER_CONNECTION);
        assert_eq!(flood(&limits, ":1.8", 1000).len(), PER_CONNECTION);
        held.pop();
        assert_eq!(flood(&limits, ":1.7", 1000).len(), 1);
        drop(held);
        let counts = limits.lock();
        assert!(counts.by_connection.is_empty() && counts.by_uid.is_empty() && counts.all == 0);
    }

    #[test]
    fn many_connections_of_one_account_leave_room_for_other_accounts() {
        let limits = Limits::default();
        let held: Vec<_> = (0..100)
            .flat_map(|number| flood(&limits, &format!(":1.{number}"), 1000))
            .collect();
        assert_eq!(held.len(), PER_UID);
        assert_eq!(flood(&limits, ":2.1", 1001).len(), PER_CONNECTION);
    }

    #[test]
    fn a_message_without_a_sender_is_not_from_the_bus() {
        assert!(Limits::default().take(None).is_none());
    }
}
