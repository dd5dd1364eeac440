//! The functions of EGL that are not quite Mesa's.

use crate::{
    Function, books,
    image::{self, Image},
    knobs,
    real::real,
    state::{CURRENT, ERROR, state},
};
use std::{
    collections::HashMap,
    ffi::{CStr, CString, c_char, c_int, c_uint, c_void},
    ptr, slice,
    sync::{LazyLock, Mutex, PoisonError},
};

type Handle = *mut c_void;

const NONE: c_int = 0x3038;
const EXTENSIONS: c_int = 0x3055;
const CUDA_DEVICE: c_int = 0x323a;
const CONTEXT_LOST: c_int = 0x300e;
const LINUX_DMA_BUF: c_uint = 0x3270;
/// Longest list of attributes.
const MAX_LIST: usize = 64;

pub fn function(name: &str) -> Option<Function> {
    Some(match name {
        "eglGetError" => error as Function,
        "eglQueryString" => query_string as Function,
        "eglQueryDeviceStringEXT" => device_string as Function,
        "eglQueryDeviceAttribEXT" => device_attribute as Function,
        "eglQueryDmaBufModifiersEXT" => modifiers as Function,
        "eglCreateImageKHR" => create_image as Function,
        "eglDestroyImageKHR" => destroy_image as Function,
        "eglCreateContext" => create_context as Function,
        "eglDestroyContext" => destroy_context as Function,
        "eglMakeCurrent" => make_current as Function,
        _ => return None,
    })
}

extern "C" fn error() -> c_int {
    match ERROR.replace(0) {
        0 => real!(c"eglGetError": fn() -> c_int;),
        own => own,
    }
}

/// A list of extensions with more, and without what a test does not want. It stays.
pub fn extended(text: *const c_char, more: &str) -> *const c_char {
    static TEXTS: LazyLock<Mutex<HashMap<String, CString>>> = LazyLock::new(Mutex::default);
    if text.is_null() {
        return text;
    }
    // SAFETY: a text of the library's, which stays.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let words = text
        .split_ascii_whitespace()
        .chain(more.split_ascii_whitespace());
    let words: Vec<&str> = words.filter(|word| knobs::has(word)).collect();
    let text = words.join(" ");
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    let new = || CString::new(text.clone()).expect("text");
    texts.entry(text.clone()).or_insert_with(new).as_ptr()
}

extern "C" fn query_string(display: Handle, name: c_int) -> *const c_char {
    let text = real!(c"eglQueryString": fn(Handle, c_int) -> *const c_char; display, name);
    match (name, display.is_null()) {
        (EXTENSIONS, true) => extended(text, ""),
        (EXTENSIONS, false) => extended(
            text,
            "EGL_EXT_image_dma_buf_import EGL_EXT_image_dma_buf_import_modifiers",
        ),
        _ => text,
    }
}

extern "C" fn device_string(device: Handle, name: c_int) -> *const c_char {
    let text = real!(c"eglQueryDeviceStringEXT": fn(Handle, c_int) -> *const c_char; device, name);
    match name == EXTENSIONS && is_ours(device) {
        true => extended(text, "EGL_NV_device_cuda"),
        false => text,
    }
}

/// The processor plays the card.
fn is_ours(device: Handle) -> bool {
    let text =
        real!(c"eglQueryDeviceStringEXT": fn(Handle, c_int) -> *const c_char; device, EXTENSIONS);
    // SAFETY: a text of the library's, looked at at once.
    let text = (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy());
    text.is_some_and(|text| text.contains("EGL_MESA_device_software"))
}

unsafe extern "C" fn device_attribute(device: Handle, name: c_int, value: *mut isize) -> c_uint {
    if name == CUDA_DEVICE && is_ours(device) && !value.is_null() {
        // SAFETY: the caller's contract.
        unsafe { value.write(knobs::cuda_device()) };
        return 1;
    }
    ERROR.set(image::BAD_ATTRIBUTE);
    0
}

