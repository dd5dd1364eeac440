//! The processes of this session: all that logind's scope holds, so that none is left when the session ends. The unit cannot end
//! them: PAM has moved them out of it, and logind leaves what goes on in a scope alone (KillUserProcesses=no).

use crate::processes;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{fs, time::Duration};
use tokio::time::{Instant, sleep};

const LOOK: Duration = Duration::from_millis(50);

/// Ask one of them to end.
pub fn terminate(process: u32) {
    if let Ok(process) = i32::try_from(process) {
        send(process, Signal::SIGTERM);
    }
}

/// End every process of the session, asked first, killed when `limit` is over; but for this one, and for the manager's helper that
/// holds the session open, `(sd-pam)`. That is a child of this process and closes the session, by PAM, as soon as its parent is gone;
/// told to end before, it would end without that.
pub async fn end_all(limit: Duration) {
    let own = std::process::id().cast_signed();
    let Some(scope) = groups(own).filter(|groups| is_session(groups)) else {
        tracing::debug!("this process is in no session's scope");
        return;
    };
    let others = || -> Vec<i32> {
        processes::ids()
            .filter(|id| *id != own && is_left(*id, own) && groups(*id).as_ref() == Some(&scope))
            .collect()
    };
    for (signal, wait) in [(Signal::SIGTERM, limit), (Signal::SIGKILL, limit)] {
        let until = Instant::now() + wait;
        for process in others() {
            send(process, signal);
        }
        while !others().is_empty() {
            if Instant::now() >= until {
                break;
            }
            sleep(LOOK).await;
        }
    }
}

/// Whether a process goes on that is no child of `own`. The compositor was one and has ended: what is a child of it comes from the
/// manager.
fn is_left(process: i32, own: i32) -> bool {
    processes::state(process)
        .is_some_and(|(state, parent)| state != processes::ENDED && parent != own)
}

fn send(process: i32, signal: Signal) {
    // one that is gone since is as it should be
    let _ = kill(Pid::from_raw(process), signal);
}

/// The control groups of a process, as the kernel has them.
fn groups(process: i32) -> Option<String> {
    fs::read_to_string(format!("/proc/{process}/cgroup")).ok()
}

/// Nobody else's: the scope that logind made for a session, and never the group that a test or a shell happens to be in.
fn is_session(groups: &str) -> bool {
    groups.lines().any(|line| {
        line.rsplit('/')
            .next()
            .is_some_and(|last| last.starts_with("session-") && last.ends_with(".scope"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sessions_scope_is_ended() {
        assert!(is_session(
            "0::/user.slice/user-1100.slice/session-c1.scope\n"
        ));
        assert!(is_session(
            "1:name=systemd:/user.slice/user-1100.slice/session-7.scope\n"
        ));
        for other in [
            "0::/\n",
            "0::/user.slice/user-1100.slice/user@1100.service/app.slice/x.scope\n",
            "0::/system.slice/session-c1.scope/deeper\n",
            "",
        ] {
            assert!(!is_session(other), "{other:?}");
        }
    }

    #[test]
    fn a_process_is_asked_to_end() {
        let mut child = sleeper();
        terminate(child.id());
        assert!(!child.wait().unwrap().success());
    }

    #[test]
    fn neither_the_helper_nor_what_has_ended_is_waited_for() {
        let own = std::process::id().cast_signed();
        let mut child = sleeper();
        let id = child.id().cast_signed();
        assert!(!is_left(id, own), "a child is the manager's helper");
        assert!(is_left(id, 1), "somebody else's is not");
        child.kill().unwrap();
        // nobody has asked for it yet
        while processes::state(id).unwrap().0 != processes::ENDED {
            std::thread::yield_now();
        }
        assert!(!is_left(id, 1), "it has ended");
        child.wait().unwrap();
        assert!(!is_left(id, 1), "it is gone");
    }

    fn sleeper() -> std::process::Child {
        std::process::Command::new("sleep")
            .arg("600")
            .spawn()
            .unwrap()
    }
}
