//! Small matrices over GF(2^8).
use reed_solomon_erasure::galois_8::{div, mul};

/// The rows of the Cauchy code; the caller has checked the counts.
#[expect(
    clippy::cast_possible_truncation,
    reason = "data + parity is at most 255"
)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "data + parity is at most 255"
)]
pub fn cauchy(data: usize, parity: usize) -> Vec<u8> {
    let (data, parity) = (data as u8, parity as u8);
    // parity + i is never below parity and j always is: their difference is never zero.
    (0..parity)
        .flat_map(|j| (0..data).map(move |i| div(1, (parity + i) ^ j)))
        .collect()
}

/// The inverse of the `n` by `n` matrix `m` (rows one after the other), or `None` when it has none.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "indices below 2 * n * n, n at most 255"
)]
#[expect(
    clippy::indexing_slicing,
    reason = "all indices are below the lengths made here"
)]
pub fn invert(m: &[u8], n: usize) -> Option<Vec<u8>> {
    if m.len() != n * n {
        return None;
    }
    let width = 2 * n;
    let mut work = vec![0; n * width];
    for (r, row) in work.chunks_exact_mut(width).enumerate() {
        row[..n].copy_from_slice(&m[r * n..][..n]);
        row[n + r] = 1;
    }
    for pivot in 0..n {
        let found = (pivot..n).find(|r| work[r * width + pivot] != 0)?;
        for k in 0..width {
            work.swap(pivot * width + k, found * width + k);
        }
        let lead = work[pivot * width + pivot];
        for x in &mut work[pivot * width..][..width] {
            *x = div(*x, lead);
        }
        let pivot_row = work[pivot * width..][..width].to_vec();
        for (r, row) in work.chunks_exact_mut(width).enumerate() {
            let factor = row[pivot];
            if r != pivot && factor != 0 {
                for (x, p) in row.iter_mut().zip(&pivot_row) {
                    *x ^= mul(factor, *p);
                }
            }
        }
    }
    Some(
        work.chunks_exact(width)
            .flat_map(|row| row[n..].iter().copied())
            .collect(),
    )
}
