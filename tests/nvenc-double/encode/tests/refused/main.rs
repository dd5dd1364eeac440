//! What the doubles of NVIDIA's libraries refuse: one mistake a row, the status that a real driver answers it with, and its
//! line in the books. A double that let mistakes pass would make every other test of the encoder worthless.
#![allow(
    unsafe_code,
    reason = "C's interface, called wrongly on purpose: as far as the doubles look before they touch"
)]

#[macro_use]
mod card;
mod cuda;
mod egl;
mod pictures;
mod sessions;
mod setup;

use card::{Card, Mistake};
use nvenc_double::rig::{Libraries, Rig};
use std::process::Command;

const INSIDE: &str = "PUNKTFUNK_TEST_INSIDE";

fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// The test once more, in a process that finds the doubles as a program does, through `LD_LIBRARY_PATH`.
fn inside(rig: &Rig, test: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let output = Command::new(std::env::current_exe().expect("path of the test"))
        .args([test, "--exact", "--nocapture"])
        .envs(rig.environment())
        .envs(variables.iter().copied())
        .env("NVENC_DOUBLE_SESSIONS", "1000")
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
    let rig = Rig::new(Libraries::WithEgl);
    let (passed, said) = inside(&rig, test, &[]);
    assert!(passed, "{said}");
    assert_eq!(rig.faults().lines().count(), mistakes.len(), "{said}");
}

#[test]
fn mistakes_with_cuda() {
    each_is_refused("mistakes_with_cuda", cuda::MISTAKES);
}

#[test]
fn mistakes_with_egl_and_opengl() {
    each_is_refused("mistakes_with_egl_and_opengl", egl::MISTAKES);
}

#[test]
fn mistakes_with_sessions_and_structures() {
    each_is_refused("mistakes_with_sessions_and_structures", sessions::MISTAKES);
}

#[test]
fn mistakes_when_an_encoder_is_set_up() {
    each_is_refused("mistakes_when_an_encoder_is_set_up", setup::MISTAKES);
}

#[test]
fn mistakes_with_pictures_and_resources() {
    each_is_refused("mistakes_with_pictures_and_resources", pictures::MISTAKES);
}

#[test]
fn a_session_is_for_one_thread_at_a_time() {
    if is_inside() {
        return pictures::two_threads(&Card::find());
    }
    let rig = Rig::new(Libraries::WithEgl);
    let (passed, said) = inside(&rig, "a_session_is_for_one_thread_at_a_time", &[]);
    assert!(passed, "{said}");
    let faults = rig.faults();
    let expected = "a session was used by two threads at a time";
    assert!(faults.lines().all(|line| line == expected), "{faults}");
}

/// Books that cannot be written would look like books without a line.
#[test]
fn a_fault_that_cannot_be_written_down_ends_the_program() {
    let test = "a_fault_that_cannot_be_written_down_ends_the_program";
    if is_inside() {
        let card = Card::find();
        cu!(card, cuInit: fn(u32) -> i32; 1);
        return;
    }
    let rig = Rig::new(Libraries::WithEgl);
    let nowhere = ("CUDA_DOUBLE_BOOKS", "/proc/no such directory");
    let (passed, said) = inside(&rig, test, &[nowhere]);
    assert!(!passed, "{said}");
    assert!(said.contains("cuda.faults cannot be written"), "{said}");
}
