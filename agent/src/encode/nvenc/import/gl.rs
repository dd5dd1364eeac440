//! As much of OpenGL ES 3 as the conversion needs. Everything is asked of a context that is current; what was made in one goes
//! with it.

use super::{context::Current, display::Image, functions::functions, refused};
use crate::encode::nvenc::error::NvencError;
use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    ptr,
};

pub const TEXTURE_2D: c_uint = 0x0de1;
const NEAREST: c_int = 0x2600;
const MIN_FILTER: c_uint = 0x2801;
const MAG_FILTER: c_uint = 0x2800;
const R8: c_uint = 0x8229;
const RG8: c_uint = 0x822b;
const FRAMEBUFFER: c_uint = 0x8d40;
const COLOUR: c_uint = 0x8ce0;
const COMPLETE: c_uint = 0x8cd5;
const FRAGMENT: c_uint = 0x8b30;
const VERTEX: c_uint = 0x8b31;
const COMPILED: c_uint = 0x8b81;
const LINKED: c_uint = 0x8b82;
const EXTENSIONS: c_uint = 0x1f03;
const DITHER: c_uint = 0x0bd0;
const TRIANGLES: c_uint = 4;
/// Most errors that may wait, and most bytes of what a compiler says.
const MAX_ERRORS: usize = 16;
const MAX_LOG: usize = 400;

functions! {
    Gl:
    error = c"glGetError": fn() -> c_uint;
    string = c"glGetString": fn(c_uint) -> *const c_char;
    disable = c"glDisable": fn(c_uint);
    gen_textures = c"glGenTextures": fn(c_int, *mut c_uint);
    delete_textures = c"glDeleteTextures": fn(c_int, *const c_uint);
    bind_texture = c"glBindTexture": fn(c_uint, c_uint);
    parameter = c"glTexParameteri": fn(c_uint, c_uint, c_int);
    storage = c"glTexStorage2D": fn(c_uint, c_int, c_uint, c_int, c_int);
    image = c"glEGLImageTargetTexture2DOES": fn(c_uint, *mut c_void);
    gen_framebuffers = c"glGenFramebuffers": fn(c_int, *mut c_uint);
    bind_framebuffer = c"glBindFramebuffer": fn(c_uint, c_uint);
    attach = c"glFramebufferTexture2D": fn(c_uint, c_uint, c_uint, c_uint, c_int);
    complete = c"glCheckFramebufferStatus": fn(c_uint) -> c_uint;
    create_shader = c"glCreateShader": fn(c_uint) -> c_uint;
    source = c"glShaderSource": fn(c_uint, c_int, *const *const c_char, *const c_int);
    compile = c"glCompileShader": fn(c_uint);
    shader_value = c"glGetShaderiv": fn(c_uint, c_uint, *mut c_int);
    shader_log = c"glGetShaderInfoLog": fn(c_uint, c_int, *mut c_int, *mut c_char);
    delete_shader = c"glDeleteShader": fn(c_uint);
    create_program = c"glCreateProgram": fn() -> c_uint;
    attach_shader = c"glAttachShader": fn(c_uint, c_uint);
    link = c"glLinkProgram": fn(c_uint);
    program_value = c"glGetProgramiv": fn(c_uint, c_uint, *mut c_int);
    use_program = c"glUseProgram": fn(c_uint);
    location = c"glGetUniformLocation": fn(c_uint, *const c_char) -> c_int;
    set_1i = c"glUniform1i": fn(c_int, c_int);
    set_2i = c"glUniform2i": fn(c_int, c_int, c_int);
    set_4i = c"glUniform4i": fn(c_int, c_int, c_int, c_int, c_int);
    set_4f = c"glUniform4f": fn(c_int, f32, f32, f32, f32);
    viewport = c"glViewport": fn(c_int, c_int, c_int, c_int);
    draw = c"glDrawArrays": fn(c_uint, c_int, c_int);
}

/// What a uniform is set to.
#[derive(Debug, Clone, Copy)]
pub enum Value {
    Whole(c_int),
    Two([c_int; 2]),
    Four([c_int; 4]),
    Weights([f32; 4]),
}

/// A texture that is drawn into: bytes, one or two to a sample.
#[derive(Debug, Clone, Copy)]
pub struct Canvas {
    pub texture: c_uint,
    framebuffer: c_uint,
    size: (c_int, c_int),
}

