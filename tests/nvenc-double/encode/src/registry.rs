//! The open sessions by handle, and how many there may be.

use crate::{books, knobs, session::Session};
use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
};

#[derive(Default)]
struct Registry {
    sessions: HashMap<usize, Arc<Mutex<Session>>>,
    opened: usize,
}

static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);
/// Attempts to open that still have to fail after a loss.
static AWAY: AtomicU64 = AtomicU64::new(0);

fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A device was lost: it takes its time to come back.
pub fn lost() {
    AWAY.store(knobs::away(), Ordering::Relaxed);
}

/// Whether it is back.
pub fn is_back() -> bool {
    let one_less = |left: u64| left.checked_sub(1);
    AWAY.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
        .is_err()
}

/// The handle of a new session; `None` when there are too many.
pub fn open(context: usize) -> Option<usize> {
    let mut registry = registry();
    if registry.sessions.len() >= knobs::sessions() {
        return None;
    }
    registry.opened += 1;
    let handle = 0xe_0000 + registry.opened * 0x10;
    let session = Session::new(registry.opened, context);
    registry
        .sessions
        .insert(handle, Arc::new(Mutex::new(session)));
    Some(handle)
}

pub fn close(handle: usize) -> bool {
    let session = registry().sessions.remove(&handle);
    if let Some(session) = &session {
        session
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .close();
    }
    write();
    session.is_some()
}

/// Use a session; two threads at a time are a fault of the program. `None`: there is none with this handle.
pub fn with<T>(handle: usize, use_it: impl FnOnce(&mut Session) -> T) -> Option<T> {
    let session = registry().sessions.get(&handle).cloned()?;
    let mut guard = match session.try_lock() {
        Ok(guard) => guard,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => {
            books::fault("a session was used by two threads at a time");
            session.lock().unwrap_or_else(PoisonError::into_inner)
        }
    };
    Some(use_it(&mut guard))
}

/// The counts into the books.
pub fn write() {
    let registry = registry();
    let mut held = [0; 3];
    for session in registry.sessions.values() {
        let session = session.lock().unwrap_or_else(PoisonError::into_inner);
        for (sum, count) in held.iter_mut().zip(session.holds()) {
            *sum += count;
        }
    }
    books::counts(&[
        ("sessions", registry.sessions.len()),
        ("sessions_opened", registry.opened),
        ("registered", held[0]),
        ("mapped", held[1]),
        ("bitstreams", held[2]),
    ]);
}
