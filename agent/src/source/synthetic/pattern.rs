//! What the pattern shows below its number: colour bars and a diagonal gradient that slide, a window of snow in it (which
//! no encoder foresees, so that high rates are really used), text-like lines that scroll, and a box that bounces.
//! Everything is prepared once; a picture is then row copies, cheap in an unoptimised build too.

use super::{PIXEL, counter};

/// Side of the bouncing box in pixels.
const BOX: usize = 48;
/// A text-like glyph cell in pixels.
const GLYPH: (usize, usize) = (8, 16);
/// Lines of text before they repeat.
const TEXT_LINES: usize = 24;
/// The window of snow in pixels, at most.
const SNOW: (usize, usize) = (320, 160);
/// Pixels of prepared snow, out of which each line is cut at another place.
const SNOW_PIXELS: usize = 1 << 15;
/// Pixels that the bars and the gradient slide with each picture.
const BARS_STEP: usize = 4;
const GRADIENT_STEP: usize = 2;

/// White, yellow, cyan, green, magenta, red, blue, grey; as BGRx.
const BARS: [[u8; PIXEL]; 8] = [
    [235, 235, 235, 255],
    [16, 210, 210, 255],
    [210, 210, 16, 255],
    [16, 180, 16, 255],
    [190, 16, 190, 255],
    [16, 16, 190, 255],
    [190, 16, 16, 255],
    [90, 90, 90, 255],
];

pub struct Pattern {
    width: usize,
    height: usize,
    /// Lines kept for the number.
    top: usize,
    /// One line of bars, twice the width.
    bars: Vec<u8>,
    /// One line of gradient, twice the width.
    gradient: Vec<u8>,
    /// `TEXT_LINES` lines of text at the picture's width.
    text: Vec<u8>,
    snow: Vec<u8>,
    /// The box's place in the last picture of the still pattern.
    last_box: (usize, usize),
}

