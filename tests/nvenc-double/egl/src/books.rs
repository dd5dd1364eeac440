//! What exists at the moment, and what was done wrong: `egl` and `egl.faults` in the directory of the books, as CUDA's double
//! keeps them.

use crate::knobs;
use std::{fs, io::Write, path::PathBuf};

fn directory() -> Option<PathBuf> {
    let name = knobs::text("EGL_DOUBLE_BOOKS");
    (!name.is_empty()).then(|| name.into())
}

/// The counts, `name=value` a line.
pub fn counts(lines: &[(&str, usize)]) {
    if let Some(directory) = directory() {
        let lines = lines
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"));
        // whole at every moment, for tests that look in while other threads go on
        let new = directory.join("egl.new");
        let _ = fs::write(&new, lines.collect::<String>());
        let _ = fs::rename(new, directory.join("egl"));
    }
}

/// Something that must not be.
pub fn fault(text: &str) {
    eprintln!("EGL double: {text}");
    if let Some(directory) = directory() {
        let path = directory.join("egl.faults");
        let file = fs::File::options().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| writeln!(file, "{text}"));
        if let Err(error) = written {
            // a test would take books without the line for good ones
            eprintln!("{} cannot be written: {error}", path.display());
            std::process::abort();
        }
    }
}
