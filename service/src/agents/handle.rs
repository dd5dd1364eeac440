//! One registered agent, as the streams see it.
use super::{Agents, Registry};
use crate::ids::{SessionId, Uid};
use punktfunk_core::sdp::Codecs;
use punktfunk_dbus::{
    applications::{ApplicationEntry, MAX_APPLICATIONS},
    channel::Violation,
    open_stream::{OpenStream, OpenedStream},
};
use std::{
    collections::BTreeMap,
    future::Future,
    os::fd::OwnedFd,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::sync::watch;

/// How long an agent may take to open its source and encoder.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// How long an agent may take to say what there is; clients wait 5 s for a list or a picture.
const ASK_LIMIT: Duration = Duration::from_secs(4);
/// How long an agent may take to end an application; clients wait 30 s for that.
const STOP_LIMIT: Duration = Duration::from_secs(25);

/// What is known of an agent and of the session that it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentInfo {
    pub session: SessionId,
    /// The session's user, attested by the bus and by logind.
    pub uid: Uid,
    /// Empty for a headless session.
    pub seat: String,
    pub compositor: String,
    /// Encoders by name, best first.
    pub encoders: Vec<String>,
    /// `h264`, ...
    pub codecs: Vec<String>,
    /// Codecs that it encodes with 10 bits.
    pub hdr: Codecs,
    /// Sources that give HDR, by name.
    pub hdr_sources: Vec<String>,
    /// Codecs that it encodes with 4:4:4 chroma.
    pub chroma_444: Codecs,
    /// Codecs that it encodes with both.
    pub hdr_chroma_444: Codecs,
    /// Its encoders can leave lost frames out of their references.
    pub invalidates_refs: bool,
    /// Fingers reach the session as fingers.
    pub touch: bool,
    /// In front on its seat; a headless session is active as long as it lives.
    pub active: bool,
    pub locked: bool,
    /// The session is a log-in screen.
    pub greeter: bool,
    /// The agent's own version.
    pub version: String,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum AgentError {
    #[error("the agent did not answer in time")]
    Timeout,
    #[error("the agent is gone")]
    Gone,
    #[error("the agent refused: {0}")]
    Refused(String),
}

/// An answer that is still being made.
pub type Opening<'a> = Asked<'a, OpenedStream>;
/// The same of anything.
pub type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, AgentError>> + Send + 'a>>;

/// How an application ended, in the agent's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationEnd {
    /// Exit status; -1 where it never ran or was killed.
    pub status: i32,
    /// Why it never ran; empty for an ordinary end.
    pub reason: String,
}

/// The far side of a registration: over the bus in the service, in the same process in tests.
pub trait StreamSource: Send + Sync {
    /// Begin a stream; the descriptors are the agent's ends.
    fn open_stream(&self, options: OpenStream, ring: OwnedFd, channel: OwnedFd) -> Opening<'_>;

    /// What its user publishes. Not checked yet.
    fn applications(&self) -> Asked<'_, Vec<ApplicationEntry>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The picture of an application. Not checked yet.
    fn application_picture(&self, _app: u32) -> Asked<'_, Vec<u8>> {
        Box::pin(async { Err(AgentError::Refused("no pictures".into())) })
    }

    fn running_applications(&self) -> Asked<'_, Vec<u32>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Answered when it is over.
    fn stop_application(&self, _app: u32) -> Asked<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Whether it is this object on the bus.
    fn is_at(&self, _name: &str, _path: &str) -> bool {
        false
    }
}

/// One registered agent; cheap to clone. Equal handles are the same registration.
#[derive(Clone)]
pub struct AgentHandle(Arc<Agent>);

struct Agent {
    info: Mutex<AgentInfo>,
    source: Arc<dyn StreamSource>,
    gone: watch::Sender<bool>,
    /// Ends that nobody has taken note of yet, one for each application.
    ends: Mutex<BTreeMap<u32, ApplicationEnd>>,
    registry: Weak<Registry>,
}

impl PartialEq for AgentHandle {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl std::fmt::Debug for AgentHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AgentHandle").field(&self.info()).finish()
    }
}

impl AgentHandle {
    pub(super) fn new(
        info: AgentInfo,
        source: Arc<dyn StreamSource>,
        registry: Weak<Registry>,
    ) -> Self {
        Self(Arc::new(Agent {
            info: Mutex::new(info),
            source,
            gone: watch::Sender::new(false),
            ends: Mutex::default(),
            registry,
        }))
    }

    pub fn info(&self) -> AgentInfo {
        self.lock().clone()
    }

    /// Whether its far side is this object on the bus.
    pub fn is_at(&self, name: &str, path: &str) -> bool {
        self.0.source.is_at(name, path)
    }

