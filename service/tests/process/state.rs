//! What lies on disk is the old state or the new one after a kill at every step of a write, and the old one where the disk refuses.
//! strace delivers both, at the system calls that touch the file.
use crate::daemon::Scratch;
use clap::Parser;
use punktfunk_service::{
    cli::Cli,
    config::{Config, Settings, Value},
    ids::Uid,
    store::ClientStore,
};
use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Tells the writer what to write, and where.
const WHAT: &str = "PUNKTFUNK_TEST_WRITES";
const WHERE: &str = "PUNKTFUNK_TEST_STATE";
/// The writer's answers.
const WRITTEN: i32 = 0;
const REFUSED: i32 = 77;
/// What a write is made of, under the names that architectures have for it.
const CALLS: [&str; 6] = [
    "?unlink,?unlinkat",
    "?open,openat",
    "write",
    "fsync",
    "close",
    "?rename,?renameat,?renameat2",
];

/// A file of the service's, and how something is changed in it.
struct Subject {
    name: &'static str,
    file: &'static str,
    change: fn(&Path, first: bool) -> bool,
}

const SUBJECTS: [Subject; 2] = [
    Subject {
        name: "clients",
        file: "clients.json",
        change: |directory, first| {
            let store = ClientStore::open(directory).unwrap();
            let (name, certificate) = if first {
                ("old", b"one")
            } else {
                ("new", b"two")
            };
            let written = store.add(name, certificate, Uid(1000)).is_ok();
            // What is in memory is what is on disk.
            assert_eq!(
                store.list().len(),
                usize::from(!first) + usize::from(written)
            );
            written
        },
    },
    Subject {
        name: "settings",
        file: "settings.toml",
        change: |directory, first| {
            let settings = settings(directory);
            let percent = if first { 21 } else { 22 };
            let values = BTreeMap::from([("video.fec-percent".to_owned(), Value::Number(percent))]);
            settings.set(values).is_ok()
        },
    },
];

fn settings(directory: &Path) -> Settings {
    let directory = directory.to_str().unwrap();
    let cli = Cli::parse_from(["punktfunkd", "--dev", "--state-dir", directory]);
    Settings::open(&cli, Config::load(&cli).unwrap()).unwrap()
}

/// The process that is killed; in the test run itself nothing tells it to write.
#[test]
fn writer() {
    let (Some(what), Some(directory)) = (env::var_os(WHAT), env::var_os(WHERE)) else {
        return;
    };
    let subject = SUBJECTS.iter().find(|subject| what == subject.name);
    let written = (subject.unwrap().change)(Path::new(&directory), false);
    std::process::exit(if written { WRITTEN } else { REFUSED });
}

/// The writer in `directory`, with something done to it at the `time`-th of `calls` that touches one of `paths`.
/// `None`: it was killed.
fn run(
    subject: &Subject,
    directory: &Path,
    paths: &[PathBuf],
    calls: &str,
    what: &str,
    time: u32,
) -> Option<i32> {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null"]);
    for path in paths {
        command.arg("-P").arg(path);
    }
    command
        .args(["-e", &format!("trace={calls}")])
        .args(["-e", &format!("inject={calls}:{what}:when={time}")])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "state::writer", "--test-threads=1"])
        .env(WHAT, subject.name)
        .env(WHERE, directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = command.status().expect("strace is needed for this test");
    if status.signal() == Some(9) {
        return None;
    }
    Some(status.code().unwrap())
}

/// Whether the new state is there; panics if it is neither.
fn is_new(subject: &Subject, directory: &Path) -> bool {
    let left: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!left.iter().any(|name| name.contains(".bad")), "{left:?}");
    if subject.name == "clients" {
        let clients = ClientStore::open(directory).unwrap().list();
        let names: Vec<_> = clients.iter().map(|client| client.name.as_str()).collect();
        assert!(names.contains(&"old"), "{names:?}");
        return names.contains(&"new");
    }
    match settings(directory).now().fec_percent {
        21 => false,
        22 => true,
        other => panic!("{other} percent"),
    }
}

/// A directory of its own with the first state in it, and the paths in it that a write touches.
fn directory(subject: &Subject) -> (Scratch, [PathBuf; 3]) {
    let scratch = Scratch::new();
    assert!((subject.change)(&scratch.0, true));
    let file = scratch.0.canonicalize().unwrap().join(subject.file);
    let extension = format!("{}.new", file.extension().unwrap().to_str().unwrap());
    let paths = [
        file.with_extension(extension),
        file.clone(),
        file.parent().unwrap().to_owned(),
    ];
    (scratch, paths)
}

#[test]
fn a_kill_at_every_step_leaves_the_old_or_the_new_state() {
    for subject in &SUBJECTS {
        let mut seen = [0; 2];
        for calls in CALLS {
            let mut kills = 0;
            for time in 1.. {
                let (_scratch, paths) = directory(subject);
                let (at, name) = (&paths[2], subject.name);
                let code = run(subject, at, &paths, calls, "signal=KILL", time);
                let new = is_new(subject, at);
                if let Some(code) = code {
                    // There is no such call any more.
                    assert_eq!((code, new), (WRITTEN, true), "{name}, {calls} {time}");
                    break;
                }
                kills += 1;
                seen[usize::from(new)] += 1;
                // And what a killed one leaves is in nobody's way.
                assert!((subject.change)(at, false), "{name}, {calls} {time}");
                assert!(is_new(subject, at));
            }
            assert!(kills > 0, "{} does no {calls}", subject.name);
        }
        assert!(seen.iter().all(|times| *times > 0), "{seen:?}");
    }
}

#[test]
fn a_disk_that_is_full_or_read_only_keeps_the_old_state_and_is_an_error() {
    for subject in &SUBJECTS {
        for (calls, error) in [
            (CALLS[1], "EROFS"),
            (CALLS[1], "ENOSPC"),
            (CALLS[2], "ENOSPC"),
            (CALLS[3], "ENOSPC"),
            (CALLS[3], "EIO"),
            (CALLS[5], "EROFS"),
        ] {
            let (_scratch, paths) = directory(subject);
            let before = fs::read(&paths[1]).unwrap();
            let what = format!("error={error}");
            let code = run(subject, &paths[2], &paths[..1], calls, &what, 1);
            let case = format!("{}, {calls}: {error}", subject.name);
            assert_eq!(code, Some(REFUSED), "{case}");
            assert_eq!(fs::read(&paths[1]).unwrap(), before, "{case}");
            assert!(!paths[0].exists(), "{case}: something is left over");
        }
    }
}
