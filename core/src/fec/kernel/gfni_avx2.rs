//! 32 bytes at once: a multiplication is one bit matrix product. 10 accumulators in 16 registers.
use super::super::field::BIT_MATRICES;
use super::driver::{kernel, short};
use std::arch::x86_64::*;

type V = __m256i;
const WIDTH: usize = 32;
const MASKS: bool = false;

kernel!(features: "avx2,gfni", most: 5, columns: 2, sizes: [1 2 3 4 5]);
short!(features: "avx2,gfni");

#[inline]
#[target_feature(enable = "avx2,gfni")]
fn zero() -> V {
    _mm256_setzero_si256()
}

#[inline]
#[target_feature(enable = "avx2,gfni")]
fn xor(a: V, b: V) -> V {
    _mm256_xor_si256(a, b)
}

#[inline]
#[target_feature(enable = "avx2,gfni")]
fn split(x: V) -> V {
    x
}

#[inline]
#[target_feature(enable = "avx2,gfni")]
fn table(factor: u8) -> V {
    _mm256_set1_epi64x(BIT_MATRICES[usize::from(factor)].cast_signed())
}

#[inline]
#[target_feature(enable = "avx2,gfni")]
fn times(x: V, table: V) -> V {
    _mm256_gf2p8affine_epi64_epi8::<0>(x, table)
}

/// # Safety
/// `WIDTH` bytes can be read from `from` on.
#[inline]
#[target_feature(enable = "avx2,gfni")]
unsafe fn load_whole(from: *const u8) -> V {
    // SAFETY: the caller's promise; the address need not be aligned.
    unsafe { _mm256_loadu_si256(from.cast()) }
}

/// # Safety
/// `WIDTH` bytes can be written from `to` on.
#[inline]
#[target_feature(enable = "avx2,gfni")]
unsafe fn store_whole(to: *mut u8, x: V) {
    // SAFETY: the caller's promise; the address need not be aligned.
    unsafe { _mm256_storeu_si256(to.cast(), x) }
}
