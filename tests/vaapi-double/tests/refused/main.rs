//! What the double of libva refuses: one mistake a row, the status that comes back for it, and its line in the books. A double
//! that let mistakes pass would make every other test of the encoder worthless.
#![allow(
    unsafe_code,
    reason = "C's interface, called wrongly on purpose: as far as the double looks before it touches"
)]

#[macro_use]
mod card;
mod imports;
mod objects;
mod pictures;

use card::{Card, Mistake};
use std::process::Command;
use vaapi_double::rig::{Libraries, Rig};

const INSIDE: &str = "PUNKTFUNK_TEST_INSIDE";

fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// The test once more, in a process that finds the double as a program does, through `LD_LIBRARY_PATH`. The driver writes the
/// headers of streams itself, so that a picture is its structures alone.
fn inside(rig: &Rig, test: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let output = Command::new(std::env::current_exe().expect("path of the test"))
        .args([test, "--exact", "--nocapture"])
        .envs(rig.environment())
        .envs(variables.iter().copied())
        .env("VAAPI_DOUBLE_NO_PACKED", "1")
        .env(INSIDE, "1")
        .output()
        .expect("the test once more");
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.success() && said.contains("1 passed"), said)
}

fn each_is_refused(test: &str, mistakes: &[Mistake]) {
    if is_inside() {
        let card = Card::find();
        for mistake in mistakes {
            card.makes(mistake);
        }
        return;
    }
    let rig = Rig::new(Libraries::Both);
    let (passed, said) = inside(&rig, test, &[]);
    assert!(passed, "{said}");
    assert_eq!(rig.faults().lines().count(), mistakes.len(), "{said}");
}

#[test]
fn mistakes_with_objects() {
    each_is_refused("mistakes_with_objects", objects::MISTAKES);
}

#[test]
fn mistakes_with_pictures() {
    each_is_refused("mistakes_with_pictures", pictures::MISTAKES);
}

#[test]
fn mistakes_with_imports_and_conversions() {
    each_is_refused("mistakes_with_imports_and_conversions", imports::MISTAKES);
}

/// Books that cannot be written would look like books without a line.
#[test]
fn a_fault_that_cannot_be_written_down_ends_the_program() {
    if is_inside() {
        va!(Card::find(), vaGetDisplayDRM: fn(i32) -> vaapi_double::abi::Display; -1);
        return;
    }
    let rig = Rig::new(Libraries::Both);
    let test = "a_fault_that_cannot_be_written_down_ends_the_program";
    let nowhere = ("VAAPI_DOUBLE_BOOKS", "/proc/no such directory");
    let (passed, said) = inside(&rig, test, &[nowhere]);
    assert!(!passed, "{said}");
    assert!(said.contains("vaapi.faults cannot be written"), "{said}");
}