    /// The registry that it is, or was, in.
    pub fn registry(&self) -> Option<Agents> {
        self.0.registry.upgrade().map(Agents)
    }

    /// Whether the session is locked.
    pub fn is_locked(&self) -> bool {
        self.lock().locked
    }

    /// Whether no other session is in front of it on its seat.
    pub fn is_in_front(&self) -> bool {
        self.lock().active
    }

    /// Ask for a stream; 10 s at most.
    ///
    /// # Errors
    /// The agent's own reason, or that it did not answer or went away.
    pub async fn open_stream(
        &self,
        options: OpenStream,
        ring: OwnedFd,
        channel: OwnedFd,
    ) -> Result<OpenedStream, AgentError> {
        let opened = self.0.source.open_stream(options, ring, channel);
        tokio::select! {
            biased;
            () = self.gone() => Err(AgentError::Gone),
            answer = tokio::time::timeout(OPEN_LIMIT, opened) => answer.unwrap_or(Err(AgentError::Timeout)),
        }
    }

    /// What its user publishes. Not checked yet.
    pub async fn applications(&self) -> Result<Vec<ApplicationEntry>, AgentError> {
        self.ask(ASK_LIMIT, self.0.source.applications()).await
    }

    /// The picture of an application. Not checked yet.
    pub async fn application_picture(&self, app: u32) -> Result<Vec<u8>, AgentError> {
        self.ask(ASK_LIMIT, self.0.source.application_picture(app))
            .await
    }

    /// What runs in its session, as it says.
    pub async fn running_applications(&self) -> Result<Vec<u32>, AgentError> {
        self.ask(ASK_LIMIT, self.0.source.running_applications())
            .await
    }

    /// End an application; answered when it is over.
    pub async fn stop_application(&self, app: u32) -> Result<(), AgentError> {
        self.ask(STOP_LIMIT, self.0.source.stop_application(app))
            .await
    }

    async fn ask<T>(&self, limit: Duration, asked: Asked<'_, T>) -> Result<T, AgentError> {
        tokio::select! {
            biased;
            () = self.gone() => Err(AgentError::Gone),
            answer = tokio::time::timeout(limit, asked) => answer.unwrap_or(Err(AgentError::Timeout)),
        }
    }

    /// The agent says that an application is over.
    pub fn application_ended(&self, app: u32, end: ApplicationEnd) {
        let mut ends = self.ends();
        // More than a catalogue holds is no news of ours.
        if ends.len() < MAX_APPLICATIONS || ends.contains_key(&app) {
            ends.insert(app, end);
        }
        drop(ends);
        if let Some(registry) = self.0.registry.upgrade() {
            registry.note_end();
        }
    }

    /// Take note of the ends told so far.
    pub(super) fn take_ends(&self) -> BTreeMap<u32, ApplicationEnd> {
        std::mem::take(&mut *self.ends())
    }

    fn ends(&self) -> MutexGuard<'_, BTreeMap<u32, ApplicationEnd>> {
        self.0.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the agent is gone.
    pub fn is_gone(&self) -> bool {
        *self.0.gone.borrow()
    }

    /// Resolves when the agent is gone (name lost, session removed, penalised).
    pub async fn gone(&self) {
        // The sender lives as long as this handle: an error cannot happen.
        let _ = self.0.gone.subscribe().wait_for(|gone| *gone).await;
    }

    /// The agent broke the channel contract: log the code, drop it, refuse its uid for a while.
    pub fn violation(&self, violation: Violation) {
        let info = self.info();
        let penalty = self
            .0
            .registry
            .upgrade()
            .map_or(Duration::ZERO, |registry| registry.penalise(info.uid));
        tracing::warn!(
            code = violation.code(), session = %info.session, uid = info.uid.0, refused_for_s = penalty.as_secs(),
            "an agent broke the stream channel's contract and was dropped: {violation}"
        );
        self.end();
    }

    /// The agent is gone: take it off the registry and tell everyone who waits for that.
    pub fn end(&self) {
        if let Some(registry) = self.0.registry.upgrade() {
            registry.forget(self);
        }
        self.0.gone.send_replace(true);
    }

    /// The session changed (in front, locked, ...).
    pub fn update(&self, edit: impl FnOnce(&mut AgentInfo)) {
        let mut info = self.lock();
        let before = info.clone();
        edit(&mut info);
        let changed = *info != before;
        drop(info);
        if let Some(registry) = self.0.registry.upgrade().filter(|_| changed) {
            registry.note_change();
        }
    }

    fn lock(&self) -> MutexGuard<'_, AgentInfo> {
        self.0.info.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
