//! What the client wants of the picture, from the control plane to the media thread: kept until that looks, and bounded.
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// Reports of lost frames that wait; a client sends at most one a frame, and each is looked at within microseconds.
const MOST_REPORTS: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Requests {
    key_frame: AtomicBool,
    /// First and last frame of each report.
    lost: Mutex<Vec<(u32, u32)>>,
}

impl Requests {
    /// A key frame is wanted. `false`: it was already.
    pub(super) fn key_frame(&self) -> bool {
        !self.key_frame.swap(true, Ordering::AcqRel)
    }

    /// These frames are lost. A client that reports more than anybody could look at gets a key frame.
    pub(super) fn lost(&self, first: u32, last: u32) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if lost.len() < MOST_REPORTS {
            lost.push((first, last));
        } else {
            self.key_frame.store(true, Ordering::Release);
        }
    }

    pub(super) fn take_key_frame(&self) -> bool {
        self.key_frame.swap(false, Ordering::AcqRel)
    }

    /// The reports since the last call, the oldest first.
    pub(super) fn take_lost(&self) -> Vec<(u32, u32)> {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_reports_is_bounded_and_ends_in_a_key_frame() {
        let requests = Requests::default();
        requests.lost(5, 6);
        assert_eq!(requests.take_lost(), [(5, 6)]);
        assert!(!requests.take_key_frame());
        (0..10_000).for_each(|frame| requests.lost(frame, frame));
        assert_eq!(requests.take_lost().len(), MOST_REPORTS);
        assert!(requests.take_key_frame() && !requests.take_key_frame());
        assert!(requests.key_frame() && !requests.key_frame());
    }
}
