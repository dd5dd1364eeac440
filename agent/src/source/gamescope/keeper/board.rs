//! What the keeper knows, and who listens.

use std::{
    io::Write,
    os::unix::net::UnixStream,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::super::facts::Fact;

/// A listener that does not take a line within this time is not told any more.
const PATIENCE: Duration = Duration::from_millis(200);
const MAX_LISTENERS: usize = 32;

/// The facts, one of each kind, and the callers that hear of every change.
#[derive(Default)]
pub struct Board {
    inner: Mutex<Inner>,
    welcomed: Condvar,
}

#[derive(Default)]
struct Inner {
    facts: Vec<Fact>,
    listeners: Vec<UnixStream>,
    /// Somebody has called.
    heard: bool,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A fact, new or changed, goes to everybody.
    pub fn publish(&self, fact: Fact) {
        let mut inner = self.lock();
        if inner.facts.contains(&fact) {
            return;
        }
        inner.facts.retain(|known| !known.is_like(&fact));
        inner.listeners.retain_mut(|caller| tell(caller, &fact));
        inner.facts.push(fact);
    }

    /// A new caller hears what is known.
    pub fn welcome(&self, mut caller: UnixStream) {
        let mut inner = self.lock();
        let ready = caller.set_write_timeout(Some(PATIENCE)).is_ok();
        if !ready || !inner.facts.iter().all(|fact| tell(&mut caller, fact)) {
            return;
        }
        if inner.listeners.len() >= MAX_LISTENERS {
            inner.listeners.remove(0);
        }
        inner.listeners.push(caller);
        inner.heard = true;
        self.welcomed.notify_all();
    }

    /// Whether there has been a node.
    pub fn has_node(&self) -> bool {
        let inner = self.lock();
        inner.facts.iter().any(|fact| matches!(fact, Fact::Node(_)))
    }

    /// Wait until somebody has called, a while; who called already has been told.
    pub fn wait_for_hearing(&self, limit: Duration) {
        let _ = self
            .welcomed
            .wait_timeout_while(self.lock(), limit, |inner| !inner.heard);
    }
}

fn tell(caller: &mut UnixStream, fact: &Fact) -> bool {
    let Ok(mut line) = serde_json::to_vec(fact) else {
        return false;
    };
    line.push(b'\n');
    caller.write_all(&line).is_ok()
}
