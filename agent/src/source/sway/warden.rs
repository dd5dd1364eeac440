//! The process that takes an output away when the agent can no longer.
//!
//! It is the agent's own program, holding the reading end of a pipe whose writing end only the agent has: when that end
//! closes without the word of dismissal, the agent is gone.

use std::{
    io::{self, Read, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::Context;

/// What the agent writes when it has taken the output away itself.
const DISMISSED: u8 = b'.';

/// The hidden command of the program; its arguments are sway's socket and the output's name.
pub const COMMAND: &str = "sway-warden";

/// The agent's hold on the process.
pub struct Warden {
    process: Child,
    pipe: Option<ChildStdin>,
}

impl Warden {
    /// Start it for one output.
    ///
    /// # Errors
    /// The program cannot be started again.
    pub fn start(socket: &Path, output: &str) -> io::Result<Self> {
        let mut process = Command::new("/proc/self/exe")
            .arg(COMMAND)
            .arg(socket)
            .arg(output)
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
/// sway refuses to take the output away.
pub fn watch(socket: &Path, output: &str) -> anyhow::Result<()> {
    // The service manager ends the rest of a killed agent with this signal; the pipe tells the same.
    ignore_termination()?;
    let mut word = [0];
    let read = io::stdin().read(&mut word).unwrap_or(0);
    if read == 1 && word == [DISMISSED] {
        return Ok(());
    }
    super::remove_at(socket, output)
        .with_context(|| format!("the output {output} of a killed agent is still there"))
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
