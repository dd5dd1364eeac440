//! A simulated `libnvidia-encode.so.1`: NVENC 12.1 with the real names, structures and refusals, and no card.
//!
//! It checks what the SDK documents: versions of structures, identifiers, pointers, the order of calls, the life of resources,
//! mappings and bitstreams, one thread at a time, time stamps of invalidated pictures. What a real driver refuses is refused,
//! and written into the [`books`] as a fault. Knobs for old, small, busy and dying drivers: [`knobs`]. The structures are those
//! that bindgen made of NVIDIA's header, so that the agent's own are held against something else than themselves.
#![allow(
    unsafe_code,
    clippy::missing_safety_doc,
    reason = "C's interface: the safety of each function is what the SDK documents for it"
)]

mod books;
mod card;
mod coder;
mod cuda;
mod entries;
mod knobs;
mod metadata;
mod references;
mod registry;
pub mod rig;
mod session;
mod setup;

use nvidia_video_codec_sdk::sys::nvEncodeAPI::{
    NV_ENCODE_API_FUNCTION_LIST, NV_ENCODE_API_FUNCTION_LIST_VER,
};
use session::{INVALID_PTR, INVALID_VERSION, SUCCESS};

/// Major << 4 | minor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn NvEncodeAPIGetMaxSupportedVersion(version: *mut u32) -> u32 {
    let (major, minor) = knobs::api();
    if version.is_null() {
        books::fault("the version without a place for it");
        return INVALID_PTR;
    }
    // SAFETY: not null; the caller's contract.
    unsafe { version.write(major << 4 | minor) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn NvEncodeAPICreateInstance(list: *mut NV_ENCODE_API_FUNCTION_LIST) -> u32 {
    // SAFETY: the caller's contract; null is looked for.
    let Some(list) = (unsafe { list.as_mut() }) else {
        books::fault("a list of functions without a place for it");
        return INVALID_PTR;
    };
    if list.version != NV_ENCODE_API_FUNCTION_LIST_VER || knobs::api() < (12, 1) {
        books::fault("a list of functions of another version");
        return INVALID_VERSION;
    }
    entries::fill(list);
    SUCCESS
}
