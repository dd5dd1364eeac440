//! What exists at the moment, and what was done wrong, written down where tests can read it.
//!
//! `CUDA_DOUBLE_BOOKS` names a directory: `cuda` in it holds the counts after every change, `cuda.faults` one line for each
//! call that a real driver would have refused or that would have gone wrong later.

use std::{fs, io::Write, path::PathBuf};

fn directory() -> Option<PathBuf> {
    std::env::var_os("CUDA_DOUBLE_BOOKS").map(PathBuf::from)
}

/// The counts, `name=value` a line.
pub fn counts(lines: &[(&str, usize)]) {
    if let Some(directory) = directory() {
        let text: String = lines
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        let _ = fs::write(directory.join("cuda"), text);
    }
}

/// Something that must not be.
pub fn fault(text: &str) {
    eprintln!("cuda double: {text}");
    if let Some(directory) = directory() {
        let path = directory.join("cuda.faults");
        let file = fs::File::options().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| writeln!(file, "{text}"));
        if let Err(error) = written {
            // a test would take books without the line for good ones
            eprintln!("{} cannot be written: {error}", path.display());
            std::process::abort();
        }
    }
}
