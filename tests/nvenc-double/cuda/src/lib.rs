//! A simulated `libcuda.so.1`: as much of the driver as an encoder needs, with the real names and types.
//!
//! It refuses what a real driver refuses (no context current, foreign or freed memory, copies beyond the end) and writes it
//! down, see [`books`]. Memory "of the card" lies at addresses that the process does not have. Knobs, from the environment:
//! `CUDA_DOUBLE_CARDS` (how many), `CUDA_DOUBLE_NAME`, `CUDA_DOUBLE_BOOKS` (a directory), `CUDA_DOUBLE_NO_INTEROP` (no textures
//! of OpenGL's), `CUDA_DOUBLE_LOSE_MAPPING` (the card is lost when it maps some for the so-manieth time).
#![allow(
    unsafe_code,
    clippy::missing_safety_doc,
    reason = "C's interface: the safety of each function is what CUDA documents for it"
)]

mod books;
mod device;
mod interop;

use device::{
    INVALID_DEVICE, INVALID_VALUE, NO_DEVICE, NOT_INITIALIZED, SUCCESS, cards, device, misuse,
};
use std::{
    ffi::{c_char, c_int, c_uint, c_void},
    ptr, slice,
};

type Context = *mut c_void;

/// CUDA 12.2.
const VERSION: c_int = 12020;

/// Write through a pointer that the caller must have set.
unsafe fn put<T>(target: *mut T, value: T) -> c_int {
    if target.is_null() {
        return misuse(
            INVALID_VALUE,
            "a result was asked for without a place for it",
        );
    }
    // SAFETY: not null; the caller's contract is that it points to a T.
    unsafe { target.write(value) };
    SUCCESS
}

fn handle(context: usize) -> Context {
    ptr::without_provenance_mut(context)
}

fn ready() -> Result<(), c_int> {
    match device().initialised {
        true => Ok(()),
        false => Err(misuse(NOT_INITIALIZED, "CUDA was used before cuInit")),
    }
}

