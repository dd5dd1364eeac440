//! What exists at the moment, what was encoded, and what was done wrong, written down where tests can read it.
//!
//! In the directory of the books: `nvenc` holds the counts after every change, `nvenc.pictures` a line for each picture,
//! `nvenc.calls` one for each invalidation and change of the rate, `nvenc.faults` one for each call that a real driver would
//! have refused or that would have gone wrong later.

use crate::knobs;
use std::{fs, io::Write};

fn append(name: &str, line: &str) {
    if let Some(directory) = knobs::books() {
        let file = fs::File::options()
            .create(true)
            .append(true)
            .open(directory.join(name));
        let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        if let Err(error) = written {
            // a test would take books without the line for good ones
            eprintln!("{name} cannot be written: {error}");
            std::process::abort();
        }
    }
}

/// The counts, `name=value` a line.
pub fn counts(lines: &[(&str, usize)]) {
    if let Some(directory) = knobs::books() {
        let text: String = lines
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        let _ = fs::write(directory.join("nvenc"), text);
    }
}

/// `session stamp kind reference kbps bytes`.
pub fn picture(line: &str) {
    append("nvenc.pictures", line);
}

/// `session invalidate stamp` or `session rate kbps`, in the order of the pictures.
pub fn call(line: &str) {
    append("nvenc.calls", line);
    append("nvenc.pictures", &format!("# {line}"));
}

/// The bytes of the last picture that was encoded, line after line without gaps: `nvenc.raw`, where it is wanted.
pub fn raw(bytes: &[u8]) {
    if let (Some(directory), true) = (knobs::books(), knobs::raw()) {
        let _ = fs::write(directory.join("nvenc.raw"), bytes);
    }
}

/// Something that must not be.
pub fn fault(text: &str) {
    eprintln!("NVENC double: {text}");
    append("nvenc.faults", text);
}
