//! What holds now. Readers take a snapshot; reloading and setting replace it, and tell those who wait for changes.
use super::{
    Config, ConfigError, Effect, KEYS, Value, keys,
    layers::{self, Origins},
    saved,
};
use crate::cli::Cli;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};
use tokio::sync::watch;

/// Shared by everything that reads settings.
#[derive(Clone)]
pub struct Settings(Arc<Inner>);

struct Inner {
    /// How to read everything again; nothing can be, in tests.
    cli: Option<Cli>,
    environment: fn(&'static str) -> Option<OsString>,
    state: RwLock<State>,
    /// Held while files are read and written.
    editing: Mutex<()>,
    changes: watch::Sender<u64>,
}

struct State {
    /// What the service goes by: as configured, but for what only a restart changes.
    now: Arc<Config>,
    configured: Arc<Config>,
    origins: Origins,
}

/// What a reload or a new setting did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Keys whose configured value differs from before.
    pub changed: Vec<&'static str>,
    /// Keys that wait for a restart, also from earlier changes.
    pub restart: Vec<&'static str>,
}

/// Every setting, for people.
#[derive(Debug, Clone)]
pub struct View {
    pub values: BTreeMap<&'static str, Value>,
    /// `default`, a file's path, `bus`, `environment` or `command line`.
    pub origins: BTreeMap<&'static str, String>,
    pub restart: Vec<&'static str>,
}

impl From<Arc<Config>> for Settings {
    /// These, for ever.
    fn from(config: Arc<Config>) -> Self {
        Self::fixed(config)
    }
}

impl Settings {
    /// These, for ever.
    pub fn fixed(config: impl Into<Arc<Config>>) -> Self {
        let config = config.into();
        Self::made(None, |_| None, config, Origins::new())
    }

    /// The files and what was set over the bus. Called after privileges were dropped; `started` is what root had read.
    ///
    /// # Errors
    /// Files that cannot be used. What was set over the bus is set aside if it cannot be, and that is logged.
    pub fn open(cli: &Cli, started: Config) -> Result<Self, ConfigError> {
        Self::open_with(cli, std::env::var_os, started)
    }

