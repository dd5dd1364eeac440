//! The process that puts the session's outputs in order when the agent can no longer.
//!
//! It is the agent's own program, holding the reading end of a pipe whose writing end only the agent has: when that end
//! closes without the word of dismissal, the agent is gone.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::bail;

use super::{kwin, sway};

/// What the agent writes when it has done that itself.
const DISMISSED: u8 = b'.';

/// The hidden command of the program; its arguments are a source's name and what that source is to put in order.
pub const COMMAND: &str = "warden";

/// The agent's hold on the process.
pub struct Warden {
    process: Child,
    pipe: Option<ChildStdin>,
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
        let mut process = Command::new("/proc/self/exe")
            .arg(COMMAND)
            .arg(source)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        let pipe = process.stdin.take();
        Ok(Self { process, pipe })
    }

    /// There is nothing left to do.
    pub fn dismiss(mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = pipe.write_all(&[DISMISSED]);
        }
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.process.wait();
    }
}

/// What the process does: wait for the agent's end or word.
///
/// # Errors
/// The compositor refuses what is to be done.
pub fn watch(task: &[OsString]) -> anyhow::Result<()> {
    // The service manager ends the rest of a killed agent with this signal; the pipe tells the same.
    ignore_termination()?;
    let mut word = [0];
    let read = io::stdin().read(&mut word).unwrap_or(0);
    if read == 1 && word == [DISMISSED] {
        return Ok(());
    }
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