fn code(result: Result<(), c_int>) -> c_int {
    result.err().unwrap_or(SUCCESS)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuInit(flags: c_uint) -> c_int {
    if flags != 0 {
        return misuse(INVALID_VALUE, "cuInit takes no flags");
    }
    if cards() == 0 {
        return NO_DEVICE;
    }
    device().initialised = true;
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDriverGetVersion(version: *mut c_int) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { put(version, VERSION) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetCount(count: *mut c_int) -> c_int {
    match ready() {
        // SAFETY: the caller's contract.
        Ok(()) => unsafe { put(count, cards()) },
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGet(found: *mut c_int, ordinal: c_int) -> c_int {
    match ready() {
        // SAFETY: the caller's contract.
        Ok(()) if (0..cards()).contains(&ordinal) => unsafe { put(found, ordinal) },
        Ok(()) => misuse(INVALID_DEVICE, "a card was asked for that does not exist"),
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetName(name: *mut c_char, length: c_int, _: c_int) -> c_int {
    let text = std::env::var("CUDA_DOUBLE_NAME").unwrap_or_else(|_| "Simulated card".to_owned());
    let room = usize::try_from(length).unwrap_or(0);
    if name.is_null() || room == 0 {
        return misuse(INVALID_VALUE, "a name without a place for it");
    }
    // SAFETY: the caller's contract: so much room.
    let target = unsafe { slice::from_raw_parts_mut(name.cast::<u8>(), room) };
    target.fill(0);
    let length = text.len().min(room - 1);
    target[..length].copy_from_slice(&text.as_bytes()[..length]);
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxCreate_v2(context: *mut Context, _: c_uint, on: c_int) -> c_int {
    if let Err(code) = ready() {
        return code;
    }
    if !(0..cards()).contains(&on) {
        return misuse(INVALID_DEVICE, "a context on a card that does not exist");
    }
    let made = device().create_context();
    // SAFETY: the caller's contract.
    unsafe { put(context, handle(made)) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxDestroy_v2(context: Context) -> c_int {
    device().destroy_context(context.addr())
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxPushCurrent_v2(context: Context) -> c_int {
    device().push(context.addr())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxPopCurrent_v2(context: *mut Context) -> c_int {
    match device().pop() {
        // SAFETY: the caller's contract; null is allowed here.
        Ok(popped) if !context.is_null() => unsafe { put(context, handle(popped)) },
        Ok(_) => SUCCESS,
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetCurrent(context: *mut Context) -> c_int {
    let current = device().current().unwrap_or(0);
    // SAFETY: the caller's contract.
    unsafe { put(context, handle(current)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetApiVersion(context: Context, version: *mut c_uint) -> c_int {
    match device().state(context.addr()) {
        // SAFETY: the caller's contract.
        SUCCESS => unsafe { put(version, 3020) },
        code => code,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAllocPitch_v2(
    address: *mut u64,
    pitch: *mut usize,
    line: usize,
    lines: usize,
    element: c_uint,
) -> c_int {
    if ![4, 8, 16].contains(&element) {
        return misuse(INVALID_VALUE, "an element size that CUDA does not know");
    }
    let allocated = device().alloc(line, lines);
    match allocated {
        // SAFETY: the caller's contract.
        Ok((at, distance)) => unsafe { put(pitch, distance) | put(address, at) },
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFree_v2(address: u64) -> c_int {
    device().free(address)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemHostAlloc(
    address: *mut *mut c_void,
    bytes: usize,
    _: c_uint,
) -> c_int {
    let pinned = device().pin(bytes);
    match pinned {
        // SAFETY: the caller's contract.
        Ok(at) => unsafe { put(address, ptr::with_exposed_provenance_mut(at)) },
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeHost(address: *mut c_void) -> c_int {
    device().unpin(address.addr())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemGetAddressRange_v2(
    base: *mut u64,
    size: *mut usize,
    address: u64,
) -> c_int {
    let range = device().range(address);
    match range {
        // SAFETY: the caller's contract.
        Some((at, bytes)) => unsafe { put(base, at) | put(size, bytes) },
        None => INVALID_VALUE,
    }
}

/// CUDA_MEMCPY2D.
#[repr(C)]
pub struct Copy2d {
    source_x: usize,
    source_y: usize,
    source_type: c_uint,
    source_host: *const u8,
    source_device: u64,
    source_array: *mut c_void,
    source_pitch: usize,
    target_x: usize,
    target_y: usize,
    target_type: c_uint,
    target_host: *mut u8,
    target_device: u64,
    target_array: *mut c_void,
    target_pitch: usize,
    width: usize,
    height: usize,
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemcpy2D_v2(copy: *const Copy2d) -> c_int {
    // SAFETY: the caller's contract; null is looked for.
    let Some(copy) = (unsafe { copy.as_ref() }) else {
        return misuse(INVALID_VALUE, "a copy of nothing");
    };
    // SAFETY: as above.
    code(unsafe { copy_lines(copy) })
}

unsafe fn copy_lines(copy: &Copy2d) -> Result<(), c_int> {
    const HOST: c_uint = 1;
    const DEVICE: c_uint = 2;
    const ARRAY: c_uint = 3;
    let wrong = |text: &str| Err(misuse(INVALID_VALUE, text));
    let has_pitch = copy.source_type != ARRAY;
    if (has_pitch && copy.source_pitch < copy.width) || copy.target_pitch < copy.width {
        return wrong("a copy with lines that overlap");
    }
    if copy.source_x | copy.source_y | copy.target_x | copy.target_y != 0 {
        return wrong("this double copies from the beginning only");
    }
    if copy.height == 0 || copy.width == 0 {
        return Ok(());
    }
    let reach = |pitch: usize| pitch * (copy.height - 1) + copy.width;
    let mut device = device();
    let array = match copy.source_type {
        ARRAY => Some(interop::lines(
            &device,
            copy.source_array.addr(),
            (copy.width, copy.height),
        )?),
        _ => None,
    };
    let (on_card, to_card) = match (copy.source_type, copy.target_type) {
        (HOST | ARRAY, DEVICE) => (
            device.bytes(copy.target_device, reach(copy.target_pitch))?,
            true,
        ),
        (DEVICE, HOST) => (
            device.bytes(copy.source_device, reach(copy.source_pitch))?,
            false,
        ),
        _ => {
            return wrong("this double copies to the card, or from its memory to the host's, only");
        }
    };
    if to_card {
        let (source, pitch) = match &array {
            Some((bytes, line)) => (&bytes[..], *line),
            None => {
                let length = reach(copy.source_pitch);
                // SAFETY: the caller's contract: the source has so many lines of that distance.
                let bytes = unsafe { slice::from_raw_parts(copy.source_host, length) };
                (bytes, copy.source_pitch)
            }
        };
        let lines = source.chunks(pitch).take(copy.height);
        for (to, from) in on_card.chunks_mut(copy.target_pitch).zip(lines) {
            to[..copy.width].copy_from_slice(&from[..copy.width]);
        }
        device.copies[usize::from(array.is_some())] += 1;
        device.write();
    } else {
        // SAFETY: the caller's contract: the target has so many lines of that distance.
        let target =
            unsafe { slice::from_raw_parts_mut(copy.target_host, reach(copy.target_pitch)) };
        for (to, from) in target
            .chunks_mut(copy.target_pitch)
            .zip(on_card.chunks(copy.source_pitch))
        {
            to[..copy.width].copy_from_slice(&from[..copy.width]);
        }
    }
    Ok(())
}

/// Not of CUDA: the encoder's double tells that the card under this context has gone.
#[unsafe(no_mangle)]
pub extern "C" fn cudaDoubleLose(context: Context) {
    device().lose(context.addr());
}
