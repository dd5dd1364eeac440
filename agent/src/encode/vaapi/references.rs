//! Which pictures stay referable, which of them the next one refers to, and where it is reconstructed.
//!
//! The choice is ours alone: the driver is told which surfaces hold references, and the stream which picture they are.

use std::collections::VecDeque;

/// A picture that stays referable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Its number in the pipeline's count.
    picture: u32,
    /// Which of the surfaces for reconstruction holds it.
    pub slot: usize,
    /// Pictures between it and its key frame.
    pub order: u32,
    /// Not invalidated. One that is keeps its place until it is pushed out, as in the decoder.
    pub valid: bool,
}

/// What the next picture is made from, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    pub order: u32,
    pub slot: usize,
    /// What it refers to; a key frame refers to nothing.
    pub reference: Option<Kept>,
    /// Everything that stays in decoders, latest first.
    pub kept: Vec<Kept>,
}

impl Next {
    pub fn key(&self) -> bool {
        self.reference.is_none()
    }

    /// Refers to an older one than the latest: the answer to a loss.
    pub fn passes_over(&self) -> bool {
        self.reference.is_some() && self.reference.as_ref() != self.kept.first()
    }
}

#[derive(Debug)]
pub struct References {
    kept: VecDeque<Kept>,
    depth: usize,
    order: u32,
}

impl References {
    /// `depth` pictures stay referable, in `depth + 1` surfaces.
    pub fn new(depth: u32) -> Self {
        Self {
            kept: VecDeque::new(),
            depth: depth.max(1) as usize,
            order: 0,
        }
    }

    /// The next picture, from the latest one that is valid.
    pub fn next(&self, key: bool) -> Next {
        let valid = |kept: &&Kept| kept.valid && !key;
        let reference = self.kept.iter().rev().find(valid).copied();
        let kept: Vec<Kept> = match reference {
            Some(_) => self.kept.iter().rev().copied().collect(),
            None => Vec::new(),
        };
        let taken = |slot: &usize| !self.kept.iter().any(|kept| kept.slot == *slot);
        Next {
            order: if reference.is_some() { self.order } else { 0 },
            slot: (0..=self.depth).find(taken).unwrap_or(0),
            reference,
            kept,
        }
    }

    /// It was encoded.
    pub fn encoded(&mut self, picture: u32, next: &Next) {
        if next.key() {
            self.kept.clear();
        }
        if self.kept.len() >= self.depth {
            self.kept.pop_front();
        }
        self.kept.push_back(Kept {
            picture,
            slot: next.slot,
            order: next.order,
            valid: true,
        });
        self.order = next.order.wrapping_add(1);
    }

    /// Never refer to `first` and what followed again. False when nothing older is left.
    pub fn forget_from(&mut self, first: u32) -> bool {
        let before = |kept: &Kept| first.wrapping_sub(kept.picture).wrapping_sub(1) < 1 << 31;
        let left = self.kept.iter().any(|kept| kept.valid && before(kept));
        if left {
            for kept in &mut self.kept {
                kept.valid &= before(kept);
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(references: &mut References, picture: u32, key: bool) -> Next {
        let next = references.next(key);
        references.encoded(picture, &next);
        next
    }

    #[test]
    fn what_was_lost_and_what_followed_is_never_referred_to() {
        let mut references = References::new(4);
        assert!(encode(&mut references, 100, false).key(), "the first one");
        for picture in 101..110 {
            let next = encode(&mut references, picture, false);
            assert_eq!(next.reference.unwrap().picture, picture - 1);
            assert_eq!(next.order, picture - 100);
        }
        assert!(references.forget_from(108));
        let next = encode(&mut references, 110, false);
        assert_eq!(next.reference.unwrap().picture, 107);
        assert_eq!(next.kept.len(), 4, "invalid ones keep their places");
        assert!(references.forget_from(109));
        assert!(!references.forget_from(107), "107 is the oldest one");
        assert!(encode(&mut references, 111, true).key());
        assert!(!references.forget_from(111));
        assert_eq!(encode(&mut references, 112, false).order, 1);
    }

    #[test]
    fn a_picture_never_overwrites_what_decoders_keep() {
        let mut references = References::new(3);
        for picture in 0..50 {
            let key = picture % 17 == 0;
            let next = references.next(key);
            assert!(!next.kept.iter().any(|kept| kept.slot == next.slot));
            assert!(next.slot <= 3);
            references.encoded(picture, &next);
            if picture % 5 == 4 {
                references.forget_from(picture);
            }
        }
    }

    #[test]
    fn numbers_wrap_and_one_reference_is_never_enough() {
        let mut references = References::new(3);
        for picture in [u32::MAX - 1, u32::MAX, 0, 1] {
            encode(&mut references, picture, false);
        }
        assert!(references.forget_from(0));
        assert_eq!(references.next(false).reference.unwrap().picture, u32::MAX);
        let mut single = References::new(1);
        encode(&mut single, 0, false);
        encode(&mut single, 1, false);
        assert!(!single.forget_from(1));
    }
}
