//! Displays, and what the driver says of itself.

use crate::{
    abi::{self, ConfigAttrib},
    knobs,
    state::{Display, code, misuse, state},
    status::{
        INVALID_PARAMETER, OPERATION_FAILED, SUCCESS, UNSUPPORTED_ENTRYPOINT, UNSUPPORTED_PROFILE,
    },
};
use std::{
    ffi::{c_char, c_int, c_void},
    ptr, slice,
};

pub const MAX_SIDE: u32 = 4096;
/// Tree blocks of 32, coding blocks of 16, transforms of 4 to 32, one level of their trees.
const HEVC_BLOCKS: u32 = 2 | 2 << 2 | 1 << 4 | 3 << 6 | 1 << 10 | 1 << 14;
/// No asymmetric partitions, no offset filter; differences of the quantiser.
const HEVC_FEATURES: u32 = 1 << 22;

#[unsafe(no_mangle)]
pub extern "C" fn vaGetDisplayDRM(node: c_int) -> abi::Display {
    if node < 0 {
        misuse(INVALID_PARAMETER, "a display without a descriptor");
        return ptr::null_mut();
    }
    let mut state = state();
    let number = state.number() as usize;
    let display = Display {
        initialised: false,
        lost: false,
    };
    state.displays.insert(number, display);
    state.write();
    ptr::without_provenance_mut(number)
}

#[unsafe(no_mangle)]
pub extern "C" fn vaSetInfoCallback(
    _: abi::Display,
    _: abi::MessageCallback,
    _: *mut c_void,
) -> abi::MessageCallback {
    None
}

