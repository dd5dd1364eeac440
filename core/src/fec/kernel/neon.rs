//! 16 bytes at once: a multiplication is two look-ups among 16 products, one for each nibble.
use super::super::field::NIBBLES;
use super::driver::{kernel, short};
use std::arch::aarch64::*;

type V = uint8x16_t;
const WIDTH: usize = 16;
const MASKS: bool = false;

kernel!(features: "neon", most: 10, columns: 1, sizes: [1 2 3 4 5 6 7 8 9 10]);
short!(features: "neon");

#[inline]
#[target_feature(enable = "neon")]
fn zero() -> V {
    vdupq_n_u8(0)
}

#[inline]
#[target_feature(enable = "neon")]
fn xor(a: V, b: V) -> V {
    veorq_u8(a, b)
}

/// Low and high nibbles.
#[inline]
#[target_feature(enable = "neon")]
fn split(x: V) -> (V, V) {
    (vandq_u8(x, vdupq_n_u8(0x0F)), vshrq_n_u8::<4>(x))
}

#[inline]
#[target_feature(enable = "neon")]
fn table(factor: u8) -> (V, V) {
    let products = NIBBLES[usize::from(factor)].0.as_ptr();
    // SAFETY: 32 bytes.
    unsafe { (vld1q_u8(products), vld1q_u8(products.add(16))) }
}

#[inline]
#[target_feature(enable = "neon")]
fn times(x: (V, V), table: (V, V)) -> V {
    xor(vqtbl1q_u8(table.0, x.0), vqtbl1q_u8(table.1, x.1))
}

/// # Safety
/// `WIDTH` bytes can be read from `from` on.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load_whole(from: *const u8) -> V {
    // SAFETY: the caller's promise.
    unsafe { vld1q_u8(from) }
}

/// # Safety
/// `WIDTH` bytes can be written from `to` on.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn store_whole(to: *mut u8, x: V) {
    // SAFETY: the caller's promise.
    unsafe { vst1q_u8(to, x) }
}