// SAFETY of every block here, unless it says more: the functions are of the context's display, the context is current on this
// thread for as long as a Current is there, and names that OpenGL does not know are errors of its own, asked for by `check`.
impl Current<'_> {
    /// # Errors
    /// What went wrong since the last time.
    pub fn check(&self, what: &str) -> Result<(), NvencError> {
        // SAFETY: as above.
        let next = || match unsafe { (self.gl().error)() } {
            0 => None,
            code => Some(code),
        };
        let Some(code) = next() else { return Ok(()) };
        // the rest of them
        for _ in 0..MAX_ERRORS {
            if next().is_none() {
                break;
            }
        }
        let name = match code {
            0x0500 => "invalid enum",
            0x0501 => "invalid value",
            0x0502 => "invalid operation",
            0x0505 => "out of memory",
            0x0506 => "invalid framebuffer operation",
            0x0507 => "context lost",
            _ => "an error that this build does not know",
        };
        let text = format!("{what} failed in OpenGL: {name} ({code:#x})");
        Err(refused(text))
    }

    /// Whether it takes images of EGL's as textures.
    pub fn takes_images(&self) -> bool {
        // SAFETY: as above; the text belongs to the context.
        let all = unsafe { super::egl::words((self.gl().string)(EXTENSIONS)) };
        all.iter().any(|word| word == "GL_OES_EGL_image")
    }

    /// A texture that is read sample by sample.
    pub fn texture(&self) -> c_uint {
        let mut texture = 0;
        let gl = self.gl();
        // SAFETY: as above; one name is written.
        unsafe {
            (gl.gen_textures)(1, &raw mut texture);
            (gl.bind_texture)(TEXTURE_2D, texture);
            (gl.parameter)(TEXTURE_2D, MIN_FILTER, NEAREST);
            (gl.parameter)(TEXTURE_2D, MAG_FILTER, NEAREST);
        }
        texture
    }

    /// Its samples are what the buffer behind an image holds now. Only then are changes that others made to that buffer
    /// certain to be seen.
    ///
    /// # Errors
    /// An image that the driver does not take.
    pub fn show(&self, texture: c_uint, image: &Image) -> Result<(), NvencError> {
        let gl = self.gl();
        // SAFETY: as above; the image is alive.
        unsafe {
            (gl.bind_texture)(TEXTURE_2D, texture);
            (gl.image)(TEXTURE_2D, image.raw);
        }
        self.check("reading a buffer of the compositor")
    }

    pub fn delete(&self, texture: c_uint) {
        // SAFETY: as above; one name is read.
        unsafe { (self.gl().delete_textures)(1, &raw const texture) };
    }

    /// # Errors
    /// A size or format that the driver does not draw into.
    pub fn canvas(&self, channels: usize, size: (u32, u32)) -> Result<Canvas, NvencError> {
        let (width, height) = (size.0 as c_int, size.1 as c_int);
        let texture = self.texture();
        let mut framebuffer = 0;
        let gl = self.gl();
        // SAFETY: as above; one name is written.
        let complete = unsafe {
            let format = if channels == 2 { RG8 } else { R8 };
            (gl.storage)(TEXTURE_2D, 1, format, width, height);
            (gl.gen_framebuffers)(1, &raw mut framebuffer);
            (gl.bind_framebuffer)(FRAMEBUFFER, framebuffer);
            (gl.attach)(FRAMEBUFFER, COLOUR, TEXTURE_2D, texture, 0);
            // codes are written as they are computed
            (gl.disable)(DITHER);
            (gl.complete)(FRAMEBUFFER)
        };
        self.check("making a plane")?;
        match complete {
            COMPLETE => Ok(Canvas {
                texture,
                framebuffer,
                size: (width, height),
            }),
            _ => Err(refused("OpenGL does not draw into planes".to_owned())),
        }
    }

    /// A program of two shaders.
    ///
    /// # Errors
    /// What the compiler says.
    pub fn program(&self, vertex: &CStr, fragment: &CStr) -> Result<c_uint, NvencError> {
        let gl = self.gl();
        // SAFETY: as above.
        let program = unsafe { (gl.create_program)() };
        for (kind, source) in [(VERTEX, vertex), (FRAGMENT, fragment)] {
            let shader = self.shader(kind, source)?;
            // SAFETY: as above. The program keeps it.
            unsafe {
                (gl.attach_shader)(program, shader);
                (gl.delete_shader)(shader);
            }
        }
        let mut linked = 0;
        // SAFETY: as above; one number is written.
        unsafe {
            (gl.link)(program);
            (gl.program_value)(program, LINKED, &raw mut linked);
        }
        match linked {
            0 => Err(refused("OpenGL does not link the conversion".to_owned())),
            _ => Ok(program),
        }
    }

    fn shader(&self, kind: c_uint, source: &CStr) -> Result<c_uint, NvencError> {
        let gl = self.gl();
        let (text, mut compiled) = (source.as_ptr(), 0);
        // SAFETY: as above; one text that ends with zero; one number is written.
        let shader = unsafe {
            let shader = (gl.create_shader)(kind);
            (gl.source)(shader, 1, &raw const text, ptr::null());
            (gl.compile)(shader);
            (gl.shader_value)(shader, COMPILED, &raw mut compiled);
            shader
        };
        if compiled != 0 {
            return Ok(shader);
        }
        let (mut log, mut length) = (vec![0u8; MAX_LOG], 0);
        // SAFETY: as above; so much room.
        unsafe {
            let room = log.as_mut_ptr().cast();
            (gl.shader_log)(shader, MAX_LOG as c_int, &raw mut length, room);
        }
        log.truncate(usize::try_from(length).unwrap_or(0));
        let said = String::from_utf8_lossy(&log).replace(char::is_control, " ");
        let text = format!("OpenGL does not compile the conversion: {said}");
        Err(refused(text))
    }

    /// Draw over the whole of a canvas with a program, from a texture.
    pub fn draw(
        &self,
        program: c_uint,
        texture: c_uint,
        canvas: &Canvas,
        uniforms: &[(&CStr, Value)],
    ) {
        let gl = self.gl();
        // SAFETY: as above; names of uniforms are texts that end with zero.
        unsafe {
            (gl.use_program)(program);
            (gl.bind_texture)(TEXTURE_2D, texture);
            (gl.bind_framebuffer)(FRAMEBUFFER, canvas.framebuffer);
            (gl.viewport)(0, 0, canvas.size.0, canvas.size.1);
            for (name, value) in uniforms {
                let at = (gl.location)(program, name.as_ptr());
                match *value {
                    Value::Whole(value) => (gl.set_1i)(at, value),
                    Value::Two([a, b]) => (gl.set_2i)(at, a, b),
                    Value::Four([a, b, c, d]) => (gl.set_4i)(at, a, b, c, d),
                    Value::Weights([a, b, c, d]) => (gl.set_4f)(at, a, b, c, d),
                }
            }
            (gl.draw)(TRIANGLES, 0, 3);
        }
    }
}
