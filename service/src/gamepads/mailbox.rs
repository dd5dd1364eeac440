//! What a stream's client did with its pads and the thread has not seen yet.
//!
//! Bounded. What only moves coalesces, newest wins; when it overflows all the same, states that newer ones of the same pad
//! replace go first, so that the last state of every button is never lost.
use punktfunk_core::input::InputEvent;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// More than sixteen pads do in any time that the thread may take.
const CAPACITY: usize = 512;
/// Touch events that only move.
const HOVER: u8 = 0;
const MOVE: u8 = 3;

#[derive(Debug, Default)]
pub(super) struct Mailbox(Mutex<VecDeque<InputEvent>>);

impl Mailbox {
    pub(super) fn push(&self, event: InputEvent) {
        let mut waiting = self.lock();
        let replaceable = waiting
            .iter_mut()
            .rev()
            // Of the events about the same thing only the last may be replaced: the order of the rest means something.
            .find(|earlier| same_thing(earlier, &event))
            .filter(|earlier| only_moves(earlier, &event));
        if let Some(earlier) = replaceable {
            *earlier = event;
            return;
        }
        if waiting.len() >= CAPACITY {
            make_room(&mut waiting);
        }
        waiting.push_back(event);
    }

    /// Everything so far, oldest first.
    pub(super) fn take(&self) -> VecDeque<InputEvent> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<InputEvent>> {
        // Whole events go in and out: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(waiting: &mut VecDeque<InputEvent>) {
    let replaced = (0..waiting.len()).find(|index| {
        let newer = || waiting.iter().skip(index.saturating_add(1));
        waiting.get(*index).is_some_and(|old| {
            matches!(old, InputEvent::Controller(_)) && newer().any(|new| same_thing(old, new))
        })
    });
    // Where nothing was replaced these are touches of a client that means no good.
    waiting.remove(replaced.unwrap_or(0));
}

/// Both tell of the same part of the same pad.
fn same_thing(a: &InputEvent, b: &InputEvent) -> bool {
    use InputEvent as E;
    match (a, b) {
        (E::Controller(a), E::Controller(b)) => a.controller == b.controller,
        (
            E::ControllerMotion {
                controller: a,
                sensor,
                ..
            },
            E::ControllerMotion {
                controller: b,
                sensor: other,
                ..
            },
        ) => a == b && sensor == other,
        (E::ControllerTouch { controller: a, .. }, E::ControllerTouch { controller: b, .. })
        | (
            E::ControllerBattery { controller: a, .. },
            E::ControllerBattery { controller: b, .. },
        )
        | (
            E::ControllerArrival { controller: a, .. },
            E::ControllerArrival { controller: b, .. },
        ) => a == b,
        (E::EnableHaptics { .. }, E::EnableHaptics { .. }) => true,
        _ => false,
    }
}

/// `new` says everything that `old` said and counts.
fn only_moves(old: &InputEvent, new: &InputEvent) -> bool {
    use InputEvent as E;
    match (old, new) {
        (E::Controller(old), E::Controller(new)) => {
            (old.active_mask, old.buttons) == (new.active_mask, new.buttons)
        }
        (
            E::ControllerTouch {
                event,
                pointer,
                touchpad,
                ..
            },
            E::ControllerTouch {
                event: then,
                pointer: of,
                touchpad: on,
                ..
            },
        ) => event == then && [MOVE, HOVER].contains(event) && (pointer, touchpad) == (of, on),
        // An arrival after a departure must stay after it.
        (E::ControllerArrival { .. }, _) => old == new,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use punktfunk_core::input::{ControllerState, MotionSensor};

    fn state(controller: u8, buttons: u32, x: i16) -> InputEvent {
        InputEvent::Controller(ControllerState {
            controller,
            active_mask: 3,
            buttons,
            left_stick: (x, 0),
            ..ControllerState::default()
        })
    }

    fn motion(x: f32) -> InputEvent {
        InputEvent::ControllerMotion {
            controller: 0,
            sensor: MotionSensor::Gyroscope,
            x,
            y: 0.0,
            z: 0.0,
        }
    }

    #[test]
    fn sticks_and_motion_coalesce_and_buttons_keep_their_places() {
        let mailbox = Mailbox::default();
        for x in 0..100_i16 {
            mailbox.push(state(0, 0, x));
            mailbox.push(state(1, 0, -x));
            mailbox.push(motion(f32::from(x)));
        }
        mailbox.push(state(0, 0x1000, 99));
        mailbox.push(state(0, 0, 99));
        mailbox.push(state(0, 0, 7));
        let seen: Vec<_> = mailbox.take().into();
        let expected = [
            state(0, 0, 99),
            state(1, 0, -99),
            motion(99.0),
            state(0, 0x1000, 99),
            state(0, 0, 7),
        ];
        assert_eq!(seen, expected);
        assert!(mailbox.take().is_empty());
    }

    #[test]
    fn a_flood_stays_bounded_and_the_last_state_of_every_pad_survives() {
        let mailbox = Mailbox::default();
        mailbox.push(state(1, 0x2000, 0));
        for turn in 0..10_000_u32 {
            mailbox.push(state(0, turn, 0));
        }
        let seen = mailbox.take();
        assert!(seen.len() <= CAPACITY);
        assert!(seen.contains(&state(1, 0x2000, 0)));
        assert_eq!(seen.back(), Some(&state(0, 9_999, 0)));
    }

    #[test]
    fn a_tap_of_a_finger_is_not_merged_away() {
        let touch = |event| InputEvent::ControllerTouch {
            controller: 0,
            event,
            touchpad: 0,
            pointer: 5,
            x: 0.5,
            y: 0.5,
            pressure: 1.0,
        };
        let mailbox = Mailbox::default();
        for event in [1, 3, 3, 3, 2] {
            mailbox.push(touch(event));
        }
        let seen: Vec<_> = mailbox.take().into();
        assert_eq!(seen, [touch(1), touch(3), touch(2)]);
    }
}
