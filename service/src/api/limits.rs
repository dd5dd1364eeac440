//! How many calls may be in progress: for each sender and altogether.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use zbus::names::{OwnedUniqueName, UniqueName};

/// Calls of one connection in progress; a person typing a password keeps one.
const PER_SENDER: usize = 16;
/// Calls of all connections in progress.
const ALTOGETHER: usize = 256;

#[derive(Default)]
pub(super) struct Limits(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    by_sender: HashMap<OwnedUniqueName, usize>,
    all: usize,
}

/// A call in progress, until it is dropped.
pub(super) struct Slot {
    limits: Arc<Mutex<Counts>>,
    sender: OwnedUniqueName,
}

impl Limits {
    /// None when the sender, or all together, have too many; or when there is no sender.
    pub(super) fn take(&self, sender: Option<&UniqueName<'_>>) -> Option<Slot> {
        let sender = OwnedUniqueName::from(sender?.to_owned());
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = counts.by_sender.get(&sender).copied().unwrap_or(0);
        if mine >= PER_SENDER || counts.all >= ALTOGETHER {
            return None;
        }
        counts
            .by_sender
            .insert(sender.clone(), mine.saturating_add(1));
        counts.all = counts.all.saturating_add(1);
        Some(Slot {
            limits: Arc::clone(&self.0),
            sender,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        match counts.by_sender.get_mut(&self.sender) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            _ => drop(counts.by_sender.remove(&self.sender)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_sender_leaves_room_for_others_and_slots_come_back() {
        let limits = Limits::default();
        let flood = UniqueName::try_from(":1.7").unwrap();
        let other = UniqueName::try_from(":1.8").unwrap();
        let mut held: Vec<_> = std::iter::from_fn(|| limits.take(Some(&flood))).collect();
        assert_eq!(held.len(), PER_SENDER);
        assert!(limits.take(Some(&other)).is_some());
        held.pop();
        assert!(limits.take(Some(&flood)).is_some());
        drop(held);
        assert!(limits.0.lock().unwrap().by_sender.is_empty());
        assert_eq!(limits.0.lock().unwrap().all, 0);
        assert!(
            limits.take(None).is_none(),
            "a message without a sender is not from the bus"
        );
    }
}
