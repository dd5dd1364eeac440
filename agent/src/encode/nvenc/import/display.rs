//! The display of the card that encodes, and images of the compositor's buffers on it.
//!
//! A display stays for as long as the process lives: ending it would end it for every stream.

use super::{
    egl::{EXTENSIONS, Egl, Handle, NONE, words},
    gl::Gl,
    refused,
};
use crate::{
    encode::nvenc::error::NvencError,
    source::{DmabufFormat, dmabuf::DmabufBuffer},
};
use std::{
    ffi::{c_int, c_uint},
    os::fd::AsRawFd,
    ptr,
    sync::{Arc, Mutex, PoisonError},
};

const PLATFORM_DEVICE: c_uint = 0x313f;
const IMAGE_PRESERVED: c_int = 0x30d2;
const WIDTH: c_int = 0x3057;
const HEIGHT: c_int = 0x3056;
const LINUX_DMA_BUF: c_uint = 0x3270;
const DRM_FOURCC: c_int = 0x3271;
/// Of each plane: file, offset, distance of lines, both halves of the modifier.
const PLANES: [[c_int; 5]; 4] = [
    [0x3272, 0x3273, 0x3274, 0x3443, 0x3444],
    [0x3275, 0x3276, 0x3277, 0x3445, 0x3446],
    [0x3278, 0x3279, 0x327a, 0x3447, 0x3448],
    [0x3440, 0x3441, 0x3442, 0x3449, 0x344a],
];

/// Layouts of a format that are looked at.
const MAX_MODIFIERS: usize = 64;

/// What a display must have.
const NEEDED: [&str; 5] = [
    "EGL_KHR_image_base",
    "EGL_KHR_surfaceless_context",
    "EGL_KHR_no_config_context",
    "EGL_EXT_image_dma_buf_import",
    "EGL_EXT_image_dma_buf_import_modifiers",
];

/// The display of a card.
pub struct Display {
    pub egl: Egl,
    pub gl: Gl,
    pub raw: Handle,
}

// SAFETY: EGL lets every thread use a display.
unsafe impl Send for Display {}
// SAFETY: as above.
unsafe impl Sync for Display {}

/// Those that were opened, by CUDA's number; a failure is not kept.
static DISPLAYS: Mutex<Vec<(c_int, Arc<Display>)>> = Mutex::new(Vec::new());

impl Display {
    /// The one of the card that CUDA knows under this number.
    ///
    /// # Errors
    /// No EGL, or one that knows no such card or cannot import.
    pub fn of(ordinal: c_int) -> Result<Arc<Self>, NvencError> {
        let mut displays = DISPLAYS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, display)) = displays.iter().find(|(number, _)| *number == ordinal) {
            return Ok(Arc::clone(display));
        }
        let display = Arc::new(Self::open(ordinal)?);
        displays.push((ordinal, Arc::clone(&display)));
        Ok(display)
    }

    fn open(ordinal: c_int) -> Result<Self, NvencError> {
        let (egl, gl) = Egl::get()?;
        let device = egl.device(ordinal)?;
        // SAFETY: the device is one of the list; no attributes.
        let raw = unsafe { (egl.platform_display)(PLATFORM_DEVICE, device, ptr::null()) };
        // SAFETY: the display is EGL's; whoever wants no version gives no place for it.
        let ready = !raw.is_null()
            && unsafe { (egl.initialize)(raw, ptr::null_mut(), ptr::null_mut()) } != 0;
        if !ready {
            return Err(egl.failed("opening the card"));
        }
        // SAFETY: initialised just now.
        let has = unsafe { words((egl.query_string)(raw, EXTENSIONS)) };
        for needed in NEEDED {
            if !has.iter().any(|word| word == needed) {
                return Err(refused(format!("the card's EGL lacks {needed}")));
            }
        }
        Ok(Self { egl, gl, raw })
    }

    /// The layouts of a format that can be drawn from as any texture: the card's own first, line after line last.
    pub fn modifiers(&self, fourcc: u32) -> Vec<u64> {
        let (mut modifiers, mut external) = ([0; MAX_MODIFIERS], [0; MAX_MODIFIERS]);
        let mut count = 0;
        // SAFETY: room for as many as the call is told, and how many there are is written.
        let known = unsafe {
            (self.egl.modifiers)(
                self.raw,
                fourcc as c_int,
                MAX_MODIFIERS as c_int,
                modifiers.as_mut_ptr(),
                external.as_mut_ptr(),
                &raw mut count,
            )
        };
        let count = usize::try_from(count).unwrap_or(0) * usize::from(known != 0);
        let all = modifiers.into_iter().zip(external).take(count);
        let usable = all
            .filter(|(modifier, external)| *external == 0 && *modifier != DmabufFormat::IMPLICIT);
        let mut found: Vec<u64> = usable.map(|(modifier, _)| modifier).collect();
        found.sort_by_key(|modifier| *modifier == DmabufFormat::LINEAR);
        found
    }

    /// An image that is the memory of a compositor's buffer; its files stay the buffer's.
    ///
    /// # Errors
    /// A buffer that the driver does not take.
    pub fn image(self: &Arc<Self>, buffer: &DmabufBuffer) -> Result<Image, NvencError> {
        let attributes = attributes(buffer)
            .ok_or_else(|| refused("a buffer with numbers that no picture has".to_owned()))?;
        let (context, client) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the list ends as it has to; the files in it are open; a picture of the kernel's belongs to no context.
        let raw = unsafe {
            (self.egl.create_image)(
                self.raw,
                context,
                LINUX_DMA_BUF,
                client,
                attributes.as_ptr(),
            )
        };
        match raw.is_null() {
            true => Err(self.egl.failed("importing a buffer of the compositor")),
            false => Ok(Image {
                display: Arc::clone(self),
                raw,
            }),
        }
    }
}

