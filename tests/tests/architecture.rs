//! The walls of the house: who may depend on whom, where `unsafe` may live, how large a room may grow.
use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The workspace crates that `member` depends on outside of its tests.
fn internal_dependencies(member: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(member).join("Cargo.toml")).expect("manifest");
    let mut in_dependencies = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            in_dependencies = line.trim() == "[dependencies]";
        } else if in_dependencies && line.starts_with("punktfunk-") {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            found.push(name.trim_start_matches("punktfunk-").to_owned());
        }
    }
    found
}

fn rust_files() -> Vec<PathBuf> {
    fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("directory").flatten() {
            let path = entry.path();
            let name = entry.file_name();
            if path.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
                walk(&path, into);
            } else if path.extension().is_some_and(|e| e == "rs") {
                into.push(path);
            }
        }
    }
    let mut files = Vec::new();
    for member in ["core", "dbus", "service", "agent", "tests"] {
        walk(&root().join(member), &mut files);
    }
    assert!(
        files.len() > 50,
        "the walk found only {} files",
        files.len()
    );
    files
}

#[test]
fn core_depends_on_no_other_crate_of_ours() {
    assert_eq!(internal_dependencies("core"), Vec::<String>::new());
}

#[test]
fn dbus_depends_on_core_alone() {
    assert_eq!(internal_dependencies("dbus"), ["core"]);
}

#[test]
fn service_and_agent_depend_on_core_and_dbus_and_never_on_each_other() {
    assert_eq!(internal_dependencies("service"), ["core", "dbus"]);
    assert_eq!(internal_dependencies("agent"), ["core", "dbus"]);
}

#[test]
fn the_test_client_shares_no_wire_code_with_the_host() {
    assert_eq!(internal_dependencies("tests"), Vec::<String>::new());
}

#[test]
fn unsafe_code_lives_in_the_agents_glue_and_the_fec_kernels_alone() {
    // and in the drivers that tests put in the place of real ones, a bench's peer, whose interfaces are C, its agent's memory,
    // and the buffers of a producer, which PipeWire hands over as pointers
    let allowed = [
        "agent/src/",
        "core/src/fec/kernel/",
        "tests/bench/src/isal.rs",
        "tests/bench/src/mapping.rs",
        "tests/gamescope-double/src/memory.rs",
        "tests/nvenc-double/",
        "tests/vaapi-double/",
    ];
    let word = concat!("un", "safe");
    for file in rust_files() {
        let path = file
            .strip_prefix(root())
            .expect("inside")
            .to_string_lossy()
            .into_owned();
        if allowed.iter().any(|a| path.starts_with(a)) {
            continue;
        }
        let text = fs::read_to_string(&file).expect("source");
        for form in [
            format!("{word} {{"),
            format!("{word} fn"),
            format!("{word} impl"),
        ] {
            assert!(!text.contains(&form), "{path} holds {form:?}");
        }
    }
}

#[test]
fn no_source_file_grows_beyond_five_hundred_lines() {
    let large: Vec<_> = rust_files()
        .into_iter()
        .filter_map(|f| {
            let lines = fs::read_to_string(&f).expect("source").lines().count();
            (lines > 500).then(|| format!("{} has {lines}", f.display()))
        })
        .collect();
    assert!(large.is_empty(), "{large:#?}");
}
