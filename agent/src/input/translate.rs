//! Client events to actions, and what is held down meanwhile.

use std::collections::BTreeSet;

use punktfunk_core::input::InputEvent;

use super::keymap;

/// What a backend is asked to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// A Linux key code.
    Key { code: u16, down: bool },
    /// A Linux button code.
    Button { code: u16, down: bool },
    /// Pixels.
    Move { dx: f32, dy: f32 },
    /// A place in the picture, each from 0 (first pixel) to 1 (last pixel).
    MoveTo { x: f64, y: f64 },
    /// In 120ths of a notch; positive is right and *down*, as in Wayland.
    Scroll { x: i32, y: i32 },
}

const LEFT_SHIFT: u16 = 42;

/// The bits of a key event's modifiers, each with the keys that satisfy it; the first is the one to press.
const MODIFIERS: [(u8, [u16; 2]); 4] = [
    (1, [LEFT_SHIFT, 54]),
    (2, [29, 97]),
    (4, [56, 100]),
    (8, [125, 126]),
];

/// One client's keys and buttons.
#[derive(Debug, Default)]
pub struct Translator {
    keys: BTreeSet<u16>,
    buttons: BTreeSet<u16>,
}

impl Translator {
    /// Turn `event` into actions. Repeated downs (the client's auto-repeat) and ups without a down yield nothing: the
    /// compositor repeats by itself. Events of other devices yield nothing.
    pub fn translate(&mut self, event: &InputEvent, act: &mut dyn FnMut(Action)) {
        match *event {
            InputEvent::Key {
                down,
                code,
                modifiers,
                ..
            } => {
                let [vk, _] = code.to_le_bytes();
                match keymap::evdev(vk) {
                    Some(code) => self.key(code, down, modifiers, act),
                    None => tracing::debug!(vk, "no such key here"),
                }
            }
            InputEvent::MouseButton { down, button } => {
                let code = match button {
                    1 => 0x110,
                    2 => 0x112,
                    3 => 0x111,
                    4 => 0x113,
                    5 => 0x114,
                    _ => return,
                };
                let changed = if down {
                    self.buttons.insert(code)
                } else {
                    self.buttons.remove(&code)
                };
                if changed {
                    act(Action::Button { code, down });
                }
            }
            InputEvent::MouseRelative { dx, dy } => act(Action::Move {
                dx: dx.into(),
                dy: dy.into(),
            }),
            InputEvent::MouseAbsolute {
                x,
                y,
                ref_width,
                ref_height,
            } if ref_width > 0 && ref_height > 0 => act(Action::MoveTo {
                x: (f64::from(x) / f64::from(ref_width)).clamp(0.0, 1.0),
                y: (f64::from(y) / f64::from(ref_height)).clamp(0.0, 1.0),
            }),
            // A client's wheel turned away from the user is positive.
            InputEvent::Scroll { amount } => act(Action::Scroll {
                x: 0,
                y: -i32::from(amount),
            }),
            InputEvent::HorizontalScroll { amount } => act(Action::Scroll {
                x: amount.into(),
                y: 0,
            }),
            InputEvent::Text(character) => self.text(character, act),
            _ => {}
        }
    }

    /// Let go of everything that is down.
    pub fn release_all(&mut self, act: &mut dyn FnMut(Action)) {
        for code in std::mem::take(&mut self.keys) {
            act(Action::Key { code, down: false });
        }
        for code in std::mem::take(&mut self.buttons) {
            act(Action::Button { code, down: false });
        }
    }

    fn key(&mut self, code: u16, down: bool, modifiers: u8, act: &mut dyn FnMut(Action)) {
        if !down {
            if self.keys.remove(&code) {
                act(Action::Key { code, down });
            }
            return;
        }
        if !self.keys.insert(code) {
            return;
        }
        if MODIFIERS.iter().any(|(_, keys)| keys.contains(&code)) {
            act(Action::Key { code, down });
            return;
        }
        // On-screen keyboards send a key with modifiers that they never pressed: hold those around the key.
        let missing: Vec<u16> = MODIFIERS
            .iter()
            .filter(|(bit, keys)| {
                modifiers & bit != 0 && !keys.iter().any(|key| self.keys.contains(key))
            })
            .map(|(_, keys)| keys[0])
            .collect();
        for &code in &missing {
            act(Action::Key { code, down: true });
        }
        act(Action::Key { code, down });
        for &code in missing.iter().rev() {
            act(Action::Key { code, down: false });
        }
    }

