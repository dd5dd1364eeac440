//! Fits a picture into another size: same shape, black bars, bilinear.
//!
//! For sources that do not deliver the client's size; where they do, nothing here runs.

use super::PIXEL;

/// Where a target pixel lies between two source pixels: index of the first, of the second, weight of the second in 1/256.
type Between = (usize, usize, u32);

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

    /// The fitted picture; `bgrx` has this fit's source size.
    pub fn apply(&mut self, bgrx: &[u8], stride: usize) -> &[u8] {
        for (y, &(above, below, down)) in self.lines.iter().enumerate() {
            let above = &bgrx[above * stride..][..self.from.0 * PIXEL];
            let below = &bgrx[below * stride..][..self.from.0 * PIXEL];
            let start = ((self.top + y) * self.width + self.left) * PIXEL;
            let out = &mut self.target[start..start + self.columns.len() * PIXEL];
            for (pixel, &(left, right, along)) in out.chunks_exact_mut(PIXEL).zip(&self.columns) {
                let corner = |line: &[u8], x: usize| -> [u32; 3] {
                    let at = &line[x * PIXEL..x * PIXEL + 3];
                    [at[0].into(), at[1].into(), at[2].into()]
                };
                let (nw, ne) = (corner(above, left), corner(above, right));
                let (sw, se) = (corner(below, left), corner(below, right));
                for channel in 0..3 {
                    let north = nw[channel] * (256 - along) + ne[channel] * along;
                    let south = sw[channel] * (256 - along) + se[channel] * along;
                    let value = (north * (256 - down) + south * down + (1 << 15)) >> 16;
                    pixel[channel] = value as u8;
                }
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
        assert_eq!(fit.apply(&bgrx, 8)[..3], [90, 90, 90]);
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
