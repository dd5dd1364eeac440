//! What is fuzzed: one module for each parser of foreign bytes, with the promises it must keep for any input.
//!
//! The fuzz binaries feed them from libFuzzer; `tests/tests/fuzz_corpus.rs` feeds them the corpus and mutations of it.
pub mod access_unit;
pub mod announce;
pub mod audio;
pub mod channel;
pub mod control;
pub mod enet;
pub mod http;
pub mod input;
pub mod pairing;
pub mod rtsp;
pub mod seeds;
pub mod video;

/// Name and function of a target.
pub type Target = (&'static str, fn(&[u8]));

/// Every target by the name of its binary and of its corpus directory.
pub const ALL: &[Target] = &[
    ("access_unit", access_unit::run),
    ("announce", announce::run),
    ("audio", audio::run),
    ("channel", channel::run),
    ("control", control::run),
    ("enet", enet::run),
    ("http", http::run),
    ("input", input::run),
    ("pairing", pairing::run),
    ("rtsp", rtsp::run),
    ("video", video::run),
];
