//! The compositor's own buffers, converted by the card: no copy through memory.
//!
//! EGL makes an image of a buffer, once; OpenGL draws the planes of the encoder's picture from it; CUDA, with which the planes
//! are registered once, copies them to the memory that the encoder reads. CUDA alone takes no buffer of the kernel's.
//! Everything is made before anything is offered to a compositor: what cannot work here is not begun.

mod context;
mod conversion;
mod display;
mod egl;
mod functions;
mod gl;
mod planes;

use super::{
    cuda,
    error::NvencError,
    surface::{Shape, Surface},
};
use crate::{
    convert::{Colour, placement},
    source::{Dmabuf, DmabufFormat, dmabuf::DmabufBuffer},
};
use context::{Context, Current};
use display::{Display, Image};
use planes::Plane;
use std::sync::{Arc, Weak};

/// Formats of pictures, best first.
const FORMATS: [u32; 4] = [
    DmabufFormat::XRGB8888,
    DmabufFormat::ARGB8888,
    DmabufFormat::XBGR8888,
    DmabufFormat::ABGR8888,
];
/// Buffers that are remembered: more than any compositor's pool has.
const MAX_IMPORTED: usize = 32;
/// Set to 0, all pictures go through memory.
const SWITCH: &str = "PUNKTFUNK_NVENC_IMPORT";

fn refused(why: String) -> NvencError {
    NvencError::Import(why)
}

struct Imported {
    buffer: Weak<DmabufBuffer>,
    id: u64,
    size: (u32, u32),
    image: Image,
    texture: u32,
}

/// The card's conversion, and what it was given to convert. Must be closed before its context of CUDA.
pub struct Importer {
    formats: Vec<DmabufFormat>,
    size: (u32, u32),
    program: u32,
    planes: Vec<Plane>,
    imported: Vec<Imported>,
    context: Context,
}

impl Importer {
    /// For pictures of an encoder's surface.
    ///
    /// # Errors
    /// Why pictures go through memory here.
    pub fn create(cuda: &cuda::Context, shape: Shape, colour: Colour) -> Result<Self, NvencError> {
        if std::env::var_os(SWITCH).is_some_and(|value| value == "0") {
            return Err(refused(format!("{SWITCH}=0")));
        }
        let display = Display::of(cuda.ordinal)?;
        let layouts = |fourcc| {
            let format = move |modifier| DmabufFormat { fourcc, modifier };
            display.modifiers(fourcc).into_iter().map(format)
        };
        let formats: Vec<DmabufFormat> = FORMATS.into_iter().flat_map(layouts).collect();
        if formats.is_empty() {
            return Err(refused("the card's EGL imports no pictures".to_owned()));
        }
        let mut importer = Self {
            formats,
            size: (shape.width, shape.height),
            program: 0,
            planes: Vec::new(),
            imported: Vec::new(),
            context: Context::create(&display)?,
        };
        let made = importer.prepare(cuda, shape, colour);
        if made.is_err() {
            importer.close(cuda);
        }
        made.map(|()| importer)
    }

    fn prepare(
        &mut self,
        cuda: &cuda::Context,
        shape: Shape,
        colour: Colour,
    ) -> Result<(), NvencError> {
        let entered = cuda.enter()?;
        let current = self.context.enter()?;
        if !current.takes_images() {
            return Err(refused("OpenGL lacks GL_OES_EGL_image".to_owned()));
        }
        self.program = current.program(conversion::VERTEX, conversion::FRAGMENT)?;
        self.planes = planes::create(&current, shape, conversion::weights(colour))?;
        planes::register(&entered, &current, &mut self.planes)
    }

    pub fn formats(&self) -> &[DmabufFormat] {
        &self.formats
    }

    /// Convert a picture into a surface of the stream: fitted, with black bars. When this returns the card has read it.
    ///
    /// # Errors
    /// What EGL, OpenGL or CUDA say.
    pub fn convert(
        &mut self,
        cuda: &cuda::Context,
        picture: &Dmabuf,
        surface: &mut Surface,
    ) -> Result<(), NvencError> {
        let entered = cuda.enter()?;
        let current = self.context.enter()?;
        let buffer = picture.buffer();
        let display = self.context.display();
        let known = known(&mut self.imported, display, &current, buffer, self.size)?;
        current.show(known.texture, &known.image)?;
        let (from, to) = (known.size, self.size);
        let place = placement(
            (from.0 as usize, from.1 as usize),
            (to.0 as usize, to.1 as usize),
        );
        for plane in &self.planes {
            let uniforms = conversion::uniforms(from, place, plane.cell, plane.weights);
            current.draw(self.program, known.texture, &plane.canvas, &uniforms);
        }
        current.check("converting a picture")?;
        surface.fill(|memory| planes::copy(&entered, &current, &self.planes, memory))
    }

    /// Let go of buffers that the compositor's pool has let go of, also where no other picture is imported.
    pub fn forget_gone(&mut self) {
        if !self.imported.iter().any(is_gone) {
            return;
        }
        // a context that is lost takes them with it
        if let Ok(current) = self.context.enter() {
            forget(&mut self.imported, &current, is_gone);
        }
    }

    /// Let go of everything; nothing may be under way.
    pub fn close(&mut self, cuda: &cuda::Context) {
        // a context that is lost takes what was made in it with it, a lost device its registrations
        let current = self.context.enter().ok();
        if let Ok(entered) = cuda.enter() {
            planes::unregister(&entered, &mut self.planes);
        }
        if let Some(current) = &current {
            forget(&mut self.imported, current, |_| true);
        }
    }
}

/// A buffer, imported when it is first seen.
fn known<'a>(
    imported: &'a mut Vec<Imported>,
    display: &Arc<Display>,
    current: &Current<'_>,
    buffer: &Arc<DmabufBuffer>,
    target: (u32, u32),
) -> Result<&'a Imported, NvencError> {
    forget(imported, current, is_gone);
    if let Some(at) = imported.iter().position(|known| known.id == buffer.id) {
        return Ok(&imported[at]);
    }
    let size = (buffer.width, buffer.height);
    if size != target && !imported.iter().any(|known| known.size == size) {
        let ((wide, high), (width, height)) = (size, target);
        tracing::info!(
            "captured {wide}x{high}, streaming {width}x{height}: pictures are scaled by the card"
        );
    }
    if imported.len() >= MAX_IMPORTED {
        forget(imported, current, |_| true);
    }
    let image = display.image(buffer)?;
    let at = imported.len();
    imported.push(Imported {
        buffer: Arc::downgrade(buffer),
        id: buffer.id,
        size,
        image,
        texture: current.texture(),
    });
    Ok(&imported[at])
}

fn is_gone(known: &Imported) -> bool {
    known.buffer.strong_count() == 0
}

fn forget(imported: &mut Vec<Imported>, current: &Current<'_>, gone: impl Fn(&Imported) -> bool) {
    imported.retain(|known| {
        let gone = gone(known);
        if gone {
            current.delete(known.texture);
        }
        !gone
    });
}
