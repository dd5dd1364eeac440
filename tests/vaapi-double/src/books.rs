//! What exists at the moment, what was encoded, and what was done wrong, written down where tests can read it.
//!
//! In the directory of the books: `vaapi` holds the counts after every change, `vaapi.pictures` a line for each picture,
//! `vaapi.faults` one for each call that a real driver would have refused or that would have gone wrong later.

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
        let _ = fs::write(directory.join("vaapi"), text);
    }
}

/// `context number kind reference kbps bytes`.
pub fn picture(line: &str) {
    append("vaapi.pictures", line);
}

/// Something that must not be.
pub fn fault(text: &str) {
    eprintln!("VAAPI double: {text}");
    append("vaapi.faults", text);
}
