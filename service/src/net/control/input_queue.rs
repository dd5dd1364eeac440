//! Input events that the agent's socket has not taken yet.
//!
//! Motion coalesces while it waits; keys, buttons, text and the state of pads never drop. The queue is bounded, and an
//! agent that takes nothing for half a second, or lets the queue fill up, is stalled.
use punktfunk_core::input::InputEvent;
use punktfunk_dbus::channel::{Endpoint, ToAgent};
use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

/// More key and button events than anyone makes in the time that an agent is given.
const CAPACITY: usize = 256;
/// A socket that stays full for this long belongs to a stalled agent.
pub(super) const STALL: Duration = Duration::from_millis(500);
/// Touch, pen and controller-touch events that only move.
const HOVER: u8 = 0;
const MOVE: u8 = 3;

/// Where events go.
pub(super) trait InputSink {
    /// `Ok(false)`: full.
    fn send(&self, message: &ToAgent) -> io::Result<bool>;
}

impl InputSink for Endpoint {
    fn send(&self, message: &ToAgent) -> io::Result<bool> {
        self.send_to_agent(message)
    }
}

/// The agent does not take its input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stalled;

#[derive(Debug, Default)]
pub(super) struct InputQueue {
    waiting: VecDeque<InputEvent>,
    /// Since when nothing could be handed over.
    full_since: Option<Instant>,
}

impl InputQueue {
    /// Hand over `event`, or keep it until the sink takes it.
    pub(super) fn push(
        &mut self,
        event: InputEvent,
        sink: &impl InputSink,
        now: Instant,
    ) -> Result<(), Stalled> {
        if self
            .waiting
            .back_mut()
            .is_some_and(|last| merge(last, &event))
        {
            return self.flush(sink, now);
        }
        if self.waiting.len() >= CAPACITY {
            return Err(Stalled);
        }
        self.waiting.push_back(event);
        self.flush(sink, now)
    }

