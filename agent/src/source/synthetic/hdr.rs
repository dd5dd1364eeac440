//! The test pattern in HDR10. So that a receiver can be written from this text alone:
//!
//! On top the number, as [`counter`] describes it, white being reference white (203 nits) and the rest of its lines black. What
//! is below it is `rest` lines high, and begins with two rows of bars that stand still. Each has eight bars of
//! `floor(width / 8)` pixels, the last one up to the edge:
//! - the first `floor(rest / 4)` lines: grey of 0, 1, 10, 50, 100, 203, 400 and 1000 nits;
//! - the next `floor(rest / 4)`: white, yellow, cyan, green, magenta, red and blue of BT.2020, each channel of 0 or 203 nits, then
//!   red of 1000.
//!
//! Below slides a ramp through every code from black to 1000 nits and back, two pixels further with each picture, and a box of 1000
//! nits bounces on it. Codes are those of ST 2084 at 10 bits, full range.

use super::{
    PIXEL,
    counter::{self, BLOCK},
};
use crate::convert::transfer::{REFERENCE_WHITE, pq};
use punktfunk_core::control::HdrMetadata;

/// Nits of the grey bars.
pub const GREYS: [f64; 8] = [0.0, 1.0, 10.0, 50.0, 100.0, 203.0, 400.0, 1000.0];
/// Nits of red, green and blue of the others.
pub const COLOURS: [[f64; 3]; 8] = [
    [REFERENCE_WHITE, REFERENCE_WHITE, REFERENCE_WHITE],
    [REFERENCE_WHITE, REFERENCE_WHITE, 0.0],
    [0.0, REFERENCE_WHITE, REFERENCE_WHITE],
    [0.0, REFERENCE_WHITE, 0.0],
    [REFERENCE_WHITE, 0.0, REFERENCE_WHITE],
    [REFERENCE_WHITE, 0.0, 0.0],
    [0.0, 0.0, REFERENCE_WHITE],
    [BRIGHTEST, 0.0, 0.0],
];
/// Nits that nothing exceeds.
const BRIGHTEST: f64 = 1000.0;
/// Pixels that the ramp slides with each picture.
const STEP: usize = 2;
/// Side of the box.
const BOX: usize = 32;

/// What the pattern is mastered for: a display with the primaries and white of BT.2020.
pub const MASTERING: HdrMetadata = HdrMetadata {
    red: (35_400, 14_600),
    green: (8_500, 39_850),
    blue: (6_550, 2_300),
    white: (15_635, 16_450),
    max_display: 1000,
    min_display: 1,
    max_content: 1000,
    max_frame_average: 400,
    max_full_frame: 0,
};

pub struct HdrPattern {
    width: usize,
    height: usize,
    /// Lines of the number.
    top: usize,
    greys: Vec<u8>,
    colours: Vec<u8>,
    /// One line of ramp, twice the width.
    ramp: Vec<u8>,
}

