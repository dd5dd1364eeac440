//! The registry of agents, keyed by logind session.
//!
//! Owns who is registered, in which order an owner's sessions are preferred, and the penalties after violations. Knows
//! nothing of the bus: [`crate::admission`] checks who asks and watches for their end.
mod handle;
mod penalty;

pub use handle::{
    AgentError, AgentHandle, AgentInfo, ApplicationEnd, Asked, Opening, StreamSource,
};

use crate::{
    ids::{SessionId, Uid},
    store::ClientRecord,
};
use penalty::Penalties;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How many agents one account may have registered at once.
pub const MAX_PER_UID: usize = 4;
/// How many agents there may be altogether.
pub const MAX_AGENTS: usize = 64;

/// Why an agent is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdmitError {
    #[error("session {0} already has an agent")]
    Exists(SessionId),
    #[error("this account already has {MAX_PER_UID} agents")]
    TooManyOfUser,
    #[error("this host already has {MAX_AGENTS} agents")]
    TooMany,
    #[error("an agent of this account broke the stream channel's contract: wait {} s", .0.as_secs().saturating_add(1))]
    Penalised(Duration),
}

/// All registered agents; cheap to clone.
#[derive(Clone, Default)]
pub struct Agents(Arc<Registry>);

#[derive(Default)]
struct Registry {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    ended: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    by_session: BTreeMap<SessionId, AgentHandle>,
    penalties: Penalties,
}

impl Agents {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// The best agent for this owner (active seat session first, else headless); None when there is none.
    pub fn for_owner(&self, uid: Uid) -> Option<AgentHandle> {
        let state = self.state();
        state
            .by_session
            .values()
            .filter_map(|handle| {
                let info = handle.info();
                (info.uid == uid && !info.greeter).then(|| (rank(&info), handle))
            })
            .min_by(|(one, _), (other, _)| one.cmp(other))
            .map(|(_, handle)| handle.clone())
    }

    /// The best agent for this client: of its owner's sessions, else, if it may watch those, of the log-in screen in front.
    pub fn for_client(&self, client: &ClientRecord) -> Option<AgentHandle> {
        self.for_owner(client.owner)
            .or_else(|| client.terms.greeter.then(|| self.greeter()).flatten())
    }

    /// The log-in screen in front on a seat, the first seat's first.
    fn greeter(&self) -> Option<AgentHandle> {
        let state = self.state();
        let in_front = state.by_session.values().filter_map(|handle| {
            let info = handle.info();
            let in_front = info.greeter && info.active && !info.seat.is_empty();
            in_front.then_some(((info.seat, info.session), handle))
        });
        in_front
            .min_by(|(one, _), (other, _)| one.cmp(other))
            .map(|(_, handle)| handle.clone())
    }

    /// The agent of one session.
    pub fn of_session(&self, session: &SessionId) -> Option<AgentHandle> {
        self.state().by_session.get(session).cloned()
    }

    pub fn list(&self) -> Vec<AgentInfo> {
        let state = self.state();
        state.by_session.values().map(AgentHandle::info).collect()
    }

    /// Every registered agent.
    pub fn handles(&self) -> Vec<AgentHandle> {
        self.state().by_session.values().cloned().collect()
    }

    /// Changes when an agent tells of an application's end.
    pub fn application_ends(&self) -> watch::Receiver<u64> {
        self.0.ended.subscribe()
    }

    /// The ends told since the last time: session, application, how.
    pub fn take_application_ends(&self) -> Vec<(SessionId, u32, ApplicationEnd)> {
        let of_agent = |agent: AgentHandle| {
            let session = agent.info().session;
            let ends = agent.take_ends().into_iter();
            ends.map(move |(app, end)| (session.clone(), app, end))
        };
        self.handles().into_iter().flat_map(of_agent).collect()
    }

    /// Changes when an agent comes, goes, or its session changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Take an agent whose identity was checked by the caller.
    ///
    /// # Errors
    /// Another agent of the session, too many, or a penalty.
    pub fn admit(
        &self,
        info: AgentInfo,
        source: Arc<dyn StreamSource>,
    ) -> Result<AgentHandle, AdmitError> {
        let mut state = self.state();
        if let Some(rest) = state.penalties.remaining(info.uid, Instant::now()) {
            return Err(AdmitError::Penalised(rest));
        }
        if state.by_session.contains_key(&info.session) {
            return Err(AdmitError::Exists(info.session));
        }
        let of_user = state
            .by_session
            .values()
            .filter(|handle| handle.info().uid == info.uid)
            .count();
        if of_user >= MAX_PER_UID {
            return Err(AdmitError::TooManyOfUser);
        }
        if state.by_session.len() >= MAX_AGENTS {
            return Err(AdmitError::TooMany);
        }
        let session = info.session.clone();
        let handle = AgentHandle::new(info, source, Arc::downgrade(&self.0));
        state.by_session.insert(session, handle.clone());
        drop(state);
        self.0.note_change();
        Ok(handle)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }
}

impl Registry {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change of the state is a single insertion or removal: a panic leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_change(&self) {
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    fn note_end(&self) {
        self.ended
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Forget this very agent; another one of the same session is left alone.
    fn forget(&self, handle: &AgentHandle) {
        let session = handle.info().session;
        let mut state = self.state();
        if state.by_session.get(&session) == Some(handle) {
            state.by_session.remove(&session);
            drop(state);
            self.note_change();
        }
    }

    fn penalise(&self, uid: Uid) -> Duration {
        self.state().penalties.add(uid, Instant::now())
    }
}

/// Lower is better; the session id only makes the order stable.
fn rank(info: &AgentInfo) -> (u8, SessionId) {
    let class = match (info.seat.is_empty(), info.active) {
        (false, true) => 0,
        (true, _) => 1,
        // Switched away: it does not render until it is in front again.
        (false, false) => 2,
    };
    (class, info.session.clone())
}

#[cfg(test)]
mod tests;
