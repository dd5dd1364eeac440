//! The card's conversion: a picture of another program's memory, or of a surface, fitted into a surface of NV12.

use crate::{
    abi::{self, Id, Pipeline, Rectangle},
    knobs,
    objects::structure,
    state::{State, Surface, misuse},
    status::{INVALID_BUFFER, INVALID_PARAMETER, INVALID_SURFACE},
};
use std::os::unix::fs::FileExt;

/// What a surface is to become.
#[derive(Clone, Copy)]
pub struct Conversion {
    source: Id,
    to: Rectangle,
    full: bool,
}

/// Of red and blue: as Mesa does it, whatever is asked for.
const BT709: (f64, f64) = (0.2126, 0.0722);

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
    /// Convert what the buffers describe into a surface, or put it off until that is encoded, as Mesa's EFC does it: where
    /// nothing is scaled or moved it notes the source, and the surface keeps what it held.
    pub fn convert(&mut self, buffers: &[(i32, Vec<u8>)], target: Id) -> Result<(), i32> {
        let [(abi::BUFFER_PIPELINE, bytes)] = buffers else {
            return Err(misuse(
                INVALID_BUFFER,
                "a conversion of another description",
            ));
        };
        let pipeline: Box<Pipeline> = structure(bytes, "a conversion")?;
        // newer Mesa converts transfers as well, older Mesa goes by BT.709 alone: one pair is the same everywhere
        let standards = (pipeline.surface_standard, pipeline.output_standard);
        if standards != (abi::STANDARD_BT709, abi::STANDARD_BT709) {
            misuse(INVALID_PARAMETER, "a conversion that drivers differ about");
        }
        let (from_range, to_range) = (pipeline.input_colour.range, pipeline.output_colour.range);
        let full = to_range == abi::RANGE_FULL;
        if from_range != abi::RANGE_FULL {
            misuse(INVALID_PARAMETER, "a desktop of another range");
        }
        if !full && to_range != abi::RANGE_REDUCED {
            misuse(INVALID_PARAMETER, "a conversion to no range");
        }
        let source = self.surfaces.get(&pipeline.surface);
        let source =
            source.ok_or_else(|| misuse(INVALID_SURFACE, "a conversion from no surface"))?;
        let from = region(pipeline.surface_region, source.width, source.height)?;
        let sides = |of: &Rectangle| (of.x, of.y, of.width, of.height);
        if sides(&from) != (0, 0, source.width as u16, source.height as u16) {
            misuse(INVALID_PARAMETER, "a conversion of a part");
        }
        let surface = self.surfaces.get(&target);
        let surface =
            surface.ok_or_else(|| misuse(INVALID_SURFACE, "a conversion into no surface"))?;
        let to = region(pipeline.output_region, surface.width, surface.height)?;
        let conversion = Conversion {
            source: pipeline.surface,
            to,
            full,
        };
        let later = knobs::set("EFC") && sides(&from) == sides(&to);
        let converted = match later {
            true => None,
            false => Some(self.converted(conversion, surface)?),
        };
        if let Some(surface) = self.surfaces.get_mut(&target) {
            surface.unfinished = true;
            surface.put_off = later.then_some(conversion);
            surface.bytes = converted.unwrap_or_else(|| std::mem::take(&mut surface.bytes));
        }
        Ok(())
    }

    /// What the encoder reads of a surface: a conversion that was put off happens now, once, and not into the surface.
    pub fn input(&mut self, id: Id) -> Result<Vec<u8>, i32> {
        let conversion = self.surfaces.get_mut(&id);
        let conversion = conversion.and_then(|surface| surface.put_off.take());
        let Some(surface) = self.surfaces.get(&id) else {
            return Ok(Vec::new());
        };
        match conversion {
            Some(conversion) => {
                let converted = self.converted(conversion, surface);
                self.write();
                converted
            }
            None => Ok(surface.bytes.clone()),
        }
    }

    /// What a surface holds after a conversion; beyond the region what it held before: Mesa paints no background.
    fn converted(&self, conversion: Conversion, surface: &Surface) -> Result<Vec<u8>, i32> {
        let Conversion { source, to, full } = conversion;
        let source = self.surfaces.get(&source);
        let source = source
            .ok_or_else(|| misuse(INVALID_SURFACE, "a conversion from a surface that is gone"))?;
        let read = source.read()?;
        let (width, height) = (surface.width, surface.height);
        let mut bytes = surface.bytes.clone();
        // the nearest pixel: nothing is scaled but by the card itself
        let at = |x: usize, y: usize| {
            let inside = (to.x as usize..to.x as usize + usize::from(to.width)).contains(&x)
                && (to.y as usize..to.y as usize + usize::from(to.height)).contains(&y);
            inside.then(|| {
                let x = (x - to.x as usize) * read.width / usize::from(to.width);
                let y = (y - to.y as usize) * read.height / usize::from(to.height);
                coded(read.pixels[y * read.width + x], BT709, full)
            })
        };
        let (luma, chroma) = bytes.split_at_mut(width * height);
        for y in (0..height).step_by(2) {
            for x in (0..width).step_by(2) {
                // regions begin and end at even places
                let mut square = [[0.0; 3]; 4];
                for (pixel, (right, down)) in
                    [(0, 0), (1, 0), (0, 1), (1, 1)].into_iter().enumerate()
                {
                    if let Some(found) = at(x + right, y + down) {
                        luma[(y + down) * width + x + right] = byte(found[0]);
                        square[pixel] = found;
                    }
                }
                if at(x, y).is_none() {
                    continue;
                }
                for part in 0..2 {
                    let mean = square.iter().map(|found| found[part + 1]).sum::<f64>() / 4.0;
                    chroma[y / 2 * width + x + part] = byte(mean);
                }
            }
        }
        Ok(bytes)
    }
}
