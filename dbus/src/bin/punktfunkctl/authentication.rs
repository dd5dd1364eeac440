//! Asking for a password in a terminal that has no graphical agent: polkit's own text agent, for as long as needed.
use nix::{
    fcntl::{FcntlArg, FdFlag, OFlag, fcntl},
    poll::{PollFd, PollFlags, poll},
    unistd::pipe2,
};
use std::{
    io::IsTerminal,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    process::{Child, Command, Stdio},
};

/// How long the agent may take until it listens, in milliseconds.
const REGISTRATION_MS: u16 = 2000;

/// The text agent; it ends with this value.
pub struct TerminalAgent(Child);

impl TerminalAgent {
    /// Starts it where somebody can be asked. `None`: nobody can, or polkit's program is missing; calls are then
    /// answered as they are without it.
    pub async fn start() -> Option<Self> {
        let somebody_there = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        if nix::unistd::geteuid().is_root() || !somebody_there {
            return None;
        }
        tokio::task::spawn_blocking(Self::spawn)
            .await
            .ok()
            .flatten()
    }

    fn spawn() -> Option<Self> {
        let (ready, inherited) = pipe2(OFlag::O_CLOEXEC).ok()?;
        fcntl(&inherited, FcntlArg::F_SETFD(FdFlag::empty())).ok()?;
        // `--fallback`: a graphical agent of the session goes first.
        let child = Command::new("pkttyagent")
            .arg("--fallback")
            .args(["--process", &std::process::id().to_string()])
            .args(["--notify-fd", &inherited.as_raw_fd().to_string()])
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        drop(inherited);
        wait_for_close(&ready);
        Some(Self(child))
    }
}

impl Drop for TerminalAgent {
    fn drop(&mut self) {
        // It puts the terminal's echo back when it is told to end; the exit itself need not be seen.
        let pid = i32::try_from(self.0.id()).map(nix::unistd::Pid::from_raw);
        if let Ok(pid) = pid {
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        }
        let _ = self.0.wait();
    }
}

/// The agent closes its end when it is registered, or when it could not start.
fn wait_for_close(ready: &OwnedFd) {
    let mut fds = [PollFd::new(ready.as_fd(), PollFlags::POLLIN)];
    let _ = poll(&mut fds, REGISTRATION_MS);
}
