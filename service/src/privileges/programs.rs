//! From here on this process starts no program. The unit's `NoExecPaths=` says the same of files; what lies in memory alone (a memfd)
//! has no path, and memfds cannot be refused: the rings of streams are some.
use super::{PrivilegeError, step};
use nix::libc::{EPERM, SYS_execve, SYS_execveat};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter,
};
use std::{collections::BTreeMap, env::consts::ARCH};

/// Refuse every way to start one, to this thread and to whatever comes of it. Needs no-new-privileges, and cannot be taken back.
pub(super) fn forbid() -> Result<(), PrivilegeError> {
    let Ok(arch) = TargetArch::try_from(ARCH) else {
        tracing::warn!(
            "no filter of system calls is known for {ARCH}: a program in memory could be started"
        );
        return Ok(());
    };
    let filter = filter(arch).map_err(step("no more programs"))?;
    apply_filter(&filter).map_err(step("no more programs"))
}

fn filter(arch: TargetArch) -> Result<BpfProgram, BackendError> {
    // a call without conditions is refused whatever its arguments
    let calls = BTreeMap::from([SYS_execve, SYS_execveat].map(|call| (call, Vec::new())));
    let refused = SeccompAction::Errno(EPERM.unsigned_abs());
    SeccompFilter::new(calls, SeccompAction::Allow, refused, arch)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::ErrorKind, process::Command, thread};

    #[test]
    fn a_thread_that_has_the_filter_starts_no_program() {
        let start = || Command::new("true").status();
        assert!(start().unwrap().success());
        // the filter is this thread's alone
        let refused = thread::spawn(move || {
            nix::sys::prctl::set_no_new_privs().unwrap();
            forbid().unwrap();
            (start(), thread::spawn(start).join().unwrap())
        });
        let (own, below) = refused.join().unwrap();
        for outcome in [own, below] {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::PermissionDenied);
        }
        assert!(start().unwrap().success());
    }
}
