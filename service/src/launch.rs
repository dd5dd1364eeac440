//! Launches: what `/launch` and `/resume` promised and RTSP then takes up. [owner: setup]
use crate::{
    agents::AgentHandle,
    ids::{ClientId, StreamId},
    store::ClientRecord,
};
use punktfunk_core::crypto::Key;
use std::net::IpAddr;

/// One accepted launch. Shared by RTSP (negotiation) and the stream (media).
pub struct Launch {
    pub stream: StreamId,
    pub client: ClientRecord,
    pub agent: AgentHandle,
    pub app: u32,
    pub key: Key,
    /// `rikeyid` as sent (signed).
    pub key_id: i32,
    pub peer: IpAddr,
    pub local: IpAddr,
    pub play_on_host: bool,
    /// 16 ASCII characters each, fresh for every launch.
    pub video_ping: [u8; 16],
    pub audio_ping: [u8; 16],
    /// ENet connect data, fresh for every launch.
    pub connect_data: u32,
}

#[derive(Default)]
pub struct Launches {}
impl Launches {
    pub fn new() -> Self { Self::default() }
    /// The app that this client has running (survives a disconnect without `cancel`), 0 = none.
    pub fn running_app(&self, client: &ClientId) -> u32 {
        let _ = client;
        todo!()
    }
}
