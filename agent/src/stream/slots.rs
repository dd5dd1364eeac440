//! Which ring slots may be written.
//!
//! The drop rule: a frame is encoded only while fewer than [`DEPTH`] announced ones wait for the service. A service that
//! falls behind costs frames that were never encoded, and no latency that adds up.

/// Announced frames that may wait at a time.
const DEPTH: usize = 2;

/// The state of each slot, as this side knows it.
#[derive(Debug)]
pub struct Slots {
    /// Announced and not yet released.
    announced: Vec<bool>,
    outstanding: usize,
}

impl Slots {
    /// At least one slot.
    pub fn new(slots: u16) -> Self {
        Self {
            announced: vec![false; usize::from(slots.max(1))],
            outstanding: 0,
        }
    }

    /// Whether another frame may be encoded.
    pub fn has_room(&self) -> bool {
        self.outstanding < DEPTH.min(self.announced.len())
    }

    /// Announce a free slot; None when there is no room. Call it before the announcement is sent: the release may come
    /// at any time after.
    pub fn announce(&mut self) -> Option<u16> {
        if !self.has_room() {
            return None;
        }
        // The first one: it was used last, so that its memory is still in the processor's caches.
        let slot = self.announced.iter().position(|announced| !announced)?;
        self.announced[slot] = true;
        self.outstanding += 1;
        Some(slot as u16)
    }

    /// The service has read the slot, or never heard of it. False: it was not announced.
    pub fn release(&mut self, slot: u16) -> bool {
        match self.announced.get_mut(usize::from(slot)) {
            Some(announced @ true) => {
                *announced = false;
                self.outstanding -= 1;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_two_frames_wait_however_many_slots_there_are() {
        for slots in [2, 3, 8] {
            let mut slots = Slots::new(slots);
            let first = slots.announce().unwrap();
            let second = slots.announce().unwrap();
            assert_ne!(first, second);
            assert!(!slots.has_room());
            assert_eq!(slots.announce(), None);
            assert!(slots.release(first));
            assert!(slots.has_room());
        }
    }

    #[test]
    fn a_slot_is_not_reused_before_its_release() {
        let mut slots = Slots::new(3);
        let held = slots.announce().unwrap();
        for _ in 0..10 {
            let other = slots.announce().unwrap();
            assert_ne!(other, held);
            assert!(slots.release(other));
        }
    }

    #[test]
    fn releasing_what_was_not_announced_changes_nothing() {
        let mut slots = Slots::new(2);
        assert!(!slots.release(0));
        assert!(!slots.release(999));
        let slot = slots.announce().unwrap();
        assert!(slots.release(slot));
        assert!(!slots.release(slot));
        assert!(slots.announce().is_some() && slots.announce().is_some());
    }
}
