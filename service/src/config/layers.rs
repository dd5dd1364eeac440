//! Where settings come from, the later over the earlier: the main file, its drop-ins, what was set over the bus, the
//! environment, the command line.
use super::{Config, ConfigError, DEFAULT_FILE, file, keys};
use crate::cli::Cli;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

/// No configuration is larger.
const MAX_BYTES: u64 = 1 << 20;
const MAX_DROP_INS: usize = 256;

/// Which layer decided about a key; a key that is missing here has its default.
pub type Origins = BTreeMap<String, String>;

/// Environment variables, as [`std::env::var_os`] says them.
pub type Environment<'a> = &'a dyn Fn(&'static str) -> Option<OsString>;

/// One file, read.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    /// What it is called where its values are shown: a path.
    pub(super) origin: String,
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// The administrator's files, in the order in which they are laid over each other.
pub(super) fn files(cli: &Cli) -> Result<Vec<Layer>, ConfigError> {
    // A developer's host does not pick up the machine's configuration by accident.
    let (main, must_exist) = match &cli.config {
        Some(path) => (path.as_path(), true),
        None if cli.dev => return Ok(Vec::new()),
        None => (Path::new(DEFAULT_FILE), false),
    };
    let mut layers = Vec::new();
    match read(main) {
        Ok(layer) => layers.push(layer),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => {}
        Err(source) => return Err(unreadable(main, source)),
    }
    for path in drop_ins(main)? {
        layers.push(read(&path).map_err(|source| unreadable(&path, source))?);
    }
    Ok(layers)
}

/// `FILE.d/*.toml`, by name.
fn drop_ins(main: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let mut folder = main.as_os_str().to_owned();
    folder.push(".d");
    let folder = PathBuf::from(folder);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(unreadable(&folder, source)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|source| unreadable(&folder, source))?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.extension().is_some_and(|end| end == "toml") && !hidden {
            paths.push(path);
        }
        if paths.len() > MAX_DROP_INS {
            let many = io::Error::other(format!("more than {MAX_DROP_INS} files"));
            return Err(unreadable(&folder, many));
        }
    }
    paths.sort();
    Ok(paths)
}

/// A bounded text file.
pub(super) fn read(path: &Path) -> io::Result<Layer> {
    let mut text = String::new();
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    file.take(MAX_BYTES.saturating_add(1))
        .read_to_string(&mut text)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_BYTES {
        return Err(io::Error::other("larger than any configuration (1 MiB)"));
    }
    Ok(Layer {
        origin: path.display().to_string(),
        path: path.to_owned(),
        text,
    })
}

pub(super) fn unreadable(path: &Path, source: io::Error) -> ConfigError {
    ConfigError::Read {
        path: path.display().to_string(),
        source,
    }
}

/// Lay everything over the defaults. `saved` is what was set over the bus.
pub(super) fn compose(
    cli: &Cli,
    environment: Environment<'_>,
    files: &[Layer],
    saved: Option<&Layer>,
) -> Result<(Config, Origins), ConfigError> {
    let mut config = Config {
        development: cli.dev,
        ..Config::default()
    };
    let mut origins = Origins::new();
    if cli.dev {
        config.use_development_directories(environment);
    }
    for layer in files.iter().chain(saved) {
        let table = file::apply(&mut config, &layer.path, &layer.text)?;
        for name in keys::named_in(&table) {
            // What stands for several decides about each of them.
            let several: &[&str] = match name.as_str() {
                "encryption" => &["encryption-lan", "encryption-wan"],
                "ports.base" => &[
                    "ports.http",
                    "ports.https",
                    "ports.rtsp",
                    "ports.video",
                    "ports.control",
                    "ports.audio",
                ],
                _ => &[],
            };
            for name in several {
                origins.insert((*name).to_owned(), layer.origin.clone());
            }
            origins.insert(name, layer.origin.clone());
        }
    }
    for name in config.apply_environment(environment)? {
        origins.insert(name.to_owned(), "environment".into());
    }
    for name in config.apply_command_line(cli)? {
        origins.insert(name.to_owned(), "command line".into());
    }
    config.ports = config.ports.validated().map_err(|message| {
        let culprits: Vec<&str> = files
            .iter()
            .chain(saved)
            .map(|layer| layer.origin.as_str())
            .collect();
        ConfigError::File {
            path: culprits.join(", "),
            message,
        }
    })?;
    Ok((config, origins))
}
