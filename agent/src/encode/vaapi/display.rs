//! A render node with libva on it.

use super::{
    abi::{self, Status},
    error::VaapiError,
    library::Library,
};
use std::{
    ffi::CStr,
    fs::File,
    io::ErrorKind,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    ptr,
    sync::Arc,
};

/// Which node is used, instead of the first that encodes.
const CHOSEN: &str = "PUNKTFUNK_RENDER_NODE";
const DIRECTORY: &str = "/dev/dri";
/// Nodes that are looked at.
const MAX_NODES: usize = 16;

/// The nodes to look at, lowest number first.
///
/// # Errors
/// There is none.
pub fn nodes() -> Result<Vec<PathBuf>, VaapiError> {
    if let Some(chosen) = std::env::var_os(CHOSEN).filter(|chosen| !chosen.is_empty()) {
        return Ok(vec![chosen.into()]);
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir(DIRECTORY)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("renderD"))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found.truncate(MAX_NODES);
    match found.is_empty() {
        true => Err(VaapiError::NoNode),
        false => Ok(found),
    }
}

/// Must be let go after everything that was made on it.
pub struct Display {
    pub library: Arc<Library>,
    raw: abi::Display,
    /// What the driver calls itself.
    pub driver: String,
    /// Closed after the display.
    _node: File,
}

// SAFETY: libva lets threads use a display in turns; only its owner does.
unsafe impl Send for Display {}

impl Display {
    /// # Errors
    /// The node cannot be opened, or has no driver.
    pub fn open(path: &Path) -> Result<Self, VaapiError> {
        let library = Library::get()?;
        let node = path.display().to_string();
        let file = File::options().read(true).write(true).open(path);
        let file = file.map_err(|error| match error.kind() {
            ErrorKind::NotFound if path.starts_with(DIRECTORY) => VaapiError::NoNode,
            ErrorKind::PermissionDenied => VaapiError::NoPermission { node: node.clone() },
            _ => VaapiError::Node {
                node: node.clone(),
                why: error.to_string(),
            },
        })?;
        // SAFETY: the descriptor stays open until the display is terminated, see the order of the fields.
        let raw = unsafe { (library.get_display)(file.as_raw_fd()) };
        if raw.is_null() {
            return Err(VaapiError::NoDriver { node, status: -1 });
        }
        let mut display = Self {
            library,
            raw,
            driver: String::new(),
            _node: file,
        };
        let (mut major, mut minor) = (0, 0);
        // SAFETY: the display is valid; no callback keeps libva from writing to standard error. Two numbers are written.
        let status = unsafe {
            (display.library.set_info_callback)(raw, None, ptr::null_mut());
            (display.library.set_error_callback)(raw, None, ptr::null_mut());
            (display.library.initialize)(raw, &raw mut major, &raw mut minor)
        };
        if status != 0 {
            return Err(VaapiError::NoDriver { node, status });
        }
        // SAFETY: initialised; the text belongs to the driver and is copied.
        let text = unsafe {
            let text = (display.library.vendor)(raw);
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        };
        let text = text.unwrap_or_else(|| "a VAAPI driver without a name".to_owned());
        display.driver = text.chars().filter(|c| !c.is_control()).take(120).collect();
        Ok(display)
    }

    pub fn raw(&self) -> abi::Display {
        self.raw
    }

    /// A status as a result.
    ///
    /// # Errors
    /// Every status but success.
    pub fn check(&self, what: &'static str, status: Status) -> Result<(), VaapiError> {
        match status {
            0 => Ok(()),
            status => Err(VaapiError::Call {
                what,
                status,
                driver: self.driver.clone(),
            }),
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // SAFETY: made by open, terminated once, after everything that was made on it; also after a failed initialisation.
        unsafe { (self.library.terminate)(self.raw) };
    }
}
