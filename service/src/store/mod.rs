//! Paired clients, kept atomically in one versioned file.
//!
//! Owns the records and their file. A change is on disk before it is visible; when it cannot be written, the old
//! state stays, on disk and in memory.
mod file;
mod permissions;
mod terms;

use crate::ids::{ClientId, Uid};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;

/// How many clients one host keeps.
pub const MAX_CLIENTS: usize = 256;
/// Longest name of a client, in characters.
pub const MAX_NAME: usize = 64;
/// How exactly `last_seen` is kept: a client that asks every second is not worth a write each time.
const LAST_SEEN_GRAIN: u64 = 60;

pub use permissions::{
    DEFAULT_PERMISSIONS, PERMISSION_AUDIO, PERMISSION_GAMEPAD, PERMISSION_KEYBOARD,
    PERMISSION_LAUNCH, PERMISSION_POINTER, PERMISSION_UNLOCK, PERMISSION_VIEW, PERMISSIONS,
};
pub use terms::Terms;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRecord {
    pub id: ClientId,
    pub name: String,
    pub certificate_der: Vec<u8>,
    /// The local account that approved the pairing.
    pub owner: Uid,
    /// unix seconds
    pub paired_at: u64,
    /// unix seconds, to about a minute
    pub last_seen: u64,
    /// Words of [`PERMISSIONS`].
    pub permissions: Vec<String>,
    pub terms: Terms,
}

impl ClientRecord {
    /// Whether the client was given this permission.
    pub fn may(&self, permission: &str) -> bool {
        self.permissions.iter().any(|given| given == permission)
    }

    /// Whether the date until which it was paired has passed.
    pub fn expired(&self) -> bool {
        self.terms.expired(unix_now())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("no such client")]
    NoSuchClient,
    #[error("{MAX_CLIENTS} clients are paired: remove one first")]
    Full,
    #[error("unknown permission {0:?}; there are {PERMISSIONS:?}")]
    UnknownPermission(String),
    #[error("client store {path}: {source}")]
    Io {
        path: String,
        source: std::io::Error,
    },
}

type Records = BTreeMap<ClientId, ClientRecord>;

pub struct ClientStore {
    path: PathBuf,
    records: Mutex<Records>,
    changed: watch::Sender<u64>,
}

impl ClientStore {
    /// Open `clients.json` in `directory`; the directory must exist and belong to this process.
    ///
    /// A file that is damaged, or written by a newer version, is set aside under another name and the store starts empty.
    ///
    /// # Errors
    /// The directory cannot be read or the bad file not be renamed.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(file::NAME);
        let records = file::load(&path).map_err(|source| StoreError::Io {
            path: path.display().to_string(),
            source,
        })?;
        Ok(Self {
            path,
            records: Mutex::new(records),
            changed: watch::Sender::new(0),
        })
    }

    pub fn by_certificate(&self, der: &[u8]) -> Option<ClientRecord> {
        let record = self.get(&ClientId::of_certificate(der))?;
        (record.certificate_der == der).then_some(record)
    }

    pub fn get(&self, id: &ClientId) -> Option<ClientRecord> {
        self.records().get(id).cloned()
    }

    /// The accounts that have a client which may watch.
    pub fn owners(&self) -> BTreeSet<Uid> {
        let records = self.records();
        let watching = records
            .values()
            .filter(|record| record.may(PERMISSION_VIEW) && !record.expired());
        watching.map(|record| record.owner).collect()
    }

    pub fn list(&self) -> Vec<ClientRecord> {
        self.records().values().cloned().collect()
    }

    /// Written to disk before it returns. Pairing again replaces the record.
    pub fn add(
        &self,
        name: &str,
        certificate_der: &[u8],
        owner: Uid,
    ) -> Result<ClientRecord, StoreError> {
        self.add_on(name, certificate_der, owner, Terms::default())
    }

    /// As [`ClientStore::add`], on these terms.
    pub fn add_on(
        &self,
        name: &str,
        certificate_der: &[u8],
        owner: Uid,
        terms: Terms,
    ) -> Result<ClientRecord, StoreError> {
        let now = unix_now();
        let record = ClientRecord {
            id: ClientId::of_certificate(certificate_der),
            name: presentable(name),
            certificate_der: certificate_der.to_vec(),
            owner,
            paired_at: now,
            last_seen: now,
            permissions: DEFAULT_PERMISSIONS.map(str::to_owned).to_vec(),
            terms,
        };
        self.change(|records| {
            if records.len() >= MAX_CLIENTS && !records.contains_key(&record.id) {
                return Err(StoreError::Full);
            }
            records.insert(record.id.clone(), record.clone());
            Ok(())
        })?;
        Ok(record)
    }

    pub fn remove(&self, id: &ClientId) -> Result<(), StoreError> {
        self.change(|records| {
            records.remove(id).ok_or(StoreError::NoSuchClient)?;
            Ok(())
        })
    }

    /// Give the client to another account.
    pub fn set_owner(&self, id: &ClientId, owner: Uid) -> Result<(), StoreError> {
        self.change_one(id, |record| record.owner = owner)
    }

    /// Change for how long or where its pairing is good.
    pub fn set_terms(
        &self,
        id: &ClientId,
        edit: impl FnOnce(&mut Terms),
    ) -> Result<(), StoreError> {
        self.change_one(id, |record| edit(&mut record.terms))
    }

    /// Replace what the client may do, and answer it in today's words: duplicates are dropped, the old word `input` is
    /// taken for the two that it became.
    pub fn set_permissions(
        &self,
        id: &ClientId,
        wanted: &[String],
    ) -> Result<Vec<String>, StoreError> {
        let permissions = permissions::known(wanted)
            .map_err(|unknown| StoreError::UnknownPermission(unknown.to_owned()))?;
        self.change_one(id, |record| record.permissions.clone_from(&permissions))?;
        Ok(permissions)
    }

    /// The client was here just now.
    pub fn touch(&self, id: &ClientId) {
        let now = unix_now();
        let stale = self
            .records()
            .get(id)
            .is_some_and(|record| now.abs_diff(record.last_seen) >= LAST_SEEN_GRAIN);
        if !stale {
            return;
        }
        if let Err(error) = self.change_one(id, |record| record.last_seen = now) {
            tracing::warn!(%error, "cannot note when a client was last seen");
        }
    }

    /// Changes after every modification.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn change_one(
        &self,
        id: &ClientId,
        edit: impl FnOnce(&mut ClientRecord),
    ) -> Result<(), StoreError> {
        self.change(|records| {
            edit(records.get_mut(id).ok_or(StoreError::NoSuchClient)?);
            Ok(())
        })
    }

    /// Edit a copy, write it, and only then let it be seen.
    fn change(
        &self,
        edit: impl FnOnce(&mut Records) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut records = self.records();
        let mut edited = records.clone();
        edit(&mut edited)?;
        file::save(&self.path, &edited).map_err(|source| StoreError::Io {
            path: self.path.display().to_string(),
            source,
        })?;
        *records = edited;
        drop(records);
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
        Ok(())
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        // A panic elsewhere cannot leave a half-made state: records are replaced whole.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's own name for itself, fit to be shown: bounded, one line, never empty.
fn presentable(name: &str) -> String {
    let name: String = name
        .chars()
        .filter(|character| !character.is_control())
        .take(MAX_NAME)
        .collect();
    let name = name.trim();
    if name.is_empty() {
        "unnamed".into()
    } else {
        name.into()
    }
}

pub(crate) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

#[cfg(test)]
mod tests;
