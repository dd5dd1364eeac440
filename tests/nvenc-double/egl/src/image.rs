//! A buffer of a compositor's: how it is described, and its samples.

use crate::{books, knobs};
use std::{
    collections::HashMap,
    ffi::c_int,
    fs::File,
    os::{fd::BorrowedFd, unix::fs::FileExt},
    sync::Arc,
};

pub const BAD_ALLOC: c_int = 0x3003;
pub const BAD_ATTRIBUTE: c_int = 0x3004;
pub const BAD_ACCESS: c_int = 0x3002;
pub const BAD_MATCH: c_int = 0x3009;
pub const BAD_PARAMETER: c_int = 0x300c;

/// Line after line.
pub const LINEAR: u64 = 0;
/// Made up, in the space of NVIDIA's: squares of 16 by 16 pixels one after the other.
pub const TILED: u64 = 0x0300_0000_0060_6010;
/// Made up: for external textures alone.
pub const EXTERNAL: u64 = 0x0300_0000_0060_6011;
const SIDE: usize = 16;
const PIXEL: usize = 4;

const fn code(name: [u8; 4]) -> u32 {
    u32::from_le_bytes(name)
}

/// Formats, and whether red comes before blue in memory.
const FORMATS: [(u32, bool); 4] = [
    (code(*b"XR24"), false),
    (code(*b"AR24"), false),
    (code(*b"XB24"), true),
    (code(*b"AB24"), true),
];

pub fn is_known(fourcc: u32) -> bool {
    FORMATS.iter().any(|(format, _)| *format == fourcc)
}

/// An imported buffer. Its memory lives for as long as something was made of it.
#[derive(Clone)]
pub struct Image {
    file: Arc<File>,
    pub width: usize,
    pub height: usize,
    offset: u64,
    stride: usize,
    red_first: bool,
    tiled: bool,
}

impl Image {
    /// Checks what a driver checks; the words of the compositor are refused, those of a program that makes no sense are faults.
    pub fn import(list: &[c_int]) -> Result<Self, c_int> {
        let misuse = |code, text: &str| {
            books::fault(text);
            code
        };
        let mut values = HashMap::new();
        for pair in list.chunks_exact(2) {
            let known =
                matches!(pair[0], 0x3056 | 0x3057 | 0x30d2 | 0x3271..=0x327a | 0x3440..=0x344a);
            if !known || values.insert(pair[0], pair[1]).is_some() {
                let text = "an attribute of a buffer that EGL does not know, or twice";
                return Err(misuse(BAD_ATTRIBUTE, text));
            }
        }
        let value = |name: c_int| {
            values.get(&name).copied().ok_or_else(|| {
                let text = format!("a buffer without the attribute {name:#x}");
                misuse(BAD_PARAMETER, &text)
            })
        };
        let (width, height) = (value(0x3057)?, value(0x3056)?);
        let fourcc = value(0x3271)? as u32;
        let (file, offset, stride) = (value(0x3272)?, value(0x3273)?, value(0x3274)?);
        let modifier = u64::from(value(0x3443)? as u32) | u64::from(value(0x3444)? as u32) << 32;
        if values.contains_key(&0x3275) {
            return Err(BAD_ATTRIBUTE);
        }
        let format = FORMATS.iter().find(|(format, _)| *format == fourcc);
        let (Some((_, red_first)), LINEAR | TILED) = (format, modifier) else {
            return Err(BAD_MATCH);
        };
        if knobs::refuse_import() {
            return Err(BAD_ALLOC);
        }
        let side = |side: c_int| {
            usize::try_from(side)
                .ok()
                .filter(|side| (1..=16384).contains(side))
        };
        let (Some(width), Some(height)) = (side(width), side(height)) else {
            return Err(BAD_PARAMETER);
        };
        let (Ok(offset), Ok(stride)) = (u64::try_from(offset), usize::try_from(stride)) else {
            return Err(BAD_PARAMETER);
        };
        if file < 0 {
            return Err(misuse(BAD_PARAMETER, "a buffer without a file"));
        }
        // SAFETY: the caller's: open for as long as the call runs.
        let file = unsafe { BorrowedFd::borrow_raw(file) };
        let Ok(file) = file.try_clone_to_owned().map(File::from) else {
            return Err(misuse(BAD_PARAMETER, "a file that is not open"));
        };
        let image = Self {
            file: Arc::new(file),
            width,
            height,
            offset,
            stride,
            red_first: *red_first,
            tiled: modifier == TILED,
        };
        let size = image.file.metadata().map_or(0, |known| known.len());
        let fits = match image.tiled {
            true => stride.is_multiple_of(SIDE * PIXEL) && stride >= width * PIXEL,
            false => stride >= width * PIXEL,
        };
        match fits && offset + image.bytes() as u64 <= size {
            true => Ok(image),
            false => Err(BAD_ACCESS),
        }
    }

    fn bytes(&self) -> usize {
        match self.tiled {
            true => self.stride * self.height.next_multiple_of(SIDE),
            false => self.stride * (self.height - 1) + self.width * PIXEL,
        }
    }

    /// What is in it now: red, green, blue, alpha, line after line.
    pub fn read(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.bytes()];
        if self.file.read_exact_at(&mut bytes, self.offset).is_err() {
            books::fault("the memory of a buffer has shrunk");
        }
        let place = |x: usize, y: usize| match self.tiled {
            true => {
                let tile = y / SIDE * (self.stride / (SIDE * PIXEL)) + x / SIDE;
                (tile * SIDE * SIDE + y % SIDE * SIDE + x % SIDE) * PIXEL
            }
            false => y * self.stride + x * PIXEL,
        };
        let mut samples = Vec::with_capacity(self.width * self.height * PIXEL);
        for y in 0..self.height {
            for x in 0..self.width {
                let pixel = &bytes[place(x, y)..][..PIXEL];
                let (red, blue) = if self.red_first { (0, 2) } else { (2, 0) };
                samples.extend([pixel[red], pixel[1], pixel[blue], pixel[3]]);
            }
        }
        samples
    }
}
