//! What service and agent say alike of a session of logind's.

use nix::{errno::Errno, sys::signal::kill, unistd::Pid};

/// Whether the process that opened a session (its `Leader`) is gone: then the session is being closed, also while logind has not
/// heard of that yet because PAM is still at it. Asked by no signal at all; somebody else's process answers as well, by a refusal.
#[must_use]
pub fn leader_is_gone(leader: u32) -> bool {
    let known = i32::try_from(leader).ok().filter(|id| *id > 0);
    known.is_some_and(|id| kill(Pid::from_raw(id), None) == Err(Errno::ESRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_is_gone_once_it_has_ended() {
        assert!(!leader_is_gone(std::process::id()));
        // somebody else's, mostly
        assert!(!leader_is_gone(1));
        // nobody's: 0 and what is negative would mean whole groups
        for none in [0, u32::MAX] {
            assert!(!leader_is_gone(none));
        }
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(leader_is_gone(child.id()));
    }
}