#[unsafe(no_mangle)]
pub extern "C" fn vaSetErrorCallback(
    _: abi::Display,
    _: abi::MessageCallback,
    _: *mut c_void,
) -> abi::MessageCallback {
    None
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn vaInitialize(
    display: abi::Display,
    major: *mut c_int,
    minor: *mut c_int,
) -> abi::Status {
    let mut state = state();
    if knobs::set("NO_DRIVER") {
        return -1;
    }
    if state.away > 0 {
        state.away -= 1;
        return OPERATION_FAILED;
    }
    match state.displays.get_mut(&display.addr()) {
        Some(found) if !found.initialised && !major.is_null() && !minor.is_null() => {
            found.initialised = true;
            // SAFETY: not null; the caller's contract.
            unsafe {
                major.write(1);
                minor.write(17);
            }
            SUCCESS
        }
        _ => misuse(
            INVALID_PARAMETER,
            "vaInitialize twice, or without places for the version",
        ),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn vaTerminate(display: abi::Display) -> abi::Status {
    let mut state = state();
    let number = display.addr();
    let left = state.contexts.values().any(|found| found.display == number)
        || state.surfaces.values().any(|found| found.display == number)
        || state.configs.values().any(|found| found.display == number)
        || state.buffers.values().any(|found| found.display == number)
        || state.images.values().any(|found| found.display == number);
    if left {
        misuse(
            INVALID_PARAMETER,
            "a display was terminated with objects on it",
        );
    }
    let known = state.displays.remove(&number).is_some();
    state.write();
    match known {
        true => SUCCESS,
        false => misuse(INVALID_PARAMETER, "a display was terminated twice"),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn vaQueryVendorString(_: abi::Display) -> *const c_char {
    c"Simulated VAAPI driver 1.0".as_ptr()
}

fn profiles() -> Vec<c_int> {
    let mut all = vec![0];
    if !knobs::set("NO_PROCESSING") {
        all.push(abi::PROFILE_NONE);
    }
    if knobs::has_codec("h264") {
        all.extend(match knobs::profile().as_deref() {
            Some("baseline") => vec![abi::PROFILE_H264_CONSTRAINED_BASELINE],
            Some("main") => vec![abi::PROFILE_H264_MAIN],
            Some("high") => vec![abi::PROFILE_H264_HIGH],
            _ => vec![
                abi::PROFILE_H264_CONSTRAINED_BASELINE,
                abi::PROFILE_H264_MAIN,
                abi::PROFILE_H264_HIGH,
            ],
        });
    }
    if knobs::has_codec("h265") && !knobs::set("NO_PACKED") {
        all.push(abi::PROFILE_HEVC_MAIN);
    }
    if knobs::has_codec("av1") {
        all.push(abi::PROFILE_AV1_MAIN);
    }
    all
}

/// Decoding, and where there is one the encoder; conversion without a profile.
fn entries(profile: c_int) -> Vec<c_int> {
    if profile == abi::PROFILE_NONE {
        return vec![abi::ENTRY_VIDEO_PROC];
    }
    let mut all = vec![1];
    if profile != 0 && !knobs::set("NO_ENCODER") {
        // Intel's has AV1 there alone
        all.push(
            match knobs::set("LOW_POWER") || profile == abi::PROFILE_AV1_MAIN {
                true => abi::ENTRY_ENC_SLICE_LP,
                false => abi::ENTRY_ENC_SLICE,
            },
        );
    }
    all
}

/// Whether a configuration of these two can be made.
pub fn takes(profile: c_int, entry: c_int) -> Result<(), c_int> {
    if !profiles().contains(&profile) {
        return Err(UNSUPPORTED_PROFILE);
    }
    match entries(profile).contains(&entry) && entry != 1 {
        true => Ok(()),
        false => Err(UNSUPPORTED_ENTRYPOINT),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn vaMaxNumProfiles(_: abi::Display) -> c_int {
    16
}

#[unsafe(no_mangle)]
pub extern "C" fn vaMaxNumEntrypoints(_: abi::Display) -> c_int {
    4
}

/// Write a list and its length.
unsafe fn list(all: &[c_int], target: *mut c_int, count: *mut c_int) -> c_int {
    if target.is_null() || count.is_null() {
        return misuse(INVALID_PARAMETER, "a list without a place for it");
    }
    // SAFETY: the caller's contract: as much room as was said to be needed.
    unsafe {
        target.copy_from_nonoverlapping(all.as_ptr(), all.len());
        count.write(all.len() as c_int);
    }
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn vaQueryConfigProfiles(
    display: abi::Display,
    target: *mut c_int,
    count: *mut c_int,
) -> abi::Status {
    match state().ready(display.addr()) {
        // SAFETY: the caller's contract.
        Ok(()) => unsafe { list(&profiles(), target, count) },
        Err(status) => status,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn vaQueryConfigEntrypoints(
    display: abi::Display,
    profile: c_int,
    target: *mut c_int,
    count: *mut c_int,
) -> abi::Status {
    match state().ready(display.addr()) {
        Ok(()) if !profiles().contains(&profile) => misuse(
            UNSUPPORTED_PROFILE,
            "entry points of a profile that was not listed",
        ),
        // SAFETY: the caller's contract.
        Ok(()) => unsafe { list(&entries(profile), target, count) },
        Err(status) => status,
    }
}

fn attribute(profile: c_int, kind: c_int) -> u32 {
    let hevc = profile == abi::PROFILE_HEVC_MAIN;
    let av1 = profile == abi::PROFILE_AV1_MAIN;
    match kind {
        abi::ATTRIB_RT_FORMAT => abi::RT_FORMAT_YUV420,
        abi::ATTRIB_RATE_CONTROL if knobs::set("NO_RATE") => 0x10,
        abi::ATTRIB_RATE_CONTROL => 0x10 | abi::RC_CBR | abi::RC_VBR,
        abi::ATTRIB_PACKED_HEADERS if knobs::set("NO_PACKED") => abi::NOT_SUPPORTED,
        abi::ATTRIB_PACKED_HEADERS => 0x1f,
        abi::ATTRIB_MAX_WIDTH | abi::ATTRIB_MAX_HEIGHT => MAX_SIDE,
        abi::ATTRIB_PREDICTION_DIRECTION if hevc && knobs::set("BOTH") => {
            1 | abi::PREDICTION_BI_NOT_EMPTY
        }
        abi::ATTRIB_HEVC_BLOCK_SIZES if hevc => HEVC_BLOCKS,
        abi::ATTRIB_HEVC_FEATURES if hevc => HEVC_FEATURES,
        abi::ATTRIB_AV1_FEATURES if av1 && knobs::set("LARGE_BLOCKS") => abi::AV1_REQUIRED,
        abi::ATTRIB_AV1_FEATURES if av1 => 0,
        abi::ATTRIB_AV1_SIZES if av1 => crate::av1::SIZES,
        _ => abi::NOT_SUPPORTED,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn vaGetConfigAttributes(
    display: abi::Display,
    profile: c_int,
    entry: c_int,
    attribs: *mut ConfigAttrib,
    count: c_int,
) -> abi::Status {
    let asked = state().ready(display.addr()).and_then(|()| {
        takes(profile, entry)?;
        match attribs.is_null() || count < 0 {
            true => Err(misuse(
                INVALID_PARAMETER,
                "attributes without a place for them",
            )),
            false => Ok(()),
        }
    });
    if asked.is_ok() {
        // SAFETY: the caller's contract: so many of them.
        let attribs = unsafe { slice::from_raw_parts_mut(attribs, count as usize) };
        for attrib in attribs {
            attrib.value = attribute(profile, attrib.kind);
        }
    }
    code(asked)
}
