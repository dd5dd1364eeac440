//! `punktfunkctl on-demand`: for which accounts a client may have a session started. Files of root's, and no call to the service: what
//! opens a log-in without a password is not to be had through a program that the network talks to.
use crate::{
    cli::{OnDemandArguments, OnDemandCommand},
    failure::{Failure, FailureKind},
    report::Report,
    snapshot::Account,
    table::table,
};
use nix::unistd::{Gid, Group, User, getgrouplist};
use punktfunk_dbus::on_demand::{DIRECTORY, PERSONS, Policy};
use serde::Serialize;
use serde_json::json;
use std::{
    ffi::CString,
    fs::{self, File, Metadata, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Where the kernel has the cards, and what the nodes that draw are called.
const CARDS: &str = "/dev/dri";
const RENDER: &str = "renderD";

/// One account that is enabled.
#[derive(Debug, Serialize)]
struct Enabled {
    account: Account,
    compositor: String,
    keep: String,
    /// What is wrong in the file; no session is started then.
    #[serde(skip_serializing_if = "Option::is_none")]
    mistake: Option<String>,
}

pub fn run(arguments: &OnDemandArguments) -> Result<Report, Failure> {
    let directory = Path::new(DIRECTORY);
    match &arguments.command {
        None => list(directory),
        Some(OnDemandCommand::Enable {
            account,
            compositor,
            keep,
        }) => {
            let (account, user) = person(account)?;
            let policy = Policy {
                compositor: compositor.clone(),
                keep: *keep,
            };
            write(directory, account.uid, &policy.text())
                .map_err(|error| denied(&error, "enable", &account))?;
            let mut text = format!(
                "A client of {account}'s has a session started when {account} is not logged in: a log-in without a password.\n\
                 compositor {}, kept {}",
                policy.compositor, policy.keep
            );
            if let Some(note) = without_card(Path::new(CARDS), &user) {
                text.push('\n');
                text.push_str(&note);
            }
            Report::new(text, &json!({ "enabled": account }))
        }
        Some(OnDemandCommand::Disable { account }) => {
            let account = Account::named(account)?;
            match fs::remove_file(Policy::file(directory, account.uid)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(Failure::not_found(format!("{account} is not enabled")));
                }
                Err(error) => return Err(denied(&error, "disable", &account)),
            }
            let text = format!(
                "No session is started for {account} any more. One that runs ends with its stream; at once with\n\
                 systemctl stop punktfunk-session@{}.service",
                account.uid
            );
            Report::new(text, &json!({ "disabled": account }))
        }
    }
}

fn list(directory: &Path) -> Result<Report, Failure> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Failure::service(format!("{DIRECTORY}: {error}"))),
    };
    let mut uids: Vec<u32> = entries
        .into_iter()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|uid| PERSONS.contains(uid))
        .collect();
    uids.sort_unstable();
    let all: Vec<Enabled> = uids
        .into_iter()
        .filter_map(|uid| {
            let (policy, mistake) = match Policy::read(directory, uid).transpose()? {
                Ok(Ok(policy)) => (policy, None),
                Ok(Err(mistake)) => (Policy::default(), Some(mistake)),
                Err(error) => (Policy::default(), Some(error.to_string())),
            };
            Some(Enabled {
                account: Account::of(uid),
                compositor: policy.compositor,
                keep: policy.keep.to_string(),
                mistake,
            })
        })
        .collect();
    if all.is_empty() {
        let text = "No sessions on demand. `sudo punktfunkctl on-demand enable ACCOUNT` enables them for an account.";
        return Report::new(text, &all);
    }
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            [
                one.account.to_string(),
                one.compositor.clone(),
                one.keep.clone(),
                one.mistake.clone().unwrap_or_default(),
            ]
        })
        .collect();
    Report::new(
        table(["ACCOUNT", "COMPOSITOR", "KEPT", "MISTAKE"], &rows),
        &all,
    )
}

/// An account that somebody could log in to.
fn person(text: &str) -> Result<(Account, User), Failure> {
    let account = Account::named(text)?;
    if !PERSONS.contains(&account.uid) {
        return Err(Failure::service(format!(
            "{account} (uid {}) is not a person's account: sessions are started for uids from {} to {} alone",
            account.uid,
            PERSONS.start(),
            PERSONS.end()
        )));
    }
    let user = User::from_uid(account.uid.into()).ok().flatten();
    let user = user.ok_or_else(|| Failure::not_found(format!("there is no account {text}")))?;
    let shell = user.shell.file_name().and_then(|name| name.to_str());
    if matches!(shell, Some("nologin" | "false")) {
        return Err(Failure::service(format!(
            "{account} is not meant to log in: its shell is {}",
            user.shell.display()
        )));
    }
    Ok((account, user))
}

