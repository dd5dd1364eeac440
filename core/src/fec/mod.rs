//! The erasure codes of GameStream over GF(2^8) with polynomial 0x11D: video's Cauchy code and audio's fixed 4+2 code.
//!
//! Owns matrices, encoding and repair of equally long shards that lie at equal strides in one buffer. Knows nothing of
//! packets. All byte work goes through [`kernel`], the one place where a faster kernel will be put in.
mod cache;
mod kernel;
mod matrix;
#[cfg(test)]
mod tests;

pub use cache::CodeCache;

use crate::{Error, Result};

/// Most shards, data and parity together, of one block.
pub const MAX_SHARDS: usize = 255;

/// Parity shards that a client computes for `data` shards at `percent`: `floor((data * percent + 99) / 100)`.
pub fn parity_count(data: usize, percent: u8) -> usize {
    data.saturating_mul(usize::from(percent)).saturating_add(99) / 100
}

/// Where the shards lie in a block's buffer: shard k is `buffer[k * stride + offset..][..len]`.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    pub stride: usize,
    pub offset: usize,
    pub len: usize,
}

impl Layout {
    fn check(self, block: &[u8], shards: usize) -> Result<()> {
        let fits = self
            .offset
            .checked_add(self.len)
            .is_some_and(|end| end <= self.stride);
        if !fits
            || shards
                .checked_mul(self.stride)
                .is_none_or(|need| block.len() < need)
        {
            return Err(Error::BadConfig("FEC shards do not fit their buffer"));
        }
        Ok(())
    }

    /// The bytes of the shards in `block`, in order.
    fn shards(self, block: &[u8]) -> impl Iterator<Item = &[u8]> {
        block
            .chunks_exact(self.stride.max(1))
            .filter_map(move |chunk| chunk.get(self.offset..)?.get(..self.len))
    }

    fn shards_mut(self, block: &mut [u8]) -> impl Iterator<Item = &mut [u8]> {
        block
            .chunks_exact_mut(self.stride.max(1))
            .filter_map(move |chunk| chunk.get_mut(self.offset..)?.get_mut(..self.len))
    }
}

/// A systematic code for one shape: `data` shards protected by `parity` shards.
#[derive(Debug, Clone)]
pub struct Code {
    data: usize,
    parity: usize,
    /// `parity` rows of `data` coefficients.
    rows: Vec<u8>,
}

impl Code {
    /// Video's code: row j, column i is the inverse of `(parity + i) ^ j`. The number of parity shards enters the
    /// matrix, so a code for another number is another code.
    ///
    /// # Errors
    /// [`Error::BadConfig`] unless both counts are positive and together at most [`MAX_SHARDS`].
    pub fn cauchy(data: usize, parity: usize) -> Result<Self> {
        if data == 0 || parity == 0 || data.saturating_add(parity) > MAX_SHARDS {
            return Err(Error::BadConfig(
                "a FEC block has 1 to 254 data shards and at most 255 shards in all",
            ));
        }
        Ok(Self {
            data,
            parity,
            rows: matrix::cauchy(data, parity),
        })
    }

    /// Audio's code: 4 data shards, 2 parity shards, coefficients fixed by the protocol.
    pub fn audio() -> Self {
        Self {
            data: 4,
            parity: 2,
            rows: vec![0x77, 0x40, 0x38, 0x0e, 0xc7, 0xa7, 0x0d, 0x6c],
        }
    }

    /// Data shards of a block.
    pub fn data(&self) -> usize {
        self.data
    }

    /// Parity shards of a block.
    pub fn parity(&self) -> usize {
        self.parity
    }

    fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.rows.chunks_exact(self.data)
    }

    /// Computes the parity shards of `block`, whose first `data` shards are filled. What the parity shards held is
    /// overwritten; bytes outside the layout's window are left alone.
    ///
    /// # Errors
    /// [`Error::BadConfig`] when `block` or the layout is too small.
    pub fn encode(&self, block: &mut [u8], layout: Layout) -> Result<()> {
        layout.check(block, self.data.saturating_add(self.parity))?;
        let (data, parity) = block.split_at_mut(self.data.saturating_mul(layout.stride));
        for (row, out) in self.rows().zip(layout.shards_mut(parity)) {
            kernel::combine(row, layout.shards(data), out);
        }
        Ok(())
    }

    /// Rebuilds the missing data shards of `block` in place. `present[k]` says whether shard k (data first, then parity)
    /// holds what was sent. Parity shards are used up as scratch. Gives the number of rebuilt shards.
    ///
    /// # Errors
    /// [`Error::Unrecoverable`] with fewer parity shards present than data shards missing; [`Error::BadConfig`] when
    /// the buffer, the layout or `present` is too small.
    pub fn reconstruct(&self, block: &mut [u8], layout: Layout, present: &[bool]) -> Result<usize> {
        let total = self.data.saturating_add(self.parity);
        layout.check(block, total)?;
        let (Some(data_present), Some(parity_present)) =
            (present.get(..self.data), present.get(self.data..total))
        else {
            return Err(Error::BadConfig(
                "FEC needs to know of each shard whether it is present",
            ));
        };
        let missing: Vec<usize> = indices(data_present, false).collect();
        if missing.is_empty() {
            return Ok(0);
        }
        let used: Vec<usize> = indices(parity_present, true).take(missing.len()).collect();
        let lost = Error::Unrecoverable {
            missing: missing.len(),
            parity: used.len(),
        };
        if used.len() < missing.len() {
            return Err(lost);
        }
        // What the used parity rows say about the missing shards alone, as a square system.
        let picked: Vec<&[u8]> = used
            .iter()
            .filter_map(|&row| self.rows().nth(row))
            .collect();
        let system: Vec<u8> = picked
            .iter()
            .flat_map(|row| {
                missing
                    .iter()
                    .filter_map(|&column| row.get(column).copied())
            })
            .collect();
        let Some(inverse) = matrix::invert(&system, missing.len()) else {
            return Err(lost);
        };
        let (data, parity) = block.split_at_mut(self.data.saturating_mul(layout.stride));
        let mut sums: Vec<&mut [u8]> = pick_mut(layout.shards_mut(parity), &used).collect();
        for (row, sum) in picked.iter().zip(&mut sums) {
            for ((&c, shard), _) in row
                .iter()
                .zip(layout.shards(data))
                .zip(data_present)
                .filter(|(_, here)| **here)
            {
                kernel::accumulate(c, shard, sum);
            }
        }
        for (row, out) in inverse
            .chunks_exact(missing.len())
            .zip(pick_mut(layout.shards_mut(data), &missing))
        {
            kernel::combine(row, sums.iter().map(|sum| &**sum), out);
        }
        Ok(missing.len())
    }
}

/// The places where `flags` equals `wanted`.
fn indices(flags: &[bool], wanted: bool) -> impl Iterator<Item = usize> {
    flags
        .iter()
        .enumerate()
        .filter(move |(_, flag)| **flag == wanted)
        .map(|(k, _)| k)
}

/// The items at the given places, which are in rising order.
fn pick_mut<'a>(
    items: impl Iterator<Item = &'a mut [u8]>,
    places: &[usize],
) -> impl Iterator<Item = &'a mut [u8]> {
    let mut places = places.iter().copied().peekable();
    items
        .enumerate()
        .filter_map(move |(k, item)| places.next_if_eq(&k).map(|_| item))
}
