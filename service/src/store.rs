//! Paired clients, kept atomically in one versioned file. [owner: platform]
use crate::ids::{ClientId, Uid};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRecord { pub id: ClientId, pub name: String, pub certificate_der: Vec<u8>, pub owner: Uid, /// unix seconds
    pub paired_at: u64, pub last_seen: u64, pub permissions: Vec<String> }

#[derive(Debug, thiserror::Error)]
pub enum StoreError { #[error("no such client")] NoSuchClient, #[error("client store {path}: {source}")] Io { path: String, source: std::io::Error } }

pub struct ClientStore {}
impl ClientStore {
    pub fn by_certificate(&self, der: &[u8]) -> Option<ClientRecord> { let _ = der; todo!() }
    pub fn get(&self, id: &ClientId) -> Option<ClientRecord> { let _ = id; todo!() }
    pub fn list(&self) -> Vec<ClientRecord> { todo!() }
    /// Written to disk before it returns. Pairing again replaces the record.
    pub fn add(&self, name: &str, certificate_der: &[u8], owner: Uid) -> Result<ClientRecord, StoreError> { let _ = (name, certificate_der, owner); todo!() }
    pub fn remove(&self, id: &ClientId) -> Result<(), StoreError> { let _ = id; todo!() }
    pub fn touch(&self, id: &ClientId) { let _ = id; }
    /// Changes after every modification.
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> { todo!() }
}
