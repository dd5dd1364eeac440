//! What a pad looks like at one moment, in the client's terms.
use punktfunk_core::input::{ControllerState, MotionSensor};

/// Fingers that a touchpad reports at once.
pub(super) const FINGERS: usize = 2;

/// A finger on the touchpad; `x`, `y` are 0..=1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finger {
    /// The client's number for it.
    pub pointer: u32,
    /// Counts the contacts of the pad, as the touchpad's own numbers do (7 bits).
    pub contact: u8,
    pub x: f32,
    pub y: f32,
}

/// `level` in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Battery {
    pub charging: bool,
    pub full: bool,
    pub level: u8,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PadState {
    pub controls: ControllerState,
    pub fingers: [Option<Finger>; FINGERS],
    pub(super) contacts: u8,
    /// m/s², gravity included.
    pub acceleration: [f32; 3],
    /// Degrees per second.
    pub rotation: [f32; 3],
    pub battery: Battery,
}

impl Default for PadState {
    /// At rest, lying flat, with a full battery until the client says otherwise.
    fn default() -> Self {
        Self {
            controls: ControllerState::default(),
            fingers: [None; FINGERS],
            contacts: 0,
            acceleration: [0.0, 9.806_65, 0.0],
            rotation: [0.0; 3],
            battery: Battery {
                charging: false,
                full: true,
                level: 100,
            },
        }
    }
}

impl PadState {
    /// Let go of everything; what the pad is (its battery, how it lies) stays.
    pub(super) fn release(&mut self) {
        self.controls = ControllerState::default();
        self.fingers = [None; FINGERS];
        self.rotation = [0.0; 3];
    }

    /// `event`: 0 hover, 1 down, 2 up, 3 move, 4 cancel, 6 leave, 7 cancel all.
    pub(super) fn touch(&mut self, event: u8, pointer: u32, x: f32, y: f32) {
        let (x, y) = (x.clamp(0.0, 1.0), y.clamp(0.0, 1.0));
        let held = self
            .fingers
            .iter_mut()
            .find(|slot| slot.is_some_and(|finger| finger.pointer == pointer));
        match (event, held) {
            (1 | 3, Some(Some(finger))) => (finger.x, finger.y) = (x, y),
            (1, _) => {
                let contact = self.contacts;
                // More fingers than the touchpad knows are not reported by a real one either.
                if let Some(free) = self.fingers.iter_mut().find(|slot| slot.is_none()) {
                    *free = Some(Finger {
                        pointer,
                        contact,
                        x,
                        y,
                    });
                    self.contacts = contact.wrapping_add(1) & 0x7F;
                }
            }
            (2 | 4 | 6, Some(slot)) => *slot = None,
            (7, _) => self.fingers = [None; FINGERS],
            _ => {}
        }
    }

    pub(super) fn moved(&mut self, sensor: MotionSensor, values: [f32; 3]) {
        match sensor {
            MotionSensor::Accelerometer => self.acceleration = values,
            MotionSensor::Gyroscope => self.rotation = values,
        }
    }

    /// `state` 0 unknown, 1 absent, 2 discharging, 3 charging, 4 not charging, 5 full; `percent` 0xFF = unknown.
    pub(super) fn charge(&mut self, state: u8, percent: u8) {
        let full = state == 5;
        self.battery = Battery {
            charging: state == 3,
            full,
            level: match percent {
                0..=100 => percent,
                _ if full => 100,
                _ => self.battery.level,
            },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fingers_are_told_apart_and_a_third_is_not_reported() {
        let mut pad = PadState::default();
        pad.touch(1, 70, 0.25, 2.0);
        pad.touch(1, 80, 0.5, 0.5);
        pad.touch(1, 90, 0.1, 0.1);
        pad.touch(3, 70, -1.0, 0.5);
        let seen = pad
            .fingers
            .map(|finger| finger.map(|f| (f.pointer, f.contact, f.x, f.y)));
        assert_eq!(seen, [Some((70, 0, 0.0, 0.5)), Some((80, 1, 0.5, 0.5))]);
        pad.touch(2, 70, 0.0, 0.5);
        pad.touch(1, 71, 0.0, 0.0);
        assert_eq!(pad.fingers[0].map(|finger| finger.contact), Some(2));
        pad.touch(7, 0, 0.0, 0.0);
        assert_eq!(pad.fingers, [None, None]);
        // A move without a contact is a hover, and no touchpad hovers.
        pad.touch(3, 71, 0.5, 0.5);
        pad.touch(0, 71, 0.5, 0.5);
        assert_eq!(pad.fingers, [None, None]);
    }

    #[test]
    fn what_is_held_is_let_go_and_how_the_pad_lies_stays() {
        let mut pad = PadState::default();
        pad.controls.buttons = 0x1000;
        pad.touch(1, 1, 0.5, 0.5);
        pad.moved(MotionSensor::Gyroscope, [1.0, 2.0, 3.0]);
        pad.moved(MotionSensor::Accelerometer, [1.0, 2.0, 3.0]);
        pad.charge(3, 40);
        pad.release();
        assert_eq!(pad.controls, ControllerState::default());
        assert_eq!(pad.fingers, [None, None]);
        assert_eq!(pad.rotation, [0.0; 3]);
        assert_eq!(pad.acceleration, [1.0, 2.0, 3.0]);
        assert_eq!((pad.battery.level, pad.battery.charging), (40, true));
    }

    #[test]
    fn an_unknown_charge_keeps_the_last_known_level() {
        let mut pad = PadState::default();
        pad.charge(2, 30);
        pad.charge(3, 0xFF);
        assert_eq!((pad.battery.level, pad.battery.charging), (30, true));
        pad.charge(5, 0xFF);
        assert_eq!((pad.battery.level, pad.battery.full), (100, true));
    }
}
