//! What the kernel says of every thread of this process.
use super::PrivilegeError;
use std::fs;

const TASKS: &str = "/proc/self/task";

/// The threads of this process.
pub(super) fn count() -> Result<usize, PrivilegeError> {
    fs::read_dir(TASKS).map(Iterator::count).map_err(unreadable)
}

/// Every thread has these ids, no capability in any set, and no way to new privileges.
pub(super) fn assert_all(uid: u32, gid: u32, bounding: bool) -> Result<(), PrivilegeError> {
    for entry in fs::read_dir(TASKS).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let status = match fs::read_to_string(entry.path().join("status")) {
            Ok(status) => status,
            // The thread ended in between.
            Err(error) if matches!(error.raw_os_error(), Some(2 | 3)) => continue,
            Err(error) => return Err(unreadable(error)),
        };
        assert_one(&status, uid, gid, bounding).map_err(|what| {
            PrivilegeError::NotDropped(format!(
                "thread {}: {what}",
                entry.file_name().to_string_lossy()
            ))
        })?;
    }
    Ok(())
}

/// `status` is the text of `/proc/.../status`.
fn assert_one(status: &str, uid: u32, gid: u32, bounding: bool) -> Result<(), String> {
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
            .ok_or_else(|| format!("{name} is not known"))
    };
    for (name, wanted) in [("Uid", uid), ("Gid", gid)] {
        let ids = field(name)?;
        let wanted = wanted.to_string();
        if ids.split_whitespace().count() != 4 || ids.split_whitespace().any(|id| id != wanted) {
            return Err(format!("{name} is {ids}, not {wanted}"));
        }
    }
    let mut sets = vec!["CapInh", "CapPrm", "CapEff", "CapAmb"];
    if bounding {
        sets.push("CapBnd");
    }
    for name in sets {
        let value = field(name)?;
        if value.is_empty() || value.bytes().any(|digit| digit != b'0') {
            return Err(format!("{name} is {value}, not empty"));
        }
    }
    match field("NoNewPrivs")? {
        "1" => Ok(()),
        other => Err(format!("NoNewPrivs is {other}")),
    }
}

fn unreadable(error: std::io::Error) -> PrivilegeError {
    PrivilegeError::NotDropped(format!("cannot read {TASKS}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: &str = "Name:\tx\nUid:\t990\t990\t990\t990\nGid:\t980\t980\t980\t980\nGroups:\t980 104\n\
        CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n\
        CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n";

    #[test]
    fn a_thread_with_anything_left_is_found() {
        assert_eq!(assert_one(CLEAN, 990, 980, true), Ok(()));
        for (good, bad, word) in [
            ("Uid:\t990\t990\t990\t990", "Uid:\t990\t990\t0\t990", "Uid"),
            ("Gid:\t980\t980\t980\t980", "Gid:\t980\t0\t980\t980", "Gid"),
            (
                "CapInh:\t0000000000000000",
                "CapInh:\t0000000000000400",
                "CapInh",
            ),
            (
                "CapPrm:\t0000000000000000",
                "CapPrm:\t0000000000000400",
                "CapPrm",
            ),
            (
                "CapEff:\t0000000000000000",
                "CapEff:\t0000000000000400",
                "CapEff",
            ),
            (
                "CapBnd:\t0000000000000000",
                "CapBnd:\t000001ffffffffff",
                "CapBnd",
            ),
            (
                "CapAmb:\t0000000000000000",
                "CapAmb:\t0000000000000001",
                "CapAmb",
            ),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "NoNewPrivs"),
            ("NoNewPrivs:\t1\n", "", "NoNewPrivs"),
        ] {
            let status = CLEAN.replace(good, bad);
            assert_ne!(status, CLEAN, "{good}");
            let what = assert_one(&status, 990, 980, true).unwrap_err();
            assert!(what.contains(word), "{what}");
        }
        // Started by an ordinary user, the bounding set cannot be changed and, with no-new-privileges, means nothing.
        let bounded = CLEAN.replace("CapBnd:\t0000000000000000", "CapBnd:\t000001ffffffffff");
        assert_eq!(assert_one(&bounded, 990, 980, false), Ok(()));
    }
}
