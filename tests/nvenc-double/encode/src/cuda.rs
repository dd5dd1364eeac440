//! The encoder's own use of CUDA, through the same library as the program's: contexts are checked and pictures are read.

use crate::books;
use libloading::Library;
use std::{
    ffi::{c_int, c_uint, c_void},
    ptr,
    sync::OnceLock,
};

static LIBRARY: OnceLock<Library> = OnceLock::new();

fn library() -> &'static Library {
    LIBRARY.get_or_init(|| {
        // SAFETY: the program has loaded it already; it has no initialisers.
        unsafe { Library::new("libcuda.so.1") }.expect("libcuda.so.1, loaded before its encoder")
    })
}

macro_rules! call {
    ($name:literal: fn($($kind:ty),*) -> $result:ty; $($value:expr),*) => {{
        // SAFETY: the type is CUDA's for this name, the arguments are as it documents.
        unsafe {
            let function = library()
                .get::<unsafe extern "C" fn($($kind),*) -> $result>(concat!($name, "\0").as_bytes())
                .expect($name);
            function($($value),*)
        }
    }};
}

/// Whether it is a context that works; CUDA's code.
pub fn check(context: *mut c_void) -> c_int {
    let mut version = 0;
    call!("cuCtxGetApiVersion": fn(*mut c_void, *mut c_uint) -> c_int; context, &raw mut version)
}

/// The bytes of the allocation from an address on.
pub fn room(address: u64) -> Option<usize> {
    let (mut base, mut size) = (0u64, 0usize);
    let code = call!("cuMemGetAddressRange_v2": fn(*mut u64, *mut usize, u64) -> c_int;
        &raw mut base, &raw mut size, address);
    (code == 0).then(|| size - (address - base) as usize)
}

#[repr(C)]
struct Copy2d {
    source: [usize; 2],
    source_type: c_uint,
    source_host: *const c_void,
    source_device: u64,
    source_array: *mut c_void,
    source_pitch: usize,
    target: [usize; 2],
    target_type: c_uint,
    target_host: *mut c_void,
    target_device: u64,
    target_array: *mut c_void,
    target_pitch: usize,
    width: usize,
    height: usize,
}

/// Whether memory can be read on this context: what is wrong otherwise, CUDA's books say.
pub fn belongs(context: *mut c_void, address: u64) -> bool {
    copy(context, address, 1, 1, 1).is_ok()
}

/// `lines` lines of `line` bytes from the card.
pub fn read(
    context: *mut c_void,
    address: u64,
    pitch: usize,
    line: usize,
    lines: usize,
) -> Result<Vec<u8>, c_int> {
    let bytes = copy(context, address, pitch, line, lines)?;
    books::raw(&bytes);
    Ok(bytes)
}

fn copy(
    context: *mut c_void,
    address: u64,
    pitch: usize,
    line: usize,
    lines: usize,
) -> Result<Vec<u8>, c_int> {
    let mut bytes = vec![0u8; line * lines];
    let copy = Copy2d {
        source: [0; 2],
        source_type: 2,
        source_host: ptr::null(),
        source_device: address,
        source_array: ptr::null_mut(),
        source_pitch: pitch,
        target: [0; 2],
        target_type: 1,
        target_host: bytes.as_mut_ptr().cast(),
        target_device: 0,
        target_array: ptr::null_mut(),
        target_pitch: line,
        width: line,
        height: lines,
    };
    let pushed = call!("cuCtxPushCurrent_v2": fn(*mut c_void) -> c_int; context);
    if pushed != 0 {
        return Err(pushed);
    }
    let code = call!("cuMemcpy2D_v2": fn(*const Copy2d) -> c_int; &raw const copy);
    let mut popped = ptr::null_mut();
    let _ = call!("cuCtxPopCurrent_v2": fn(*mut *mut c_void) -> c_int; &raw mut popped);
    match code {
        0 => Ok(bytes),
        code => Err(code),
    }
}

/// The card under this context has gone.
pub fn lose(context: *mut c_void) {
    call!("cudaDoubleLose": fn(*mut c_void) -> (); context);
}
