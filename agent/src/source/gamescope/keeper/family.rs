//! The keeper's children and what descends from them, which as their subreaper it inherits.

use std::{
    collections::HashSet,
    os::unix::process::ExitStatusExt,
    process::ExitStatus,
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use crate::processes;

/// How long what is left may take after each signal.
const GRACE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(20);

/// Wait for this child; others that end meanwhile are taken off the system's list.
pub fn wait_for(process: i32) -> ExitStatus {
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(child, code)) if child.as_raw() == process => {
                return ExitStatus::from_raw(code << 8);
            }
            Ok(WaitStatus::Signaled(child, signal, _)) if child.as_raw() == process => {
                return ExitStatus::from_raw(signal as i32);
            }
            Ok(_) | Err(Errno::EINTR) => {}
            // It was not a child of ours, or no more.
            Err(_) => return ExitStatus::from_raw(0xff << 8),
        }
    }
}

/// End everything that descends from this process.
pub fn end() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let deadline = Instant::now() + GRACE;
        let mut told = HashSet::new();
        loop {
            while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                if status == WaitStatus::StillAlive {
                    break;
                }
            }
            let left = descendants();
            if left.is_empty() {
                return;
            }
            for process in left {
                if told.insert(process) {
                    self::signal(process, signal);
                }
            }
            if Instant::now() > deadline {
                break;
            }
            thread::sleep(LOOK);
        }
    }
}

pub fn signal(process: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(process), signal);
}

fn descendants() -> HashSet<i32> {
    let own = nix::unistd::getpid().as_raw();
    let mut family = processes::with_descendants(HashSet::from([own]));
    family.remove(&own);
    family
}