    /// [`Settings::open`] with the environment passed in.
    pub fn open_with(
        cli: &Cli,
        environment: fn(&'static str) -> Option<OsString>,
        started: Config,
    ) -> Result<Self, ConfigError> {
        let directory = &started.state_dir;
        let files = match layers::files(cli) {
            Ok(files) => files,
            // Root could read them, the service's account cannot: what root read holds.
            Err(ConfigError::Read { path, source }) => {
                tracing::warn!(
                    "{path} cannot be read by the service's account ({source}): it was read at the start, a change of it \
                     needs a restart, and nothing can be set over the bus"
                );
                return Ok(Self::made(
                    None,
                    environment,
                    started.into(),
                    Origins::new(),
                ));
            }
            Err(error) => return Err(error),
        };
        let composed = saved::load(directory)
            .and_then(|saved| layers::compose(cli, &environment, &files, saved.as_ref()));
        let (config, origins) = match composed {
            Ok(composed) => composed,
            Err(error) => {
                match saved::set_aside(directory) {
                    Ok(aside) => tracing::error!(
                        kept_as = %aside.display(),
                        "what was set over the bus cannot be used; it was set aside and does not hold: {error}"
                    ),
                    Err(moving) => tracing::error!(
                        "what was set over the bus cannot be used and does not hold: {error} (nor set aside: {moving})"
                    ),
                }
                layers::compose(cli, &environment, &files, None)?
            }
        };
        // What decided about privileges has been decided.
        let config = keep(&started, config, |effect| effect == Effect::FileOnly);
        Ok(Self::made(
            Some(cli.clone()),
            environment,
            config.into(),
            origins,
        ))
    }

    fn made(
        cli: Option<Cli>,
        environment: fn(&'static str) -> Option<OsString>,
        config: Arc<Config>,
        origins: Origins,
    ) -> Self {
        let state = State {
            now: Arc::clone(&config),
            configured: config,
            origins,
        };
        Self(Arc::new(Inner {
            cli,
            environment,
            state: state.into(),
            editing: Mutex::default(),
            changes: watch::channel(0).0,
        }))
    }

    /// A snapshot: what holds at this moment.
    pub fn now(&self) -> Arc<Config> {
        Arc::clone(&self.state().now)
    }

    /// Counts changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    pub fn view(&self) -> View {
        let state = self.state();
        let values = keys::values(&state.configured);
        let origins = values
            .keys()
            .map(|name| {
                let origin = state.origins.get(*name).cloned();
                (*name, origin.unwrap_or_else(|| "default".into()))
            })
            .collect();
        View {
            values,
            origins,
            restart: waiting(&state.now, &state.configured),
        }
    }

    /// Read everything again. Blocks on files.
    ///
    /// # Errors
    /// What cannot be used; then nothing changes.
    pub fn reload(&self) -> Result<Change, ConfigError> {
        let _editing = self.edit();
        let cli = self.readable()?;
        let saved = saved::load(&self.now().state_dir)?;
        self.adopt(cli, saved.as_ref())
    }

    /// Set these over the files, lastingly. Blocks on files.
    ///
    /// # Errors
    /// An unknown key, one that only a file may set, a value that is not understood, or a state directory that cannot be
    /// written; then nothing changes.
    pub fn set(&self, values: BTreeMap<String, Value>) -> Result<Change, ConfigError> {
        self.write(|saved| saved::with(saved, values))
    }

    /// Let the files decide again about these keys, or about all if none is named. Blocks on files.
    ///
    /// # Errors
    /// As [`Settings::set`].
    pub fn reset(&self, names: &[String]) -> Result<Change, ConfigError> {
        self.write(|saved| saved::without(saved, names))
    }

    fn write(
        &self,
        text: impl FnOnce(Option<&layers::Layer>) -> Result<String, ConfigError>,
    ) -> Result<Change, ConfigError> {
        let _editing = self.edit();
        let cli = self.readable()?;
        let directory = &self.now().state_dir;
        let old = saved::load(directory)?;
        let new = saved::layer(directory, text(old.as_ref())?);
        // Understood as a whole before it is kept.
        layers::compose(cli, &self.0.environment, &layers::files(cli)?, Some(&new))?;
        saved::write(&new)?;
        self.adopt(cli, Some(&new))
    }

    fn adopt(&self, cli: &Cli, saved: Option<&layers::Layer>) -> Result<Change, ConfigError> {
        let files = layers::files(cli)?;
        let (config, origins) = layers::compose(cli, &self.0.environment, &files, saved)?;
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        let changed = different(&state.configured, &config, |_| true);
        let now = keep(&state.now, config.clone(), |effect| effect != Effect::Live);
        *state = State {
            now: Arc::new(now),
            configured: Arc::new(config),
            origins,
        };
        let restart = waiting(&state.now, &state.configured);
        drop(state);
        self.0
            .changes
            .send_modify(|count| *count = count.wrapping_add(1));
        Ok(Change { changed, restart })
    }

    fn readable(&self) -> Result<&Cli, ConfigError> {
        self.0.cli.as_ref().ok_or_else(|| ConfigError::NotSettable {
            key: "the configuration".into(),
            why: "cannot be read by the service's account: change the file and restart the service",
        })
    }

    fn edit(&self) -> MutexGuard<'_, ()> {
        self.0
            .editing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `config`, with the values of `running` for the keys of these effects.
fn keep(running: &Config, config: Config, effects: impl Fn(Effect) -> bool) -> Config {
    let mut kept = config;
    if effects(Effect::FileOnly) {
        kept.state_dir = running.state_dir.clone();
        kept.identity_dir = running.identity_dir.clone();
        kept.user = running.user.clone();
    }
    if effects(Effect::Restart) {
        kept.bind = running.bind;
        kept.ports = running.ports;
        kept.gamepad = running.gamepad;
    }
    kept
}

fn waiting(now: &Config, configured: &Config) -> Vec<&'static str> {
    different(now, configured, |effect| effect != Effect::Live)
}

fn different(one: &Config, other: &Config, effects: impl Fn(Effect) -> bool) -> Vec<&'static str> {
    let (one, other) = (keys::values(one), keys::values(other));
    KEYS.iter()
        .filter(|key| effects(key.effect) && one.get(key.name) != other.get(key.name))
        .map(|key| key.name)
        .collect()
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
