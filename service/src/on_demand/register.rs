//! The sessions on demand that run, and since when nobody has used them.
use crate::ids::{StreamId, Uid};
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
    /// When a launch was answered with it that no stream has followed yet, and the latest stream's number then.
    awaited: Option<(Instant, StreamId)>,
    /// Ending it has failed; not before this time again.
    not_before: Option<Instant>,
}

impl Running {
    fn new(keep: Keep, latest: StreamId) -> Self {
        let now = Instant::now();
        Self {
            keep,
            idle_since: now,
            awaited: Some((now, latest)),
            not_before: None,
        }
    }
}

impl Register {
    pub fn door(&self, owner: Uid) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(lock(&self.doors).entry(owner).or_default())
    }

    /// It was started, or is about to be, for a client whose stream will have a higher number than `latest`.
    pub fn note(&self, owner: Uid, keep: Keep, latest: StreamId) {
        lock(&self.running).insert(owner, Running::new(keep, latest));
        self.noted.notify_one();
    }

    /// It runs already. A launch of this service's own knows better.
    pub fn note_unless_known(&self, owner: Uid, keep: Keep) {
        let new = || Running::new(keep, StreamId(0));
        lock(&self.running).entry(owner).or_insert_with(new);
        self.noted.notify_one();
    }

    /// A launch is about to be answered with it. `false`: none is known to run.
    pub fn touch(&self, owner: Uid, latest: StreamId) -> bool {
        let mut all = lock(&self.running);
        let Some(running) = all.get_mut(&owner) else {
            return false;
        };
        running.awaited = Some((Instant::now(), latest));
        true
    }

    /// It could not be ended.
    pub fn postpone(&self, owner: Uid, now: Instant, time: Duration) {
        if let Some(running) = lock(&self.running).get_mut(&owner) {
            running.not_before = now.checked_add(time);
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

    /// Those whose time is up, if `busy` are the streams and their accounts. The stream that a client leaves for a new one may
    /// still be among them: it is not the one that is awaited.
    pub fn idle(&self, busy: &[(Uid, StreamId)], now: Instant) -> Vec<Uid> {
        let mut all = lock(&self.running);
        for (uid, stream) in busy {
            if let Some(running) = all.get_mut(uid) {
                running.idle_since = now;
                running.awaited.take_if(|(_, latest)| *stream > *latest);
            }
        }
        let over = |running: &Running| {
            let awaited = running
                .awaited
                .is_some_and(|(since, _)| now.saturating_duration_since(since) < AWAITED);
            let postponed = running.not_before.is_some_and(|until| now < until);
            let idle = now.saturating_duration_since(running.idle_since);
            let over = match running.keep {
                Keep::Always => false,
                Keep::Stream => true,
                Keep::For(keep) => idle >= keep,
            };
            over && !awaited && !postponed
        };
        let is_busy = |uid: &Uid| busy.iter().any(|(user, _)| user == uid);
        all.iter()
            .filter(|(uid, running)| !is_busy(uid) && over(running))
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

    /// Her first stream, and the one after it.
    const ONE: &[(Uid, StreamId)] = &[(CAROL, StreamId(1))];
    const TWO: &[(Uid, StreamId)] = &[(CAROL, StreamId(2))];
    const ANOTHERS: &[(Uid, StreamId)] = &[(Uid(7), StreamId(9))];

    fn noted(keep: Keep) -> (Register, Instant) {
        let register = Register::default();
        register.note(CAROL, keep, StreamId(0));
        (register, Instant::now())
    }

    #[test]
    fn a_session_ends_with_its_stream_and_not_before_one_has_come() {
        let (register, now) = noted(Keep::Stream);
        assert!(register.idle(&[], now).is_empty());
        assert!(register.idle(ONE, now).is_empty());
        assert_eq!(register.idle(&[], now), [CAROL]);
        // another client of hers has been answered meanwhile
        assert!(register.touch(CAROL, StreamId(1)));
        assert!(register.idle(&[], now).is_empty());
        // and never comes
        assert_eq!(register.idle(&[], now + 2 * AWAITED), [CAROL]);
        register.forget(CAROL);
        assert!(!register.is_used());
        assert!(!register.touch(CAROL, StreamId(1)));
        assert!(register.idle(&[], now + 2 * AWAITED).is_empty());
    }

    #[test]
    fn the_stream_that_a_client_leaves_for_a_new_one_does_not_end_the_session() {
        let (register, now) = noted(Keep::Stream);
        assert!(register.idle(ONE, now).is_empty());
        // it launches again while its old stream is listed; that one is seen once more, and goes
        register.touch(CAROL, StreamId(1));
        assert!(register.idle(ONE, now).is_empty());
        assert!(register.idle(&[], now).is_empty());
        assert!(register.idle(TWO, now).is_empty());
        assert_eq!(register.idle(&[], now), [CAROL]);
    }

    #[test]
    fn one_that_could_not_be_ended_is_tried_again_later() {
        let (register, now) = noted(Keep::Stream);
        register.idle(ONE, now);
        assert_eq!(register.idle(&[], now), [CAROL]);
        let time = Duration::from_secs(15);
        register.postpone(CAROL, now, time);
        assert!(register.idle(&[], now).is_empty());
        assert_eq!(register.idle(&[], now + time), [CAROL]);
    }

    #[test]
    fn what_an_earlier_service_started_does_not_replace_what_is_known() {
        let (register, now) = noted(Keep::Always);
        register.note_unless_known(CAROL, Keep::Stream);
        assert!(register.idle(&[], now + 2 * AWAITED).is_empty());
        register.forget(CAROL);
        register.note_unless_known(CAROL, Keep::Stream);
        assert_eq!(register.idle(&[], now + 2 * AWAITED), [CAROL]);
    }

    #[test]
    fn a_session_is_kept_for_its_time_after_the_last_stream() {
        let minute = Duration::from_secs(60);
        let (register, now) = noted(Keep::For(10 * minute));
        let left = now + 30 * minute;
        let both = [ONE, ANOTHERS].concat();
        assert!(register.idle(&both, left).is_empty());
        assert!(register.idle(&[], left + 9 * minute).is_empty());
        assert!(register.idle(ONE, left + 9 * minute).is_empty());
        assert!(register.idle(ANOTHERS, left + 18 * minute).is_empty());
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
