//! The processes of this session: all that logind's scope holds, so that none is left when the session ends. The unit cannot end
//! them: PAM has moved them out of it, and logind leaves what goes on in a scope alone (KillUserProcesses=no).

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

/// End every process of the session but this one: asked first, killed when `limit` is over. The manager's helper that holds the session
/// open, `(sd-pam)`, is one of them: logind then ends the session by itself, before the unit is over, so that a launch right after it
/// does not find a session that only seems to live.
pub async fn end_all(limit: Duration) {
    let own = std::process::id().cast_signed();
    let Some(scope) = groups(own).filter(|groups| is_session(groups)) else {
        tracing::debug!("this process is in no session's scope");
        return;
    };
    let others = || -> Vec<i32> {
        crate::processes::ids()
            .filter(|id| *id != own && groups(*id).as_ref() == Some(&scope))
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
        let mut child = std::process::Command::new("sleep")
            .arg("600")
            .spawn()
            .unwrap();
        terminate(child.id());
        assert!(!child.wait().unwrap().success());
    }
}
