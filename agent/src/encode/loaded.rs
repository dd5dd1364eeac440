//! Libraries of drivers: loaded when they are first needed and never let go, as some do not survive that (CUDA). Each is kept once,
//! however often what is asked of it fails.

#![expect(
    unsafe_code,
    reason = "a library that is loaded runs what it brings along"
)]

use libloading::Library;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

static LOADED: Mutex<BTreeMap<&'static str, &'static Library>> = Mutex::new(BTreeMap::new());

/// A driver's library by its name. A failure is not kept, so that one that is installed meanwhile is found.
///
/// # Errors
/// What the loader says.
pub fn library(name: &'static str) -> Result<&'static Library, String> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(library) = loaded.get(name) {
        return Ok(library);
    }
    // SAFETY: only libraries that are meant for being loaded by any program are asked for: NVIDIA's two, libva's two and EGL's.
    let library = unsafe { Library::new(name) }.map_err(|error| error.to_string())?;
    let library: &'static Library = Box::leak(Box::new(library));
    loaded.insert(name, library);
    Ok(library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_kept_once_and_a_failure_is_not() {
        let first = library("libc.so.6").unwrap();
        for _ in 0..100 {
            assert!(std::ptr::eq(first, library("libc.so.6").unwrap()));
            assert!(library("libpunktfunk-nowhere.so.1").is_err());
        }
    }
}
