//! A `libEGL.so.1` that is Mesa's, with what an NVIDIA card has on top: a device that CUDA knows, and buffers of the
//! compositor as images. Contexts, shaders and drawing are Mesa's own, on the processor.
//!
//! A buffer is a memfd where a desktop's is the GPU's. What is described is checked as a driver does; its samples are read when
//! it is made the image of a texture, and no later: who does not ask again sees an old picture. Wrong use is written down, see
//! [`books`]; knobs, from the environment, in [`knobs`]. The double of CUDA beside this one looks at textures through [`hooks`].
#![allow(
    unsafe_code,
    clippy::missing_safety_doc,
    reason = "C's interface: the safety of each function is what Khronos documents for it"
)]

mod books;
mod egl;
mod gl;
pub mod hooks;
mod image;
mod knobs;
mod real;
mod state;

use std::ffi::{CStr, c_char, c_void};

/// A function of a type that only its name tells.
type Function = *const c_void;

/// The only way in: a program finds everything else through it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn eglGetProcAddress(name: *const c_char) -> Function {
    // SAFETY: the caller's contract.
    let name = unsafe { CStr::from_ptr(name) };
    if knobs::missing().as_bytes() == name.to_bytes() {
        return std::ptr::null();
    }
    let own = name
        .to_str()
        .ok()
        .and_then(|name| egl::function(name).or(gl::function(name)));
    own.unwrap_or_else(|| real::function(name))
}
