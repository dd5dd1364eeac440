//! Which unsequenced messages have been seen: each counts once, in any order within the window.

const WINDOW: u16 = 1024;
const WORDS: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Unsequenced {
    newest: Option<u16>,
    seen: [u64; WORDS],
}

impl Unsequenced {
    /// Remember `group`. `false`: it was seen before, or is too old to tell.
    pub(super) fn accept(&mut self, group: u16) -> bool {
        let ahead = self.newest.map_or(0, |newest| group.wrapping_sub(newest));
        match self.newest {
            None => self.newest = Some(group),
            Some(newest) if (1..0x8000).contains(&ahead) => {
                if ahead >= WINDOW {
                    self.seen = [0; WORDS];
                } else {
                    (1..=ahead).for_each(|step| self.write(newest.wrapping_add(step), false));
                }
                self.newest = Some(group);
            }
            Some(newest) if newest.wrapping_sub(group) >= WINDOW || self.is_set(group) => {
                return false;
            }
            Some(_) => {}
        }
        self.write(group, true);
        true
    }

    fn cell(group: u16) -> (usize, u64) {
        let mask = 1u64.wrapping_shl(u32::from(group & 63));
        (usize::from((group >> 6) & 15), mask)
    }

    fn is_set(&self, group: u16) -> bool {
        let (word, mask) = Self::cell(group);
        self.seen.get(word).is_some_and(|cell| cell & mask != 0)
    }

    fn write(&mut self, group: u16, seen: bool) {
        let (word, mask) = Self::cell(group);
        if let Some(cell) = self.seen.get_mut(word) {
            if seen { *cell |= mask } else { *cell &= !mask }
        }
    }
}