impl Pattern {
    /// A size that [`counter::height`] accepts.
    pub fn new(width: usize, height: usize) -> Self {
        let twice = |pixel: &dyn Fn(usize) -> [u8; PIXEL]| -> Vec<u8> {
            (0..2 * width).flat_map(|x| pixel(x % width)).collect()
        };
        Self {
            width,
            height,
            top: counter::height(width).unwrap_or(height).min(height),
            bars: twice(&|x| BARS[x * BARS.len() / width]),
            gradient: twice(&|x| gradient(x, width)),
            text: text(width),
            snow: snow(),
            last_box: (0, 0),
        }
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn height(&self) -> usize {
        self.height
    }

    /// Everything moves.
    pub fn paint_moving(&mut self, bgrx: &mut [u8], number: u32) {
        let number = number as usize;
        let (bars_end, gradient_end) = self.bands();
        for y in 0..self.height {
            let line = if y < self.top {
                // beside the number: a quiet grey that no block is mistaken for
                let start = y * self.width * PIXEL;
                bgrx[start..start + self.width * PIXEL].fill(96);
                continue;
            } else if y < bars_end {
                slide(&self.bars, number * BARS_STEP, self.width)
            } else if y < gradient_end {
                slide(&self.gradient, number * GRADIENT_STEP + y, self.width)
            } else {
                self.text_line(y + number)
            };
            put(bgrx, y * self.width, line);
        }
        self.paint_snow(bgrx, number, (bars_end, gradient_end));
        let place = self.box_place(number);
        self.paint_box(bgrx, place);
    }

    /// In the middle of the gradient.
    fn paint_snow(&self, bgrx: &mut [u8], number: usize, (top, bottom): (usize, usize)) {
        let wide = SNOW.0.min(self.width / 2);
        let left = (self.width - wide) / 2;
        let high = SNOW.1.min(bottom - top);
        for y in top..top + high {
            let cut = scramble((number * 8191 + y) as u32) as usize % (SNOW_PIXELS - SNOW.0);
            let line = &self.snow[cut * PIXEL..][..wide * PIXEL];
            put(bgrx, y * self.width + left, line);
        }
    }

    /// Only a box moves; `whole` paints the rest as well.
    pub fn paint_still(&mut self, bgrx: &mut [u8], number: u32, whole: bool) {
        if whole {
            bgrx.fill(96);
            for y in self.top..self.height {
                put(bgrx, y * self.width, slide(&self.gradient, y, self.width));
            }
        } else {
            let (x, y) = self.last_box;
            for line in y..(y + BOX).min(self.height) {
                let from = &slide(&self.gradient, line, self.width)[x * PIXEL..];
                let from = &from[..BOX.min(self.width - x) * PIXEL];
                put(bgrx, line * self.width + x, from);
            }
        }
        self.last_box = self.box_place(number as usize);
        self.paint_box(bgrx, self.last_box);
    }

    /// Where the bars and the gradient end.
    fn bands(&self) -> (usize, usize) {
        let rest = self.height - self.top;
        (self.top + rest / 4, self.top + rest / 2)
    }

    fn text_line(&self, y: usize) -> &[u8] {
        let line = y % (TEXT_LINES * GLYPH.1);
        &self.text[line * self.width * PIXEL..][..self.width * PIXEL]
    }

    /// A box that bounces between the edges, below the number.
    fn box_place(&self, number: usize) -> (usize, usize) {
        let bounce = |at: usize, room: usize| {
            if room == 0 {
                return 0;
            }
            let at = at % (2 * room);
            if at < room { at } else { 2 * room - at }
        };
        let (room_x, room_y) = (
            self.width.saturating_sub(BOX),
            (self.height - self.top).saturating_sub(BOX),
        );
        (
            bounce(number * 5, room_x),
            self.top + bounce(number * 3, room_y),
        )
    }

    fn paint_box(&self, bgrx: &mut [u8], (x, y): (usize, usize)) {
        let wide = BOX.min(self.width - x) * PIXEL;
        for line in y..(y + BOX).min(self.height) {
            let start = (line * self.width + x) * PIXEL;
            let edge = line < y + 4 || line >= y + BOX - 4;
            bgrx[start..start + wide].fill(if edge { 20 } else { 250 });
        }
    }
}

/// A line of `width` pixels out of a prepared one of twice that, `by` pixels further.
fn slide(prepared: &[u8], by: usize, width: usize) -> &[u8] {
    &prepared[by % width * PIXEL..][..width * PIXEL]
}

fn put(bgrx: &mut [u8], pixel: usize, line: &[u8]) {
    bgrx[pixel * PIXEL..][..line.len()].copy_from_slice(line);
}

/// A triangle wave in each channel, each at its own phase, so that it closes on itself.
fn gradient(x: usize, width: usize) -> [u8; PIXEL] {
    let wave = |phase: usize| {
        let at = (x * 512 / width + phase) % 512;
        (if at < 256 { at } else { 511 - at }) as u8
    };
    [wave(0), wave(170), wave(340), 255]
}

/// Text-like lines: words of dark strokes on white, the same in every run.
fn text(width: usize) -> Vec<u8> {
    let (cell_width, cell_height) = GLYPH;
    let mut bgrx = vec![245; width * TEXT_LINES * cell_height * PIXEL];
    for line in 0..TEXT_LINES {
        for column in 0..width / cell_width {
            let glyph = scramble((line * 4099 + column) as u32);
            // one cell in six is the space between words
            if glyph.is_multiple_of(6) {
                continue;
            }
            for bit in 0..24 {
                if glyph >> (bit + 8) & 1 == 1 {
                    let x = column * cell_width + 1 + bit % 3 * 2;
                    let y = line * cell_height + 2 + bit / 3 * 3 / 2;
                    let start = (y * width + x) * PIXEL;
                    bgrx[start..start + 2 * PIXEL].fill(30);
                }
            }
        }
    }
    bgrx
}

/// Grey pixels without any order, the same in every run.
fn snow() -> Vec<u8> {
    (0..SNOW_PIXELS as u32)
        .flat_map(|pixel| [64 + (scramble(pixel) >> 25) as u8; PIXEL])
        .collect()
}

/// A fixed scrambling of small numbers (the finaliser of a well-known 32-bit hash family).
fn scramble(mut value: u32) -> u32 {
    value = (value ^ value >> 16).wrapping_mul(0x85eb_ca6b);
    value = (value ^ value >> 13).wrapping_mul(0xc2b2_ae35);
    value ^ value >> 16
}
