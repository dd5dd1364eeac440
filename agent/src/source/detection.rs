//! Which compositor runs in this session, as far as it can be seen without asking it anything.

use std::{
    env,
    os::unix::{fs::FileTypeExt, net::UnixStream},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// A connection to the session's Wayland compositor: the one in `WAYLAND_DISPLAY`, else the newest socket in the
/// runtime directory that answers (an agent that was started before the compositor does not have the variable).
pub fn wayland_socket() -> Option<UnixStream> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    if let Some(display) = env::var_os("WAYLAND_DISPLAY").map(PathBuf::from) {
        let path = match &runtime {
            Some(runtime) => runtime.join(&display), // an absolute display replaces the directory
            None => display,
        };
        if let Ok(stream) = UnixStream::connect(path) {
            return Some(stream);
        }
    }
    newest_sockets(&runtime?)
        .into_iter()
        .find_map(|path| UnixStream::connect(path).ok())
}

/// The sockets named like Wayland's (`wayland-0`) in a folder, newest first.
fn newest_sockets(folder: &Path) -> Vec<PathBuf> {
    let mut sockets: Vec<(SystemTime, PathBuf)> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter(|entry| {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("wayland-"));
            number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        })
        .filter_map(|entry| {
            let data = entry.metadata().ok()?;
            data.file_type().is_socket().then(|| {
                (
                    data.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                    entry.path(),
                )
            })
        })
        .collect();
    sockets.sort();
    sockets.into_iter().rev().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn lock_files_and_other_sockets_are_no_displays() {
        let folder = env::temp_dir().join(format!("pf-detect-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let _display = UnixListener::bind(folder.join("wayland-7")).unwrap();
        let _other = UnixListener::bind(folder.join("pipewire-0")).unwrap();
        let _named = UnixListener::bind(folder.join("wayland-x")).unwrap();
        std::fs::write(folder.join("wayland-7.lock"), "").unwrap();
        std::fs::write(folder.join("wayland-8"), "").unwrap();
        let found = newest_sockets(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, [folder.join("wayland-7")]);
    }
}
