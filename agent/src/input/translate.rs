//! Client events to actions, and what is held down meanwhile.

use std::collections::BTreeSet;

use punktfunk_core::input::{InputEvent, Pen, Touch};
use punktfunk_dbus::channel::message::Held;

use super::{keymap, layout::Stroke};

/// What a backend is asked to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// A Linux key code.
    Key {
        code: u16,
        down: bool,
    },
    /// A Linux button code.
    Button {
        code: u16,
        down: bool,
    },
    /// Pixels.
    Move {
        dx: f32,
        dy: f32,
    },
    /// A place in the picture, each from 0 (first pixel) to 1 (last pixel).
    MoveTo {
        x: f64,
        y: f64,
    },
    /// In 120ths of a notch; positive is right and *down*, as in Wayland.
    Scroll {
        x: i32,
        y: i32,
    },
    /// A finger, by the client's number for it, at a place in the picture as in [`Action::MoveTo`].
    TouchDown {
        finger: u32,
        x: f64,
        y: f64,
    },
    TouchMove {
        finger: u32,
        x: f64,
        y: f64,
    },
    TouchUp {
        finger: u32,
    },
    /// It was no touch after all.
    TouchCancel {
        finger: u32,
    },
}

/// As many fingers as a client may have down.
const MAX_FINGERS: usize = 16;

/// What a finger or a pen does, as the wire numbers it.
mod contact {
    pub const HOVER: u8 = 0;
    pub const DOWN: u8 = 1;
    pub const UP: u8 = 2;
    pub const MOVE: u8 = 3;
    pub const CANCEL: u8 = 4;
    pub const BUTTONS: u8 = 5;
    pub const HOVER_LEAVE: u8 = 6;
    pub const CANCEL_ALL: u8 = 7;
}

const LEFT: u16 = 0x110;
const RIGHT: u16 = 0x111;
const MIDDLE: u16 = 0x112;
const SIDE: u16 = 0x113;
const EXTRA: u16 = 0x114;

/// The buttons on a pen's barrel, by their bits, and the mouse buttons that they act as.
const BARREL: [(u8, u16); 3] = [(1, RIGHT), (2, MIDDLE), (4, SIDE)];

const LEFT_SHIFT: u16 = 42;
const RIGHT_SHIFT: u16 = 54;

/// The bits of a key event's modifiers, each with the keys that satisfy it; the first is the one to press.
const MODIFIERS: [(u8, [u16; 2]); 4] = [
    (1, [LEFT_SHIFT, RIGHT_SHIFT]),
    (2, [29, 97]),
    (4, [56, 100]),
    (8, [125, 126]),
];

/// One client's keys and buttons.
#[derive(Debug, Default)]
pub struct Translator {
    keys: BTreeSet<u16>,
    buttons: BTreeSet<u16>,
    fingers: BTreeSet<u32>,
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
                    1 => LEFT,
                    2 => MIDDLE,
                    3 => RIGHT,
                    4 => SIDE,
                    5 => EXTRA,
                    _ => return,
                };
                self.button(code, down, act);
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
            // whoever knows the session's layout types it by `stroke`
            InputEvent::Text(character) => {
                if let Some(stroke) = Stroke::us(character) {
                    self.stroke(stroke, act);
                }
            }
            InputEvent::Touch(touch) => self.touch(&touch, act),
            InputEvent::Pen(pen) => self.pen(&pen, act),
            _ => {}
        }
    }

    /// Let go of what is down of `held`.
    pub fn release(&mut self, held: Held, act: &mut dyn FnMut(Action)) {
        if held.keyboard {
            for code in std::mem::take(&mut self.keys) {
                act(Action::Key { code, down: false });
            }
        }
        if held.pointer {
            for code in std::mem::take(&mut self.buttons) {
                act(Action::Button { code, down: false });
            }
            for finger in std::mem::take(&mut self.fingers) {
                act(Action::TouchCancel { finger });
            }
        }
    }

    fn button(&mut self, code: u16, down: bool, act: &mut dyn FnMut(Action)) {
        let changed = if down {
            self.buttons.insert(code)
        } else {
            self.buttons.remove(&code)
        };
        if changed {
            act(Action::Button { code, down });
        }
    }

    /// A finger that hovers is nothing that a touch screen knows.
    fn touch(&mut self, touch: &Touch, act: &mut dyn FnMut(Action)) {
        let finger = touch.pointer;
        let (x, y) = place(touch.x, touch.y);
        match touch.event {
            contact::DOWN if self.fingers.contains(&finger) => {
                act(Action::TouchMove { finger, x, y });
            }
            contact::DOWN if self.fingers.len() < MAX_FINGERS => {
                self.fingers.insert(finger);
                act(Action::TouchDown { finger, x, y });
            }
            contact::MOVE if self.fingers.contains(&finger) => {
                act(Action::TouchMove { finger, x, y });
            }
            contact::UP if self.fingers.remove(&finger) => act(Action::TouchUp { finger }),
            contact::CANCEL if self.fingers.remove(&finger) => act(Action::TouchCancel { finger }),
            contact::CANCEL_ALL => {
                for finger in std::mem::take(&mut self.fingers) {
                    act(Action::TouchCancel { finger });
                }
            }
            _ => {}
        }
    }

    /// A pen is a pointer whose tip is the left button: no way into a compositor takes pressure or tilt.
    fn pen(&mut self, pen: &Pen, act: &mut dyn FnMut(Action)) {
        let (x, y) = place(pen.x, pen.y);
        match pen.event {
            contact::HOVER | contact::DOWN | contact::UP | contact::MOVE => {
                act(Action::MoveTo { x, y });
            }
            contact::BUTTONS => {}
            contact::CANCEL | contact::HOVER_LEAVE | contact::CANCEL_ALL => {
                for code in [LEFT].into_iter().chain(BARREL.map(|(_, code)| code)) {
                    self.button(code, false, act);
                }
                return;
            }
            _ => return,
        }
        for (bit, code) in BARREL {
            self.button(code, pen.buttons & bit != 0, act);
        }
        match pen.event {
            contact::DOWN => self.button(LEFT, true, act),
            contact::UP => self.button(LEFT, false, act),
            _ => {}
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

    /// Type a character with the keys that type it in the session's layout.
    pub fn stroke(&mut self, stroke: Stroke, act: &mut dyn FnMut(Action)) {
        let code = stroke.code;
        if self.keys.contains(&code) {
            return;
        }
        let held = |key: &u16| {
            self.keys.contains(key) || (*key == LEFT_SHIFT && self.keys.contains(&RIGHT_SHIFT))
        };
        let holds: Vec<u16> = stroke.holds().filter(|key| !held(key)).collect();
        let mut press = |code, down| act(Action::Key { code, down });
        for &hold in &holds {
            press(hold, true);
        }
        press(code, true);
        press(code, false);
        for &hold in holds.iter().rev() {
            press(hold, false);
        }
    }
}

/// A place in the picture, kept inside.
fn place(x: f32, y: f32) -> (f64, f64) {
    (f64::from(x).clamp(0.0, 1.0), f64::from(y).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
