//! A process that finds the driver.
//!
//! That goes through `LD_LIBRARY_PATH`, which the loader reads when a program starts: each test that uses the driver in its
//! own process runs itself once more, with the driver and the knobs that it wants.

use nvenc_double::rig::{Libraries, Rig};
use std::process::{Command, Output};

const INSIDE: &str = "PUNKTFUNK_TEST_INSIDE";

/// A variable for the driver.
pub type Knob = (&'static str, &'static str);

/// Run `body` in a process that has the driver with these knobs; afterwards `books` looks at what is written down.
pub fn with_driver(test: &str, knobs: &[Knob], body: impl FnOnce(), books: impl FnOnce(&Rig)) {
    with_libraries(Libraries::Both, test, knobs, body, books);
}

/// As [`with_driver`], with an EGL that knows the card.
pub fn with_egl(test: &str, knobs: &[Knob], body: impl FnOnce(), books: impl FnOnce(&Rig)) {
    with_libraries(Libraries::WithEgl, test, knobs, body, books);
}

fn with_libraries(
    libraries: Libraries,
    test: &str,
    knobs: &[Knob],
    body: impl FnOnce(),
    books: impl FnOnce(&Rig),
) {
    if std::env::var_os(INSIDE).is_some() {
        body();
        return;
    }
    let rig = Rig::new(libraries);
    let output = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .envs(rig.environment())
        .envs(knobs.iter().copied())
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
    assert_eq!(rig.faults(), "", "{text}");
    for name in [
        "sessions",
        "registered",
        "mapped",
        "bitstreams",
        "contexts",
        "memory",
        "pinned",
        "shared_textures",
        "images",
        "textures",
        "gl_contexts",
        "unfinished",
    ] {
        assert_eq!(rig.count(name), 0, "{name} left over");
    }
    assert!(
        rig.count("sessions_opened") > 0,
        "the driver was not used:\n{text}"
    );
    books(&rig);
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
