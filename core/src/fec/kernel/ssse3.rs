//! 16 bytes at once: a multiplication is two look-ups among 16 products, one for each nibble.
use super::super::field::NIBBLES;
use super::driver::{kernel, short};
use std::arch::x86_64::*;

type V = __m128i;
const WIDTH: usize = 16;
const MASKS: bool = false;

kernel!(features: "ssse3", most: 5, columns: 1, sizes: [1 2 3 4 5]);
short!(features: "ssse3");

#[inline]
#[target_feature(enable = "ssse3")]
fn zero() -> V {
    _mm_setzero_si128()
}

#[inline]
#[target_feature(enable = "ssse3")]
fn xor(a: V, b: V) -> V {
    _mm_xor_si128(a, b)
}

/// Low and high nibbles.
#[inline]
#[target_feature(enable = "ssse3")]
fn split(x: V) -> (V, V) {
    let nibble = _mm_set1_epi8(0x0F);
    (
        _mm_and_si128(x, nibble),
        _mm_and_si128(_mm_srli_epi64::<4>(x), nibble),
    )
}

#[inline]
#[target_feature(enable = "ssse3")]
fn table(factor: u8) -> (V, V) {
    let products = NIBBLES[usize::from(factor)].0.as_ptr();
    // SAFETY: 32 bytes at an address that is a multiple of 32.
    unsafe {
        (
            _mm_load_si128(products.cast()),
            _mm_load_si128(products.add(16).cast()),
        )
    }
}

#[inline]
#[target_feature(enable = "ssse3")]
fn times(x: (V, V), table: (V, V)) -> V {
    xor(
        _mm_shuffle_epi8(table.0, x.0),
        _mm_shuffle_epi8(table.1, x.1),
    )
}

/// # Safety
/// `WIDTH` bytes can be read from `from` on.
#[inline]
#[target_feature(enable = "ssse3")]
unsafe fn load_whole(from: *const u8) -> V {
    // SAFETY: the caller's promise; the address need not be aligned.
    unsafe { _mm_loadu_si128(from.cast()) }
}

/// # Safety
/// `WIDTH` bytes can be written from `to` on.
#[inline]
#[target_feature(enable = "ssse3")]
unsafe fn store_whole(to: *mut u8, x: V) {
    // SAFETY: the caller's promise; the address need not be aligned.
    unsafe { _mm_storeu_si128(to.cast(), x) }
}
