//! Which sequence numbers have been seen: a window, because several ENet channels deliver in shuffled order.

/// Numbers remembered behind the newest. A reliable message that was lost comes back some round trips later, while
/// input goes on at up to a thousand messages a second: four seconds of that are covered.
const WINDOW: u32 = 4096;
const WORDS: usize = 64;

/// Accepts each sequence number once, in any order within the window. 512 bytes, no allocation after creation.
#[derive(Debug)]
pub struct ReplayWindow {
    /// The newest number accepted.
    newest: Option<u32>,
    seen: Box<[u64; WORDS]>,
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self {
            newest: None,
            seen: Box::new([0; WORDS]),
        }
    }
}

impl ReplayWindow {
    /// Could `sequence` be new? Asked before the message is authenticated; changes nothing.
    pub fn admits(&self, sequence: u32) -> bool {
        match self.newest {
            None => true,
            Some(newest) if sequence > newest => true,
            Some(newest) => newest.wrapping_sub(sequence) < WINDOW && !self.is_set(sequence),
        }
    }

    /// Remember an authenticated `sequence`. `false`: it was seen before, or is too old to tell.
    pub fn accept(&mut self, sequence: u32) -> bool {
        if !self.admits(sequence) {
            return false;
        }
        match self.newest {
            Some(newest) if sequence <= newest => {}
            Some(newest) => {
                // The numbers jumped over have not been seen; their cells still hold the previous turn.
                let gap = sequence.wrapping_sub(newest);
                if gap >= WINDOW {
                    self.seen.fill(0);
                } else {
                    (1..=gap).for_each(|step| self.write(newest.wrapping_add(step), false));
                }
                self.newest = Some(sequence);
            }
            None => self.newest = Some(sequence),
        }
        self.write(sequence, true);
        true
    }

    fn cell(sequence: u32) -> (usize, u64) {
        let bit = sequence & 63;
        let word = (sequence >> 6) & 63;
        (word as usize, 1u64.wrapping_shl(bit))
    }

    fn is_set(&self, sequence: u32) -> bool {
        let (word, mask) = Self::cell(sequence);
        self.seen.get(word).is_some_and(|cell| cell & mask != 0)
    }

    fn write(&mut self, sequence: u32, seen: bool) {
        let (word, mask) = Self::cell(sequence);
        if let Some(cell) = self.seen.get_mut(word) {
            if seen { *cell |= mask } else { *cell &= !mask }
        }
    }
}