/// How a buffer is described; `None` where its numbers are beyond EGL's.
fn attributes(buffer: &DmabufBuffer) -> Option<Vec<c_int>> {
    let number = |value: u32| c_int::try_from(value).ok();
    let mut list = vec![WIDTH, number(buffer.width)?, HEIGHT, number(buffer.height)?];
    list.extend([DRM_FOURCC, buffer.format.fourcc as c_int]);
    list.extend([IMAGE_PRESERVED, 1]);
    let modifier = buffer.format.modifier;
    for (plane, [file, offset, pitch, low, high]) in buffer.planes.iter().zip(PLANES) {
        list.extend([file, plane.fd.as_raw_fd()]);
        list.extend([offset, number(plane.offset)?, pitch, number(plane.stride)?]);
        list.extend([low, modifier as c_int, high, (modifier >> 32) as c_int]);
    }
    list.push(NONE);
    Some(list)
}

/// A buffer of the compositor's, as OpenGL takes it.
pub struct Image {
    display: Arc<Display>,
    pub raw: Handle,
}

// SAFETY: belongs to its display, which every thread may use.
unsafe impl Send for Image {}

impl Drop for Image {
    fn drop(&mut self) {
        // SAFETY: made by Display::image, destroyed once. What was made of it keeps the memory.
        unsafe { (self.display.egl.destroy_image)(self.display.raw, self.raw) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::dmabuf::Plane;

    #[test]
    fn a_buffer_is_described_plane_by_plane_and_one_beyond_egls_numbers_is_refused() {
        let plane = |offset, stride| Plane {
            fd: std::fs::File::open("/dev/null").unwrap().into(),
            offset,
            stride,
        };
        let format = DmabufFormat {
            fourcc: DmabufFormat::XRGB8888,
            modifier: 0x0300_0000_8060_6010,
        };
        let mut buffer = DmabufBuffer {
            id: 0,
            width: 640,
            height: 360,
            format,
            planes: vec![plane(0, 2560), plane(4096, 64)],
        };
        let list = attributes(&buffer).unwrap();
        let value = |name| {
            let mut pairs = list.chunks_exact(2);
            pairs.find(|pair| pair[0] == name).map(|pair| pair[1])
        };
        assert_eq!((value(WIDTH), value(HEIGHT)), (Some(640), Some(360)));
        assert_eq!((value(0x3274), value(0x3276)), (Some(2560), Some(4096)));
        let halves = (value(0x3445), value(0x3446));
        assert_eq!(halves, (Some(0x8060_6010_u32 as c_int), Some(0x0300_0000)));
        assert_eq!((value(0x3278), list.last()), (None, Some(&NONE)));
        buffer.planes = vec![plane(u32::MAX, 2560)];
        assert!(attributes(&buffer).is_none());
    }
}
