//! What was set over the bus: `settings.toml` in the state directory, which the service's account may write.
//!
//! It holds nothing that decides about privileges: those keys are refused here, whoever wrote them.
use super::{
    ConfigError, Effect, Value, file,
    keys::{self, key},
    layers::{self, Layer},
};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

pub(super) const NAME: &str = "settings.toml";

/// What stands in the file; nothing if there is none.
pub(super) fn load(directory: &Path) -> Result<Option<Layer>, ConfigError> {
    let path = directory.join(NAME);
    match layers::read(&path) {
        Ok(layer) => {
            check(&layer)?;
            Ok(Some(Layer {
                origin: "bus".into(),
                ..layer
            }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(layers::unreadable(&path, source)),
    }
}

/// Only what may be set over the bus stands in it.
fn check(layer: &Layer) -> Result<(), ConfigError> {
    let table = file::apply(&mut super::Config::default(), &layer.path, &layer.text)?;
    keys::named_in(&table)
        .iter()
        .try_for_each(|name| settable(name))
}

fn settable(name: &str) -> Result<(), ConfigError> {
    let refused = |why| {
        Err(ConfigError::NotSettable {
            key: name.to_owned(),
            why,
        })
    };
    match key(name) {
        Some(key) if key.effect == Effect::FileOnly => {
            refused("decides about privileges: set it in /etc/punktfunk/punktfunk.toml")
        }
        Some(_) => Ok(()),
        None => refused("is not a setting; `punktfunkctl config get` lists them"),
    }
}

/// The file's text with these values in it.
pub(super) fn with(
    layer: Option<&Layer>,
    values: BTreeMap<String, Value>,
) -> Result<String, ConfigError> {
    let mut table = table_of(layer);
    for (name, value) in values {
        settable(&name)?;
        match name.split_once('.') {
            None => drop(table.insert(name, value.into())),
            Some((section, key)) => {
                let section = table
                    .entry(section)
                    .or_insert_with(|| toml::Value::Table(toml::Table::new()));
                if let toml::Value::Table(section) = section {
                    section.insert(key.to_owned(), value.into());
                }
            }
        }
    }
    Ok(table.to_string())
}

/// The file's text without these keys; without any, if none is named.
pub(super) fn without(layer: Option<&Layer>, names: &[String]) -> Result<String, ConfigError> {
    let mut table = table_of(layer);
    if names.is_empty() {
        table.clear();
    }
    for name in names {
        settable(name)?;
        match name.split_once('.') {
            None => drop(table.remove(name)),
            Some((section, key)) => {
                if let Some(toml::Value::Table(section)) = table.get_mut(section) {
                    section.remove(key);
                }
            }
        }
    }
    Ok(table.to_string())
}

/// It was looked at when it was loaded.
fn table_of(layer: Option<&Layer>) -> toml::Table {
    layer
        .and_then(|layer| toml::from_str(&layer.text).ok())
        .unwrap_or_default()
}

pub(super) fn layer(directory: &Path, text: String) -> Layer {
    Layer {
        origin: "bus".into(),
        path: directory.join(NAME),
        text,
    }
}

/// Replace the file: the old one or the new one is there at every moment, never a mixture.
pub(super) fn write(layer: &Layer) -> Result<(), ConfigError> {
    replace(&layer.path, &layer.text).map_err(|source| ConfigError::Write {
        path: layer.path.display().to_string(),
        source,
    })
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let temporary = path.with_extension("toml.new");
    let written = write_new(&temporary, text).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Whatever is left of it is worth nothing; the old file is untouched.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
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
    file.write_all(b"# Written by punktfunkd; change it with: punktfunkctl config\n")?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// A file that cannot be used is kept under another name, and nothing of it holds.
pub(super) fn set_aside(directory: &Path) -> io::Result<PathBuf> {
    let path = directory.join(NAME);
    let aside = directory.join(format!("{NAME}.bad"));
    fs::rename(&path, &aside)?;
    Ok(aside)
}
