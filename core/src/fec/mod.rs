//! The erasure codes of GameStream over GF(2^8) with polynomial 0x11D: video's Cauchy code and audio's fixed 4+2 code.
//!
//! Owns matrices, encoding and repair of equally long shards that lie at equal strides in one buffer. Knows nothing of
//! packets. All byte work, encoding and repair alike, is one product of a matrix with shards, by a [`Kernel`]. Nothing is
//! allocated but the matrices of new shapes.
mod cache;
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tables that the compiler fills: out of range does not compile"
)]
mod field;
mod inverse;
#[allow(
    unsafe_code,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "vector instructions, each block says why it is sound; offsets stay below lengths that are checked first"
)]
mod kernel;
#[cfg(test)]
mod kernel_tests;
mod matrix;
#[cfg(test)]
mod tests;

pub use cache::CodeCache;
pub use inverse::Inverses;
pub use kernel::Kernel;

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
    /// For each data shard `parity` coefficients.
    matrix: Vec<u8>,
    /// What the repair knows of all rows, see [`matrix::cauchy_rows`].
    rows: Vec<u8>,
    family: Family,
    kernel: Kernel,
}

/// How missing shards follow from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Cauchy,
    Audio,
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
            matrix: matrix::cauchy(data, parity),
            rows: matrix::cauchy_rows(parity),
            family: Family::Cauchy,
            kernel: Kernel::best(),
        })
    }

    /// Audio's code: 4 data shards, 2 parity shards, coefficients fixed by the protocol.
    pub fn audio() -> Self {
        Self {
            data: 4,
            parity: 2,
            matrix: vec![0x77, 0xc7, 0x40, 0xa7, 0x38, 0x0d, 0x0e, 0x6c],
            rows: Vec::new(),
            family: Family::Audio,
            kernel: Kernel::best(),
        }
    }

    /// The same code, calculated by `kernel` instead of the fastest one: for comparisons.
    #[must_use]
    pub fn with_kernel(self, kernel: Kernel) -> Self {
        Self { kernel, ..self }
    }

    /// Data shards of a block.
    pub fn data(&self) -> usize {
        self.data
    }

    /// Parity shards of a block.
    pub fn parity(&self) -> usize {
        self.parity
    }

    /// Computes the parity shards of `block`, whose first `data` shards are filled. What the parity shards held is
    /// overwritten; bytes outside the layout's window are left alone.
    ///
    /// # Errors
    /// [`Error::BadConfig`] when `block` or the layout is too small.
    pub fn encode(&self, block: &mut [u8], layout: Layout) -> Result<()> {
        layout.check(block, self.data.saturating_add(self.parity))?;
        let (data, parity) = block.split_at_mut(self.data.saturating_mul(layout.stride));
        let mut inputs = Row::new();
        let mut outputs = Row::new();
        layout.shards(data).for_each(|shard| inputs.push(shard));
        layout
            .shards_mut(parity)
            .take(self.parity)
            .for_each(|shard| outputs.push(shard));
        self.kernel
            .multiply(&self.matrix, inputs.as_slice(), outputs.as_mut_slice());
        Ok(())
    }

    /// Rebuilds the missing data shards of `block` in place. `present[k]` says whether shard k (data first, then parity)
    /// holds what was sent. Gives the number of rebuilt shards.
    ///
    /// # Errors
    /// [`Error::Unrecoverable`] with fewer parity shards present than data shards missing; [`Error::BadConfig`] when
    /// the buffer, the layout or `present` is too small.
    pub fn reconstruct(&self, block: &mut [u8], layout: Layout, present: &[bool]) -> Result<usize> {
        self.reconstruct_with(&mut Inverses::default(), block, layout, present)
    }

    /// As [`Code::reconstruct`]; losses that `inverses` has seen in a code of this shape are not solved again.
    ///
    /// # Errors
    /// As there.
    pub fn reconstruct_with(
        &self,
        inverses: &mut Inverses,
        block: &mut [u8],
        layout: Layout,
        present: &[bool],
    ) -> Result<usize> {
        let total = self.data.saturating_add(self.parity);
        layout.check(block, total)?;
        let (Some(data_present), Some(parity_present)) =
            (present.get(..self.data), present.get(self.data..total))
        else {
            return Err(Error::BadConfig(
                "FEC needs to know of each shard whether it is present",
            ));
        };
        let (mut here, mut missing, mut used) = (Row::new(), Row::new(), Row::new());
        let (data, parity) = block.split_at_mut(self.data.saturating_mul(layout.stride));
        let mut inputs = Row::new();
        let mut outputs = Row::new();
        for ((k, shard), is_here) in (0u8..).zip(layout.shards_mut(data)).zip(data_present) {
            if *is_here {
                here.push(k);
                inputs.push(&*shard);
            } else {
                missing.push(k);
                outputs.push(shard);
            }
        }
        let count = missing.as_slice().len();
        if count == 0 {
            return Ok(0);
        }
        let parity = (0u8..).zip(layout.shards(parity)).zip(parity_present);
        for ((k, shard), _) in parity.filter(|(_, is_here)| **is_here).take(count) {
            used.push(k);
            inputs.push(shard);
        }
        let losses = matrix::Losses {
            here: here.as_slice(),
            used: used.as_slice(),
            missing: missing.as_slice(),
        };
        let lost = Error::Unrecoverable {
            missing: count,
            parity: losses.used.len(),
        };
        if losses.used.len() != count {
            return Err(lost);
        }
        let key = inverse::Key::of(self.data, self.parity, self.family, losses);
        let coefficients = inverses.get(key, |out| {
            out.resize(count.saturating_mul(self.data), 0);
            match self.family {
                Family::Cauchy => {
                    matrix::cauchy_repair(losses, self.parity, &self.rows, out);
                    true
                }
                Family::Audio => matrix::small_repair(&self.matrix, self.parity, losses, out),
            }
        });
        let coefficients = coefficients.ok_or(lost)?;
        self.kernel
            .multiply(coefficients, inputs.as_slice(), outputs.as_mut_slice());
        Ok(count)
    }
}

/// Up to [`MAX_SHARDS`] things on the stack.
struct Row<T> {
    items: [T; MAX_SHARDS],
    len: usize,
}

impl<T: Default> Row<T> {
    fn new() -> Self {
        Self {
            items: std::array::from_fn(|_| T::default()),
            len: 0,
        }
    }

    /// Appends `item`; callers have checked that it fits.
    fn push(&mut self, item: T) {
        if let Some(free) = self.items.get_mut(self.len) {
            *free = item;
            self.len = self.len.saturating_add(1);
        }
    }

    fn as_slice(&self) -> &[T] {
        self.items.get(..self.len).unwrap_or_default()
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        self.items.get_mut(..self.len).unwrap_or_default()
    }
}
