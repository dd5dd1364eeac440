//! What clients have running, kept for the next start of the service: sessions and their applications outlive it, and the
//! clients find what they can resume.
//!
//! A hint, not a record: it is believed only once the same session's agent is back, and applications are asked for there.
use crate::ids::{ClientId, SessionId, Uid};
use punktfunk_dbus::applications::DESKTOP;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs, io, path::Path};

const NAME: &str = "running.json";
/// Far above what as many clients as there can be need.
const MAX_BYTES: u64 = 1 << 20;

/// One client's application, as far as another service can understand it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub app: u32,
    pub session: String,
    pub user: u32,
}

impl Kept {
    pub(super) fn is_of(&self, session: &SessionId, user: Uid) -> bool {
        // The desktop is in every session of its user.
        self.user == user.0 && (self.app == DESKTOP || self.session == session.0)
    }
}

pub(super) type All = BTreeMap<String, Kept>;

/// Nothing where there is no file, or none that can be understood.
pub(super) fn load(directory: &Path) -> BTreeMap<ClientId, Kept> {
    let path = directory.join(NAME);
    let read = || -> io::Result<All> {
        if fs::metadata(&path)?.len() > MAX_BYTES {
            return Err(io::Error::other("too large"));
        }
        Ok(serde_json::from_slice(&fs::read(&path)?)?)
    };
    let all = read().unwrap_or_else(|error| {
        if error.kind() != io::ErrorKind::NotFound {
            tracing::warn!(file = %path.display(), %error, "what clients had running is not known");
        }
        All::new()
    });
    all.into_iter()
        .map(|(id, kept)| (ClientId(id), kept))
        .collect()
}

pub(super) fn save(directory: &Path, all: &All) {
    let (path, new) = (directory.join(NAME), directory.join("running.json.new"));
    let written = serde_json::to_vec(all)
        .map_err(io::Error::from)
        .and_then(|bytes| fs::write(&new, bytes))
        .and_then(|()| fs::rename(&new, &path));
    if let Err(error) = written {
        tracing::warn!(file = %path.display(), %error, "what clients have running cannot be kept: after a restart they launch anew");
    }
}