impl HdrPattern {
    /// A size that [`counter::height`] accepts.
    pub fn new(width: usize, height: usize) -> Self {
        let bars = |colours: [[f64; 3]; 8]| -> Vec<u8> {
            let bar = (width / 8).max(1);
            let pixel = |x: usize| pixel(colours[(x / bar).min(7)].map(pq));
            (0..width).flat_map(pixel).collect()
        };
        let most = usize::from(pq(BRIGHTEST));
        let ramp = |x: usize| {
            let at = x * 2 * most / width.max(1);
            pixel([if at <= most { at } else { 2 * most - at } as u16; 3])
        };
        Self {
            width,
            height,
            top: counter::height(width).unwrap_or(height).min(height),
            greys: bars(GREYS.map(|grey| [grey; 3])),
            colours: bars(COLOURS),
            ramp: (0..2 * width).flat_map(|x| ramp(x % width)).collect(),
        }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn height(&self) -> usize {
        self.height
    }

    /// Paint a picture and its number.
    pub fn paint(&self, pixels: &mut [u8], number: u32) {
        let line = self.width * PIXEL;
        let row = (self.height - self.top) / 4;
        let slid = number as usize * STEP % self.width * PIXEL;
        for (y, target) in pixels.chunks_exact_mut(line).enumerate() {
            match y.checked_sub(self.top) {
                None => target.fill(0),
                Some(y) if y < row => target.copy_from_slice(&self.greys),
                Some(y) if y < 2 * row => target.copy_from_slice(&self.colours),
                Some(_) => target.copy_from_slice(&self.ramp[slid..slid + line]),
            }
        }
        self.paint_box(pixels, number as usize, self.top + 2 * row);
        let white = pixel([pq(REFERENCE_WHITE); 3]);
        counter::paint(pixels, self.width, number, pixel([0; 3]), white);
    }

    /// On the ramp, which begins at `top`.
    fn paint_box(&self, pixels: &mut [u8], number: usize, top: usize) {
        let room = (self.width.saturating_sub(BOX)).max(1);
        let at = number * 3 % (2 * room);
        let left = if at < room { at } else { 2 * room - at };
        let wide = BOX.min(self.width - left.min(self.width));
        let bright = pixel([pq(BRIGHTEST); 3]).repeat(wide);
        for y in (top + BLOCK..top + BLOCK + BOX).take_while(|y| *y < self.height) {
            let start = (y * self.width + left) * PIXEL;
            pixels[start..start + bright.len()].copy_from_slice(&bright);
        }
    }
}

fn pixel([red, green, blue]: [u16; 3]) -> [u8; PIXEL] {
    (u32::from(red) | u32::from(green) << 10 | u32::from(blue) << 20).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::transfer::nits;

    fn painted(width: usize, height: usize, number: u32) -> Vec<[u16; 3]> {
        let mut pixels = vec![0xee; width * height * PIXEL];
        HdrPattern::new(width, height).paint(&mut pixels, number);
        let words = pixels.chunks_exact(PIXEL);
        words
            .map(|p| u32::from_le_bytes([p[0], p[1], p[2], p[3]]))
            .map(|word| [0, 10, 20].map(|by| (word >> by & 0x3ff) as u16))
            .collect()
    }

    #[test]
    fn bars_and_number_are_as_described_at_every_size() {
        for (width, height) in [(640, 360), (320, 192), (646, 362), (100, 200), (1920, 1080)] {
            let picture = painted(width, height, 77);
            let top = counter::height(width).unwrap();
            let row = (height - top) / 4;
            for bar in 0..8 {
                let x = bar * (width / 8) + width / 16;
                let grey = picture[(top + row / 2) * width + x];
                assert_eq!(grey, [pq(GREYS[bar]); 3], "{width}x{height}, bar {bar}");
                let colour = picture[(top + row + row / 2) * width + x];
                assert_eq!(colour, COLOURS[bar].map(pq), "{width}x{height}, bar {bar}");
            }
            let luma: Vec<u8> = picture.iter().map(|p| (p[0] / 3) as u8).collect();
            assert_eq!(counter::read(&luma, width, width), Some(77));
        }
    }

    #[test]
    fn the_ramp_passes_through_codes_that_eight_bits_have_not() {
        let picture = painted(3840, 400, 5);
        let last = &picture[399 * 3840..];
        let mut codes: Vec<u16> = last.iter().map(|p| p[1]).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes, (0..=pq(BRIGHTEST)).collect::<Vec<_>>());
        assert_ne!(painted(3840, 400, 6), picture);
    }

    #[test]
    fn nothing_exceeds_what_it_says_it_is_mastered_for() {
        let most = f64::from(MASTERING.max_content);
        let mut brightest = 0.0f64;
        for number in [1, 40, 400] {
            let picture = painted(640, 360, number);
            let light = picture.iter().map(|p| nits(p[0].max(p[1]).max(p[2])));
            let (sum, max) = light.fold((0.0, 0.0f64), |(sum, max), l| (sum + l, max.max(l)));
            assert!(sum / (640.0 * 360.0) <= f64::from(MASTERING.max_frame_average));
            brightest = brightest.max(max);
        }
        // a code is half a percent
        assert!((brightest / most - 1.0).abs() < 0.006, "{brightest}");
    }
}
