//! Textures of OpenGL's that CUDA may read: registered once, mapped while CUDA has them, an array each for as long.
//!
//! What OpenGL has is asked of the double of EGL, which the program has loaded; with another EGL nothing can be registered.

use crate::{
    device::{Device, INVALID_CONTEXT, INVALID_VALUE, LOST, SUCCESS, device, misuse},
    put,
};
use libloading::Library;
use std::{
    ffi::{c_int, c_uint, c_void},
    ptr, slice,
    sync::OnceLock,
    sync::atomic::{AtomicU64, Ordering},
};

const OPERATING_SYSTEM: c_int = 304;
const ALREADY_MAPPED: c_int = 208;
const NOT_MAPPED: c_int = 211;
const TEXTURE_2D: c_uint = 0x0de1;

type Handle = *mut c_void;

pub struct Resource {
    pub context: usize,
    /// OpenGL's context, its name of the texture, and channels, width and height of that.
    gl: usize,
    texture: c_uint,
    shape: [usize; 3],
    /// The array, while it is mapped.
    array: Option<usize>,
}

struct Hooks(Library);

macro_rules! hook {
    ($method:ident = $name:literal: fn($($value:ident: $kind:ty),*) $(-> $result:ty)?) => {
        fn $method(&self, $($value: $kind),*) $(-> $result)? {
            // SAFETY: the type is that of the double beside this one; pointers are to places of that size.
            unsafe {
                let found = self.0.get::<unsafe extern "C" fn($($kind),*) $(-> $result)?>($name.to_bytes_with_nul());
                found.expect("the double of EGL")($($value),*)
            }
        }
    };
}

impl Hooks {
    fn get() -> Option<&'static Self> {
        static HOOKS: OnceLock<Option<Hooks>> = OnceLock::new();
        let load = || {
            // SAFETY: the program has loaded it already.
            let library = unsafe { Library::new("libEGL.so.1") }.ok()?;
            // SAFETY: looked for, not called.
            let ours = unsafe { library.get::<*const c_void>(b"eglDoubleContext\0") }.is_ok();
            ours.then_some(Self(library))
        };
        HOOKS.get_or_init(load).as_ref()
    }

    hook!(context = c"eglDoubleContext": fn() -> usize);
    hook!(texture = c"eglDoubleTexture": fn(texture: c_uint, shape: *mut [usize; 3]) -> c_int);
    hook!(map = c"eglDoubleMap": fn(context: usize, texture: c_uint, mapped: c_int));
    hook!(read = c"eglDoubleRead": fn(texture: c_uint, into: *mut u8, length: usize));
    hook!(finished = c"eglDoubleFinished": fn());
}