    /// Hand over as much as the sink takes.
    pub(super) fn flush(&mut self, sink: &impl InputSink, now: Instant) -> Result<(), Stalled> {
        while let Some(event) = self.waiting.pop_front() {
            let message = ToAgent::Input(event);
            match sink.send(&message) {
                Ok(true) => self.full_since = None,
                Ok(false) => {
                    if let ToAgent::Input(event) = message {
                        self.waiting.push_front(event);
                    }
                    let since = *self.full_since.get_or_insert(now);
                    let stalled = now.saturating_duration_since(since) >= STALL;
                    return if stalled { Err(Stalled) } else { Ok(()) };
                }
                // An agent that is gone is for the media thread to notice.
                Err(_) => self.waiting.clear(),
            }
        }
        self.full_since = None;
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// Take `next` into `last` if both are motion of the same thing and nothing is lost by it.
fn merge(last: &mut InputEvent, next: &InputEvent) -> bool {
    use InputEvent as E;
    let replaced = match (&mut *last, next) {
        (
            E::MouseRelative { dx, dy },
            E::MouseRelative {
                dx: more_x,
                dy: more_y,
            },
        ) => {
            let (Some(x), Some(y)) = (dx.checked_add(*more_x), dy.checked_add(*more_y)) else {
                return false;
            };
            (*dx, *dy) = (x, y);
            return true;
        }
        (E::Scroll { amount }, E::Scroll { amount: more })
        | (E::HorizontalScroll { amount }, E::HorizontalScroll { amount: more }) => {
            let Some(sum) = amount.checked_add(*more) else {
                return false;
            };
            *amount = sum;
            return true;
        }
        (E::MouseAbsolute { .. }, E::MouseAbsolute { .. }) => true,
        (E::Controller(old), E::Controller(new)) => {
            (old.controller, old.active_mask, old.buttons)
                == (new.controller, new.active_mask, new.buttons)
        }
        (
            E::ControllerMotion {
                controller, sensor, ..
            },
            E::ControllerMotion {
                controller: of,
                sensor: by,
                ..
            },
        ) => controller == of && sensor == by,
        (E::Touch(old), E::Touch(new)) => {
            only_moves(old.event, new.event) && old.pointer == new.pointer
        }
        (E::Pen(old), E::Pen(new)) => {
            only_moves(old.event, new.event) && (old.tool, old.buttons) == (new.tool, new.buttons)
        }
        (
            E::ControllerTouch {
                controller,
                event,
                touchpad,
                pointer,
                ..
            },
            E::ControllerTouch {
                controller: of,
                event: then,
                touchpad: on,
                pointer: by,
                ..
            },
        ) => only_moves(*event, *then) && (*controller, *touchpad, *pointer) == (*of, *on, *by),
        _ => false,
    };
    if replaced {
        *last = next.clone();
    }
    replaced
}

fn only_moves(old: u8, new: u8) -> bool {
    old == new && (old == MOVE || old == HOVER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    #[derive(Default)]
    struct Sink {
        room: Cell<usize>,
        taken: RefCell<Vec<InputEvent>>,
    }

    impl InputSink for Sink {
        fn send(&self, message: &ToAgent) -> io::Result<bool> {
            let Some(left) = self.room.get().checked_sub(1) else {
                return Ok(false);
            };
            self.room.set(left);
            if let ToAgent::Input(event) = message {
                self.taken.borrow_mut().push(event.clone());
            }
            Ok(true)
        }
    }

    fn key(code: u16) -> InputEvent {
        InputEvent::Key {
            down: true,
            code,
            modifiers: 0,
            flags: 0,
        }
    }

    #[test]
    fn motion_coalesces_while_the_socket_is_full_and_keys_keep_their_place() {
        let (sink, now) = (Sink::default(), Instant::now());
        let mut queue = InputQueue::default();
        for _ in 0..1000 {
            queue
                .push(InputEvent::MouseRelative { dx: 2, dy: -1 }, &sink, now)
                .unwrap();
        }
        queue.push(key(65), &sink, now).unwrap();
        queue
            .push(InputEvent::MouseRelative { dx: 5, dy: 5 }, &sink, now)
            .unwrap();
        assert_eq!(queue.waiting.len(), 3);
        sink.room.set(10);
        queue.flush(&sink, now).unwrap();
        assert!(queue.is_empty());
        let expected = [
            InputEvent::MouseRelative {
                dx: 2000,
                dy: -1000,
            },
            key(65),
            InputEvent::MouseRelative { dx: 5, dy: 5 },
        ];
        assert_eq!(*sink.taken.borrow(), expected);
    }

    #[test]
    fn motion_that_would_overflow_is_kept_apart() {
        let (sink, now) = (Sink::default(), Instant::now());
        let mut queue = InputQueue::default();
        queue
            .push(InputEvent::MouseRelative { dx: 30_000, dy: 0 }, &sink, now)
            .unwrap();
        queue
            .push(InputEvent::MouseRelative { dx: 30_000, dy: 0 }, &sink, now)
            .unwrap();
        assert_eq!(queue.waiting.len(), 2);
    }

    #[test]
    fn a_socket_full_for_half_a_second_is_a_stalled_agent() {
        let (sink, start) = (Sink::default(), Instant::now());
        let mut queue = InputQueue::default();
        let at = |ms| start.checked_add(Duration::from_millis(ms)).unwrap();
        queue.push(key(1), &sink, at(0)).unwrap();
        queue.flush(&sink, at(499)).unwrap();
        sink.room.set(1);
        // One event taken is a sign of life: the clock starts anew.
        queue.push(key(2), &sink, at(499)).unwrap();
        queue.flush(&sink, at(998)).unwrap();
        assert_eq!(queue.flush(&sink, at(1000)), Err(Stalled));
    }

    #[test]
    fn keys_are_never_dropped_to_make_room() {
        let (sink, now) = (Sink::default(), Instant::now());
        let mut queue = InputQueue::default();
        for code in 0..256 {
            queue.push(key(code), &sink, now).unwrap();
        }
        assert_eq!(queue.push(key(999), &sink, now), Err(Stalled));
        sink.room.set(256);
        queue.flush(&sink, now).unwrap();
        assert_eq!(sink.taken.borrow().len(), 256);
    }
}