/// What to do where this account may open none of the graphics cards: a seat would let it, and such a session has none.
fn without_card(folder: &Path, user: &User) -> Option<String> {
    let name = CString::new(user.name.as_str()).ok()?;
    let groups = getgrouplist(&name, user.gid).ok()?;
    let nodes = fs::read_dir(folder).ok()?.flatten();
    let nodes: Vec<(PathBuf, Metadata)> = nodes
        .filter(|node| node.file_name().to_string_lossy().starts_with(RENDER))
        .filter_map(|node| Some((node.path(), node.metadata().ok()?)))
        .collect();
    let opens = |node: &Metadata| {
        let of_group = groups.contains(&Gid::from_raw(node.gid())) && node.mode() & 0o060 == 0o060;
        of_group || node.mode() & 0o006 == 0o006 || node.uid() == user.uid.as_raw()
    };
    let (path, node) = nodes.first()?;
    if nodes.iter().any(|(_, node)| opens(node)) {
        return None;
    }
    let group = Group::from_gid(Gid::from_raw(node.gid())).ok().flatten();
    let group = group.map_or_else(|| node.gid().to_string(), |group| group.name);
    Some(format!(
        "note: {0} may not open the graphics card ({1}), and without a seat no log-in lets a session do so: pictures are drawn and encoded \
         by the processor. To let it: sudo usermod -aG {group} {0}",
        user.name,
        path.display()
    ))
}

/// The whole file or none: a crash leaves the account as it was.
fn write(directory: &Path, uid: u32, text: &str) -> io::Result<()> {
    if !directory.exists() {
        fs::create_dir_all(directory)?;
        // whatever the umask: the service has to look into it
        fs::set_permissions(directory, Permissions::from_mode(0o755))?;
    }
    let file = Policy::file(directory, uid);
    // no uid: the service does not take it for one
    let new = directory.join(format!(".{uid}.new"));
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // the service, which is not root, has to read it; create_new follows no link
    let mut options = OpenOptions::new();
    let mut writing = options.write(true).create_new(true).open(&new)?;
    writing.set_permissions(Permissions::from_mode(0o644))?;
    writing.write_all(text.as_bytes())?;
    writing.sync_all()?;
    fs::rename(&new, &file)?;
    File::open(directory)?.sync_all()
}

fn denied(error: &io::Error, verb: &str, account: &Account) -> Failure {
    if error.kind() == io::ErrorKind::PermissionDenied {
        let text = format!("only an administrator may {verb} sessions on demand");
        return Failure::new(FailureKind::Denied, text)
            .with_remedy(format!("sudo punktfunkctl on-demand {verb} {account}"));
    }
    Failure::service(format!("{DIRECTORY}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_enabled_as_a_whole_and_readable_for_the_service() {
        let directory = std::env::temp_dir().join(format!("pf-ctl-od-{}", std::process::id()));
        let _ = fs::remove_dir_all(&directory);
        for keep in ["KEEP=stream\n", "KEEP=3m\n"] {
            write(&directory, 1234, keep).unwrap();
            let file = Policy::file(&directory, 1234);
            assert_eq!(fs::read_to_string(&file).unwrap(), keep);
            assert_eq!(
                fs::metadata(&file).unwrap().permissions().mode() & 0o777,
                0o644
            );
            assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        }
        // what somebody has put in the way is not written through
        std::os::unix::fs::symlink("/nonexistent", directory.join(".1234.new")).unwrap();
        write(&directory, 1234, "KEEP=1\n").unwrap();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn an_account_that_may_open_no_card_is_told_which_group_may() {
        let folder = std::env::temp_dir().join(format!("pf-ctl-cards-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // whoever runs this, as if the card were somebody else's
        let own = User::from_uid(nix::unistd::getuid()).unwrap().unwrap();
        let stranger = User {
            uid: 4_000_000.into(),
            ..own.clone()
        };
        assert_eq!(without_card(&folder, &stranger), None, "there is none");
        let node = folder.join("renderD128");
        let mode = |mode| fs::set_permissions(&node, Permissions::from_mode(mode)).unwrap();
        File::create(&node).unwrap();
        File::create(folder.join("card0")).unwrap();
        mode(0o600);
        let note = without_card(&folder, &stranger).unwrap();
        assert!(note.contains("usermod -aG"), "{note}");
        assert_eq!(without_card(&folder, &own), None, "its own");
        mode(0o660);
        assert_eq!(without_card(&folder, &stranger), None, "its group's");
        mode(0o606);
        assert_eq!(without_card(&folder, &stranger), None, "everybody's");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn root_and_accounts_of_the_system_are_never_enabled() {
        for account in ["root", "0", "999", "60514", "65534"] {
            assert!(person(account).is_err(), "{account}");
        }
        assert_eq!(person("no such account").unwrap_err().kind.exit_code(), 6);
    }
}
