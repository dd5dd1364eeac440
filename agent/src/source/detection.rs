//! Which compositor runs in this session, as far as it can be seen without asking it anything.

use std::{
    env,
    ffi::{OsStr, OsString},
    os::unix::{ffi::OsStrExt, fs::FileTypeExt, net::UnixStream},
    path::{Path, PathBuf},
    time::SystemTime,
};

const DESKTOP: &str = "XDG_CURRENT_DESKTOP";

/// The session's Wayland compositor, as its socket's listener.
#[derive(Debug)]
pub struct Compositor {
    pub stream: UnixStream,
    /// Its process, as the kernel has it of the socket: what listens, or what made the socket for it.
    pub process: Option<i32>,
}

/// A connection to the session's Wayland compositor.
pub fn wayland_socket() -> Option<UnixStream> {
    compositor().map(|compositor| compositor.stream)
}

/// The session's compositor among those that listen in the runtime directory. One that runs inside another (its process was
/// started with the other's display in its environment) is a program of the session and not its compositor. Of several, the
/// one that `WAYLAND_DISPLAY` names, else the one that has been there for longest; an agent that was started before the
/// compositor does not have the variable.
pub fn compositor() -> Option<Compositor> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let named = env::var_os("WAYLAND_DISPLAY").map(|display| match &runtime {
        Some(runtime) => runtime.join(display), // an absolute display replaces the directory
        None => display.into(),
    });
    let mut candidates: Vec<PathBuf> = named.into_iter().collect();
    for path in runtime.iter().flat_map(|folder| sockets(folder)) {
        if !candidates.contains(&path) {
            candidates.push(path);
        }
    }
    let alive: Vec<Candidate> = candidates
        .into_iter()
        .filter_map(|path| {
            let stream = UnixStream::connect(&path).ok()?;
            let process = owner(&stream);
            let inside = process.and_then(display_of);
            Some(Candidate {
                path,
                stream,
                process,
                inside,
            })
        })
        .collect();
    let chosen = outermost(&alive)?;
    let Candidate {
        stream, process, ..
    } = alive.into_iter().nth(chosen)?;
    Some(Compositor { stream, process })
}

#[derive(Debug)]
struct Candidate<S = UnixStream> {
    path: PathBuf,
    stream: S,
    process: Option<i32>,
    /// The display that its process was started in.
    inside: Option<PathBuf>,
}

/// The first that does not run inside another of them, else the first.
fn outermost<S>(all: &[Candidate<S>]) -> Option<usize> {
    let nested = |one: &Candidate<S>| {
        all.iter().any(|other| {
            one.inside.as_ref() == Some(&other.path)
                && other.path != one.path
                && (other.process != one.process || one.process.is_none())
        })
    };
    all.iter()
        .position(|one| !nested(one))
        .or((!all.is_empty()).then_some(0))
}

/// Who listens at the other end.
pub fn owner(stream: &UnixStream) -> Option<i32> {
    let peer = nix::sys::socket::getsockopt(stream, nix::sys::socket::sockopt::PeerCredentials);
    peer.ok().map(|peer| peer.pid()).filter(|pid| *pid > 0)
}

/// What the session's desktop calls itself, empty where nobody says: as its compositor was told, else as this process was. An agent
/// that was started before the desktop was not.
pub fn desktop_name() -> String {
    let process = compositor().and_then(|compositor| compositor.process);
    process
        .and_then(environment_of)
        .and_then(|environment| variable(&environment, DESKTOP))
        .or_else(|| env::var_os(DESKTOP))
        .and_then(|name| name.into_string().ok())
        .unwrap_or_default()
}

/// The environment that a process was started with; None where it may not be asked.
fn environment_of(process: i32) -> Option<Vec<u8>> {
    std::fs::read(format!("/proc/{process}/environ")).ok()
}

fn variable(environment: &[u8], name: &str) -> Option<OsString> {
    environment
        .split(|byte| *byte == 0)
        .find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .map(|value| OsStr::from_bytes(value).to_owned())
}

/// The socket of the display that a process was started in.
fn display_of(process: i32) -> Option<PathBuf> {
    let environment = environment_of(process)?;
    let value = |name| variable(&environment, name).map(PathBuf::from);
    let display = value("WAYLAND_DISPLAY").filter(|display| !display.as_os_str().is_empty())?;
    Some(match value("XDG_RUNTIME_DIR") {
        Some(runtime) => runtime.join(display),
        None => display,
    })
}

/// The sockets named like Wayland's (`wayland-0`) in a folder, oldest first.
fn sockets(folder: &Path) -> Vec<PathBuf> {
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
    sockets.into_iter().map(|(_, path)| path).collect()
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
        let found = sockets(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, [folder.join("wayland-7")]);
    }

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let environment = b"XDG_CURRENT_DESKTOP_OLD=KDE\0A=1\0XDG_CURRENT_DESKTOP=GNOME\0";
        assert_eq!(variable(environment, DESKTOP), Some("GNOME".into()));
        assert_eq!(variable(environment, "XDG_CURRENT"), None);
        assert_eq!(variable(b"", DESKTOP), None);
    }

    fn candidate(path: &str, process: i32, inside: Option<&str>) -> Candidate<()> {
        Candidate {
            path: path.into(),
            stream: (),
            process: Some(process),
            inside: inside.map(PathBuf::from),
        }
    }

    #[test]
    fn a_compositor_inside_the_sessions_is_not_the_sessions() {
        let session = candidate("/run/wayland-0", 10, None);
        let nested = candidate("/run/wayland-1", 20, Some("/run/wayland-0"));
        let deeper = candidate("/run/wayland-2", 30, Some("/run/wayland-1"));
        // also where the environment names the nested one, which then comes first
        assert_eq!(outermost(&[nested, deeper, session]), Some(2));
        // left from an earlier session, or its own
        let stale = candidate("/run/wayland-0", 10, Some("/run/wayland-0"));
        assert_eq!(outermost(&[stale]), Some(0));
        let gone = candidate("/run/wayland-1", 20, Some("/run/wayland-0"));
        assert_eq!(outermost(&[gone]), Some(0));
        assert_eq!(outermost::<()>(&[]), None);
    }

    #[test]
    fn who_listens_is_known_from_the_socket() {
        let path = env::temp_dir().join(format!("pf-owner-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let _listener = UnixListener::bind(&path).unwrap();
        let stream = UnixStream::connect(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(owner(&stream), Some(std::process::id() as i32));
    }
}
