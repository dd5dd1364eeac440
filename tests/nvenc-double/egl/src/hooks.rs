//! Not of EGL: what the double of CUDA asks.

use crate::{
    gl,
    state::{CURRENT, state},
};
use std::{
    ffi::{c_int, c_uint},
    slice,
};

/// The context that is current on this thread, 0 without one.
#[unsafe(no_mangle)]
pub extern "C" fn eglDoubleContext() -> usize {
    CURRENT.get()
}

/// Channels, width and height of a texture of the current context; 0 where there is none with memory of its own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eglDoubleTexture(texture: c_uint, shape: *mut [usize; 3]) -> c_int {
    let Some(storage) = gl::storage_of(texture) else {
        return 0;
    };
    // SAFETY: the caller's contract.
    unsafe { shape.write([storage.channels, storage.width, storage.height]) };
    1
}

/// CUDA has a texture of this context from now on, or no longer.
#[unsafe(no_mangle)]
pub extern "C" fn eglDoubleMap(context: usize, texture: c_uint, mapped: c_int) {
    let mut state = state();
    let textures = state.contexts.get_mut(&context);
    if let Some(texture) = textures.and_then(|all| all.get_mut(&texture)) {
        texture.mapped = mapped != 0;
    }
}

/// The bytes of a texture of the current context, of which there are so many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eglDoubleRead(texture: c_uint, into: *mut u8, length: usize) {
    if let Some(storage) = gl::storage_of(texture) {
        let bytes = gl::read(texture, storage);
        // SAFETY: the caller's contract.
        let into = unsafe { slice::from_raw_parts_mut(into, length) };
        into.copy_from_slice(&bytes);
    }
}

/// Everything that was drawn is done.
#[unsafe(no_mangle)]
pub extern "C" fn eglDoubleFinished() {
    let mut state = state();
    state.unfinished = 0;
    state.write();
}
