//! Images, and mapped memory.

use crate::{
    abi::{self, Id, Image as Described, ImageFormat, Plain},
    knobs,
    state::{Buffer, Image, State, code, misuse, state},
    status::{
        INVALID_BUFFER, INVALID_IMAGE, INVALID_IMAGE_FORMAT, INVALID_PARAMETER, INVALID_SURFACE,
        OPERATION_FAILED,
    },
};
use std::ffi::{c_int, c_uint, c_void};

/// Bytes between the beginnings of two lines: more than the lines have.
fn pitch(width: usize) -> usize {
    (width + 1).next_multiple_of(128)
}

impl State {
    fn make_image(
        &mut self,
        display: usize,
        (width, height): (usize, usize),
        surface: Option<Id>,
        target: *mut Described,
    ) -> Result<(), i32> {
        if target.is_null() {
            return Err(misuse(INVALID_PARAMETER, "an image without a place for it"));
        }
        let pitch = pitch(width);
        let size = pitch * height * 3 / 2;
        let (buffer, number) = (self.number(), self.number());
        let made = Buffer {
            display,
            kind: 9,
            bytes: vec![0; size],
            mapped: false,
            segment: None,
        };
        self.buffers.insert(buffer, made);
        let image = Image {
            display,
            buffer,
            width,
            height,
            surface,
        };
        self.images.insert(number, image);
        let mut described = Described::zeroed();
        described.image_id = number;
        described.format.fourcc = abi::FOURCC_NV12;
        described.buf = buffer;
        (described.width, described.height) = (width as u16, height as u16);
        described.data_size = size as u32;
        described.num_planes = 2;
        described.pitches = [pitch as u32, pitch as u32, 0];
        described.offsets = [0, (pitch * height) as u32, 0];
        // SAFETY: not null; the caller's contract.
        unsafe { target.write(described) };
        self.write();
        Ok(())
    }

    /// Take what lies in an image to a surface.
    fn take(&mut self, image: Id, surface: Id) -> Result<(), i32> {
        let image = self
            .images
            .get(&image)
            .ok_or_else(|| misuse(INVALID_IMAGE, "an image that does not exist"))?;
        let buffer = self.buffers.get(&image.buffer);
        let buffer = buffer.ok_or_else(|| misuse(INVALID_IMAGE, "an image without its buffer"))?;
        let surface = self
            .surfaces
            .get_mut(&surface)
            .ok_or_else(|| misuse(INVALID_SURFACE, "a surface that does not exist"))?;
        if (surface.width, surface.height) != (image.width, image.height) {
            return Err(misuse(
                INVALID_PARAMETER,
                "an image of another size than its surface",
            ));
        }
        let lines = buffer.bytes.chunks_exact(pitch(image.width));
        for (to, from) in surface.bytes.chunks_exact_mut(image.width).zip(lines) {
            to.copy_from_slice(&from[..image.width]);
        }
        surface.decoded = None;
        self.through_images += 1;
        self.write();
        Ok(())
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn vaDeriveImage(
    display: abi::Display,
    surface: Id,
    image: *mut Described,
) -> abi::Status {
    let mut state = state();
    let display = display.addr();
    code((|| {
        state.ready(display)?;
        if knobs::set("NO_DERIVE") {
            return Err(OPERATION_FAILED);
        }
        let found = state.surfaces.get(&surface);
        let found = found.ok_or_else(|| misuse(INVALID_SURFACE, "an image of no surface"))?;
        let size = (found.width, found.height);
        state.make_image(display, size, Some(surface), image)
    })())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn vaCreateImage(
    display: abi::Display,
    format: *mut ImageFormat,
    width: c_int,
    height: c_int,
    image: *mut Described,
) -> abi::Status {
    let mut state = state();
    let display = display.addr();
    code((|| {
        state.ready(display)?;
        // SAFETY: the caller's contract; null is looked for.
        let format = unsafe { format.as_ref() };
        let nv12 =
            |format: &ImageFormat| (format.fourcc, format.bits_per_pixel) == (abi::FOURCC_NV12, 12);
        if !format.is_some_and(nv12) || width <= 0 || height <= 0 {
            return Err(misuse(INVALID_IMAGE_FORMAT, "an image of a wrong kind"));
        }
        state.make_image(display, (width as usize, height as usize), None, image)
    })())
}

#[unsafe(no_mangle)]
pub extern "C" fn vaDestroyImage(display: abi::Display, image: Id) -> abi::Status {
    let mut state = state();
    code((|| {
        state.known(display.addr())?;
        let gone = state.images.remove(&image);
        let gone = gone.ok_or_else(|| misuse(INVALID_IMAGE, "an image that does not exist"))?;
        if state
            .buffers
            .remove(&gone.buffer)
            .is_some_and(|buffer| buffer.mapped)
        {
            misuse(INVALID_IMAGE, "a mapped image was let go of");
        }
        state.write();
        Ok(())
    })())
}

#[unsafe(no_mangle)]
pub extern "C" fn vaPutImage(
    display: abi::Display,
    surface: Id,
    image: Id,
    from_x: c_int,
    from_y: c_int,
    from_width: c_uint,
    from_height: c_uint,
    to_x: c_int,
    to_y: c_int,
    to_width: c_uint,
    to_height: c_uint,
) -> abi::Status {
    let mut state = state();
    code((|| {
        state.ready(display.addr())?;
        let places = [from_x, from_y, to_x, to_y];
        if places != [0; 4] || (from_width, from_height) != (to_width, to_height) {
            return Err(misuse(INVALID_PARAMETER, "an image that is cut or scaled"));
        }
        state.take(image, surface)
    })())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn vaMapBuffer(
    display: abi::Display,
    buffer: Id,
    target: *mut *mut c_void,
) -> abi::Status {
    let mut state = state();
    code((|| {
        state.ready(display.addr())?;
        let found = state.buffers.get_mut(&buffer);
        let found = found.ok_or_else(|| misuse(INVALID_BUFFER, "a buffer that does not exist"))?;
        if found.mapped || target.is_null() {
            return Err(misuse(INVALID_BUFFER, "a buffer was mapped twice"));
        }
        found.mapped = true;
        let memory: *mut c_void = match &mut found.segment {
            Some(segment) => (&raw mut **segment).cast(),
            None => found.bytes.as_mut_ptr().cast(),
        };
        // SAFETY: not null; the caller's contract.
        unsafe { target.write(memory) };
        state.write();
        Ok(())
    })())
}

#[unsafe(no_mangle)]
pub extern "C" fn vaUnmapBuffer(display: abi::Display, buffer: Id) -> abi::Status {
    let mut state = state();
    code((|| {
        state.known(display.addr())?;
        let found = state.buffers.get_mut(&buffer);
        let found = found.ok_or_else(|| misuse(INVALID_BUFFER, "a buffer that does not exist"))?;
        if !std::mem::take(&mut found.mapped) {
            return Err(misuse(INVALID_BUFFER, "a buffer was unmapped twice"));
        }
        state.write();
        let mut images = state.images.iter();
        let shown = images.find_map(|(id, image)| {
            let surface = image.surface?;
            (image.buffer == buffer).then_some((*id, surface))
        });
        match shown {
            Some((image, surface)) => state.take(image, surface),
            None => Ok(()),
        }
    })())
}
