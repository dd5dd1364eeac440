//! Reads the frame counter that the test pattern paints into its pictures, and keeps the books on it.
//!
//! Forty cells of 16 × 16 pixels from the top left, left to right (wrapping into further rows when the picture is
//! narrower): 32 bits of counter, most significant first, then the XOR of its four bytes. White is 1.

use serde::Serialize;

const CELL: usize = 16;
const BITS: usize = 40;

/// The counter in a luma plane, or `None` when the check byte does not match (no pattern, or too blurred).
pub fn read(luma: &[u8], stride: usize, width: usize, height: usize) -> Option<u32> {
    let per_row = (width / CELL).min(BITS);
    if per_row == 0 || BITS.div_ceil(per_row) * CELL > height {
        return None;
    }
    let mut bits = 0u64;
    for cell in 0..BITS {
        let (left, top) = (cell % per_row * CELL + 4, cell / per_row * CELL + 4);
        let mut sum = 0u32;
        for line in top..top + 8 {
            sum += luma
                .get(line * stride + left..line * stride + left + 8)?
                .iter()
                .map(|v| u32::from(*v))
                .sum::<u32>();
        }
        bits = bits << 1 | u64::from(sum / 64 > 128);
    }
    let counter = (bits >> 8) as u32;
    let check = counter
        .to_be_bytes()
        .iter()
        .fold(0, |check, byte| check ^ byte);
    // Counting starts at 1: a black picture is no counter.
    (bits as u8 == check && counter != 0).then_some(counter)
}

/// A jump in the counters of consecutive decoded pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    pub after: u32,
    pub next: u32,
}

/// Counters seen so far.
#[derive(Debug, Clone, Default, Serialize, PartialEq, Eq)]
pub struct Counters {
    pub first: Option<u32>,
    pub last: Option<u32>,
    /// Pictures with a readable counter.
    pub read: u64,
    pub unreadable: u64,
    /// The same counter again: a repeated picture.
    pub duplicates: u64,
    /// Counters that never came, in total.
    pub skipped: u64,
    /// The counter ran backwards: the source started anew.
    pub backwards: u64,
    /// The first hundred jumps.
    pub gaps: Vec<Gap>,
}

impl Counters {
    pub fn note(&mut self, counter: Option<u32>) {
        let Some(counter) = counter else {
            self.unreadable += 1;
            return;
        };
        self.read += 1;
        self.first.get_or_insert(counter);
        match self.last {
            Some(last) if counter == last => self.duplicates += 1,
            Some(last) if counter != last.wrapping_add(1) => {
                if counter > last {
                    self.skipped += u64::from(counter - last - 1);
                } else {
                    self.backwards += 1;
                }
                if self.gaps.len() < 100 {
                    self.gaps.push(Gap {
                        after: last,
                        next: counter,
                    });
                }
            }
            _ => {}
        }
        self.last = Some(counter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pattern's cells, painted as the description says.
    fn paint(counter: u32, width: usize, height: usize) -> Vec<u8> {
        let mut luma = vec![80; width * height];
        let check = counter
            .to_be_bytes()
            .iter()
            .fold(0, |check, byte| check ^ byte);
        let bits = u64::from(counter) << 8 | u64::from(check);
        let per_row = (width / 16).min(40);
        for cell in 0..40 {
            let value = if bits >> (39 - cell) & 1 == 1 {
                235
            } else {
                16
            };
            for y in 0..16 {
                for x in 0..16 {
                    luma[(cell / per_row * 16 + y) * width + cell % per_row * 16 + x] = value;
                }
            }
        }
        luma
    }

    #[test]
    fn counters_are_read_from_wide_and_narrow_pictures() {
        for (width, height) in [(1280, 720), (640, 480), (320, 240), (100, 160)] {
            for counter in [1, 600, 0xdead_beef] {
                assert_eq!(
                    read(&paint(counter, width, height), width, width, height),
                    Some(counter),
                    "{width}x{height}"
                );
            }
        }
        assert_eq!(
            read(&[200; 640 * 480], 640, 640, 480),
            None,
            "a white picture is no counter"
        );
        assert_eq!(
            read(&[0; 640 * 480], 640, 640, 480),
            None,
            "nor is a black one"
        );
        assert_eq!(read(&[0; 100], 10, 10, 10), None);
    }

    #[test]
    fn gaps_duplicates_and_restarts_are_told_apart() {
        let mut counters = Counters::default();
        for counter in [Some(1), Some(2), Some(2), Some(5), None, Some(6), Some(1)] {
            counters.note(counter);
        }
        let expected = Counters {
            first: Some(1),
            last: Some(1),
            read: 6,
            unreadable: 1,
            duplicates: 1,
            skipped: 2,
            backwards: 1,
            gaps: vec![Gap { after: 2, next: 5 }, Gap { after: 6, next: 1 }],
        };
        assert_eq!(counters, expected);
    }
}
