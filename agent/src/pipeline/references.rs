//! Which announced frame was which picture of the encoder, and which picture is the first that an invalidation spared.
//!
//! The service counts frames as they were announced, an encoder counts pictures as they were submitted: a picture that was
//! lost on the way, or never came out, has no announcement.

use std::collections::VecDeque;

/// Announced frames whose picture is remembered: more than any encoder keeps for reference, and as far back as reports reach.
const REMEMBERED: usize = 64;

#[derive(Debug, Default)]
pub struct References {
    /// Pictures of the last frames announced, the latest one last.
    announced: VecDeque<u32>,
    /// Sequence number of the next announcement; the low 32 bits are what the service says.
    next_frame: u32,
    /// Pictures from this one on avoid what was invalidated last, and none of them was announced yet.
    clean_from: Option<u32>,
}

impl References {
    /// The picture of a frame; `None` when it is not known (any more).
    pub fn picture(&self, frame: u32) -> Option<u32> {
        let back = usize::try_from(self.next_frame.wrapping_sub(frame)).ok()?;
        let index = self.announced.len().checked_sub(back)?;
        self.announced.get(index).copied()
    }

    /// The encoder was told; pictures from `picture` on are free of what was lost.
    pub fn invalidated(&mut self, picture: u32) {
        self.clean_from = Some(picture);
    }

    /// A key frame makes every invalidation moot.
    pub fn restarted(&mut self) {
        self.clean_from = None;
    }

    /// Whether a picture is one that an invalidation spared.
    pub fn spared(&self, picture: u32) -> bool {
        self.clean_from
            .is_some_and(|first| picture.wrapping_sub(first) < 1 << 31)
    }

    /// The picture was announced to the service.
    pub fn announced(&mut self, picture: u32) {
        if self.spared(picture) {
            self.clean_from = None;
        }
        self.voided(picture);
    }

    /// It was announced in part and never will be in full: it counts as a frame, and as no other promise.
    pub fn voided(&mut self, picture: u32) {
        if self.announced.len() == REMEMBERED {
            self.announced.pop_front();
        }
        self.announced.push_back(picture);
        self.next_frame = self.next_frame.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_as_long_as_they_are_remembered_and_across_the_wrap() {
        let mut references = References {
            next_frame: u32::MAX - 1,
            ..References::default()
        };
        for picture in [7, 8, 10, 11] {
            references.announced(picture);
        }
        let found = [u32::MAX - 2, u32::MAX - 1, u32::MAX, 0, 1, 2].map(|f| references.picture(f));
        assert_eq!(found, [None, Some(7), Some(8), Some(10), Some(11), None]);
        (0..100).for_each(|picture| references.announced(picture));
        assert_eq!(references.picture(1), None);
        assert_eq!(references.picture(101), Some(99));
    }

    #[test]
    fn the_first_announced_picture_after_an_invalidation_is_marked_and_no_other() {
        let mut references = References::default();
        assert!(!references.spared(0));
        references.invalidated(5);
        assert_eq!([4, 5, 6].map(|p| references.spared(p)), [false, true, true]);
        references.announced(4);
        assert!(references.spared(6), "picture 5 never came out");
        references.announced(6);
        assert!(!references.spared(7));
        references.invalidated(7);
        references.voided(7);
        assert!(references.spared(8), "the service never had picture 7");
        assert_eq!(references.picture(2), Some(7));
        references.invalidated(8);
        references.restarted();
        assert!(!references.spared(8));
    }
}
