//! The store's file: JSON, versioned, replaced atomically, 0600.
use super::{ClientRecord, Records, Terms, permissions};
use crate::ids::{ClientId, Uid};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

pub(super) const NAME: &str = "clients.json";
/// Written today. Version 1 had one word for pointing and typing, and none for starting applications; version 2 had no terms.
const VERSION: u32 = 3;
const FIRST_VERSION: u32 = 1;
/// Far above what [`super::MAX_CLIENTS`] records need; anything larger is not ours.
const MAX_BYTES: u64 = 16 << 20;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    clients: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    /// DER in hex; the id is computed from it, so that the two cannot disagree.
    certificate: String,
    owner: u32,
    paired_at: u64,
    last_seen: u64,
    permissions: Vec<String>,
    #[serde(default)]
    terms: Terms,
}

/// No file = no records. A file that cannot be understood is set aside.
pub(super) fn load(path: &Path) -> io::Result<Records> {
    let bytes = match File::open(path) {
        Ok(file) if file.metadata()?.len() > MAX_BYTES => {
            return set_aside(path, "larger than any store of ours");
        }
        Ok(_) => fs::read(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Records::new()),
        Err(error) => return Err(error),
    };
    match parse(&bytes) {
        Ok(records) => Ok(records),
        Err(reason) => set_aside(path, &reason),
    }
}

fn parse(bytes: &[u8]) -> Result<Records, String> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if !(FIRST_VERSION..=VERSION).contains(&version) {
        return Err(format!(
            "version {version}, this program knows versions {FIRST_VERSION} to {VERSION}"
        ));
    }
    let document: Document = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    document
        .clients
        .into_iter()
        .map(|entry| {
            let der = hex::decode(&entry.certificate).map_err(|error| error.to_string())?;
            let id = ClientId::of_certificate(&der);
            let record = ClientRecord {
                id: id.clone(),
                name: entry.name,
                certificate_der: der,
                owner: Uid(entry.owner),
                paired_at: entry.paired_at,
                last_seen: entry.last_seen,
                permissions: if version == FIRST_VERSION {
                    permissions::of_first_version(entry.permissions)
                } else {
                    entry.permissions
                },
                terms: entry.terms,
            };
            Ok((id, record))
        })
        .collect()
}

fn set_aside(path: &Path, reason: &str) -> io::Result<Records> {
    let aside = unused_name(path);
    fs::rename(path, &aside)?;
    tracing::error!(
        file = %path.display(), kept_as = %aside.display(), reason,
        "the list of paired clients cannot be used; it was set aside and no client is paired now"
    );
    Ok(Records::new())
}

/// Beside the original, with a time and, if need be, a number: nothing set aside earlier is overwritten.
fn unused_name(path: &Path) -> PathBuf {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs());
    let name = |number: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".bad-{seconds}-{number}"));
        PathBuf::from(name)
    };
    (0..u32::MAX)
        .map(name)
        .find(|candidate| !candidate.exists())
        .unwrap_or_else(|| name(u32::MAX))
}

/// Write to a temporary file, sync it, rename it over the old one, sync the directory.
pub(super) fn save(path: &Path, records: &Records) -> io::Result<()> {
    let document = Document {
        version: VERSION,
        clients: records
            .values()
            .map(|record| Entry {
                name: record.name.clone(),
                certificate: hex::encode(&record.certificate_der),
                owner: record.owner.0,
                paired_at: record.paired_at,
                last_seen: record.last_seen,
                permissions: record.permissions.clone(),
                terms: record.terms.clone(),
            })
            .collect(),
    };
    let mut bytes = serde_json::to_vec_pretty(&document)?;
    bytes.push(b'\n');
    let temporary = path.with_extension("json.new");
    let replaced = write_new(&temporary, &bytes).and_then(|()| fs::rename(&temporary, path));
    if replaced.is_err() {
        // Whatever is left of it is worth nothing; the old file is untouched.
        let _ = fs::remove_file(&temporary);
    }
    replaced?;
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A left-over of a crash may have any mode: start from nothing.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
