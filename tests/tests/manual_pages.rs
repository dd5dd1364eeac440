//! The manual pages name what the programs take, and nothing that they do not.
mod fixture;

use fixture::process::binary;
use std::{collections::BTreeSet, path::Path, process::Command};

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/man")
        .join(name);
    std::fs::read_to_string(path).unwrap().replace("\\-", "-")
}

fn help(program: &str, words: &[&str]) -> String {
    let output = Command::new(binary(program))
        .args(words)
        .arg("--help")
        .output();
    let output = output.unwrap();
    assert!(output.status.success(), "{program} {words:?} --help");
    String::from_utf8(output.stdout).unwrap()
}

/// The long options of a help text.
fn options(help: &str) -> BTreeSet<String> {
    help.lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('-'))
        .filter_map(|line| line.split("--").nth(1))
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
                .collect()
        })
        .collect()
}

/// The commands of a help text.
fn commands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Every option of the program and of all its commands, and every command with those above it.
fn everything(program: &str, above: &[&str]) -> (BTreeSet<String>, BTreeSet<String>) {
    let text = help(program, above);
    let (mut all, mut named) = (options(&text), BTreeSet::new());
    for command in commands(&text) {
        let words = [above, &[command.as_str()]].concat();
        named.insert(words.join(" "));
        let (below, deeper) = everything(program, &words);
        all.extend(below);
        named.extend(deeper);
    }
    (all, named)
}

/// The options that a page explains: `Fl -name`.
fn explained(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in page.lines() {
        for piece in line.split("Fl -").skip(1) {
            let name: String = piece
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
                .collect();
            if !name.is_empty() {
                found.insert(name);
            }
        }
    }
    found
}

#[test]
fn every_option_is_explained_and_every_explained_one_is_there() {
    for (program, name) in [
        ("punktfunkd", "punktfunkd.8"),
        ("punktfunkctl", "punktfunkctl.1"),
        ("punktfunk-agent", "punktfunk-agent.1"),
    ] {
        let (mut taken, _) = everything(program, &[]);
        let page = page(name);
        let mut told = explained(&page);
        for everywhere in ["help", "version"] {
            taken.remove(everywhere);
            told.remove(everywhere);
        }
        assert_eq!(taken, told, "{name}");
    }
}

#[test]
fn every_command_is_explained_and_every_explained_one_is_there() {
    let (_, taken) = everything("punktfunkctl", &[]);
    let page = page("punktfunkctl.1");
    let told: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix(".It Cm "))
        .map(|line| {
            let words = line.split(' ');
            let name: Vec<&str> = words
                .take_while(|word| {
                    word.bytes()
                        .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
                })
                .collect();
            name.join(" ")
        })
        .collect();
    assert_eq!(taken, told);
    assert!(taken.contains("config set"));
}
