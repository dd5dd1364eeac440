//! The modifier state of a virtual keyboard: wlroots takes keys as they are and wants the state told beside them.
//!
//! Bits are those of the keymap in [`KEYMAP`], where the eight real modifiers have their classic places.

/// A plain PC keyboard with the US layout; the compositor resolves the includes from its own xkeyboard-config.
pub const KEYMAP: &str = r#"xkb_keymap {
  xkb_keycodes { include "evdev+aliases(qwerty)" };
  xkb_types { include "complete" };
  xkb_compat { include "complete" };
  xkb_symbols { include "pc+us+inet(evdev)" };
};
"#;

const SHIFT: u32 = 1;
const LOCK: u32 = 2;
const CONTROL: u32 = 4;
const ALT: u32 = 8;
const NUM_LOCK: u32 = 16;
const SUPER: u32 = 64;

/// What is held and what is locked.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Modifiers {
    held: [bool; 8],
    pub locked: u32,
}

impl Modifiers {
    /// Follow a key; true when the state changed.
    pub fn follow(&mut self, code: u16, down: bool) -> bool {
        let before = *self;
        match code {
            58 if down => self.locked ^= LOCK,
            69 if down => self.locked ^= NUM_LOCK,
            _ => {
                if let Some(place) = KEYS.iter().position(|(key, _)| *key == code) {
                    self.held[place] = down;
                }
            }
        }
        before != *self
    }

    /// The modifiers held down.
    pub fn depressed(&self) -> u32 {
        KEYS.iter()
            .zip(self.held)
            .filter(|(_, held)| *held)
            .fold(0, |mask, ((_, bit), _)| mask | bit)
    }
}

const KEYS: [(u16, u32); 8] = [
    (42, SHIFT),
    (54, SHIFT),
    (29, CONTROL),
    (97, CONTROL),
    (56, ALT),
    (100, ALT),
    (125, SUPER),
    (126, SUPER),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_two_shift_keys_let_go_leaves_shift_held() {
        let mut modifiers = Modifiers::default();
        assert!(modifiers.follow(42, true));
        assert!(modifiers.follow(54, true));
        assert!(modifiers.follow(42, false));
        assert_eq!(modifiers.depressed(), SHIFT);
        modifiers.follow(54, false);
        assert_eq!(modifiers.depressed(), 0);
    }

    #[test]
    fn caps_lock_toggles_at_each_press() {
        let mut modifiers = Modifiers::default();
        assert!(modifiers.follow(58, true));
        assert!(!modifiers.follow(58, false));
        assert_eq!(modifiers.locked, LOCK);
        modifiers.follow(58, true);
        assert_eq!(modifiers.locked, 0);
        assert!(!modifiers.follow(30, true));
    }
}
