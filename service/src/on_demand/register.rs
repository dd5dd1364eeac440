//! The sessions on demand that run, and since when nobody has used them.
use crate::ids::Uid;
use punktfunk_dbus::on_demand::Keep;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// A session that a launch was only just answered with is not idle: its client is on the way.
const AWAITED: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct Register {
    running: Mutex<BTreeMap<Uid, Running>>,
    /// Held by whoever starts or ends the account's session; one for each account that was ever enabled and asked for.
    doors: Mutex<BTreeMap<Uid, Arc<tokio::sync::Mutex<()>>>>,
    noted: Notify,
}

#[derive(Debug, Clone)]
struct Running {
    keep: Keep,
    /// When its account's last stream was seen, or it was started.
    idle_since: Instant,
    /// When a launch was answered with it that no stream has followed yet.
    awaited_since: Option<Instant>,
}

impl Register {
    pub fn door(&self, owner: Uid) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(lock(&self.doors).entry(owner).or_default())
    }

    /// It was started, or is about to be.
    pub fn note(&self, owner: Uid, keep: Keep) {
        let now = Instant::now();
        let running = Running {
            keep,
            idle_since: now,
            awaited_since: Some(now),
        };
        lock(&self.running).insert(owner, running);
        self.noted.notify_one();
    }

    /// A launch is about to be answered with it, if it runs.
    pub fn touch(&self, owner: Uid) {
        if let Some(running) = lock(&self.running).get_mut(&owner) {
            running.awaited_since = Some(Instant::now());
        }
    }

    /// The accounts whose sessions run.
    pub fn all(&self) -> Vec<Uid> {
        lock(&self.running).keys().copied().collect()
    }

    /// What the administrator says may change while it runs.
    pub fn set_keep(&self, owner: Uid, keep: Keep) {
        if let Some(running) = lock(&self.running).get_mut(&owner) {
            running.keep = keep;
        }
    }

    pub fn forget(&self, owner: Uid) {
        lock(&self.running).remove(&owner);
    }

    pub fn is_used(&self) -> bool {
        !lock(&self.running).is_empty()
    }

    /// Completes after the next note.
    pub async fn noted(&self) {
        self.noted.notified().await;
    }

    /// Those whose time is up, if `busy` names the accounts with a stream.
    pub fn idle(&self, busy: &[Uid], now: Instant) -> Vec<Uid> {
        let mut all = lock(&self.running);
        for uid in busy {
            if let Some(running) = all.get_mut(uid) {
                running.idle_since = now;
                running.awaited_since = None;
            }
        }
        let over = |running: &Running| {
            let awaited = running
                .awaited_since
                .is_some_and(|since| now.saturating_duration_since(since) < AWAITED);
            let idle = now.saturating_duration_since(running.idle_since);
            let over = match running.keep {
                Keep::Always => false,
                Keep::Stream => true,
                Keep::For(keep) => idle >= keep,
            };
            over && !awaited
        };
        all.iter()
            .filter(|(uid, running)| !busy.contains(uid) && over(running))
            .map(|(uid, _)| *uid)
            .collect()
    }
}

/// Each change is a single one: a panic leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAROL: Uid = Uid(1100);

    fn noted(keep: Keep) -> (Register, Instant) {
        let register = Register::default();
        register.note(CAROL, keep);
        (register, Instant::now())
    }

    #[test]
    fn a_session_ends_with_its_stream_and_not_before_one_has_come() {
        let (register, now) = noted(Keep::Stream);
        assert!(register.idle(&[], now).is_empty());
        assert!(register.idle(&[CAROL], now).is_empty());
        assert_eq!(register.idle(&[], now), [CAROL]);
        // another client of hers has been answered meanwhile
        register.touch(CAROL);
        assert!(register.idle(&[], now).is_empty());
        // and never comes
        assert_eq!(register.idle(&[], now + 2 * AWAITED), [CAROL]);
        register.forget(CAROL);
        assert!(!register.is_used());
        register.touch(CAROL);
        assert!(register.idle(&[], now + 2 * AWAITED).is_empty());
    }

    #[test]
    fn a_session_is_kept_for_its_time_after_the_last_stream() {
        let minute = Duration::from_secs(60);
        let (register, now) = noted(Keep::For(10 * minute));
        let left = now + 30 * minute;
        assert!(register.idle(&[CAROL, Uid(7)], left).is_empty());
        assert!(register.idle(&[], left + 9 * minute).is_empty());
        assert!(register.idle(&[CAROL], left + 9 * minute).is_empty());
        assert!(register.idle(&[Uid(7)], left + 18 * minute).is_empty());
        assert_eq!(register.idle(&[], left + 19 * minute), [CAROL]);
    }

    #[test]
    fn one_that_is_kept_always_is_never_idle_until_that_is_changed() {
        let (register, now) = noted(Keep::Always);
        assert!(register.idle(&[], now + 1000 * AWAITED).is_empty());
        assert_eq!(register.all(), [CAROL]);
        register.set_keep(CAROL, Keep::Stream);
        assert_eq!(register.idle(&[], now + 1000 * AWAITED), [CAROL]);
    }
}
