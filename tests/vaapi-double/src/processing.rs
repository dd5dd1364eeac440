//! The card's conversion: a picture of another program's memory, or of a surface, fitted into a surface of NV12.

use crate::{
    abi::{self, Id, Pipeline, Rectangle},
    objects::structure,
    state::{State, Surface, misuse},
    status::{INVALID_BUFFER, INVALID_PARAMETER, INVALID_SURFACE},
};
use std::os::unix::fs::FileExt;

/// Red, green, blue, each from 0 to 1.
type Colour = [f64; 3];

/// A picture as it is read: lines without padding.
struct Read {
    width: usize,
    height: usize,
    pixels: Vec<Colour>,
}

impl Surface {
    /// What lies in it now, byte for byte.
    fn lines(&self) -> Result<Vec<u8>, i32> {
        let Some(external) = &self.external else {
            return Ok(self.bytes.clone());
        };
        let mut all = vec![0; self.width * self.height * 4];
        for (line, bytes) in all.chunks_exact_mut(self.width * 4).enumerate() {
            let at = external.offset + (line * external.pitch) as u64;
            external.memory.read_exact_at(bytes, at).map_err(|_| {
                misuse(
                    INVALID_SURFACE,
                    "the memory of a buffer went away before its surface",
                )
            })?;
        }
        Ok(all)
    }

    fn read(&self) -> Result<Read, i32> {
        let order = match self.fourcc {
            abi::FOURCC_BGRX | abi::FOURCC_BGRA => [2, 1, 0],
            abi::FOURCC_RGBX | abi::FOURCC_RGBA => [0, 1, 2],
            _ => return Err(misuse(INVALID_SURFACE, "a conversion from another format")),
        };
        let lines = self.lines()?;
        let pixels = lines.chunks_exact(4);
        Ok(Read {
            width: self.width,
            height: self.height,
            pixels: pixels
                .map(|pixel| order.map(|place| f64::from(pixel[place]) / 255.0))
                .collect(),
        })
    }
}

/// Luma and both chroma, as bytes.
fn coded([red, green, blue]: Colour, (kr, kb): (f64, f64), full: bool) -> [f64; 3] {
    let luma = kr * red + (1.0 - kr - kb) * green + kb * blue;
    let (cb, cr) = (
        (blue - luma) / (2.0 - 2.0 * kb),
        (red - luma) / (2.0 - 2.0 * kr),
    );
    match full {
        true => [luma * 255.0, 128.0 + cb * 255.0, 128.0 + cr * 255.0],
        false => [16.0 + luma * 219.0, 128.0 + cb * 224.0, 128.0 + cr * 224.0],
    }
}

fn byte(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// What the caller's pointer says, null being the whole.
fn region(pointer: *const Rectangle, width: usize, height: usize) -> Result<Rectangle, i32> {
    // SAFETY: the caller's contract: null, or a rectangle that lives until the picture has ended.
    let Some(found) = (unsafe { pointer.as_ref() }) else {
        return Ok(Rectangle {
            x: 0,
            y: 0,
            width: width as u16,
            height: height as u16,
        });
    };
    let within = |start: i16, length: u16, whole: usize| {
        start >= 0 && length > 0 && start as usize + usize::from(length) <= whole
    };
    match within(found.x, found.width, width) && within(found.y, found.height, height) {
        true => Ok(*found),
        false => Err(misuse(
            INVALID_PARAMETER,
            "a conversion beyond the edges of a surface",
        )),
    }
}

impl State {
    /// Convert what the buffers describe into a surface.
    pub fn convert(&mut self, buffers: &[(i32, Vec<u8>)], target: Id) -> Result<(), i32> {
        let [(abi::BUFFER_PIPELINE, bytes)] = buffers else {
            return Err(misuse(
                INVALID_BUFFER,
                "a conversion of another description",
            ));
        };
        let pipeline: Box<Pipeline> = structure(bytes, "a conversion")?;
        let (kr, kb) = match pipeline.output_standard {
            abi::STANDARD_BT601 => (0.299, 0.114),
            abi::STANDARD_BT709 => (0.2126, 0.0722),
            _ => return Err(misuse(INVALID_PARAMETER, "a conversion to no colours")),
        };
        let (from_range, to_range) = (pipeline.input_colour.range, pipeline.output_colour.range);
        let full = to_range == abi::RANGE_FULL;
        if pipeline.surface_standard != abi::STANDARD_SRGB || from_range != abi::RANGE_FULL {
            misuse(INVALID_PARAMETER, "a desktop in other colours than sRGB");
        }
        if !full && to_range != abi::RANGE_REDUCED {
            misuse(INVALID_PARAMETER, "a conversion to no range");
        }
        let source = self.surfaces.get(&pipeline.surface);
        let source =
            source.ok_or_else(|| misuse(INVALID_SURFACE, "a conversion from no surface"))?;
        let read = source.read()?;
        let from = region(pipeline.surface_region, read.width, read.height)?;
        let whole = (from.x, from.y, from.width, from.height)
            == (0, 0, read.width as u16, read.height as u16);
        if !whole {
            misuse(INVALID_PARAMETER, "a conversion of a part");
        }
        let surface = self.surfaces.get_mut(&target);
        let surface =
            surface.ok_or_else(|| misuse(INVALID_SURFACE, "a conversion into no surface"))?;
        let (width, height) = (surface.width, surface.height);
        let to = region(pipeline.output_region, width, height)?;
        let background =
            [16, 8, 0].map(|shift| f64::from(pipeline.background >> shift & 255) / 255.0);
        // the nearest pixel: nothing is scaled but by the card itself
        let at = |x: usize, y: usize| {
            let inside = (to.x as usize..to.x as usize + usize::from(to.width)).contains(&x)
                && (to.y as usize..to.y as usize + usize::from(to.height)).contains(&y);
            let colour = match inside {
                true => {
                    let x = (x - to.x as usize) * read.width / usize::from(to.width);
                    let y = (y - to.y as usize) * read.height / usize::from(to.height);
                    read.pixels[y * read.width + x]
                }
                false => background,
            };
            coded(colour, (kr, kb), full)
        };
        let (luma, chroma) = surface.bytes.split_at_mut(width * height);
        for y in (0..height).step_by(2) {
            for x in (0..width).step_by(2) {
                let square = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(right, down)| {
                    let found = at(x + right, y + down);
                    luma[(y + down) * width + x + right] = byte(found[0]);
                    found
                });
                for part in 0..2 {
                    let mean = square.iter().map(|found| found[part + 1]).sum::<f64>() / 4.0;
                    chroma[y / 2 * width + x + part] = byte(mean);
                }
            }
        }
        surface.unfinished = true;
        Ok(())
    }
}
