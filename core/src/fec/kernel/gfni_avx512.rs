//! 64 bytes at once: a multiplication is one bit matrix product. 20 accumulators, and masks for short ends.
//!
//! Ten outputs in two columns each beat twenty outputs: a factor's table is fetched half as often.
use super::super::field::BIT_MATRICES;
use super::driver::kernel;
use std::arch::x86_64::*;

type V = __m512i;
const WIDTH: usize = 64;
const MASKS: bool = true;

kernel!(features: "avx512f,avx512bw,gfni", most: 10, columns: 2, sizes: [1 2 3 4 5 6 7 8 9 10]);

#[inline]
#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn zero() -> V {
    _mm512_setzero_si512()
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn xor(a: V, b: V) -> V {
    _mm512_xor_si512(a, b)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn split(x: V) -> V {
    x
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn table(factor: u8) -> V {
    _mm512_set1_epi64(BIT_MATRICES[usize::from(factor)].cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn times(x: V, table: V) -> V {
    _mm512_gf2p8affine_epi64_epi8::<0>(x, table)
}

fn mask(some: usize) -> u64 {
    u64::MAX >> (WIDTH - some)
}

/// # Safety
/// `some` bytes, at least 1 and at most `WIDTH`, can be read from `from` on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,gfni")]
unsafe fn load<const WHOLE: bool>(from: *const u8, some: usize) -> V {
    // SAFETY: masked bytes are not touched.
    unsafe { _mm512_maskz_loadu_epi8(mask(some), from.cast()) }
}

/// # Safety
/// `some` bytes, at least 1 and at most `WIDTH`, can be written from `to` on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,gfni")]
unsafe fn store<const WHOLE: bool>(to: *mut u8, x: V, some: usize) {
    // SAFETY: masked bytes are not touched.
    unsafe { _mm512_mask_storeu_epi8(to.cast(), mask(some), x) }
}
