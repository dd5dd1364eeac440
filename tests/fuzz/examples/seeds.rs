//! Writes the seeds into `corpus/<target>/`, for a new target or a changed encoding.
use std::{fs, path::Path};

fn main() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, seeds) in punktfunk_fuzz::seeds::all() {
        let directory = corpus.join(target);
        fs::create_dir_all(&directory).expect("a directory");
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(directory.join(format!("seed-{number:02}")), seed).expect("a file");
        }
    }
}
