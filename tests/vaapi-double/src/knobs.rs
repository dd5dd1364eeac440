//! What a test wants of the driver, from the environment.
//!
//! | variable | effect |
//! | --- | --- |
//! | `VAAPI_DOUBLE_NO_DRIVER=1` | there is no driver for the card |
//! | `VAAPI_DOUBLE_CODECS=h264` | codecs of the card; without it all |
//! | `VAAPI_DOUBLE_NO_ENCODER=1` | the driver decodes only |
//! | `VAAPI_DOUBLE_PROFILE=baseline` | the one profile of H.264: `high`, `main` or `baseline` |
//! | `VAAPI_DOUBLE_LOW_POWER=1` | the other entry point of encoders alone |
//! | `VAAPI_DOUBLE_NO_RATE=1` | no rate control but a constant quantiser |
//! | `VAAPI_DOUBLE_NO_PACKED=1` | the driver writes all headers itself (no HEVC then, and AV1 is of no use) |
//! | `VAAPI_DOUBLE_BOTH=1` | HEVC without P pictures: B pictures with the same references twice |
//! | `VAAPI_DOUBLE_LARGE_BLOCKS=1` | AV1 in blocks of 128 alone |
//! | `VAAPI_DOUBLE_REWRITE=own` | units of AV1 as Mesa writes them, of what it read in the headers; `latest`: each refers to the one before it |
//! | `VAAPI_DOUBLE_NO_DERIVE=1` | surfaces do not show their memory |
//! | `VAAPI_DOUBLE_NO_PROCESSING=1` | the card converts nothing |
//! | `VAAPI_DOUBLE_NO_IMPORT=1` | it converts surfaces of its own alone |
//! | `VAAPI_DOUBLE_EFC=1` | a conversion of the whole picture is put off until its surface is encoded, once, and never written |
//! | `VAAPI_DOUBLE_NO_EXPORT=1` | it does not tell how its surfaces are laid out |
//! | `VAAPI_DOUBLE_REFUSE_IMPORT=1` | each import is refused |
//! | `VAAPI_DOUBLE_REFUSE_RATE=1` | each change of the rate is refused |
//! | `VAAPI_DOUBLE_LOSE=30` | each context loses its device after so many pictures |
//! | `VAAPI_DOUBLE_LOSSES=1` | how many contexts do so, without it all |
//! | `VAAPI_DOUBLE_AWAY=4` | after a loss, so many attempts to open a display fail |
//! | `VAAPI_DOUBLE_UNSETTLED=1` | after a loss, so many imports are refused |
//! | `VAAPI_DOUBLE_BOOKS=directory` | where the books are kept |

use std::sync::atomic::{AtomicU64, Ordering};

fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn number(name: &str) -> Option<u64> {
    text(name)?.parse().ok()
}

pub fn set(name: &str) -> bool {
    text(&format!("VAAPI_DOUBLE_{name}")).is_some_and(|text| text != "0")
}

pub fn has_codec(name: &str) -> bool {
    let all = text("VAAPI_DOUBLE_CODECS");
    all.is_none_or(|all| all.split(',').any(|codec| codec.trim() == name))
}

/// How the driver writes headers of AV1 anew, if it does.
pub fn rewrites() -> Option<String> {
    text("VAAPI_DOUBLE_REWRITE")
}

pub fn profile() -> Option<String> {
    text("VAAPI_DOUBLE_PROFILE")
}

/// Whether a context that has encoded so many pictures loses its device now.
pub fn lose(encoded: u64) -> bool {
    static LOST: AtomicU64 = AtomicU64::new(0);
    let Some(after) = number("VAAPI_DOUBLE_LOSE") else {
        return false;
    };
    let most = number("VAAPI_DOUBLE_LOSSES").unwrap_or(u64::MAX);
    encoded >= after && LOST.fetch_add(1, Ordering::Relaxed) < most
}

/// How many attempts fail after a loss.
pub fn away() -> u64 {
    number("VAAPI_DOUBLE_AWAY").unwrap_or(0)
}

/// How many imports are refused after a loss.
pub fn unsettled() -> u64 {
    number("VAAPI_DOUBLE_UNSETTLED").unwrap_or(0)
}

pub fn books() -> Option<std::path::PathBuf> {
    text("VAAPI_DOUBLE_BOOKS").map(Into::into)
}
