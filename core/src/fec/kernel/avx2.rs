//! 32 bytes at once: a multiplication is two look-ups among 16 products, one for each nibble.
use super::super::field::NIBBLES;
use super::driver::{kernel, short};
use std::arch::x86_64::*;

type V = __m256i;
const WIDTH: usize = 32;
const MASKS: bool = false;

kernel!(features: "avx2", most: 5, columns: 1, sizes: [1 2 3 4 5]);
short!(features: "avx2");

#[inline]
#[target_feature(enable = "avx2")]
fn zero() -> V {
    _mm256_setzero_si256()
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(a: V, b: V) -> V {
    _mm256_xor_si256(a, b)
}

/// Low and high nibbles.
#[inline]
#[target_feature(enable = "avx2")]
fn split(x: V) -> (V, V) {
    let nibble = _mm256_set1_epi8(0x0F);
    (
        _mm256_and_si256(x, nibble),
        _mm256_and_si256(_mm256_srli_epi64::<4>(x), nibble),
    )
}

#[inline]
#[target_feature(enable = "avx2")]
fn table(factor: u8) -> (V, V) {
    let products = NIBBLES[usize::from(factor)].0.as_ptr();
    // SAFETY: 32 bytes at an address that is a multiple of 32.
    let (low, high) = unsafe {
        (
            _mm_load_si128(products.cast()),
            _mm_load_si128(products.add(16).cast()),
        )
    };
    (
        _mm256_broadcastsi128_si256(low),
        _mm256_broadcastsi128_si256(high),
    )
}

#[inline]
#[target_feature(enable = "avx2")]
fn times(x: (V, V), table: (V, V)) -> V {
    xor(
        _mm256_shuffle_epi8(table.0, x.0),
        _mm256_shuffle_epi8(table.1, x.1),
    )
}

/// # Safety
/// `WIDTH` bytes can be read from `from` on.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load_whole(from: *const u8) -> V {
    // SAFETY: the caller's promise; the address need not be aligned.
    unsafe { _mm256_loadu_si256(from.cast()) }
}

/// # Safety
/// `WIDTH` bytes can be written from `to` on.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store_whole(to: *mut u8, x: V) {
    // SAFETY: the caller's promise; the address need not be aligned.
    unsafe { _mm256_storeu_si256(to.cast(), x) }
}
