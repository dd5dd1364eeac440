//! The loops that the vector kernels share.
//!
//! Each output of a group has its accumulator in a register while the inputs go by, so that an input vector is read once
//! per group. Outputs are dealt into groups of nearly equal size. Columns are the outer loop: what a second group reads
//! again is in the first-level cache.

/// Defines `multiply` for a kernel: `V` is its vector of `WIDTH` bytes, `Split` what a multiplication needs of one, and
/// `load`, `store`, `load_some`, `store_some`, `zero`, `split`, `times`, `xor` its operations. `$most` is the largest
/// group, and the listed sizes are all from 1 up to it. `$columns` vectors of each shard share a factor's table. A kernel
/// with `MASKS` reads and writes short vectors as fast as whole ones.
macro_rules! kernel {
    (features: $features:literal, most: $most:literal, columns: $columns:literal, sizes: [$($size:literal)*]) => {
        /// See [`super::Body`].
        ///
        /// # Safety
        /// As there.
        #[target_feature(enable = $features)]
        pub(super) unsafe fn multiply(
            coefficients: &[u8],
            inputs: &[&[u8]],
            outputs: &mut [&mut [u8]],
        ) {
            let len = outputs.first().map_or(0, |shard| shard.len());
            let mut at = 0;
            while len - at >= $columns * WIDTH {
                // SAFETY: `$columns` whole vectors are left from `at` on.
                unsafe { column::<$columns, { !MASKS }>(coefficients, inputs, outputs, at, WIDTH) }
                at += $columns * WIDTH;
            }
            while len - at >= WIDTH {
                // SAFETY: a whole vector is left.
                unsafe { column::<1, { !MASKS }>(coefficients, inputs, outputs, at, WIDTH) }
                at += WIDTH;
            }
            if at < len && len >= WIDTH && !MASKS {
                // Instead of a short vector the last whole one, part of it for the second time.
                // SAFETY: it ends where the shards end.
                unsafe { column::<1, true>(coefficients, inputs, outputs, len - WIDTH, WIDTH) }
            } else if at < len {
                // SAFETY: it ends where the shards end.
                unsafe { column::<1, false>(coefficients, inputs, outputs, at, len - at) }
            }
        }

        /// All outputs, `COLUMNS` vectors from byte `at` on, `some` bytes of each: `WIDTH` if `WHOLE`.
        ///
        /// # Safety
        /// As [`super::Body`], and the shards reach as far.
        #[inline]
        #[target_feature(enable = $features)]
        unsafe fn column<const COLUMNS: usize, const WHOLE: bool>(
            coefficients: &[u8],
            inputs: &[&[u8]],
            outputs: &mut [&mut [u8]],
            at: usize,
            some: usize,
        ) {
            let all = outputs.len();
            let groups = all.div_ceil($most);
            for number in 0..groups {
                let first = all * number / groups;
                let end = all * (number + 1) / groups;
                let factors = coefficients.as_ptr().wrapping_add(first);
                let outputs = &mut outputs[first..end];
                match end - first {
                    $(
                        // SAFETY: `factors` starts at the group's first output, the rest is the caller's promise.
                        $size => unsafe {
                            group::<$size, COLUMNS, WHOLE>(factors, all, inputs, outputs, at, some)
                        },
                    )*
                    _ => unreachable!("groups have at most {} outputs", $most),
                }
            }
        }

        /// As [`column`], for the `GROUP` outputs of `outputs`. `factors` points to the first input's coefficient for the
        /// first of them; the next input's is `step` bytes further.
        ///
        /// # Safety
        /// As [`column`]; `factors` has `GROUP` bytes at each step, and there are `GROUP` outputs.
        #[target_feature(enable = $features)]
        unsafe fn group<const GROUP: usize, const COLUMNS: usize, const WHOLE: bool>(
            mut factors: *const u8,
            step: usize,
            inputs: &[&[u8]],
            outputs: &mut [&mut [u8]],
            at: usize,
            some: usize,
        ) {
            let mut sums = [[zero(); COLUMNS]; GROUP];
            let mut pairs = inputs.chunks_exact(2);
            for pair in &mut pairs {
                let mut first = [split(zero()); COLUMNS];
                let mut second = [split(zero()); COLUMNS];
                for c in 0..COLUMNS {
                    // SAFETY: the caller's promise.
                    unsafe {
                        first[c] = split(load::<WHOLE>(pair[0].as_ptr().add(at + c * WIDTH), some));
                        second[c] = split(load::<WHOLE>(pair[1].as_ptr().add(at + c * WIDTH), some));
                    }
                }
                for g in 0..GROUP {
                    // SAFETY: both inputs have their coefficients.
                    let (one, other) = unsafe {
                        (table(*factors.add(g)), table(*factors.add(step + g)))
                    };
                    for c in 0..COLUMNS {
                        let both = xor(times(first[c], one), times(second[c], other));
                        sums[g][c] = xor(sums[g][c], both);
                    }
                }
                factors = factors.wrapping_add(2 * step);
            }
            for input in pairs.remainder() {
                for c in 0..COLUMNS {
                    // SAFETY: the caller's promise.
                    let x = unsafe { split(load::<WHOLE>(input.as_ptr().add(at + c * WIDTH), some)) };
                    for g in 0..GROUP {
                        // SAFETY: the input has its coefficients.
                        let one = unsafe { table(*factors.add(g)) };
                        sums[g][c] = xor(sums[g][c], times(x, one));
                    }
                }
            }
            for (output, sums) in outputs.iter_mut().zip(sums) {
                for (c, sum) in sums.into_iter().enumerate() {
                    // SAFETY: the caller's promise.
                    unsafe { store::<WHOLE>(output.as_mut_ptr().add(at + c * WIDTH), sum, some) }
                }
            }
        }
    };
}

/// Defines `load` and `store` of up to `WIDTH` bytes for a kernel without masks. Shards shorter than a vector are rare.
macro_rules! short {
    (features: $features:literal) => {
        /// # Safety
        /// `some` bytes, at most `WIDTH` and exactly that if `WHOLE`, can be read from `from` on.
        #[inline]
        #[target_feature(enable = $features)]
        unsafe fn load<const WHOLE: bool>(from: *const u8, some: usize) -> V {
            if WHOLE {
                // SAFETY: a whole vector is there.
                return unsafe { load_whole(from) };
            }
            let mut whole = [0; WIDTH];
            // SAFETY: `some` bytes are there, and `whole` is longer.
            unsafe {
                std::ptr::copy_nonoverlapping(from, whole.as_mut_ptr(), some);
                load_whole(whole.as_ptr())
            }
        }

        /// # Safety
        /// `some` bytes, at most `WIDTH` and exactly that if `WHOLE`, can be written from `to` on.
        #[inline]
        #[target_feature(enable = $features)]
        unsafe fn store<const WHOLE: bool>(to: *mut u8, x: V, some: usize) {
            if WHOLE {
                // SAFETY: there is room for a whole vector.
                return unsafe { store_whole(to, x) };
            }
            let mut whole = [0; WIDTH];
            // SAFETY: there is room for `some` bytes, and `whole` is longer.
            unsafe {
                store_whole(whole.as_mut_ptr(), x);
                std::ptr::copy_nonoverlapping(whole.as_ptr(), to, some);
            }
        }
    };
}
#[allow(unused_imports, reason = "no vector kernel on other machines")]
pub(super) use {kernel, short};
