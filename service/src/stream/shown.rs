//! Which session a stream shows. That changes when the stream is handed over; in between it shows none.
use crate::agents::AgentHandle;
use punktfunk_dbus::channel::Endpoint;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shared by everything that acts for the stream; one lock, held for a look.
pub(super) struct Shown {
    state: Mutex<State>,
    latest: Latest,
}

/// The agent of the session that is shown, or was last. Holds nothing of the stream itself.
#[derive(Clone)]
pub(super) struct Latest(Arc<Mutex<AgentHandle>>);

impl Latest {
    pub(super) fn get(&self) -> AgentHandle {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

struct State {
    /// The last one, while there is none.
    agent: AgentHandle,
    endpoint: Arc<Endpoint>,
    held: bool,
    /// Counts the sessions: what was meant for one of them is not for the next.
    number: u64,
}

impl Shown {
    pub(super) fn new(agent: AgentHandle, endpoint: Arc<Endpoint>) -> Self {
        let latest = Latest(Arc::new(Mutex::new(agent.clone())));
        let state = Mutex::new(State {
            agent,
            endpoint,
            held: false,
            number: 0,
        });
        Self { state, latest }
    }

    /// The session's agent; `None` while the stream waits for one.
    pub(super) fn agent(&self) -> Option<AgentHandle> {
        let state = self.lock();
        (!state.held).then(|| state.agent.clone())
    }

    /// The agent of the session that is shown, or was last.
    pub(super) fn latest(&self) -> &Latest {
        &self.latest
    }

    /// Where its input goes, and the number of the session that this belongs to.
    pub(super) fn endpoint(&self) -> (u64, Arc<Endpoint>) {
        let state = self.lock();
        (state.number, Arc::clone(&state.endpoint))
    }

    /// There is no session now: nothing reaches the last one any more.
    pub(super) fn hold(&self) {
        self.lock().held = true;
    }

    pub(super) fn show(&self, agent: AgentHandle, endpoint: Arc<Endpoint>) {
        let latest = &self.latest.0;
        latest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&agent);
        let mut state = self.lock();
        let number = state.number.wrapping_add(1);
        *state = State {
            agent,
            endpoint,
            held: false,
            number,
        };
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Replaced whole: a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
