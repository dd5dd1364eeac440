//! Durations in few fixed buckets: recorded without a lock or an allocation, read as percentiles.
use std::sync::atomic::{AtomicU64, Ordering};

/// Values below this have a bucket each.
const EXACT: u64 = 64;
/// Buckets for each doubling above it: an error of at most 1/32.
const STEPS: u64 = 32;
/// Up to 2^24 µs, almost 17 s; what is longer counts as that.
const OCTAVES: u64 = 18;
#[expect(
    clippy::cast_possible_truncation,
    reason = "a constant of a few hundred"
)]
const BUCKETS: usize = (EXACT + STEPS * OCTAVES) as usize;

/// One stage's durations in microseconds.
#[derive(Debug)]
pub struct Histogram(Box<[AtomicU64]>);

impl Default for Histogram {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl Histogram {
    pub fn record(&self, micros: u64) {
        if let Some(bucket) = self.0.get(bucket(micros)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The value that `percent` of all do not exceed, within 1/32; `None` before the first.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let counts: Vec<u64> = self
            .0
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect();
        let total = counts
            .iter()
            .fold(0u64, |sum, count| sum.saturating_add(*count));
        let rank = total.saturating_mul(percent).div_ceil(100).max(1);
        let mut seen = 0u64;
        let position = counts.iter().position(|count| {
            seen = seen.saturating_add(*count);
            seen >= rank
        })?;
        Some(value(position))
    }
}

fn bucket(micros: u64) -> usize {
    let index = match micros {
        0..EXACT => micros,
        _ => {
            // 64..128 is octave 0, in steps of 2; each octave's steps are twice as wide.
            let octave = u64::from(micros.ilog2()).saturating_sub(6);
            let step = micros.wrapping_shr(u32::try_from(octave).unwrap_or(63).saturating_add(1));
            EXACT
                .saturating_add(octave.saturating_mul(STEPS))
                .saturating_add(step.saturating_sub(STEPS))
        }
    };
    usize::try_from(index)
        .unwrap_or(usize::MAX)
        .min(BUCKETS.saturating_sub(1))
}

/// The least value of a bucket.
fn value(bucket: usize) -> u64 {
    let bucket = u64::try_from(bucket).unwrap_or(u64::MAX);
    let Some(above) = bucket.checked_sub(EXACT) else {
        return bucket;
    };
    let octave = u32::try_from(above.checked_div(STEPS).unwrap_or(0)).unwrap_or(63);
    let step = above.checked_rem(STEPS).unwrap_or(0).saturating_add(STEPS);
    step.wrapping_shl(octave.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_thirtysecond() {
        let histogram = Histogram::default();
        assert_eq!(histogram.percentile(50), None);
        (1..=10_000).for_each(|micros| histogram.record(micros));
        for (percent, exact) in [
            (1u64, 100u64),
            (50, 5000),
            (90, 9000),
            (99, 9900),
            (100, 10_000),
        ] {
            let found = histogram.percentile(percent).unwrap();
            assert!(
                found <= exact && found >= exact.saturating_sub(exact.div_ceil(32)),
                "{percent}: {found}"
            );
        }
    }

    #[test]
    fn every_value_has_a_bucket_and_buckets_grow_with_values() {
        let mut last = 0;
        for shift in 0..64 {
            for micros in [1u64 << shift, (1u64 << shift) | (1u64 << shift) >> 1] {
                let bucket = bucket(micros);
                assert!(bucket < BUCKETS && bucket >= last, "{micros}");
                last = bucket;
                assert!(value(bucket) <= micros);
            }
        }
    }
}
