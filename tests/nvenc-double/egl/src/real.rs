//! The machine's own library underneath.

use crate::{Function, knobs};
use libloading::Library;
use std::{
    ffi::{CStr, c_char},
    ptr,
    sync::OnceLock,
};

static LIBRARY: OnceLock<Library> = OnceLock::new();

fn library() -> &'static Library {
    LIBRARY.get_or_init(|| {
        let path = knobs::text("EGL_DOUBLE_REAL");
        // SAFETY: meant for being loaded by any program. By its path: by its name it would be this one again.
        unsafe { Library::new(&path) }.unwrap_or_else(|why| panic!("EGL_DOUBLE_REAL: {why}"))
    })
}

/// Null where there is none.
pub fn function(name: &CStr) -> Function {
    // SAFETY: nothing is called; whoever does knows the type.
    let exported = unsafe { library().get::<Function>(name.to_bytes_with_nul()) };
    if let Ok(found) = exported {
        return *found;
    }
    // SAFETY: the type is that of Khronos' header.
    let by_name = unsafe {
        library().get::<unsafe extern "C" fn(*const c_char) -> Function>(
            c"eglGetProcAddress".to_bytes_with_nul(),
        )
    };
    // SAFETY: takes a name.
    by_name.map_or(ptr::null(), |get| unsafe { get(name.as_ptr()) })
}

/// Call a function of the library underneath.
macro_rules! real {
    ($name:literal: fn($($kind:ty),*) $(-> $result:ty)?; $($value:expr),*) => {{
        let found = $crate::real::function($name);
        assert!(!found.is_null(), "{:?} is missing", $name);
        // SAFETY: the type is that of Khronos' header for this name; the arguments are the caller's, or as it documents.
        unsafe {
            std::mem::transmute::<$crate::Function, unsafe extern "C" fn($($kind),*) $(-> $result)?>(found)($($value),*)
        }
    }};
}
pub(crate) use real;
