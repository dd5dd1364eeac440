//! Its place in the runtime directory: `gamescope-N`, the first that is free, held by a lock as Wayland's sockets are.

use std::{
    env, fs,
    fs::File,
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
};

use anyhow::Context;

/// The sockets; they go when this does.
pub struct Place {
    runtime: PathBuf,
    pub display: String,
    /// No X server is behind it.
    pub x11: String,
    _lock: File,
    _socket: UnixListener,
}

impl Place {
    /// Take the first free one.
    pub fn take() -> anyhow::Result<Self> {
        let runtime = PathBuf::from(env::var_os("XDG_RUNTIME_DIR").context("no XDG_RUNTIME_DIR")?);
        for number in 0..32 {
            let display = format!("gamescope-{number}");
            let lock = File::create(runtime.join(format!("{display}.lock")))?;
            if lock.try_lock().is_err() {
                continue;
            }
            let path = runtime.join(&display);
            let _ = fs::remove_file(&path);
            let _ = fs::remove_file(runtime.join(format!("{display}-ei")));
            return Ok(Self {
                _socket: UnixListener::bind(path)?,
                runtime,
                display,
                x11: format!(":{}", 90 + number),
                _lock: lock,
            });
        }
        anyhow::bail!("no free display")
    }

    pub fn eis(&self) -> PathBuf {
        self.runtime.join(format!("{}-ei", self.display))
    }

    /// What removes its files.
    pub fn clean_up(&self) -> impl Fn() + Send + 'static {
        let stem = self.runtime.join(&self.display);
        move || {
            for end in ["", ".lock", "-ei"] {
                let mut path = stem.clone().into_os_string();
                path.push(end);
                let _ = fs::remove_file(path);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.clean_up()();
    }
}

/// The real one gives up where WAYLAND_DISPLAY names a compositor that is gone.
pub fn outer_compositor() -> Result<(), String> {
    let Some(display) = env::var_os("WAYLAND_DISPLAY") else {
        return Ok(());
    };
    let runtime = PathBuf::from(env::var_os("XDG_RUNTIME_DIR").unwrap_or_default());
    UnixStream::connect(runtime.join(&display))
        .map(drop)
        .map_err(|_| {
            format!(
                "Failed to connect to wayland socket: {}.",
                display.to_string_lossy()
            )
        })
}
