//! Pairing attempts that wait for a person, and the window in which they are taken. [owner: setup]
use crate::ids::{ClientId, Uid};
use std::{net::IpAddr, time::Duration};

#[derive(Debug, Clone)]
pub struct WaitingPairing {
    pub id: u64,
    pub name: String,
    pub address: IpAddr,
    /// unix seconds
    pub since: u64,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum PairingError {
    #[error("no pairing window is open")]
    WindowClosed,
    #[error("no such pairing attempt")]
    NoSuchAttempt,
    #[error("a PIN has four digits")]
    BadPin,
    #[error("the PIN was wrong")]
    WrongPin,
    #[error("the client gave up or took too long")]
    Expired,
    #[error("could not be stored: {0}")]
    Store(String),
}

#[derive(Default)]
pub struct Pairings {}
impl Pairings {
    pub fn new() -> Self { Self::default() }
    /// Open (or extend) the window for this account; at most 300 s; answers what was granted.
    pub fn open_window(&self, by: Uid, duration: Duration) -> Duration {
        let _ = (by, duration);
        todo!()
    }
    pub fn close_window(&self, by: Uid) {
        let _ = by;
    }
    pub fn window_open(&self) -> bool {
        todo!()
    }
    pub fn waiting(&self) -> Vec<WaitingPairing> {
        todo!()
    }
    /// Enter the PIN for an attempt; answers after the client proved that it knows it and the record is on disk.
    pub async fn accept(
        &self,
        id: u64,
        pin: &str,
        owner: Uid,
        name: Option<String>,
    ) -> Result<ClientId, PairingError> {
        let _ = (id, pin, owner, name);
        todo!()
    }
    pub fn reject(&self, id: u64) -> Result<(), PairingError> {
        let _ = id;
        todo!()
    }
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        todo!()
    }
}
