//! Fits a picture into another size: same shape, black bars, bilinear.
//!
//! For sources that do not deliver the client's size; where they do, nothing here runs.

use super::PIXEL;

/// Where a target pixel lies between two source pixels: index of the first, of the second, weight of the second in 1/256.
type Between = (usize, usize, u32);

/// How a pixel's three channels are read and written.
pub trait Channels {
    fn read(pixel: &[u8]) -> [u32; 3];
    fn write(channels: [u32; 3], pixel: &mut [u8]);
}

/// Three bytes, and one that nobody looks at.
pub struct Bytes;

impl Channels for Bytes {
    fn read(pixel: &[u8]) -> [u32; 3] {
        [pixel[0].into(), pixel[1].into(), pixel[2].into()]
    }

    fn write([a, b, c]: [u32; 3], pixel: &mut [u8]) {
        (pixel[0], pixel[1], pixel[2]) = (a as u8, b as u8, c as u8);
    }
}

/// Three times ten bits of a little-endian word.
pub struct Tens;

impl Channels for Tens {
    fn read(pixel: &[u8]) -> [u32; 3] {
        let word = u32::from_le_bytes([pixel[0], pixel[1], pixel[2], pixel[3]]);
        [word & 0x3ff, word >> 10 & 0x3ff, word >> 20 & 0x3ff]
    }

    fn write([a, b, c]: [u32; 3], pixel: &mut [u8]) {
        pixel.copy_from_slice(&(a | b << 10 | c << 20).to_le_bytes());
    }
}

/// The part of the target that a fitted picture covers, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    pub left: usize,
    pub top: usize,
    pub wide: usize,
    pub high: usize,
}

/// Where a picture of size `from` lies in one of size `to`: as large as its shape allows, in the middle. No side is zero.
pub fn placement(from: (usize, usize), to: (usize, usize)) -> Placement {
    // the side that limits is filled, the other one keeps the shape
    let (wide, high) = if to.0 * from.1 <= to.1 * from.0 {
        (to.0, (to.0 * from.1 / from.0).max(1))
    } else {
        ((to.1 * from.0 / from.1).max(1), to.1)
    };
    Placement {
        left: (to.0 - wide) / 2,
        top: (to.1 - high) / 2,
        wide,
        high,
    }
}

pub struct Fit {
    from: (usize, usize),
    width: usize,
    /// Target columns and lines that are covered, and what covers them.
    left: usize,
    top: usize,
    columns: Vec<Between>,
    lines: Vec<Between>,
    target: Vec<u8>,
}

impl Fit {
    /// Both sizes in pixels, neither side zero.
    pub fn new(from: (usize, usize), to: (usize, usize)) -> Self {
        let Placement {
            left,
            top,
            wide,
            high,
        } = placement(from, to);
        Self {
            from,
            width: to.0,
            left,
            top,
            columns: spread(from.0, wide),
            lines: spread(from.1, high),
            target: vec![0; to.0 * to.1 * PIXEL],
        }
    }

    pub fn is_from(&self, width: usize, height: usize) -> bool {
        self.from == (width, height)
    }

    /// The fitted picture; `pixels` have this fit's source size.
    pub fn apply<C: Channels>(&mut self, pixels: &[u8], stride: usize) -> &[u8] {
        for (y, &(above, below, down)) in self.lines.iter().enumerate() {
            let above = &pixels[above * stride..][..self.from.0 * PIXEL];
            let below = &pixels[below * stride..][..self.from.0 * PIXEL];
            let start = ((self.top + y) * self.width + self.left) * PIXEL;
            let out = &mut self.target[start..start + self.columns.len() * PIXEL];
            for (pixel, &(left, right, along)) in out.chunks_exact_mut(PIXEL).zip(&self.columns) {
                let corner = |line: &[u8], x: usize| C::read(&line[x * PIXEL..][..PIXEL]);
                let (nw, ne) = (corner(above, left), corner(above, right));
                let (sw, se) = (corner(below, left), corner(below, right));
                let between = std::array::from_fn(|channel| {
                    let north = nw[channel] * (256 - along) + ne[channel] * along;
                    let south = sw[channel] * (256 - along) + se[channel] * along;
                    (north * (256 - down) + south * down + (1 << 15)) >> 16
                });
                C::write(between, pixel);
            }
        }
        &self.target
    }
}

/// Centres of `to` pixels laid over `from` pixels.
fn spread(from: usize, to: usize) -> Vec<Between> {
    (0..to)
        .map(|at| {
            // (at + 1/2) * from / to - 1/2, in 1/256
            let place = ((2 * at + 1) * from * 128 / to).saturating_sub(128);
            let first = (place / 256).min(from - 1);
            let second = (first + 1).min(from - 1);
            (first, second, (place % 256) as u32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_size_is_the_mean_of_four() {
        let bgrx: Vec<u8> = [0u8, 100, 200, 60]
            .iter()
            .flat_map(|&v| [v, v, v, 255])
            .collect();
        let mut fit = Fit::new((2, 2), (1, 1));
        assert_eq!(fit.apply::<Bytes>(&bgrx, 8)[..3], [90, 90, 90]);
    }

    #[test]
    fn ten_bits_are_kept_apart() {
        let colours = [[1023u32, 0, 512], [0, 1023, 512]];
        let mut pixels = vec![0; 8];
        for (colour, pixel) in colours.into_iter().zip(pixels.chunks_mut(PIXEL)) {
            Tens::write(colour, pixel);
        }
        let mut fit = Fit::new((2, 1), (1, 1));
        // a strip of 1x1 shows the middle of both
        assert_eq!(Tens::read(fit.apply::<Tens>(&pixels, 8)), [512, 512, 512]);
    }

    #[test]
    fn every_source_edge_is_reached_and_none_is_passed() {
        for (from, to) in [(1920, 1280), (1, 7), (7, 1), (640, 640), (33, 1000)] {
            let spread = spread(from, to);
            assert_eq!(spread.len(), to);
            assert!(
                spread
                    .iter()
                    .all(|&(a, b, w)| a <= b && b < from && w < 256)
            );
            assert!(spread.is_sorted());
        }
    }

    #[test]
    fn shapes_are_kept() {
        let fit = Fit::new((1920, 1080), (1280, 800));
        assert_eq!(
            (fit.columns.len(), fit.lines.len(), fit.top),
            (1280, 720, 40)
        );
        let fit = Fit::new((800, 1200), (1280, 720));
        assert_eq!(
            (fit.columns.len(), fit.lines.len(), fit.left),
            (480, 720, 400)
        );
    }
}
