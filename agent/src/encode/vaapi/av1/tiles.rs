//! Tiles of AV1: as few as the format allows, all of one size but the last.

use crate::encode::vaapi::{abi, bits::Writer, plan::Plan};

/// Of blocks of 64: the widest tile, the largest one, and how many there are in either direction at most.
const MAX_WIDTH: u32 = 4096 / 64;
const MAX_AREA: u32 = 4096 * 2304 / (64 * 64);
const MAX_COUNT: u32 = 64;

/// The tiles of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cuts {
    blocks: u32,
    /// Logarithms: what it takes at least, which is taken, and at most.
    taken: u32,
    most: u32,
}

impl Cuts {
    fn size(&self) -> u32 {
        self.blocks.div_ceil(1 << self.taken)
    }

    pub fn count(&self) -> u32 {
        self.blocks.div_ceil(self.size())
    }

    /// In blocks.
    pub fn sizes(&self) -> impl Iterator<Item = u32> {
        let &Self { blocks, .. } = self;
        let size = self.size();
        (0..self.count()).map(move |tile| size.min(blocks - tile * size))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiles {
    pub columns: Cuts,
    pub rows: Cuts,
}

/// The least power of two of which so many of these reach there.
fn log2(of: u32, reach: u32) -> u32 {
    (0..).find(|power| of << power >= reach).unwrap_or(0)
}

impl Tiles {
    pub fn of(width: u32, height: u32) -> Self {
        let (across, down) = (width.div_ceil(64), height.div_ceil(64));
        let columns = log2(MAX_WIDTH, across);
        let least = columns.max(log2(MAX_AREA, across * down));
        let cuts = |blocks: u32, taken| Cuts {
            blocks,
            taken,
            most: log2(1, blocks.min(MAX_COUNT)),
        };
        Self {
            columns: cuts(across, columns),
            rows: cuts(down, least.saturating_sub(columns)),
        }
    }

    pub fn count(&self) -> u32 {
        self.columns.count() * self.rows.count()
    }

    /// As in a frame header.
    pub fn write(&self, out: &mut Writer, plan: &Plan) {
        // all of one size; no more than it takes
        out.bit(true);
        for cuts in [self.columns, self.rows] {
            if cuts.taken < cuts.most {
                out.bit(false);
            }
        }
        let logarithms = self.columns.taken + self.rows.taken;
        if logarithms > 0 {
            // probabilities are those of the first one
            out.bits(logarithms, 0);
            out.bits(2, plan.card.av1_sizes & 3);
        }
    }
}

/// Whether a driver that says this of itself makes as many tiles as such pictures take.
pub fn tiles_fit(width: u32, height: u32, sizes: u32) -> bool {
    // zero is what some drivers say when they have no answer
    match sizes >> abi::AV1_MAX_TILES_SHIFT & 0x1fff {
        0 => true,
        most => Tiles::of(width, height).count() <= most + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_few_tiles_as_the_format_allows() {
        for (size, columns, rows) in [
            ((320, 184), 1, 1),
            ((1920, 1080), 1, 1),
            ((3840, 2160), 1, 1),
            ((4096, 2160), 1, 1),
            ((5120, 1440), 2, 1),
            ((3840, 4096), 1, 2),
            ((7680, 4320), 2, 2),
        ] {
            let tiles = Tiles::of(size.0, size.1);
            let counted = (tiles.columns.count(), tiles.rows.count());
            assert_eq!(counted, (columns, rows), "{size:?}");
            assert_eq!(tiles.columns.sizes().sum::<u32>(), size.0.div_ceil(64));
            assert_eq!(tiles.rows.sizes().sum::<u32>(), size.1.div_ceil(64));
            assert!(tiles.columns.sizes().all(|width| width <= MAX_WIDTH));
        }
        assert!(tiles_fit(7680, 4320, 3 << abi::AV1_MAX_TILES_SHIFT));
        assert!(!tiles_fit(7680, 4320, 2 << abi::AV1_MAX_TILES_SHIFT));
        assert!(tiles_fit(7680, 4320, 0));
    }
}
