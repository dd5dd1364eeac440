//! What the host has to tell a client: one place per stream where anybody leaves a message, and the control thread
//! fetches it.
//!
//! Every message is a state (a motor's strength, a colour, a rate), so the newest of each kind and controller is all
//! that counts: the box is bounded by what there is to set, however fast somebody writes and however slow the client
//! acknowledges. Messages wait here until the client is connected, and those for motors until it wants them.
use crate::net::wake::Wake;
use punktfunk_core::control::{HdrMetadata, HostMessage};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Clients number their controllers 0 to 15.
const CONTROLLERS: u16 = 16;
/// `AdaptiveTriggers::flags`.
const RIGHT: u8 = 0x04;
const LEFT: u8 = 0x08;

/// What a message sets. At most one message of each place waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Hdr,
    Rumble(u16),
    TriggerRumble(u16),
    Motion(u16, u8),
    Led(u16),
    Triggers(u16),
}

/// One stream's messages to its client. Any thread may write.
#[derive(Debug)]
pub struct Outbox {
    /// Oldest first.
    waiting: Mutex<Vec<(Place, HostMessage)>>,
    /// Rung when something was left.
    wake: Arc<Wake>,
    /// The client asked for HDR.
    hdr: bool,
}

impl Outbox {
    /// A client that asked for HDR is told whether it gets that (`hdr`) when it connects: until then it takes the picture for
    /// SDR.
    pub(super) fn new(wake: Arc<Wake>, hdr: Option<bool>) -> Self {
        let outbox = Self {
            waiting: Mutex::default(),
            wake,
            hdr: hdr.is_some(),
        };
        if let Some(enabled) = hdr {
            outbox.put(HostMessage::Hdr {
                enabled,
                metadata: HdrMetadata::default(),
            });
        }
        outbox
    }

    /// Leave a message. It takes the place of one that sets the same thing and has not left yet. Messages about
    /// controllers that cannot exist, about HDR where nobody asked for it, and terminations (which end the stream:
    /// [`super::Control::end`]) are ignored.
    pub fn put(&self, message: HostMessage) {
        let Some(place) = place(&message).filter(|place| self.hdr || *place != Place::Hdr) else {
            return;
        };
        let mut waiting = self.lock();
        match waiting.iter_mut().find(|(of, _)| *of == place) {
            Some((_, older)) => replace(older, message),
            None => waiting.push((place, message)),
        }
        drop(waiting);
        self.wake.ring();
    }

