//! What a test wants of the card, from the environment.
//!
//! | variable | effect |
//! | --- | --- |
//! | `EGL_DOUBLE_REAL=path` | the library that is underneath: the machine's own `libEGL.so.1` |
//! | `EGL_DOUBLE_CUDA_DEVICE=1` | CUDA's number of the card; without it 0 |
//! | `EGL_DOUBLE_WITHOUT=EGL_EXT_device_base` | an extension of EGL or OpenGL that is not there |
//! | `EGL_DOUBLE_MISSING=eglCreateImageKHR` | an entry point that is not there |
//! | `EGL_DOUBLE_REFUSE_IMPORT=3` | from the third on, buffers are refused, however they are described |
//! | `EGL_DOUBLE_LOSE=7` | contexts are lost when one becomes current for the seventh time |
//! | `EGL_DOUBLE_BOOKS=directory` | where the books are kept |

use std::sync::atomic::{AtomicUsize, Ordering};

pub fn text(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

pub fn cuda_device() -> isize {
    text("EGL_DOUBLE_CUDA_DEVICE").parse().unwrap_or(0)
}

pub fn has(extension: &str) -> bool {
    text("EGL_DOUBLE_WITHOUT") != extension
}

pub fn missing() -> String {
    text("EGL_DOUBLE_MISSING")
}

/// Whether the buffer that is imported now is refused, after so many that were to be.
pub fn refuse_import() -> bool {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let from = text("EGL_DOUBLE_REFUSE_IMPORT").parse();
    let asked = ASKED.fetch_add(1, Ordering::Relaxed) + 1;
    from.is_ok_and(|from: usize| asked >= from)
}

/// Whether the context that becomes current is lost, after so many that became so.
pub fn lost(entered: usize) -> bool {
    let after = text("EGL_DOUBLE_LOSE").parse();
    after.is_ok_and(|after: usize| entered >= after)
}
