//! From root to an account that can do nothing, before any thread exists, and the proof that it worked.
//!
//! polkit authorises uid 0 always and PID 1 obeys it, so a root process without capabilities would still be root on the
//! bus: what serves must have another uid.
mod programs;
mod threads;

use crate::config::Config;
use caps::CapSet;
use nix::unistd::{Gid, Uid, User, geteuid, getuid, initgroups, setgroups, setresgid, setresuid};
use std::{
    ffi::CString,
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::Path,
};

/// Who the process became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    pub uid: crate::ids::Uid,
    gid: u32,
    /// Started as root: the bounding set could be emptied, too.
    was_root: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    #[error(
        "there is no account {0:?} on this machine, and the service must not run as root. \
         Create it (systemd-sysusers, or: useradd --system {0}) or name another one with `user = ` in the configuration"
    )]
    NoAccount(String),
    #[error(
        "the account {0:?} has uid 0; the service must not run as root. Name another one with `user = `"
    )]
    AccountIsRoot(String),
    #[error("cannot look up the account {user:?}: {source}")]
    Lookup { user: String, source: io::Error },
    #[error(
        "cannot give up privileges ({step}): {reason}. The service must be started by root with CAP_SETUID, CAP_SETGID and CAP_SETPCAP, or by its own account"
    )]
    Drop { step: &'static str, reason: String },
    #[error("privileges were not given up: {0}; not going on")]
    NotDropped(String),
    #[error("the state directory {path}: {source}")]
    StateDirectory { path: String, source: io::Error },
    #[error("already {threads} threads: privileges can be given up only before the second one")]
    Threads { threads: usize },
}

/// Become the account that serves and prove it. Call before any thread is started.
///
/// In development mode a process of root becomes the owner of the state directory.
///
/// # Errors
/// Every doubt: nothing must be served after one.
pub fn drop(config: &Config) -> Result<Account, PrivilegeError> {
    let threads = threads::count()?;
    if threads != 1 {
        return Err(PrivilegeError::Threads { threads });
    }
    let account = if getuid().is_root() || geteuid().is_root() {
        become_unprivileged(config)?
    } else {
        make_state_directory(&config.state_dir, None)?;
        clear_capabilities(false)?;
        Account {
            uid: crate::ids::Uid(getuid().as_raw()),
            gid: nix::unistd::getgid().as_raw(),
            was_root: false,
        }
    };
    nix::sys::prctl::set_no_new_privs().map_err(step("no-new-privileges"))?;
    // What a developer runs beside it is the developer's.
    if !config.development {
        programs::forbid()?;
    }
    account.assert()?;
    Ok(account)
}

/// Whether [`drop`] will find the account that it needs; changes nothing.
///
/// # Errors
/// There is no such account, or it is root's.
pub fn check(config: &Config) -> Result<(), PrivilegeError> {
    let needed = !config.development && geteuid().is_root();
    if needed {
        account_named(&config.user)?;
    }
    Ok(())
}

impl Account {
    /// Check every thread of this process: ids, capability sets, no-new-privileges.
    ///
    /// # Errors
    /// The first thread that has more than it should.
    pub fn assert(&self) -> Result<(), PrivilegeError> {
        threads::assert_all(self.uid.0, self.gid, self.was_root)
    }
}

fn become_unprivileged(config: &Config) -> Result<Account, PrivilegeError> {
    let (uid, gid, name) = if config.development {
        let owner = make_state_directory(&config.state_dir, None)?;
        if owner.0.is_root() {
            tracing::warn!(
                state_dir = %config.state_dir.display(),
                "DEVELOPMENT MODE AS ROOT: the state directory belongs to root, so this process keeps uid 0 while it listens \
                 to the network. Never do this on a machine that matters; give the directory to another account"
            );
        }
        (owner.0, owner.1, None)
    } else {
        let user = account_named(&config.user)?;
        (user.uid, user.gid, Some(user.name))
    };
    // The bounding set first: it takes CAP_SETPCAP, which goes with the uid.
    caps::clear(None, CapSet::Ambient).map_err(step("ambient capabilities"))?;
    caps::clear(None, CapSet::Bounding).map_err(step("capability bounding set"))?;
    match name {
        Some(name) => {
            let name = CString::new(name).map_err(step("groups"))?;
            initgroups(&name, gid).map_err(step("groups"))?;
        }
        None => setgroups(&[gid]).map_err(step("groups"))?,
    }
    setresgid(gid, gid, gid).map_err(step("group"))?;
    setresuid(uid, uid, uid).map_err(step("user"))?;
    clear_capabilities(true)?;
    if !uid.is_root() && setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).is_ok() {
        return Err(PrivilegeError::NotDropped(
            "uid 0 could be taken back".into(),
        ));
    }
    if !config.development {
        make_state_directory(&config.state_dir, Some(uid))?;
    }
    Ok(Account {
        uid: crate::ids::Uid(uid.as_raw()),
        gid: gid.as_raw(),
        was_root: true,
    })
}

fn account_named(name: &str) -> Result<User, PrivilegeError> {
    let user = User::from_name(name).map_err(|source| PrivilegeError::Lookup {
        user: name.into(),
        source: source.into(),
    })?;
    let user = user.ok_or_else(|| PrivilegeError::NoAccount(name.into()))?;
    if user.uid.is_root() {
        return Err(PrivilegeError::AccountIsRoot(name.into()));
    }
    Ok(user)
}

fn clear_capabilities(ambient_done: bool) -> Result<(), PrivilegeError> {
    if !ambient_done {
        caps::clear(None, CapSet::Ambient).map_err(step("ambient capabilities"))?;
    }
    for set in [CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(step("capability sets"))?;
    }
    Ok(())
}

/// The directory exists (made 0700 if not) and belongs to `must_belong_to`. Answers its owner.
fn make_state_directory(
    path: &Path,
    must_belong_to: Option<Uid>,
) -> Result<(Uid, Gid), PrivilegeError> {
    let error = |source| PrivilegeError::StateDirectory {
        path: path.display().to_string(),
        source,
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(error)?;
    let metadata = fs::metadata(path).map_err(error)?;
    if must_belong_to.is_some_and(|uid| uid.as_raw() != metadata.uid()) {
        let reason = format!(
            "it belongs to uid {}, not to the account that serves (uid {}); chown it",
            metadata.uid(),
            must_belong_to.unwrap_or(Uid::from_raw(0))
        );
        return Err(error(io::Error::other(reason)));
    }
    Ok((Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid())))
}

fn step<E: std::fmt::Display>(step: &'static str) -> impl Fn(E) -> PrivilegeError {
    move |reason| PrivilegeError::Drop {
        step,
        reason: reason.to_string(),
    }
}
