//! Which pictures the encoder still has, so that it is known beforehand whether an invalidation leaves it one to refer to.

use std::collections::VecDeque;

/// A picture that may be referred to: its number in the pipeline's count, and the time stamp that the driver knows it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    picture: u32,
    stamp: u64,
    /// Not invalidated. One that is keeps its place until it is pushed out.
    valid: bool,
}

#[derive(Debug, Default)]
pub struct References {
    kept: VecDeque<Kept>,
    /// Most that the encoder keeps.
    depth: usize,
    next_stamp: u64,
}

impl References {
    pub fn new(depth: u32) -> Self {
        Self {
            depth: depth as usize,
            ..Self::default()
        }
    }

    /// The time stamp of the next picture: distinct for every picture of a session.
    pub fn next_stamp(&self) -> u64 {
        self.next_stamp
    }

    /// A picture was encoded under [`Self::next_stamp`]; a key frame ends the use of all before it.
    pub fn encoded(&mut self, picture: u32, key: bool) {
        if key {
            self.kept.clear();
        }
        if self.kept.len() >= self.depth {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept {
            picture,
            stamp: self.next_stamp,
            valid: true,
        });
        self.next_stamp += 1;
    }

    /// The time stamps to invalidate, so that `first` and all after it are forgotten; `None` when that leaves nothing, or
    /// when `first` is older than what is kept: pictures that are kept may then depend on it.
    pub fn forget_from(&mut self, first: u32) -> Option<Vec<u64>> {
        let before = |kept: &Kept| first.wrapping_sub(kept.picture).wrapping_sub(1) < 1 << 31;
        if !self.kept.iter().any(|kept| kept.valid && before(kept)) {
            return None;
        }
        let lost = |kept: &&mut Kept| kept.valid && !before(kept);
        let stamps = self.kept.iter_mut().filter(lost).map(|kept| {
            kept.valid = false;
            kept.stamp
        });
        Some(stamps.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(depth: u32, pictures: std::ops::Range<u32>) -> References {
        let mut references = References::new(depth);
        pictures
            .clone()
            .for_each(|picture| references.encoded(picture, picture == pictures.start));
        references
    }

    #[test]
    fn what_was_lost_and_what_followed_is_forgotten_while_something_is_left() {
        let mut references = after(4, 100..110);
        assert_eq!(references.forget_from(108), Some(vec![8, 9]));
        assert_eq!(references.forget_from(108), Some(vec![]), "already done");
        references.encoded(110, false);
        assert_eq!(references.forget_from(109), Some(vec![10]));
        assert_eq!(references.forget_from(107), None, "107 is the oldest one");
        references.encoded(111, false);
        let after = references.forget_from(111);
        assert_eq!(after, None, "the invalidated ones have taken the places");
    }

    #[test]
    fn nothing_from_before_a_key_frame_is_left() {
        let mut references = after(4, 0..3);
        references.encoded(3, true);
        references.encoded(4, false);
        assert_eq!(references.forget_from(3), None);
        assert_eq!(references.forget_from(4), Some(vec![4]));
        assert_eq!(References::new(4).forget_from(0), None);
    }

    #[test]
    fn numbers_wrap_and_one_reference_is_never_enough() {
        let mut references = References::new(3);
        for picture in [u32::MAX - 1, u32::MAX, 0, 1] {
            references.encoded(picture, false);
        }
        assert_eq!(references.forget_from(0), Some(vec![2, 3]));
        let mut single = after(1, 0..9);
        assert_eq!(single.forget_from(8), None);
    }
}
