//! Every fuzz target fed with its corpus, and with a few thousand mutations of it that are the same at each run.
//!
//! The targets are the very functions that the fuzz binaries call. This finds what comes back; libFuzzer finds what is new.
use std::{
    fs,
    path::{Path, PathBuf},
};

#[path = "../fuzz/src/lib.rs"]
mod targets;

const MUTATIONS: u64 = 2000;
/// What the tree may carry per target.
const MAX_CORPUS: usize = 24 * 1024;

fn fuzz_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The files of the tree.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = fuzz_directory().join("corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(&directory)
        .unwrap_or_else(|e| panic!("{}: {e}", directory.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| fs::read(file).expect("a file"))
        .collect()
}

/// xorshift64*: mutations need variety and repetition, not chance.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// 0..below; 0 when `below` is 0.
    fn below(&mut self, below: usize) -> usize {
        usize::try_from(self.roll() % (below.max(1) as u64)).expect("small")
    }
}

/// A corpus file with a few bytes changed, cut, doubled, or grown together with another.
fn mutate(dice: &mut Dice, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut data = corpus[dice.below(corpus.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(data.len());
        match dice.below(8) {
            0 => data.truncate(at),
            1 => data.insert(at, [0, 1, 0x7f, 0x80, 0xff][dice.below(5)]),
            2 => {
                let end = (at + 1 + dice.below(16)).min(data.len());
                data.drain(at..end);
            }
            3 => {
                let end = (at + 1 + dice.below(64)).min(data.len());
                data.extend_from_within(at..end);
            }
            4 => {
                let other = &corpus[dice.below(corpus.len())];
                data.truncate(at);
                data.extend_from_slice(&other[dice.below(other.len())..]);
            }
            5 if at < data.len() => data[at] = [0, 1, 0x7f, 0x80, 0xff][dice.below(5)],
            6 if at < data.len() => data[at] = data[at].wrapping_add(1),
            _ if at < data.len() => data[at] ^= 1 << dice.below(8),
            _ => data.push(dice.below(256).to_le_bytes()[0]),
        }
    }
    data.truncate(4096);
    data
}

#[test]
fn no_target_breaks_its_promise_on_the_corpus_or_on_mutations_of_it() {
    let seeds = targets::seeds::all();
    for (number, (target, run)) in targets::ALL.iter().enumerate() {
        let mut corpus = corpus(target);
        let (_, seeds) = seeds.iter().find(|(of, _)| of == target).expect("seeds");
        corpus.extend_from_slice(seeds);
        corpus.iter().for_each(|input| run(input));
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 + number as u64);
        for round in 0..MUTATIONS {
            let input = mutate(&mut dice, &corpus);
            let kept = input.clone();
            if std::panic::catch_unwind(move || run(&input)).is_err() {
                let text: String = kept.iter().map(|byte| format!("{byte:02x}")).collect();
                panic!("{target}, mutation {round}, input {text}");
            }
        }
    }
}

#[test]
fn every_target_has_a_binary_and_a_small_corpus_of_its_own() {
    let manifest = fs::read_to_string(fuzz_directory().join("Cargo.toml")).expect("manifest");
    for (target, _) in targets::ALL {
        let path = format!("fuzz_targets/{target}.rs");
        assert!(manifest.contains(&path), "{target} is in no [[bin]]");
        let binary = fs::read_to_string(fuzz_directory().join(&path)).expect("a binary");
        assert!(binary.contains(&format!("punktfunk_fuzz::{target}::run")));
        let size: usize = corpus(target).iter().map(Vec::len).sum();
        assert!(
            (1..=MAX_CORPUS).contains(&size),
            "{target}: {size} bytes of corpus"
        );
    }
    let binaries = fs::read_dir(fuzz_directory().join("fuzz_targets")).expect("binaries");
    assert_eq!(binaries.count(), targets::ALL.len());
}
