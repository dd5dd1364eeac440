//! Tells a new picture from the last one encoded again: a coarse view of the luma, blind to the encoder's small corrections.

/// Points looked at across and down.
const POINTS: usize = 48;
/// Difference of one point that counts as a change: codec noise on a still picture stays below.
const THRESHOLD: u8 = 24;

/// Remembers the last picture's points.
#[derive(Debug, Default)]
pub struct ChangeDetector {
    last: Vec<u8>,
}

impl ChangeDetector {
    /// Whether this picture shows something else than the one before (the first always does).
    pub fn changed(&mut self, luma: &[u8], stride: usize, width: usize, height: usize) -> bool {
        let points: Vec<u8> = (0..POINTS * POINTS)
            .map(|i| {
                let (x, y) = (i % POINTS * width / POINTS, i / POINTS * height / POINTS);
                luma.get(y * stride + x).copied().unwrap_or(0)
            })
            .collect();
        let changed = self.last.len() != points.len()
            || self
                .last
                .iter()
                .zip(&points)
                .any(|(a, b)| a.abs_diff(*b) > THRESHOLD);
        if changed {
            self.last = points;
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_no_change_and_a_moved_edge_is() {
        let mut detector = ChangeDetector::default();
        let still = vec![100; 64 * 64];
        assert!(detector.changed(&still, 64, 64, 64));
        let noisy: Vec<u8> = (0..64 * 64).map(|i| 100 + (i % 7) as u8).collect();
        assert!(!detector.changed(&noisy, 64, 64, 64));
        let edge: Vec<u8> = (0..64 * 64)
            .map(|i| if i % 64 < 20 { 200 } else { 100 })
            .collect();
        assert!(detector.changed(&edge, 64, 64, 64));
    }
}