fn set(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGraphicsGLRegisterImage(
    resource: *mut Handle,
    texture: c_uint,
    target: c_uint,
    flags: c_uint,
) -> c_int {
    let (Some(hooks), None) = (Hooks::get(), set("CUDA_DOUBLE_NO_INTEROP")) else {
        return OPERATING_SYSTEM;
    };
    let mut device = device();
    let context = match device.working() {
        Ok(context) => context,
        Err(code) => return code,
    };
    let gl = hooks.context();
    if gl == 0 {
        let text = "a texture was registered on a thread without a context of OpenGL";
        return misuse(INVALID_CONTEXT, text);
    }
    let mut shape = [0; 3];
    let known = hooks.texture(texture, &raw mut shape) != 0;
    if !known || target != TEXTURE_2D || !matches!(flags, 0 | 1 | 2 | 4 | 8) {
        let text =
            "something was registered that is no texture of this context, or for an unknown use";
        return misuse(INVALID_VALUE, text);
    }
    let twice =
        |known: &Resource| known.gl == gl && known.texture == texture && known.context == context;
    if device.resources.values().any(twice) {
        return misuse(INVALID_VALUE, "a texture was registered twice");
    }
    let handle = device.handle(0x6e_0000);
    let made = Resource {
        context,
        gl,
        texture,
        shape,
        array: None,
    };
    device.resources.insert(handle, made);
    device.write();
    // SAFETY: the caller's contract.
    unsafe { put(resource, ptr::without_provenance_mut(handle)) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGraphicsUnregisterResource(resource: Handle) -> c_int {
    let mut device = device();
    if let Err(code) = device.working() {
        return code;
    }
    match device.resources.remove(&resource.addr()) {
        None => misuse(
            INVALID_VALUE,
            "a texture was unregistered that is not registered",
        ),
        Some(known) if known.array.is_some() => misuse(
            ALREADY_MAPPED,
            "a texture was unregistered while it is mapped",
        ),
        Some(_) => {
            device.write();
            SUCCESS
        }
    }
}

/// The resources of a list, which must be registered on the current context.
unsafe fn listed(device: &Device, count: c_uint, list: *mut Handle) -> Result<Vec<usize>, c_int> {
    let context = device.working()?;
    // SAFETY: the caller's contract.
    let list = unsafe { slice::from_raw_parts(list, count as usize) };
    let own = |handle: &Handle| {
        let known = device.resources.get(&handle.addr());
        known.is_some_and(|known| known.context == context)
    };
    match !list.is_empty() && list.iter().all(own) {
        true => Ok(list.iter().map(|handle| handle.addr()).collect()),
        false => Err(misuse(
            INVALID_VALUE,
            "something was mapped or unmapped that is not registered",
        )),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGraphicsMapResources(
    count: c_uint,
    list: *mut Handle,
    _: Handle,
) -> c_int {
    static MAPPED: AtomicU64 = AtomicU64::new(0);
    let mut device = device();
    // SAFETY: the caller's contract.
    let list = match unsafe { listed(&device, count, list) } {
        Ok(list) => list,
        Err(code) => return code,
    };
    let number = MAPPED.fetch_add(1, Ordering::Relaxed) + 1;
    if set("CUDA_DOUBLE_LOSE_MAPPING") == Some(number) {
        let context = device.current().unwrap_or(0);
        device.lose(context);
        return LOST;
    }
    for handle in list {
        let array = device.handle(0xa7_0000);
        let Some(resource) = device.resources.get_mut(&handle) else {
            return INVALID_VALUE;
        };
        let hooks = Hooks::get().expect("registered through it");
        if resource.array.is_some() {
            return misuse(ALREADY_MAPPED, "a texture was mapped twice");
        }
        if hooks.context() != resource.gl {
            let text = "a texture was mapped without its context of OpenGL";
            return misuse(INVALID_CONTEXT, text);
        }
        resource.array = Some(array);
        hooks.map(resource.gl, resource.texture, 1);
    }
    device.write();
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGraphicsUnmapResources(
    count: c_uint,
    list: *mut Handle,
    _: Handle,
) -> c_int {
    let mut device = device();
    // SAFETY: the caller's contract.
    let list = match unsafe { listed(&device, count, list) } {
        Ok(list) => list,
        Err(code) => return code,
    };
    for handle in list {
        let Some(resource) = device.resources.get_mut(&handle) else {
            return INVALID_VALUE;
        };
        if resource.array.take().is_none() {
            return misuse(NOT_MAPPED, "a texture was unmapped that is not mapped");
        }
        let hooks = Hooks::get().expect("registered through it");
        hooks.map(resource.gl, resource.texture, 0);
    }
    device.write();
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGraphicsSubResourceGetMappedArray(
    array: *mut Handle,
    resource: Handle,
    layer: c_uint,
    level: c_uint,
) -> c_int {
    let device = device();
    if let Err(code) = device.working() {
        return code;
    }
    let known = device.resources.get(&resource.addr());
    let mapped = known.and_then(|known| known.array);
    match (mapped, layer, level) {
        // SAFETY: the caller's contract.
        (Some(mapped), 0, 0) => unsafe { put(array, ptr::without_provenance_mut(mapped)) },
        _ => misuse(
            NOT_MAPPED,
            "an array of a texture that is not mapped, or that it does not have",
        ),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamSynchronize(stream: Handle) -> c_int {
    if !stream.is_null() {
        return misuse(
            INVALID_VALUE,
            "this double has no stream but the context's own",
        );
    }
    match device().working() {
        Ok(_) => {
            if let Some(hooks) = Hooks::get() {
                hooks.finished();
            }
            SUCCESS
        }
        Err(code) => code,
    }
}

/// The lines of an array, which must be mapped, and how long they are.
pub fn lines(
    device: &Device,
    array: usize,
    (width, height): (usize, usize),
) -> Result<(Vec<u8>, usize), c_int> {
    let context = device.working()?;
    let mut all = device.resources.values();
    let found = all.find(|known| known.array == Some(array) && known.context == context);
    let (Some(resource), Some(hooks)) = (found, Hooks::get()) else {
        return Err(misuse(
            INVALID_VALUE,
            "a copy from an array of a texture that is not mapped",
        ));
    };
    let [channels, wide, high] = resource.shape;
    if width > wide * channels || height > high {
        return Err(misuse(INVALID_VALUE, "a copy beyond the edges of an array"));
    }
    let mut bytes = vec![0; channels * wide * high];
    hooks.read(resource.texture, bytes.as_mut_ptr(), bytes.len());
    Ok((bytes, channels * wide))
}
