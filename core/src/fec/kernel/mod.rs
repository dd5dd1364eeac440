//! The byte work of the codes: a matrix over GF(2^8) times shards. One kernel per instruction set, the best one that
//! this CPU has is found at run time.
//!
//! `unsafe` lives in this directory and nowhere else in the crate. What the bodies rely on (equal lengths, as many
//! coefficients as products, instructions that exist) is checked here, in [`Kernel::multiply`] and [`Kernel::available`].
#[cfg(target_arch = "x86_64")]
mod avx2;
mod driver;
#[cfg(target_arch = "x86_64")]
mod gfni_avx2;
#[cfg(target_arch = "x86_64")]
mod gfni_avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod ssse3;

use std::sync::OnceLock;

/// `outputs[j] = sum over i of coefficients[i * outputs.len() + j] * inputs[i]`.
///
/// # Safety
/// The CPU has the kernel's instructions; `coefficients` has one byte per input and output; all slices in `inputs` and
/// `outputs` are equally long.
type Body = unsafe fn(coefficients: &[u8], inputs: &[&[u8]], outputs: &mut [&mut [u8]]);

/// A way to multiply shards by a matrix that this CPU can run.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    name: &'static str,
    body: Body,
}

impl Kernel {
    /// The kernels that this CPU can run, the fastest first. The last one is portable.
    pub fn available() -> &'static [Self] {
        static FOUND: OnceLock<Vec<Kernel>> = OnceLock::new();
        FOUND.get_or_init(|| {
            let mut found: Vec<Self> = Vec::new();
            let mut offer = |name, body: Body, runs: bool| {
                if runs {
                    found.push(Self { name, body });
                }
            };
            #[cfg(target_arch = "x86_64")]
            {
                use std::arch::is_x86_feature_detected as has;
                let gfni = has!("gfni");
                let avx512 = has!("avx512f") && has!("avx512bw");
                offer("gfni-avx512", gfni_avx512::multiply, gfni && avx512);
                offer("gfni-avx2", gfni_avx2::multiply, gfni && has!("avx2"));
                offer("avx2", avx2::multiply, has!("avx2"));
                offer("ssse3", ssse3::multiply, has!("ssse3"));
            }
            #[cfg(target_arch = "aarch64")]
            offer(
                "neon",
                neon::multiply,
                std::arch::is_aarch64_feature_detected!("neon"),
            );
            offer("portable", portable::multiply, true);
            found
        })
    }

    /// The fastest of [`Kernel::available`].
    pub fn best() -> Self {
        Self::available().first().copied().unwrap_or(Self {
            name: "portable",
            body: portable::multiply,
        })
    }

    /// The instruction set, for people.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// `outputs[j] = sum over i of coefficients[i * outputs.len() + j] * inputs[i]`, bytewise. What the outputs held is
    /// overwritten.
    ///
    /// # Panics
    /// When the slices are not equally long or the number of coefficients is not that of the products.
    pub(super) fn multiply(self, coefficients: &[u8], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
        let Some(len) = outputs.first().map(|shard| shard.len()) else {
            return;
        };
        assert!(
            inputs.iter().all(|shard| shard.len() == len)
                && outputs.iter().all(|shard| shard.len() == len)
                && inputs.len().checked_mul(outputs.len()) == Some(coefficients.len()),
            "a FEC kernel needs equal shards and one coefficient for each product"
        );
        // SAFETY: lengths and counts were checked just now; a `Kernel` exists only where `available` found its
        // instructions (`best`'s own needs none).
        unsafe { (self.body)(coefficients, inputs, outputs) }
    }
}
