//! The number that every picture of the pattern carries, large enough to survive H.264 at low rates.
//!
//! Geometry, so that a receiver can be written from this text alone: 40 blocks of 16x16 pixels from the picture's top
//! left corner, block i at x = 16 * (i mod c), y = 16 * (i div c), where c = floor(width / 16), at most 40 blocks in a
//! row: so from 640 pixels of width on it is one row, below that the blocks wrap into further rows. White (255; in HDR
//! reference white) is 1, black (0) is 0. Blocks 0–31 are the number, most significant bit first; blocks 32–39 the exclusive or of its four
//! bytes, most significant bit first. The first picture is 1, every new picture one more.
//!
//! The reader here serves the agent's own tests.

use super::PIXEL;

/// Side of a block in pixels.
pub const BLOCK: usize = 16;
/// 32 bits of number and 8 of check.
pub const BLOCKS: usize = 40;

/// Pixels around a block's middle that the reader leaves out: blur and chroma do not reach further.
const MARGIN: usize = 4;

/// Blocks in a row at this width; None when not even one fits.
fn columns(width: usize) -> Option<usize> {
    match (width / BLOCK).min(BLOCKS) {
        0 => None,
        columns => Some(columns),
    }
}

/// Pixel lines that the number takes at this width; None when the width cannot carry it.
pub fn height(width: usize) -> Option<usize> {
    columns(width).map(|columns| BLOCKS.div_ceil(columns) * BLOCK)
}

/// The 40 bits, first block = most significant of the 40.
fn bits(number: u32) -> u64 {
    let check = number.to_be_bytes().iter().fold(0, |a, b| a ^ b);
    u64::from(number) << 8 | u64::from(check)
}

/// Paint `number` into a tightly packed picture of this width, with these pixels for 0 and for 1.
pub fn paint(pixels: &mut [u8], width: usize, number: u32, dark: [u8; PIXEL], light: [u8; PIXEL]) {
    let Some(columns) = columns(width) else {
        return;
    };
    let bits = bits(number);
    for block in 0..BLOCKS {
        let set = bits >> (BLOCKS - 1 - block) & 1 == 1;
        let row = if set { light } else { dark }.repeat(BLOCK);
        let (x, y) = (block % columns * BLOCK, block / columns * BLOCK);
        for line in y..y + BLOCK {
            let start = (line * width + x) * PIXEL;
            pixels[start..start + BLOCK * PIXEL].copy_from_slice(&row);
        }
    }
}

/// Read the number back from a luma plane; None when the check does not hold.
pub fn read(luma: &[u8], stride: usize, width: usize) -> Option<u32> {
    let columns = columns(width)?;
    let mut bits = 0u64;
    for block in 0..BLOCKS {
        let (x, y) = (block % columns * BLOCK, block / columns * BLOCK);
        let mut sum = 0usize;
        for line in y + MARGIN..y + BLOCK - MARGIN {
            let start = line * stride + x + MARGIN;
            let middle = luma.get(start..start + BLOCK - 2 * MARGIN)?;
            sum += middle
                .iter()
                .map(|&value| usize::from(value))
                .sum::<usize>();
        }
        let mean = sum / (BLOCK - 2 * MARGIN).pow(2);
        bits = bits << 1 | u64::from(mean > 127);
    }
    let number = (bits >> 8) as u32;
    (self::bits(number) == bits).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(width: usize, number: u32) -> Option<u32> {
        let height = height(width)?;
        let mut bgrx = vec![90; width * height * PIXEL];
        paint(&mut bgrx, width, number, [0; 4], [255; 4]);
        let luma: Vec<u8> = bgrx.iter().copied().step_by(PIXEL).collect();
        read(&luma, width, width)
    }

    #[test]
    fn any_number_is_read_back_at_any_width() {
        for width in [16, 40, 100, 320, 639, 640, 1280, 1920] {
            for number in [0, 1, 2, 600, 0x8000_0001, 0xdead_beef, u32::MAX] {
                assert_eq!(round_trip(width, number), Some(number), "at width {width}");
            }
        }
    }

    #[test]
    fn the_geometry_is_the_documented_one() {
        // number 1: only bit 31 is set, and the check byte is 1: only block 39
        let width = 640;
        let mut bgrx = vec![0; width * 16 * PIXEL];
        paint(&mut bgrx, width, 1, [0; 4], [255; 4]);
        for block in 0..40 {
            let expected = if block == 31 || block == 39 { 255 } else { 0 };
            for (x, y) in [(0, 0), (15, 15)] {
                assert_eq!(bgrx[((y * width) + block * 16 + x) * PIXEL], expected);
            }
        }
        assert_eq!(height(640), Some(16));
        assert_eq!(height(639), Some(32));
    }

    #[test]
    fn a_damaged_block_is_noticed() {
        let width = 640;
        let mut luma = vec![0u8; width * 16];
        for line in 0..16 {
            luma[line * width + 5 * 16..][..16].fill(255);
        }
        assert_eq!(read(&luma, width, width), None);
        assert_eq!(read(&luma[..100], width, width), None);
    }
}
