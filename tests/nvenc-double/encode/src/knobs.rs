//! What a test wants of the driver, from the environment.
//!
//! | variable | effect |
//! | --- | --- |
//! | `NVENC_DOUBLE_API=11.0` | an old driver: the highest version that it speaks |
//! | `NVENC_DOUBLE_MISSING=nvEncInvalidateRefFrames` | this entry of the function list is empty |
//! | `NVENC_DOUBLE_CODECS=h264,h265` | codecs of the card; without it all three |
//! | `NVENC_DOUBLE_NO_ENCODER=1` | a card without an encoder |
//! | `NVENC_DOUBLE_SESSIONS=3` | how many sessions may be open |
//! | `NVENC_DOUBLE_NO_INVALIDATION=1` | the card cannot invalidate references |
//! | `NVENC_DOUBLE_NO_NEW_RATE=1` | the card takes no other rate while it encodes |
//! | `NVENC_DOUBLE_NO_TEN_BIT=1` | the card has 8 bits only |
//! | `NVENC_DOUBLE_NO_DEEP_444=1` | it has 10 bits and 4:4:4, and not both at once |
//! | `NVENC_DOUBLE_NO_SUB_FRAMES=1` | slices cannot be fetched before their picture is whole |
//! | `NVENC_DOUBLE_ALL_AT_ONCE=1` | the first look that finds a slice finds all of them |
//! | `NVENC_DOUBLE_TAKES_BACK=3` | the fourth picture of a session is another one in the end than its first slices were |
//! | `NVENC_DOUBLE_BUSY=5` | every fifth picture is refused as busy three times |
//! | `NVENC_DOUBLE_LOSE=30` | each session loses its device after so many pictures |
//! | `NVENC_DOUBLE_LOSSES=1` | how many sessions do so, without it all |
//! | `NVENC_DOUBLE_AWAY=4` | after a loss, so many attempts to open a session fail |
//! | `NVENC_DOUBLE_RAW=1` | the books keep the bytes of the last picture |
//! | `NVENC_DOUBLE_BOOKS=directory` | where the books are kept; while a file `hold` lies there, pictures lack their last slice |

use std::sync::atomic::{AtomicU64, Ordering};

fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn number(name: &str) -> Option<u64> {
    text(name)?.parse().ok()
}

fn set(name: &str) -> bool {
    text(name).is_some_and(|text| text != "0")
}

/// Major and minor.
pub fn api() -> (u32, u32) {
    let parse = |text: String| {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    text("NVENC_DOUBLE_API").and_then(parse).unwrap_or((12, 1))
}

pub fn missing() -> String {
    text("NVENC_DOUBLE_MISSING").unwrap_or_default()
}

pub fn has_codec(name: &str) -> bool {
    let all = text("NVENC_DOUBLE_CODECS");
    all.is_none_or(|all| all.split(',').any(|codec| codec.trim() == name))
}

pub fn no_encoder() -> bool {
    set("NVENC_DOUBLE_NO_ENCODER")
}

pub fn sessions() -> usize {
    number("NVENC_DOUBLE_SESSIONS").map_or(8, |limit| limit as usize)
}

pub fn invalidation() -> bool {
    !set("NVENC_DOUBLE_NO_INVALIDATION")
}

pub fn new_rate() -> bool {
    !set("NVENC_DOUBLE_NO_NEW_RATE")
}

pub fn ten_bit() -> bool {
    !set("NVENC_DOUBLE_NO_TEN_BIT")
}

pub fn deep_444() -> bool {
    !set("NVENC_DOUBLE_NO_DEEP_444")
}

pub fn sub_frames() -> bool {
    !set("NVENC_DOUBLE_NO_SUB_FRAMES")
}

pub fn all_at_once() -> bool {
    set("NVENC_DOUBLE_ALL_AT_ONCE")
}

pub fn takes_back(picture: u64) -> bool {
    number("NVENC_DOUBLE_TAKES_BACK") == Some(picture)
}

/// Whether the last slice is not to be had now.
pub fn held() -> bool {
    books().is_some_and(|books| books.join("hold").exists())
}

/// Wait until it is, as long as any test waits, and say so in the books.
pub fn wait_while_held() {
    if held() {
        crate::books::call("held");
    }
    for _ in 0..60_000 {
        if !held() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

pub fn busy() -> Option<u64> {
    number("NVENC_DOUBLE_BUSY").filter(|every| *every > 0)
}

/// Whether a session that has encoded so many pictures loses its device now.
pub fn lose(encoded: u64) -> bool {
    static LOST: AtomicU64 = AtomicU64::new(0);
    let Some(after) = number("NVENC_DOUBLE_LOSE") else {
        return false;
    };
    let most = number("NVENC_DOUBLE_LOSSES").unwrap_or(u64::MAX);
    encoded >= after && LOST.fetch_add(1, Ordering::Relaxed) < most
}

/// How many attempts fail after a loss.
pub fn away() -> u64 {
    number("NVENC_DOUBLE_AWAY").unwrap_or(0)
}

pub fn raw() -> bool {
    set("NVENC_DOUBLE_RAW")
}

pub fn books() -> Option<std::path::PathBuf> {
    text("NVENC_DOUBLE_BOOKS").map(Into::into)
}