    /// The oldest message that may leave; those for motors only `with_motors`.
    pub(super) fn take(&self, with_motors: bool) -> Option<HostMessage> {
        let mut waiting = self.lock();
        let at = waiting
            .iter()
            .position(|(place, _)| with_motors || !is_motor(*place))?;
        Some(waiting.remove(at).1)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Place, HostMessage)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(message: &HostMessage) -> Option<Place> {
    let (controller, place) = match *message {
        HostMessage::Hdr { .. } => (0, Place::Hdr),
        HostMessage::Rumble { controller, .. } => (controller, Place::Rumble(controller)),
        HostMessage::TriggerRumble { controller, .. } => {
            (controller, Place::TriggerRumble(controller))
        }
        HostMessage::MotionEvents {
            controller,
            kind: kind @ 1..=2,
            ..
        } => (controller, Place::Motion(controller, kind)),
        HostMessage::RgbLed { controller, .. } => (controller, Place::Led(controller)),
        HostMessage::AdaptiveTriggers { controller, .. } => {
            (controller, Place::Triggers(controller))
        }
        _ => return None,
    };
    (controller < CONTROLLERS).then_some(place)
}

/// Clients want no rumble before they said so.
fn is_motor(place: Place) -> bool {
    matches!(place, Place::Rumble(_) | Place::TriggerRumble(_))
}

/// `newer` counts; of adaptive triggers only for the sides that it sets.
fn replace(older: &mut HostMessage, newer: HostMessage) {
    if let (
        HostMessage::AdaptiveTriggers {
            flags,
            left_kind,
            right_kind,
            left,
            right,
            ..
        },
        HostMessage::AdaptiveTriggers {
            flags: new_flags,
            left_kind: new_left_kind,
            right_kind: new_right_kind,
            left: new_left,
            right: new_right,
            ..
        },
    ) = (&mut *older, &newer)
    {
        if new_flags & RIGHT != 0 {
            (*right_kind, *right) = (*new_right_kind, *new_right);
        }
        if new_flags & LEFT != 0 {
            (*left_kind, *left) = (*new_left_kind, *new_left);
        }
        *flags |= *new_flags;
        return;
    }
    *older = newer;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox() -> Outbox {
        Outbox::new(Arc::new(Wake::new().unwrap()), None)
    }

    fn rumble(controller: u16, low: u16) -> HostMessage {
        HostMessage::Rumble {
            controller,
            low,
            high: 0,
        }
    }

    fn led(controller: u16, red: u8) -> HostMessage {
        HostMessage::RgbLed {
            controller,
            red,
            green: 0,
            blue: 0,
        }
    }

    #[test]
    fn the_newest_state_of_each_thing_is_all_that_waits() {
        let outbox = outbox();
        for strength in 0..10_000 {
            outbox.put(rumble(0, strength));
            outbox.put(rumble(1, strength));
            outbox.put(led(0, 7));
        }
        assert_eq!(outbox.take(true), Some(rumble(0, 9999)));
        assert_eq!(outbox.take(true), Some(rumble(1, 9999)));
        assert_eq!(outbox.take(true), Some(led(0, 7)));
        assert_eq!(outbox.take(true), None);
    }

    #[test]
    fn motors_wait_until_the_client_wants_them_and_nothing_else_does() {
        let outbox = outbox();
        outbox.put(rumble(0, 1));
        outbox.put(led(0, 2));
        assert_eq!(outbox.take(false), Some(led(0, 2)));
        assert_eq!(outbox.take(false), None);
        assert_eq!(outbox.take(true), Some(rumble(0, 1)));
    }

    #[test]
    fn each_trigger_keeps_its_newest_effect() {
        let effect = |flags, kind| HostMessage::AdaptiveTriggers {
            controller: 0,
            flags,
            left_kind: kind,
            right_kind: kind,
            left: [kind; 10],
            right: [kind; 10],
        };
        let outbox = outbox();
        outbox.put(effect(LEFT, 3));
        outbox.put(effect(RIGHT, 2));
        outbox.put(effect(LEFT, 1));
        let both = HostMessage::AdaptiveTriggers {
            controller: 0,
            flags: LEFT | RIGHT,
            left_kind: 1,
            right_kind: 2,
            left: [1; 10],
            right: [2; 10],
        };
        assert_eq!(outbox.take(true), Some(both));
    }

    #[test]
    fn only_a_client_that_asked_for_hdr_hears_of_hdr_and_at_once() {
        let hdr = |enabled, level| HostMessage::Hdr {
            enabled,
            metadata: HdrMetadata {
                max_display: level,
                ..HdrMetadata::default()
            },
        };
        let sdr = outbox();
        sdr.put(hdr(true, 1000));
        assert_eq!(sdr.take(true), None);
        let outbox = Outbox::new(Arc::new(Wake::new().unwrap()), Some(true));
        assert_eq!(outbox.take(false), Some(hdr(true, 0)));
        outbox.put(hdr(true, 1000));
        outbox.put(hdr(false, 400));
        assert_eq!(outbox.take(false), Some(hdr(false, 400)));
        assert_eq!(outbox.take(false), None);
        let refused = Outbox::new(Arc::new(Wake::new().unwrap()), Some(false));
        assert_eq!(refused.take(false), Some(hdr(false, 0)));
    }

    #[test]
    fn what_cannot_exist_takes_no_room() {
        let outbox = outbox();
        for controller in 16..=u16::MAX {
            outbox.put(rumble(controller, 1));
        }
        for kind in 3..=u8::MAX {
            outbox.put(HostMessage::MotionEvents {
                controller: 0,
                rate_hz: 1,
                kind,
            });
        }
        outbox.put(HostMessage::Termination { reason: 1 });
        assert_eq!(outbox.take(true), None);
    }
}
