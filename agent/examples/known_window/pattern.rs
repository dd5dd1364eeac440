//! The pattern: patches of plain colour over the height of the window, but for a strip at the bottom in which a block moves.

/// Red, green, blue of each patch, row by row.
const PATCHES: [[u8; 3]; 12] = [
    [255, 255, 255],
    [235, 16, 16],
    [16, 235, 16],
    [16, 16, 235],
    [128, 128, 128],
    [200, 120, 40],
    [40, 160, 200],
    [120, 40, 160],
    [0, 0, 0],
    [230, 230, 60],
    [60, 220, 220],
    [64, 64, 64],
];
const COLUMNS: u32 = 4;
const ROWS: u32 = 3;
/// The moving block's side, and how far it goes with each picture.
const BLOCK: u32 = 64;
const STEP: u32 = 16;

/// The first line of the strip.
pub fn strip(height: u32) -> u32 {
    height - height / 8
}

/// The colour at a place.
fn colour(x: u32, y: u32, width: u32, height: u32) -> [u8; 3] {
    let (column, row) = (x * COLUMNS / width, y * ROWS / strip(height));
    PATCHES[(row * COLUMNS + column) as usize]
}

/// Paint all of a BGRx picture but its strip.
pub fn paint(pixels: &mut [u8], width: u32, height: u32) {
    let lines = pixels.chunks_exact_mut(width as usize * 4);
    for (y, line) in (0..strip(height)).zip(lines) {
        for (x, pixel) in (0..width).zip(line.chunks_exact_mut(4)) {
            let [red, green, blue] = colour(x, y, width, height);
            pixel.copy_from_slice(&[blue, green, red, 255]);
        }
    }
}

/// Paint the strip of the picture with this number.
pub fn paint_strip(pixels: &mut [u8], width: u32, height: u32, number: u32) {
    let from = number * STEP % width;
    let lines = pixels.chunks_exact_mut(width as usize * 4);
    for line in lines.skip(strip(height) as usize) {
        for (x, pixel) in (0..width).zip(line.chunks_exact_mut(4)) {
            let lit = x >= from && x < from + BLOCK;
            pixel.copy_from_slice(&[if lit { 255 } else { 0 }; 4]);
        }
    }
}

/// Lines of the clock's cells.
pub const CLOCK_HEIGHT: u32 = 16;

/// Paint the first lines of the picture: forty cells of 16 pixels each (less where the picture ends), a white one for each bit that is set:
/// 32 of the time, most significant first, then the exclusive or of its four bytes.
pub fn paint_clock(pixels: &mut [u8], width: u32, time: u32) {
    // Nothing is what a black picture shows.
    let time = time.max(1);
    let check = time.to_be_bytes().iter().fold(0, |sum, byte| sum ^ byte);
    let bits = u64::from(time) << 8 | u64::from(check);
    for line in pixels.chunks_exact_mut(width as usize * 4) {
        for (x, pixel) in line.chunks_exact_mut(4).enumerate() {
            let cell = 39_u32.checked_sub(x as u32 / 16);
            let lit = cell.is_some_and(|bit| bits >> bit & 1 == 1);
            pixel.copy_from_slice(&[if lit { 255 } else { 0 }; 4]);
        }
    }
}

/// How far colours run over an edge that a scaler and an encoder have been at.
const EDGE: u32 = 8;

/// The middle of an RGB picture, and the brightest channel of what lies around it.
pub fn cut_out(rgb: &[u8], size: (u32, u32), inner: (u32, u32)) -> (Vec<u8>, u8) {
    let (left, top) = ((size.0 - inner.0) / 2, (size.1 - inner.1) / 2);
    let (mut shown, mut around) = (Vec::with_capacity(rgb.len()), 0);
    for (y, line) in (0..size.1).zip(rgb.chunks_exact(size.0 as usize * 3)) {
        for (x, pixel) in (0..size.0).zip(line.chunks_exact(3)) {
            if (left..left + inner.0).contains(&x) && (top..top + inner.1).contains(&y) {
                shown.extend_from_slice(pixel);
            } else if x + EDGE < left
                || x >= left + inner.0 + EDGE
                || y + EDGE < top
                || y >= top + inner.1 + EDGE
            {
                around = pixel.iter().copied().fold(around, u8::max);
            }
        }
    }
    (shown, around)
}

/// Where a picture differs most from the pattern.
pub struct Deviation {
    pub amount: u8,
    pub patch: usize,
    pub found: [u8; 3],
    pub expected: [u8; 3],
}

/// The worst channel of all pixels in the inner half of each patch; at the edges colours run into each other.
pub fn worst_deviation(rgb: &[u8], width: u32, height: u32) -> Deviation {
    let mut worst = Deviation {
        amount: 0,
        patch: 0,
        found: PATCHES[0],
        expected: PATCHES[0],
    };
    let (wide, high) = (width / COLUMNS, strip(height) / ROWS);
    for (patch, expected) in PATCHES.into_iter().enumerate() {
        let (column, row) = (patch as u32 % COLUMNS, patch as u32 / COLUMNS);
        for y in row * high + high / 4..(row + 1) * high - high / 4 {
            for x in column * wide + wide / 4..(column + 1) * wide - wide / 4 {
                let at = (y * width + x) as usize * 3;
                let found = [rgb[at], rgb[at + 1], rgb[at + 2]];
                let amount = found
                    .into_iter()
                    .zip(expected)
                    .map(|(is, should)| is.abs_diff(should))
                    .max()
                    .unwrap_or(0);
                if amount > worst.amount {
                    worst = Deviation {
                        amount,
                        patch,
                        found,
                        expected,
                    };
                }
            }
        }
    }
    worst
}
