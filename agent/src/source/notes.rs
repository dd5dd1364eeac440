//! Notes of what has to be put in order when this process, and everything that it started, is gone.
//!
//! A warden outlives a killed agent; a service manager that kills the whole unit takes it along. So the task is also
//! written down in the runtime directory, and the next agent of the user takes care of it. Whoever wrote a note holds a lock
//! on it, which the kernel takes away with the process: a note that can be locked is nobody's.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use nix::{
    fcntl::{Flock, FlockArg},
    libc,
};

use super::warden;

/// A task is a few names.
const MAX_TASK: u64 = 16 << 10;
/// What the names of notes that are being written begin with.
const DRAFT: &str = ".";
/// When a new agent looks again after what could not be put in order yet: the compositor may come later than the agent.
const AGAIN: [Duration; 4] = [
    Duration::from_secs(3),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
];

/// A note that is somebody's.
#[derive(Debug)]
pub struct Note {
    path: PathBuf,
    _lock: Flock<File>,
}

impl Note {
    /// Write a task down.
    ///
    /// # Errors
    /// There is no runtime directory, or it cannot be written.
    pub fn leave(task: &[OsString]) -> io::Result<Self> {
        Self::leave_in(&folder().ok_or(io::ErrorKind::NotFound)?, task)
    }

    fn leave_in(folder: &Path, task: &[OsString]) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}", std::process::id());
        let (path, draft) = (folder.join(&name), folder.join(format!("{DRAFT}{name}")));
        // left by a process that had this number before
        let _ = fs::remove_file(&draft);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        let mut lock = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, error)| io::Error::from(error))?;
        let words: Vec<&[u8]> = task.iter().map(|word| word.as_bytes()).collect();
        lock.write_all(&words.join(&0))?;
        // Nobody may find it before it is written and somebody's.
        fs::rename(&draft, &path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Take over a note that is nobody's any more, with its task; None where it is somebody's, or gone.
    pub fn take(path: &Path) -> Option<(Self, Vec<OsString>)> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)
            .ok()?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()?;
        // done with between these two steps
        if lock.metadata().ok()?.nlink() == 0 {
            return None;
        }
        let mut task = Vec::new();
        (&*lock).take(MAX_TASK).read_to_end(&mut task).ok()?;
        let words = task.split(|byte| *byte == 0);
        let task = words
            .map(|word| OsString::from_vec(word.to_vec()))
            .collect();
        let path = path.to_owned();
        Some((Self { path, _lock: lock }, task))
    }

    pub fn path(&self) -> &OsStr {
        self.path.as_os_str()
    }

    /// There is nothing left to do.
    pub fn tear(self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn folder() -> Option<PathBuf> {
    if cfg!(test) {
        // no note of a test is to be found by an agent
        return Some(env::temp_dir().join(format!("pf-notes-{}", std::process::id())));
    }
    env::var_os("XDG_RUNTIME_DIR").map(|runtime| Path::new(&runtime).join("punktfunk-outputs"))
}

/// Do what the notes of processes that are gone ask for. Answers whether any is left.
pub fn put_in_order() -> bool {
    folder().is_some_and(|folder| put_in_order_in(&folder, &warden::act))
}

fn put_in_order_in(folder: &Path, act: &dyn Fn(&[OsString]) -> anyhow::Result<()>) -> bool {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut left = false;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().as_bytes().starts_with(DRAFT.as_bytes()) {
            continue;
        }
        let Some((note, task)) = Note::take(&entry.path()) else {
            continue;
        };
        tracing::info!(?task, "putting in order what a killed agent left");
        match act(&task) {
            Ok(()) => note.tear(),
            Err(error) => {
                tracing::warn!("{error:#}");
                left = true;
            }
        }
    }
    left
}

/// What a new agent does first, without waiting for it.
pub fn put_in_order_soon() {
    let look = || {
        for pause in AGAIN {
            if !put_in_order() {
                return;
            }
            std::thread::sleep(pause);
        }
        put_in_order();
    };
    if let Err(error) = std::thread::Builder::new()
        .name("pf-notes".into())
        .spawn(look)
    {
        tracing::warn!(%error, "what a killed agent may have left is not looked for");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn place(name: &str) -> PathBuf {
        let folder = env::temp_dir().join(format!("pf-notes-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn task(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn what_a_killed_agent_wrote_down_is_done_once_by_the_next() {
        let folder = place("orphan");
        let alive = Note::leave_in(&folder, &task(&["sway", "/run/s", "HEADLESS-2"])).unwrap();
        let done = RefCell::new(Vec::new());
        let act = |task: &[OsString]| {
            done.borrow_mut().push(task.to_vec());
            Ok(())
        };
        assert!(!put_in_order_in(&folder, &act));
        assert!(done.borrow().is_empty(), "its writer is alive");
        // what the kernel does with a killed process
        drop(alive);
        assert!(!put_in_order_in(&folder, &act));
        assert_eq!(*done.borrow(), [task(&["sway", "/run/s", "HEADLESS-2"])]);
        put_in_order_in(&folder, &act);
        assert_eq!(done.borrow().len(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_could_not_be_done_stays_and_what_was_done_is_nobodys_task() {
        let folder = place("again");
        drop(Note::leave_in(&folder, &task(&["kwin-virtual", "DP-1"])).unwrap());
        assert!(put_in_order_in(&folder, &|_| anyhow::bail!("no KWin yet")));
        assert!(!put_in_order_in(&folder, &|_| Ok(())));
        let torn = Note::leave_in(&folder, &task(&["kwin-virtual"])).unwrap();
        let path = torn.path.clone();
        torn.tear();
        assert!(Note::take(&path).is_none());
        fs::remove_dir_all(&folder).unwrap();
    }
}
