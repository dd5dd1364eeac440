//! The registry of agents, keyed by logind session. [owner: platform]
use crate::ids::{SessionId, Uid};
use punktfunk_dbus::{channel::Violation, open_stream::{OpenStream, OpenedStream}};
use std::os::fd::OwnedFd;

#[derive(Debug, Clone)]
pub struct AgentInfo { pub session: SessionId, pub uid: Uid, pub seat: String, pub compositor: String, pub encoders: Vec<String>, pub codecs: Vec<String>, pub active: bool }

/// One registered agent; cheap to clone.
#[derive(Clone)]
pub struct AgentHandle {}
impl AgentHandle {
    pub fn info(&self) -> AgentInfo { todo!() }
    /// Ask for a stream; 10 s at most.
    pub async fn open_stream(&self, options: OpenStream, ring: OwnedFd, channel: OwnedFd) -> Result<OpenedStream, AgentError> { let _ = (options, ring, channel); todo!() }
    /// Resolves when the agent is gone (name lost, session removed, penalised).
    pub async fn gone(&self) { todo!() }
    /// The agent broke the channel contract: log the code, drop it, refuse its uid for a while.
    pub fn violation(&self, violation: Violation) { let _ = violation; }
}
#[derive(Debug, Clone, thiserror::Error)]
pub enum AgentError { #[error("the agent did not answer in time")] Timeout, #[error("the agent is gone")] Gone, #[error("the agent refused: {0}")] Refused(String) }

pub struct Agents {}
impl Agents {
    /// The best agent for this owner (active seat session first, else headless); None when there is none.
    pub fn for_owner(&self, uid: Uid) -> Option<AgentHandle> { let _ = uid; todo!() }
    pub fn list(&self) -> Vec<AgentInfo> { todo!() }
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> { todo!() }
}
