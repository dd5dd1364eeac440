//! The decision: what the client sees, and what the service is told, from everything that is known. Pure.

use super::placeholder::Message;
use punktfunk_dbus::channel::message::SourceState;
use std::borrow::Cow;

/// How long the last picture stands before a placeholder says that the desktop is gone.
const HOLD_NS: u64 = 2_000_000_000;
/// How long a source may take to its first picture before that is worth telling.
const FIRST_PICTURE_NS: u64 = 3_000_000_000;
/// How long an open session in front may be without pictures before the stream is given up.
const GIVE_UP_NS: u64 = 600_000_000_000;

/// What is known of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// No other session is in front of it on its seat.
    pub in_front: bool,
    pub locked: bool,
    /// The machine is going to sleep, or is not back from it yet.
    pub asleep: bool,
}

impl Default for Facts {
    /// What holds where there is no logind.
    fn default() -> Self {
        Self {
            in_front: true,
            locked: false,
            asleep: false,
        }
    }
}

impl Facts {
    /// Whether a client may see the session; `lock_screen`: also while it is locked.
    pub fn shows(self, lock_screen: bool) -> bool {
        self.in_front && !self.asleep && (lock_screen || !self.locked)
    }
}

/// How it is with the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supply {
    Flowing,
    /// It ended, could not be opened, or its compositor does not answer.
    Missing {
        since_ns: u64,
        why: String,
    },
    /// It ended, and there will be no other.
    Over(String),
}

/// The pictures so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// When the present source was opened.
    pub since_ns: u64,
    /// It gave a picture.
    pub any: bool,
    /// It or an earlier one did.
    pub ever: bool,
}

/// What the client sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The newest picture.
    Live,
    /// The last one, for a moment.
    Held,
    Placeholder(Message),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub state: SourceState,
    pub reason: Cow<'static, str>,
    pub shown: Shown,
    /// There were no pictures for so long that nobody waits any more.
    pub over: bool,
}

impl View {
    /// Input goes into a session that the client sees.
    pub fn takes_input(&self) -> bool {
        !matches!(self.shown, Shown::Placeholder(_))
    }

    /// With the reason why input goes nowhere: it is told of pictures that say nothing else.
    pub fn with_input(mut self, trouble: Option<&str>) -> Self {
        if let Some(why) = trouble
            && self.state == SourceState::Capturing
            && self.reason.is_empty()
        {
            self.reason = Cow::Owned(format!("no input into the session: {why}"));
        }
        self
    }
}

