//! gamescope's socket for emulated input: `gamescope-0-ei` in the runtime directory, named after its display.
//!
//! A file of that name says nothing (they outlive their owners): it has to take a connection, and the process at the other
//! end has to be the gamescope that is captured.

use std::{
    collections::HashSet,
    fs,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::{Path, PathBuf},
};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// A connection to the input of one of the processes in `family`. `display` is tried first, then whatever is there.
pub fn connect(runtime: &Path, display: Option<&str>, family: &HashSet<i32>) -> Option<OwnedFd> {
    display
        .map(|display| runtime.join(format!("{display}-ei")))
        .into_iter()
        .chain(sockets(runtime))
        .find_map(|path| {
            let socket = UnixStream::connect(&path).ok()?;
            let peer = getsockopt(&socket, PeerCredentials).ok()?;
            let ours = family.contains(&peer.pid());
            tracing::debug!(path = %path.display(), pid = peer.pid(), ours, "emulated input of gamescope");
            ours.then(|| socket.into())
        })
}

fn sockets(runtime: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(runtime)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("gamescope-") && name.ends_with("-ei"))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_socket_counts_only_if_it_answers_and_is_the_right_ones() {
        let folder = std::env::temp_dir().join(format!("pf-eis-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // Left behind by one that is gone.
        drop(UnixListener::bind(folder.join("gamescope-0-ei")).unwrap());
        let listener = UnixListener::bind(folder.join("gamescope-1-ei")).unwrap();
        let own = HashSet::from([i32::try_from(std::process::id()).unwrap()]);
        assert!(connect(&folder, Some("gamescope-0"), &own).is_some());
        assert!(connect(&folder, None, &HashSet::from([1])).is_none());
        drop(listener);
        assert!(connect(&folder, Some("gamescope-1"), &own).is_none());
        fs::remove_dir_all(&folder).unwrap();
    }
}
