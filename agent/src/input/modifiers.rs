//! The modifier state of a virtual keyboard: wlroots takes keys as they are and wants the state told beside them.

use std::collections::BTreeMap;

use super::layout::Effect;

/// What is held and what is locked, as masks of the keymap's own bits.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Modifiers {
    held: BTreeMap<u16, u32>,
    pub locked: u32,
}

impl Modifiers {
    /// Follow a key that does this; true when the state changed.
    pub fn follow(&mut self, code: u16, down: bool, effect: Effect) -> bool {
        let before = (self.depressed(), self.locked);
        if down {
            self.locked ^= effect.locked;
            if effect.held != 0 {
                self.held.insert(code, effect.held);
            }
        } else {
            self.held.remove(&code);
        }
        before != (self.depressed(), self.locked)
    }

    /// The modifiers held down.
    pub fn depressed(&self) -> u32 {
        self.held.values().fold(0, |mask, held| mask | held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIFT: Effect = Effect { held: 1, locked: 0 };
    const CAPS_LOCK: Effect = Effect { held: 0, locked: 2 };

    #[test]
    fn one_of_two_shift_keys_let_go_leaves_shift_held() {
        let mut modifiers = Modifiers::default();
        assert!(modifiers.follow(42, true, SHIFT));
        assert!(!modifiers.follow(54, true, SHIFT));
        assert!(!modifiers.follow(42, false, SHIFT));
        assert_eq!(modifiers.depressed(), 1);
        assert!(modifiers.follow(54, false, SHIFT));
        assert_eq!(modifiers.depressed(), 0);
    }

    #[test]
    fn caps_lock_toggles_at_each_press() {
        let mut modifiers = Modifiers::default();
        assert!(modifiers.follow(58, true, CAPS_LOCK));
        assert!(!modifiers.follow(58, false, CAPS_LOCK));
        assert_eq!(modifiers.locked, 2);
        modifiers.follow(58, true, CAPS_LOCK);
        assert_eq!(modifiers.locked, 0);
        assert!(!modifiers.follow(30, true, Effect::default()));
    }
}