/// See the module's text. `open_ns`: since when the session has been in front, awake and not locked.
pub fn view(
    facts: Facts,
    lock_screen: bool,
    supply: &Supply,
    seen: Seen,
    (now_ns, open_ns): (u64, u64),
) -> View {
    let covered = |state, reason, message| View {
        state,
        reason: Cow::Borrowed(reason),
        shown: Shown::Placeholder(message),
        over: false,
    };
    if let Supply::Over(why) = supply {
        return View {
            state: SourceState::NoOutput,
            reason: Cow::Owned(why.clone()),
            shown: Shown::Held,
            over: true,
        };
    }
    if facts.asleep {
        return covered(
            SourceState::Suspended,
            "the machine is going to sleep",
            Message::Asleep,
        );
    }
    if !facts.in_front {
        return covered(
            SourceState::Paused,
            "another session is in front on this seat",
            Message::Paused,
        );
    }
    if facts.locked && !lock_screen {
        return covered(
            SourceState::Locked,
            "the client has no permission to unlock it",
            Message::Locked,
        );
    }
    let (state, reason, since_ns) = match supply {
        Supply::Missing { since_ns, why } => {
            (SourceState::NoOutput, Cow::Owned(why.clone()), *since_ns)
        }
        // answered above
        Supply::Over(_) => (SourceState::NoOutput, Cow::Borrowed(""), now_ns),
        Supply::Flowing if seen.any => (SourceState::Capturing, Cow::Borrowed(""), now_ns),
        Supply::Flowing if now_ns.saturating_sub(seen.since_ns) > FIRST_PICTURE_NS => (
            SourceState::NoOutput,
            Cow::Borrowed("the desktop has given no picture yet; is its screen off?"),
            seen.since_ns,
        ),
        // a new source after another one: the last picture stands
        Supply::Flowing if seen.ever => (SourceState::Capturing, Cow::Borrowed(""), now_ns),
        Supply::Flowing => (SourceState::Starting, Cow::Borrowed(""), now_ns),
    };
    let gone_ns = now_ns.saturating_sub(since_ns);
    let shown = match (state, gone_ns) {
        (SourceState::NoOutput, HOLD_NS..) if facts.locked => Shown::Placeholder(Message::Locked),
        (SourceState::NoOutput, HOLD_NS..) => Shown::Placeholder(Message::Waiting),
        (SourceState::NoOutput, _) => Shown::Held,
        _ => Shown::Live,
    };
    View {
        // a desktop may refuse its pictures while it is locked; that is no fault of it
        state: if facts.locked {
            SourceState::Locked
        } else {
            state
        },
        // what could not be captured while it was closed has its time from now on
        over: gone_ns.min(now_ns.saturating_sub(open_ns)) > GIVE_UP_NS && !facts.locked,
        reason,
        shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const OPEN: Facts = Facts {
        in_front: true,
        locked: false,
        asleep: false,
    };
    const SEEN: Seen = Seen {
        since_ns: 0,
        any: true,
        ever: true,
    };

    fn missing(since_ns: u64) -> Supply {
        Supply::Missing {
            since_ns,
            why: "the compositor is gone".to_owned(),
        }
    }

    #[test]
    fn a_short_loss_shows_the_last_picture_and_a_longer_one_says_so() {
        let at = |seconds| view(OPEN, false, &missing(SECOND), SEEN, (seconds * SECOND, 0));
        let short = at(2);
        assert_eq!(
            (short.state, short.shown),
            (SourceState::NoOutput, Shown::Held)
        );
        assert_eq!(short.reason, "the compositor is gone");
        assert!(short.takes_input());
        let long = at(4);
        assert_eq!(long.shown, Shown::Placeholder(Message::Waiting));
        assert!(!long.over && !long.takes_input());
        assert!(at(700).over);
    }

    #[test]
    fn a_session_that_was_closed_for_long_has_its_ten_minutes_from_when_it_is_open_again() {
        let at = |seconds| {
            let times = (seconds * SECOND, 800 * SECOND);
            view(OPEN, false, &missing(SECOND), SEEN, times)
        };
        assert!(!at(801).over && !at(1399).over);
        assert!(at(1401).over);
    }

    #[test]
    fn what_must_not_be_seen_is_covered_at_once_whatever_the_source_does() {
        let cases = [
            (
                Facts {
                    locked: true,
                    ..OPEN
                },
                SourceState::Locked,
                Message::Locked,
            ),
            (
                Facts {
                    in_front: false,
                    locked: true,
                    ..OPEN
                },
                SourceState::Paused,
                Message::Paused,
            ),
            (
                Facts {
                    asleep: true,
                    ..OPEN
                },
                SourceState::Suspended,
                Message::Asleep,
            ),
        ];
        for (facts, state, message) in cases {
            for supply in [Supply::Flowing, missing(0)] {
                // not even after ten minutes is that a reason to end the stream
                let view = view(facts, false, &supply, SEEN, (700 * SECOND, 0));
                assert_eq!(
                    (view.state, view.shown),
                    (state, Shown::Placeholder(message))
                );
                assert!(!view.takes_input() && !view.over && !view.reason.is_empty());
            }
        }
    }

    #[test]
    fn a_client_that_may_unlock_sees_the_lock_screen_but_no_other_session() {
        let locked = Facts {
            locked: true,
            ..OPEN
        };
        let seen = view(locked, true, &Supply::Flowing, SEEN, (SECOND, 0));
        assert_eq!((seen.state, seen.shown), (SourceState::Locked, Shown::Live));
        assert!(seen.takes_input());
        // its desktop refuses to be captured while it is locked
        let refused = view(locked, true, &missing(0), SEEN, (700 * SECOND, 0));
        assert_eq!(refused.shown, Shown::Placeholder(Message::Locked));
        assert!(!refused.over);
        let away = Facts {
            in_front: false,
            ..locked
        };
        let away = view(away, true, &Supply::Flowing, SEEN, (SECOND, 0));
        assert_eq!(away.state, SourceState::Paused);
        assert!(!away.takes_input());
    }

    #[test]
    fn a_source_without_a_first_picture_is_starting_and_then_told() {
        let none = Seen {
            since_ns: SECOND,
            any: false,
            ever: false,
        };
        let at = |seen, seconds| view(OPEN, false, &Supply::Flowing, seen, (seconds * SECOND, 0));
        assert_eq!(at(none, 2).state, SourceState::Starting);
        let late = at(none, 5);
        assert_eq!(
            (late.state, late.shown),
            (SourceState::NoOutput, Shown::Placeholder(Message::Waiting))
        );
        let again = Seen { ever: true, ..none };
        assert_eq!(at(again, 2).state, SourceState::Capturing);
    }
}
