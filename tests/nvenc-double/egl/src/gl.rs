//! The functions of OpenGL that are looked at on their way to Mesa, and textures that are images.

use crate::{
    Function, books,
    egl::extended,
    image::Image,
    real::real,
    state::{CURRENT, Storage, Texture, state},
};
use std::{
    ffi::{c_char, c_int, c_uint, c_void},
    slice,
};

const TEXTURE_2D: c_uint = 0x0de1;
const TEXTURE_BINDING: c_uint = 0x8069;
const RGBA8: c_int = 0x8058;
const RGBA: c_uint = 0x1908;
const BYTES: c_uint = 0x1401;
const R8: c_uint = 0x8229;
const RG8: c_uint = 0x822b;
const EXTENSIONS: c_uint = 0x1f03;
const FRAMEBUFFER: c_uint = 0x8d40;
const FRAMEBUFFER_BINDING: c_uint = 0x8ca6;
const COLOUR: c_uint = 0x8ce0;
const OBJECT_NAME: c_uint = 0x8cd1;

pub fn function(name: &str) -> Option<Function> {
    Some(match name {
        "glGetString" => string as Function,
        "glGenTextures" => gen_textures as Function,
        "glDeleteTextures" => delete_textures as Function,
        "glTexStorage2D" => storage as Function,
        "glEGLImageTargetTexture2DOES" => image_target as Function,
        "glDrawArrays" => draw as Function,
        _ => return None,
    })
}

fn number(what: c_uint) -> c_uint {
    let mut value = 0;
    real!(c"glGetIntegerv": fn(c_uint, *mut c_int); what, &raw mut value);
    value as c_uint
}

extern "C" fn string(name: c_uint) -> *const c_char {
    let text = real!(c"glGetString": fn(c_uint) -> *const c_char; name);
    match name {
        EXTENSIONS => extended(text, ""),
        _ => text,
    }
}

unsafe extern "C" fn gen_textures(count: c_int, names: *mut c_uint) {
    real!(c"glGenTextures": fn(c_int, *mut c_uint); count, names);
    // SAFETY: the caller's contract; just written.
    let names = unsafe { slice::from_raw_parts(names, count as usize) };
    let mut state = state();
    if let Some(textures) = state.textures() {
        textures.extend(names.iter().map(|name| (*name, Texture::default())));
    }
    state.write();
}

unsafe extern "C" fn delete_textures(count: c_int, names: *const c_uint) {
    // SAFETY: the caller's contract.
    let all = unsafe { slice::from_raw_parts(names, count as usize) };
    let mut state = state();
    if let Some(textures) = state.textures() {
        for name in all {
            match textures.remove(name) {
                None => books::fault("a texture was deleted that does not exist"),
                Some(texture) if texture.mapped => {
                    books::fault("a texture was deleted while CUDA has it");
                }
                Some(_) => {}
            }
        }
    }
    state.write();
    drop(state);
    real!(c"glDeleteTextures": fn(c_int, *const c_uint); count, names);
}

extern "C" fn storage(target: c_uint, levels: c_int, format: c_uint, width: c_int, height: c_int) {
    real!(c"glTexStorage2D": fn(c_uint, c_int, c_uint, c_int, c_int); target, levels, format, width, height);
    let channels = match format {
        R8 => 1,
        RG8 => 2,
        _ => return books::fault("a texture of a format that CUDA's double does not know"),
    };
    let bound = number(TEXTURE_BINDING);
    if let Some(texture) = state().textures().and_then(|all| all.get_mut(&bound)) {
        texture.storage = Some(Storage {
            channels,
            width: width as usize,
            height: height as usize,
        });
    }
}

extern "C" fn image_target(target: c_uint, image: *mut c_void) {
    let mut state = state();
    let Some(image) = state.images.get(&image.addr()).cloned() else {
        return books::fault("a texture of an image that does not exist");
    };
    if target != TEXTURE_2D {
        return books::fault("an image for a texture of another kind than was told");
    }
    upload(&image);
    let bound = number(TEXTURE_BINDING);
    match state.textures().and_then(|all| all.get_mut(&bound)) {
        Some(texture) => texture.image = Some(image),
        None => books::fault("an image without a texture for it"),
    }
}

fn upload(image: &Image) {
    let samples = image.read();
    let (width, height) = (image.width as c_int, image.height as c_int);
    real!(c"glTexImage2D": fn(c_uint, c_int, c_int, c_int, c_int, c_int, c_uint, c_uint, *const c_void);
        TEXTURE_2D, 0, RGBA8, width, height, 0, RGBA, BYTES, samples.as_ptr().cast());
}

extern "C" fn draw(mode: c_uint, first: c_int, count: c_int) {
    let mut target = 0;
    if number(FRAMEBUFFER_BINDING) == 0 {
        books::fault("a context without a surface was drawn into");
    } else {
        real!(c"glGetFramebufferAttachmentParameteriv": fn(c_uint, c_uint, c_uint, *mut c_int);
            FRAMEBUFFER, COLOUR, OBJECT_NAME, &raw mut target);
    }
    let from = number(TEXTURE_BINDING);
    let mut state = state();
    let mut reads = false;
    if let Some(textures) = state.textures() {
        reads = textures
            .get(&from)
            .is_some_and(|texture| texture.image.is_some());
        if textures
            .get(&(target as c_uint))
            .is_some_and(|texture| texture.mapped)
        {
            books::fault("a texture was drawn into while CUDA has it");
        }
    }
    if reads {
        state.unfinished += 1;
        state.write();
    }
    drop(state);
    real!(c"glDrawArrays": fn(c_uint, c_int, c_int); mode, first, count);
}

/// The bytes of a texture of the current context, one or two to a sample.
pub fn read(name: c_uint, storage: Storage) -> Vec<u8> {
    let (width, height) = (storage.width, storage.height);
    let mut samples = vec![0u8; width * height * 4];
    let before = number(FRAMEBUFFER_BINDING);
    let mut own = 0;
    real!(c"glGenFramebuffers": fn(c_int, *mut c_uint); 1, &raw mut own);
    real!(c"glBindFramebuffer": fn(c_uint, c_uint); FRAMEBUFFER, own);
    real!(c"glFramebufferTexture2D": fn(c_uint, c_uint, c_uint, c_uint, c_int); FRAMEBUFFER, COLOUR, TEXTURE_2D, name, 0);
    real!(c"glReadPixels": fn(c_int, c_int, c_int, c_int, c_uint, c_uint, *mut c_void);
        0, 0, width as c_int, height as c_int, RGBA, BYTES, samples.as_mut_ptr().cast());
    real!(c"glBindFramebuffer": fn(c_uint, c_uint); FRAMEBUFFER, before);
    real!(c"glDeleteFramebuffers": fn(c_int, *const c_uint); 1, &raw const own);
    let pixels = samples.chunks_exact(4);
    pixels
        .flat_map(|pixel| pixel[..storage.channels].to_vec())
        .collect()
}

/// Of the current context, on this thread.
pub fn storage_of(name: c_uint) -> Option<Storage> {
    let state = state();
    state.contexts.get(&CURRENT.get())?.get(&name)?.storage
}
