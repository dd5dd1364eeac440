//! Streams: one actor and one media thread each. [owner: media]
use crate::{
    ids::{ClientId, StreamId, Uid},
    launch::Launch,
};
use punktfunk_core::sdp::StreamParams;
use std::{collections::BTreeMap, sync::Arc};

/// A negotiated stream, ready to be started (at ANNOUNCE).
pub struct StreamSetup {
    pub launch: Arc<Launch>,
    pub params: StreamParams,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the session's agent: {0}")]
    Agent(#[from] crate::agents::AgentError),
    #[error("{0}")]
    Refused(String),
    #[error("system: {0}")]
    Io(#[from] std::io::Error),
}

/// Why a stream ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    ClientLeft,
    ClientCancelled,
    Replaced,
    NoPing,
    ControlLost,
    AgentLost,
    AgentFailed(String),
    Violation(&'static str),
    Administrator,
    Unpaired,
    Shutdown,
}

#[derive(Debug, Clone)]
pub struct StreamInfo {
    pub id: StreamId,
    pub client: ClientId,
    pub client_name: String,
    pub user: Uid,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub codec: &'static str,
    pub bitrate_kbps: u32,
    pub state: &'static str,
    /// Live figures by name (`frames_sent`, `packets_sent`, `capture_to_encoded_p50_us`, ...).
    pub statistics: BTreeMap<&'static str, u64>,
}

pub struct Streams {}
impl Streams {
    /// Bind the video, control and audio sockets and start the threads that serve them.
    pub fn new(config: Arc<crate::config::Config>) -> std::io::Result<Self> { let _ = config; todo!() }
    /// End every stream (clients are told) and wait for that, two seconds at most.
    pub async fn shutdown(&self) {}
    /// Open the agent's source, make the sockets, start the thread. The client's pings and control connection come after.
    pub async fn start(&self, setup: StreamSetup) -> Result<(), StartError> {
        let _ = setup;
        todo!()
    }
    pub fn stop(&self, id: StreamId, reason: StopReason) -> bool {
        let _ = (id, reason);
        todo!()
    }
    pub fn stop_client(&self, client: &ClientId, reason: StopReason) {
        let _ = (client, reason);
    }
    pub fn list(&self) -> Vec<StreamInfo> {
        todo!()
    }
    pub fn for_client(&self, client: &ClientId) -> Option<StreamInfo> {
        let _ = client;
        todo!()
    }
    pub fn request_keyframe(&self, id: StreamId) -> bool {
        let _ = id;
        todo!()
    }
    pub fn set_bitrate(&self, id: StreamId, kbps: u32) -> bool {
        let _ = (id, kbps);
        todo!()
    }
    /// Changes when a stream starts, changes state or ends (not for every figure).
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        todo!()
    }
}
