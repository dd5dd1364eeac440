//! The table in `docs/gamestream.md` keeps its word: every part of the protocol has a row, every row has tests, and every
//! test it names is there and is run.
use std::{collections::BTreeMap, fs, path::Path};

const SECTIONS: &str = "1 2 3 3.1 3.2 3.3 3.4 3.5 3.6 4 5 6 6.1 6.2 6.3 6.4 6.5 6.6 6.7 6.8 7 8 8.1 8.2 8.3 9 9.1 9.2 9.3 \
                        10 10.1 10.2 10.3 10.4 11 11.1 11.2 11.3 11.4 12 12.1 12.2 12.3 12.4 12.5 13 14";
const GOTCHAS: u32 = 37;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Number and tests (`path::name`) of each row.
fn rows() -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(root().join("docs/gamestream.md")).expect("the table");
    text.lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.split(" | ").collect::<Vec<_>>())
        .filter(|cells| !matches!(cells[0], "No" | "---"))
        .map(|cells| {
            assert_eq!(cells.len(), 4, "{cells:?}");
            assert!(
                cells.iter().all(|cell| !cell.trim().is_empty()),
                "{cells:?}"
            );
            let tests = cells[3].split('`').skip(1).step_by(2);
            (cells[0].to_owned(), tests.map(str::to_owned).collect())
        })
        .collect()
}

/// Whether `source` holds a test of this name that is run: an attribute above it that makes it one and none that skips it.
fn is_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let Some(at) = lines.iter().position(|line| {
        line.trim_start_matches("async ")
            .strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with(['(', '<']))
    }) else {
        return false;
    };
    let above = lines[..at]
        .iter()
        .rev()
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
        .collect::<Vec<_>>();
    above
        .iter()
        .any(|line| **line == "#[test]" || line.starts_with("#[tokio::test"))
        && !above.iter().any(|line| line.starts_with("#[ignore"))
}

#[test]
fn every_section_and_every_gotcha_has_a_row_and_every_row_a_test() {
    let rows = rows();
    let mut counts = BTreeMap::new();
    for (number, tests) in &rows {
        *counts.entry(number.clone()).or_insert(0) += 1;
        assert!(!tests.is_empty(), "row {number} names no test");
    }
    let wanted = SECTIONS
        .split_whitespace()
        .map(str::to_owned)
        .chain((1..=GOTCHAS).map(|gotcha| format!("G{gotcha}")));
    for number in wanted {
        assert_eq!(counts.remove(&number), Some(1), "row {number}");
    }
    assert!(counts.is_empty(), "rows of nothing: {counts:?}");
}

/// `docs/mutants.md` lists what was broken and which tests failed then; steps of rigs were not tried.
#[test]
fn every_test_that_the_table_names_was_seen_to_fail() {
    let seen = fs::read_to_string(root().join("docs/mutants.md")).expect("the list");
    let unseen: Vec<String> = rows()
        .into_iter()
        .flat_map(|(number, tests)| tests.into_iter().map(move |test| (number.clone(), test)))
        .filter(|(_, test)| {
            let (path, name) = test.split_once("::").unwrap_or_default();
            path.ends_with(".rs") && !seen.contains(&format!("`{name}`"))
        })
        .map(|(number, test)| format!("row {number}: {test}"))
        .collect();
    assert!(unseen.is_empty(), "break what they protect: {unseen:#?}");
}

#[test]
fn every_test_that_the_table_names_exists_and_is_run() {
    let mut missing = Vec::new();
    for (number, tests) in rows() {
        for test in tests {
            let (path, name) = test
                .split_once("::")
                .unwrap_or_else(|| panic!("row {number}: {test} is not FILE::NAME"));
            let source = fs::read_to_string(root().join(path)).unwrap_or_default();
            let there = if path.ends_with(".rs") {
                is_test(&source, name)
            } else {
                // A rig names its steps in plain words.
                path.starts_with("tests/rigs/") && source.contains(name)
            };
            if !there {
                missing.push(format!("row {number}: {test}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
