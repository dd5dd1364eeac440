//! EGL, loaded when it is first needed: what it exports and finds, and which of its devices CUDA means.

use super::{
    functions::{Found, functions},
    gl::Gl,
    refused,
};
use crate::encode::{loaded::library, nvenc::error::NvencError};
use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    ptr,
    sync::{Mutex, PoisonError},
};

const LIBRARY: &str = "libEGL.so.1";

pub type Handle = *mut c_void;

pub const NONE: c_int = 0x3038;
pub const EXTENSIONS: c_int = 0x3055;
const CUDA_DEVICE: c_int = 0x323a;
/// Cards that are looked at.
const MAX_DEVICES: usize = 32;

functions! {
    Egl:
    error = c"eglGetError": fn() -> c_int;
    query_string = c"eglQueryString": fn(Handle, c_int) -> *const c_char;
    initialize = c"eglInitialize": fn(Handle, *mut c_int, *mut c_int) -> c_uint;
    bind_api = c"eglBindAPI": fn(c_uint) -> c_uint;
    create_context = c"eglCreateContext": fn(Handle, Handle, Handle, *const c_int) -> Handle;
    destroy_context = c"eglDestroyContext": fn(Handle, Handle) -> c_uint;
    make_current = c"eglMakeCurrent": fn(Handle, Handle, Handle, Handle) -> c_uint;
    query_devices = c"eglQueryDevicesEXT": fn(c_int, *mut Handle, *mut c_int) -> c_uint;
    device_attribute = c"eglQueryDeviceAttribEXT": fn(Handle, c_int, *mut isize) -> c_uint;
    device_string = c"eglQueryDeviceStringEXT": fn(Handle, c_int) -> *const c_char;
    platform_display = c"eglGetPlatformDisplayEXT": fn(c_uint, Handle, *const c_int) -> Handle;
    create_image = c"eglCreateImageKHR": fn(Handle, Handle, c_uint, Handle, *const c_int) -> Handle;
    destroy_image = c"eglDestroyImageKHR": fn(Handle, Handle) -> c_uint;
    modifiers = c"eglQueryDmaBufModifiersEXT":
        fn(Handle, c_int, c_int, *mut u64, *mut c_uint, *mut c_int) -> c_uint;
}

/// What was loaded; a failure is not kept.
static LOADED: Mutex<Option<(Egl, Gl)>> = Mutex::new(None);

impl Egl {
    /// With all that it finds, OpenGL too.
    ///
    /// # Errors
    /// It is not there, or lacks something.
    pub fn get() -> Result<(Self, Gl), NvencError> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.is_none() {
            *loaded = Some(Self::load()?);
        }
        (*loaded).ok_or_else(|| refused("EGL was not loaded".to_owned()))
    }

    fn load() -> Result<(Self, Gl), NvencError> {
        let library = library(LIBRARY).map_err(refused)?;
        // SAFETY: the type is that of Khronos' header.
        let get = unsafe {
            library
                .get::<unsafe extern "C" fn(*const c_char) -> Option<Found>>(b"eglGetProcAddress\0")
        };
        let get = *get.map_err(|why| refused(why.to_string()))?;
        // SAFETY: takes a name; may be called without a display.
        let by_name = |name: &'static CStr| unsafe { get(name.as_ptr()) };
        let exported = |name: &'static CStr| {
            // SAFETY: nothing is called; the type is the table's, which asks for functions alone.
            let found = unsafe { library.get::<Found>(name.to_bytes_with_nul()) };
            found.ok().map(|found| *found).or_else(|| by_name(name))
        };
        Ok((Self::of(&exported)?, Gl::of(&by_name)?))
    }

    /// What the last call on this thread ended with.
    pub fn failed(&self, what: &str) -> NvencError {
        // SAFETY: tells what the last call on this thread ended with.
        let code = unsafe { (self.error)() };
        let name = match code {
            0x3001 => "not initialised",
            0x3002 => "bad access",
            0x3003 => "out of memory",
            0x3004 => "bad attribute",
            0x3006 => "bad context",
            0x3008 => "bad display",
            0x3009 => "bad match",
            0x300c => "bad parameter",
            0x300e => "context lost",
            _ => "an error that this build does not know",
        };
        refused(format!("{what} failed in EGL: {name} ({code:#x})"))
    }

    /// The devices of this machine.
    fn devices(&self) -> Result<Vec<Handle>, NvencError> {
        // SAFETY: asked without a display.
        let client = unsafe { words((self.query_string)(ptr::null_mut(), EXTENSIONS)) };
        let has = |name: &str| client.iter().any(|word| word == name);
        let query = has("EGL_EXT_device_query") && has("EGL_EXT_device_enumeration");
        if !(query || has("EGL_EXT_device_base")) || !has("EGL_EXT_platform_device") {
            return Err(refused("EGL tells of no devices".to_owned()));
        }
        let mut devices = vec![ptr::null_mut(); MAX_DEVICES];
        let mut count = 0;
        // SAFETY: room for as many as the call is told, and how many there are is written.
        let found = unsafe {
            (self.query_devices)(MAX_DEVICES as c_int, devices.as_mut_ptr(), &raw mut count)
        };
        devices.truncate(usize::try_from(count).unwrap_or(0) * usize::from(found != 0));
        Ok(devices)
    }

    /// The one that CUDA knows under this number.
    ///
    /// # Errors
    /// There is none, or EGL is too old to tell.
    pub fn device(&self, ordinal: c_int) -> Result<Handle, NvencError> {
        let is_it = |device: &Handle| {
            // SAFETY: the device is one of the list.
            let known = unsafe { words((self.device_string)(*device, EXTENSIONS)) };
            let mut number = -1;
            // SAFETY: as above; one number is written.
            let asked = known.iter().any(|word| word == "EGL_NV_device_cuda")
                && unsafe { (self.device_attribute)(*device, CUDA_DEVICE, &raw mut number) } != 0;
            asked && number == ordinal as isize
        };
        self.devices()?.into_iter().find(is_it).ok_or_else(|| {
            refused(format!(
                "EGL does not know the card that CUDA has as number {ordinal}; install the driver's EGL library (Debian: \
                 libegl-nvidia0; containers: NVIDIA_DRIVER_CAPABILITIES=graphics,video,compute)"
            ))
        })
    }
}

/// A text of EGL's, by words; none where there is no text.
///
/// # Safety
/// Null, or text that stays.
pub unsafe fn words(text: *const c_char) -> Vec<String> {
    if text.is_null() {
        return Vec::new();
    }
    // SAFETY: the caller's promise.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    text.split_ascii_whitespace().map(str::to_owned).collect()
}
