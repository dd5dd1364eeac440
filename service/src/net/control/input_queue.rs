//! Input events that the agent's socket has not taken yet.
//!
//! Motion coalesces while it waits; keys, buttons, text and the state of pads never drop, and nothing overtakes anything.
//! The queue is bounded, and an agent that takes nothing for half a second, or lets the queue fill up, is stalled.
use super::merging::merge;
use crate::stream::InputKind;
use punktfunk_core::input::InputEvent;
use punktfunk_dbus::channel::{Endpoint, ToAgent, message::Held};
use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

/// More key and button events than anyone makes in the time that an agent is given, programs included.
const CAPACITY: usize = 4096;
/// A socket that stays full for this long belongs to a stalled agent.
pub(super) const STALL: Duration = Duration::from_millis(500);

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
    waiting: VecDeque<Waiting>,
    /// Since when nothing could be handed over.
    full_since: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq)]
enum Waiting {
    Event(InputEvent),
    Release(Held),
}

impl InputQueue {
    /// Hand over `event`, or keep it until the sink takes it.
    pub(super) fn push(
        &mut self,
        event: InputEvent,
        sink: &impl InputSink,
        now: Instant,
    ) -> Result<(), Stalled> {
        if let Some(Waiting::Event(last)) = self.waiting.back_mut()
            && merge(last, &event)
        {
            return self.flush(sink, now);
        }
        self.keep(Waiting::Event(event))?;
        self.flush(sink, now)
    }

    /// Let go of what is pressed of `held`, behind what was pressed before. What waits of it is not pressed any more.
    pub(super) fn release(
        &mut self,
        held: Held,
        sink: &impl InputSink,
        now: Instant,
    ) -> Result<(), Stalled> {
        self.waiting.retain(|waiting| match waiting {
            Waiting::Event(event) => match InputKind::of(event) {
                InputKind::Pointer => !held.pointer,
                InputKind::Keyboard => !held.keyboard,
                InputKind::Gamepad => true,
            },
            Waiting::Release(_) => true,
        });
        self.keep(Waiting::Release(held))?;
        self.flush(sink, now)
    }

    fn keep(&mut self, one: Waiting) -> Result<(), Stalled> {
        if self.waiting.len() >= CAPACITY {
            return Err(Stalled);
        }
        self.waiting.push_back(one);
        Ok(())
    }

    /// Hand over as much as the sink takes.
    pub(super) fn flush(&mut self, sink: &impl InputSink, now: Instant) -> Result<(), Stalled> {
        while let Some(next) = self.waiting.front() {
            let message = match next {
                Waiting::Event(event) => ToAgent::Input(event.clone()),
                Waiting::Release(held) => ToAgent::Release(*held),
            };
            match sink.send(&message) {
                Ok(true) => {
                    self.full_since = None;
                    self.waiting.pop_front();
                }
                Ok(false) => {
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

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "sums of a few hundred 16-bit numbers"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::{Cell, RefCell};

    #[derive(Default)]
    struct Sink {
        room: Cell<usize>,
        taken: RefCell<Vec<ToAgent>>,
    }

    impl InputSink for Sink {
        fn send(&self, message: &ToAgent) -> io::Result<bool> {
            let Some(left) = self.room.get().checked_sub(1) else {
                return Ok(false);
            };
            self.room.set(left);
            self.taken.borrow_mut().push(message.clone());
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
        ]
        .map(ToAgent::Input);
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
        let many = u16::try_from(CAPACITY).unwrap();
        for code in 0..many {
            queue.push(key(code), &sink, now).unwrap();
        }
        assert_eq!(queue.push(key(many), &sink, now), Err(Stalled));
        sink.room.set(CAPACITY);
        queue.flush(&sink, now).unwrap();
        let expected: Vec<_> = (0..many).map(|code| ToAgent::Input(key(code))).collect();
        assert_eq!(*sink.taken.borrow(), expected);
    }

    #[test]
    fn a_permission_taken_away_drops_what_waits_of_it_and_releases_behind_the_rest() {
        let (sink, now) = (Sink::default(), Instant::now());
        let mut queue = InputQueue::default();
        let button = InputEvent::MouseButton {
            down: true,
            button: 1,
        };
        for event in [key(65), button.clone(), InputEvent::Text('a'), key(66)] {
            queue.push(event, &sink, now).unwrap();
        }
        let keyboard = Held {
            pointer: false,
            keyboard: true,
        };
        queue.release(keyboard, &sink, now).unwrap();
        sink.room.set(10);
        queue.flush(&sink, now).unwrap();
        assert_eq!(
            *sink.taken.borrow(),
            [ToAgent::Input(button), ToAgent::Release(keyboard)]
        );
    }

    /// What a stream of events comes to: everything that must not be lost or overtaken, and between two such events the
    /// sum of the motion and the last of the positions.
    #[derive(Debug, Default, PartialEq)]
    struct Meaning {
        steps: Vec<(Between, InputEvent)>,
        rest: Between,
    }

    #[derive(Debug, Default, PartialEq)]
    struct Between {
        moved: (i64, i64),
        scrolled: (i64, i64),
        place: Option<InputEvent>,
    }

    fn meaning(events: impl IntoIterator<Item = InputEvent>) -> Meaning {
        let mut meaning = Meaning::default();
        for event in events {
            let between = &mut meaning.rest;
            match event {
                InputEvent::MouseRelative { dx, dy } => {
                    between.moved.0 += i64::from(dx);
                    between.moved.1 += i64::from(dy);
                }
                InputEvent::Scroll { amount } => between.scrolled.0 += i64::from(amount),
                InputEvent::HorizontalScroll { amount } => between.scrolled.1 += i64::from(amount),
                InputEvent::MouseAbsolute { .. } => between.place = Some(event),
                kept => meaning
                    .steps
                    .push((std::mem::take(&mut meaning.rest), kept)),
            }
        }
        meaning
    }

    fn any_event() -> impl Strategy<Value = InputEvent> {
        prop_oneof![
            any::<(bool, u8)>().prop_map(|(down, code)| InputEvent::Key {
                down,
                code: code.into(),
                modifiers: 0,
                flags: 0
            }),
            any::<char>().prop_map(InputEvent::Text),
            (any::<bool>(), 1u8..=5)
                .prop_map(|(down, button)| InputEvent::MouseButton { down, button }),
            any::<(i16, i16)>().prop_map(|(dx, dy)| InputEvent::MouseRelative { dx, dy }),
            any::<(i16, i16)>().prop_map(|(x, y)| InputEvent::MouseAbsolute {
                x,
                y,
                ref_width: 1919,
                ref_height: 1079
            }),
            any::<i16>().prop_map(|amount| InputEvent::Scroll { amount }),
            any::<i16>().prop_map(|amount| InputEvent::HorizontalScroll { amount }),
        ]
    }

    proptest! {
        #[test]
        fn whatever_waits_means_the_same_when_it_is_taken(events in proptest::collection::vec((any_event(), 0usize..3), 0..200)) {
            let (sink, now) = (Sink::default(), Instant::now());
            let mut queue = InputQueue::default();
            for (event, room) in &events {
                sink.room.set(*room);
                queue.push(event.clone(), &sink, now).unwrap();
            }
            sink.room.set(CAPACITY);
            queue.flush(&sink, now).unwrap();
            let taken = sink.taken.borrow().clone().into_iter().map(|message| match message {
                ToAgent::Input(event) => event,
                other => panic!("{other:?}"),
            });
            prop_assert_eq!(meaning(taken), meaning(events.into_iter().map(|(event, _)| event)));
        }
    }
}
