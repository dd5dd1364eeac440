//! The process that puts the session's outputs in order when the agent can no longer.
//!
//! It is the agent's own program, holding the reading end of a pipe whose writing end only the agent has: when that end
//! closes without the word of dismissal, the agent is gone.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Read, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use anyhow::bail;

use super::{kwin, notes::Note, sway};

/// What the agent writes when it has done that itself.
const DISMISSED: u8 = b'.';

/// This program; in tests, something that neither waits nor does anything.
const PROGRAM: &str = if cfg!(test) { "true" } else { "/proc/self/exe" };

/// How often, and how many times, the note of a dead agent is asked for: another one may be at it, for as long as KWin takes.
const NOTE_STEP: Duration = Duration::from_millis(50);
const NOTE_TRIES: u32 = 600;

/// The hidden command of the program; its arguments are a note's path, a source's name and what that source is to put in order.
pub const COMMAND: &str = "warden";

/// The agent's hold on the process.
pub struct Warden {
    process: Option<Child>,
    pipe: Option<ChildStdin>,
    /// For the case that the process is killed together with the agent.
    note: Option<Note>,
}

impl Warden {
    /// Start it with what `source` is to be told.
    ///
    /// # Errors
    /// The program cannot be started again.
    pub fn start<A: AsRef<OsStr>>(
        source: &str,
        arguments: impl IntoIterator<Item = A>,
    ) -> io::Result<Self> {
        let arguments = arguments.into_iter().map(|a| a.as_ref().to_owned());
        let task: Vec<OsString> = std::iter::once(source.into()).chain(arguments).collect();
        let note = Note::leave(&task)
            .inspect_err(|error| {
                tracing::warn!(%error, "the outputs stay as they are if the agent's unit is killed");
            })
            .ok();
        let mut process = Command::new(PROGRAM)
            .arg(COMMAND)
            .arg(note.as_ref().map_or(OsStr::new(""), Note::path))
            .args(task)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let pipe = process.stdin.take();
        Ok(Self {
            process: Some(process),
            pipe,
            note,
        })
    }

    /// There is nothing left to do.
    pub fn dismiss(mut self) {
        if let Some(note) = self.note.take() {
            note.tear();
        }
        if let Some(mut pipe) = self.pipe.take() {
            let _ = pipe.write_all(&[DISMISSED]);
        }
    }
}

impl Drop for Warden {
    /// Without the word of dismissal it does its task, which may take as long as a compositor likes: nobody waits here.
    fn drop(&mut self) {
        // the task is the process's now
        drop(self.note.take());
        drop(self.pipe.take());
        if let Some(mut process) = self.process.take() {
            let reap = move || {
                let _ = process.wait();
            };
            let _ = std::thread::Builder::new()
                .name("pf-warden".into())
                .spawn(reap);
        }
    }
}

/// What the process does: wait for the agent's end or word. Its arguments are the note's path, or nothing, and the task.
///
/// # Errors
/// The compositor refuses what is to be done.
pub fn watch(arguments: &[OsString]) -> anyhow::Result<()> {
    // The service manager ends the rest of a killed agent with this signal; the pipe tells the same.
    ignore_termination()?;
    let Some((note, task)) = arguments.split_first() else {
        bail!("nothing to watch over");
    };
    let mut word = [0];
    let read = io::stdin().read(&mut word).unwrap_or(0);
    if read == 1 && word == [DISMISSED] {
        return Ok(());
    }
    if note.is_empty() {
        return act(task);
    }
    let Some(note) = take(Path::new(note)) else {
        return Ok(());
    };
    act(task)?;
    note.tear();
    Ok(())
}

/// The note of an agent that is gone; None where another one was faster. The kernel closes a dead process's end of a pipe
/// before or after it takes its locks away, so the note is asked for until it is free or done with.
fn take(path: &Path) -> Option<Note> {
    for _ in 0..NOTE_TRIES {
        if let Some((note, _)) = Note::take(path) {
            return Some(note);
        }
        if !path.exists() {
            return None;
        }
        std::thread::sleep(NOTE_STEP);
    }
    None
}

/// Put in order what an agent that is gone left: a source's name, and what that source is told.
///
/// # Errors
/// The compositor refuses what is to be done.
pub fn act(task: &[OsString]) -> anyhow::Result<()> {
    match task.split_first() {
        Some((source, rest)) if source == sway::NAME => sway::clear_away(rest),
        Some((source, rest)) if source == kwin::NAME => kwin::put_back(rest),
        _ => bail!("nothing is known of {task:?}"),
    }
}

fn ignore_termination() -> anyhow::Result<()> {
    use nix::sys::signal::{SigSet, Signal};
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGTERM);
    blocked.add(Signal::SIGINT);
    blocked.add(Signal::SIGHUP);
    blocked.thread_block()?;
    Ok(())
}