unsafe extern "C" fn modifiers(
    _: Handle,
    fourcc: c_int,
    room: c_int,
    list: *mut u64,
    external: *mut c_uint,
    count: *mut c_int,
) -> c_uint {
    if !image::is_known(fourcc as u32) || room < 0 {
        ERROR.set(image::BAD_PARAMETER);
        return 0;
    }
    let known = [(image::LINEAR, 0), (image::EXTERNAL, 1), (image::TILED, 0)];
    let room = if room == 0 {
        known.len()
    } else {
        room as usize
    };
    for (at, (modifier, only)) in known.into_iter().enumerate().take(room) {
        // SAFETY: the caller's contract: so much room, or none of either.
        unsafe {
            if !list.is_null() {
                list.add(at).write(modifier);
            }
            if !external.is_null() {
                external.add(at).write(only);
            }
        }
    }
    // SAFETY: the caller's contract.
    unsafe { count.write(known.len().min(room) as c_int) };
    1
}

unsafe extern "C" fn create_image(
    display: Handle,
    context: Handle,
    kind: c_uint,
    client: Handle,
    attributes: *const c_int,
) -> Handle {
    let refuse = |code| {
        ERROR.set(code);
        ptr::null_mut()
    };
    if display.is_null() || kind != LINUX_DMA_BUF || !context.is_null() || !client.is_null() {
        books::fault("an image of something else than a buffer of the kernel's");
        return refuse(image::BAD_PARAMETER);
    }
    let mut length = 0;
    // SAFETY: the caller's contract: pairs, the last of which is alone and says so.
    let list = unsafe {
        while length < MAX_LIST && attributes.add(length).read() != NONE {
            length += 2;
        }
        slice::from_raw_parts(attributes, length)
    };
    match Image::import(list) {
        Ok(image) => {
            let mut state = state();
            state.imports += 1;
            // a handle, not an address
            let handle = 0x1a_0000 + state.imports * 0x10;
            state.images.insert(handle, image);
            state.write();
            ptr::without_provenance_mut(handle)
        }
        Err(code) => refuse(code),
    }
}

extern "C" fn destroy_image(_: Handle, image: Handle) -> c_uint {
    let mut state = state();
    let known = state.images.remove(&image.addr());
    if known.is_none() {
        books::fault("an image was destroyed that does not exist");
        ERROR.set(image::BAD_PARAMETER);
        return 0;
    }
    state.write();
    1
}

extern "C" fn create_context(
    display: Handle,
    config: Handle,
    share: Handle,
    attributes: *const c_int,
) -> Handle {
    let made = real!(c"eglCreateContext": fn(Handle, Handle, Handle, *const c_int) -> Handle;
        display, config, share, attributes);
    if !made.is_null() {
        let mut state = state();
        state.contexts.insert(made.addr(), HashMap::new());
        state.contexts_made += 1;
        state.write();
    }
    made
}

extern "C" fn destroy_context(display: Handle, context: Handle) -> c_uint {
    let mut state = state();
    let known = state.contexts.remove(&context.addr());
    match known {
        None => books::fault("a context of OpenGL was destroyed that does not exist"),
        Some(textures) if textures.values().any(|texture| texture.mapped) => {
            books::fault("a context of OpenGL was destroyed while CUDA has its textures");
        }
        Some(_) => {}
    }
    if CURRENT.get() == context.addr() {
        books::fault("a context of OpenGL was destroyed while it is current");
    }
    state.write();
    drop(state);
    real!(c"eglDestroyContext": fn(Handle, Handle) -> c_uint; display, context)
}

extern "C" fn make_current(display: Handle, draw: Handle, read: Handle, context: Handle) -> c_uint {
    if !context.is_null() {
        let mut state = state();
        state.entered += 1;
        if knobs::lost(state.entered) {
            ERROR.set(CONTEXT_LOST);
            return 0;
        }
        if CURRENT.get() != 0 {
            books::fault("a context of OpenGL became current in the place of another");
        }
    }
    let result = real!(c"eglMakeCurrent": fn(Handle, Handle, Handle, Handle) -> c_uint; display, draw, read, context);
    if result == 0 {
        books::fault("a context of OpenGL cannot become current here; another thread may have it");
    } else {
        CURRENT.set(context.addr());
    }
    result
}