    /// Type a character with keys, as on a US layout; a character that has no key there is left out.
    fn text(&mut self, character: char, act: &mut dyn FnMut(Action)) {
        let Some((code, shift)) = keymap::ascii(character) else {
            tracing::debug!("a character that no key types was left out");
            return;
        };
        if self.keys.contains(&code) {
            return;
        }
        let hold = shift && !self.keys.contains(&LEFT_SHIFT) && !self.keys.contains(&54);
        let mut press = |code, down| act(Action::Key { code, down });
        if hold {
            press(LEFT_SHIFT, true);
        }
        press(code, true);
        press(code, false);
        if hold {
            press(LEFT_SHIFT, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: u16, down: bool, modifiers: u8) -> InputEvent {
        InputEvent::Key {
            down,
            code,
            modifiers,
            flags: 0,
        }
    }

    fn all(translator: &mut Translator, events: &[InputEvent]) -> Vec<Action> {
        let mut actions = Vec::new();
        for event in events {
            translator.translate(event, &mut |action| actions.push(action));
        }
        actions
    }

    fn down(code: u16) -> Action {
        Action::Key { code, down: true }
    }

    fn up(code: u16) -> Action {
        Action::Key { code, down: false }
    }

    #[test]
    fn the_high_byte_of_a_key_code_is_ignored() {
        let mut t = Translator::default();
        assert_eq!(
            all(&mut t, &[key(0x8041, true, 0), key(0x8041, false, 0)]),
            [down(30), up(30)]
        );
    }

    #[test]
    fn repeats_of_a_held_key_and_ups_of_a_free_one_are_dropped() {
        let mut t = Translator::default();
        let events = [
            key(0x41, false, 0),
            key(0x41, true, 0),
            key(0x41, true, 0),
            key(0x41, false, 0),
            key(0x41, false, 0),
        ];
        assert_eq!(all(&mut t, &events), [down(30), up(30)]);
    }

    #[test]
    fn a_modifier_that_was_never_pressed_is_held_around_its_key() {
        let mut t = Translator::default();
        assert_eq!(
            all(&mut t, &[key(0x41, true, 1)]),
            [down(42), down(30), up(42)]
        );
        let mut t = Translator::default();
        assert_eq!(
            all(&mut t, &[key(0xa1, true, 1), key(0x41, true, 1)]),
            [down(54), down(30)]
        );
    }

    #[test]
    fn what_is_held_is_released_once_and_all_of_it() {
        let mut t = Translator::default();
        all(
            &mut t,
            &[
                key(0xa0, true, 1),
                key(0x41, true, 1),
                InputEvent::MouseButton {
                    down: true,
                    button: 1,
                },
            ],
        );
        let mut released = Vec::new();
        t.release_all(&mut |action| released.push(action));
        released.sort_by_key(|action| format!("{action:?}"));
        assert_eq!(
            released,
            [
                Action::Button {
                    code: 0x110,
                    down: false
                },
                up(30),
                up(42)
            ]
        );
        t.release_all(&mut |action| panic!("released twice: {action:?}"));
    }

    #[test]
    fn absolute_positions_are_fractions_of_the_picture_and_stay_inside() {
        let at = |x, y| InputEvent::MouseAbsolute {
            x,
            y,
            ref_width: 1279,
            ref_height: 719,
        };
        let mut t = Translator::default();
        assert_eq!(
            all(&mut t, &[at(0, 719), at(-5, 2000)]),
            [
                Action::MoveTo { x: 0.0, y: 1.0 },
                Action::MoveTo { x: 0.0, y: 1.0 }
            ]
        );
        let nowhere = InputEvent::MouseAbsolute {
            x: 1,
            y: 1,
            ref_width: 0,
            ref_height: -1,
        };
        assert_eq!(all(&mut t, &[nowhere]), []);
    }

    #[test]
    fn a_wheel_turned_away_scrolls_up() {
        let mut t = Translator::default();
        assert_eq!(
            all(
                &mut t,
                &[
                    InputEvent::Scroll { amount: 120 },
                    InputEvent::HorizontalScroll { amount: 60 },
                    InputEvent::Scroll { amount: i16::MIN }
                ]
            ),
            [
                Action::Scroll { x: 0, y: -120 },
                Action::Scroll { x: 60, y: 0 },
                Action::Scroll { x: 0, y: 32768 }
            ]
        );
    }

    #[test]
    fn text_is_typed_with_shift_where_it_needs_it_and_leaves_nothing_down() {
        let mut t = Translator::default();
        assert_eq!(
            all(&mut t, &[InputEvent::Text('A'), InputEvent::Text('é')]),
            [down(42), down(30), up(30), up(42)]
        );
        t.release_all(&mut |action| panic!("left down: {action:?}"));
    }
}
