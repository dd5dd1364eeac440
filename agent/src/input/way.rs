//! The way into a session, for as long as its stream lasts: one that is slow, is not there at the start or breaks is tried again, after
//! 250 ms and then after twice as long, up to 8 s. Each attempt has a thread of its own, because a compositor takes as long as it likes.

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use punktfunk_core::input::InputEvent;
use punktfunk_dbus::channel::message::Held;

use super::{Action, Backend, InputError, Text, Translator};
use crate::source::Injector;

/// How long the start of a stream waits for its first attempt.
pub const PROMPT: Duration = Duration::from_secs(5);
/// The wait before another attempt; it doubles up to the second with each one that fails.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));
/// A way that held this long is no failed attempt.
const LASTING: Duration = Duration::from_secs(20);

/// Opens a way; blocks.
pub type Open = dyn FnMut() -> Result<Box<dyn Backend>, InputError> + Send;

/// Shared by the stream, its source, and the thread of an attempt.
struct Shared {
    state: Mutex<State>,
    settled: Condvar,
    open: Mutex<Box<Open>>,
}

struct State {
    translator: Translator,
    way: Way,
    /// Until the next attempt, if the present way is none.
    wait: Duration,
}

enum Way {
    Open {
        backend: Box<dyn Backend>,
        since: Instant,
    },
    /// There is none at the moment.
    Broken {
        why: String,
        next: Instant,
    },
    /// An attempt is made; the reason is that of the last one.
    Opening {
        why: Option<String>,
    },
    Closed,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Make an attempt, if it is time.
    fn attempt(self: &Arc<Self>, now: Instant) {
        let mut state = self.state();
        let Way::Broken { why, next } = &mut state.way else {
            return;
        };
        if now < *next {
            return;
        }
        let why = Some(std::mem::take(why)).filter(|why| !why.is_empty());
        state.way = Way::Opening { why };
        drop(state);
        let shared = Arc::clone(self);
        let spawned = thread::Builder::new()
            .name("pf-input".into())
            .spawn(move || {
                let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
                shared.settle(open());
            });
        if let Err(error) = spawned {
            self.settle(Err(InputError::Thread(error.to_string())));
        }
    }

    fn settle(&self, opened: Result<Box<dyn Backend>, InputError>) {
        let mut state = self.state();
        let before = match &mut state.way {
            Way::Opening { why } => why.take(),
            // the stream has ended meanwhile; what was opened is closed again
            _ => return,
        };
        match opened {
            Ok(backend) => {
                if before.is_some() {
                    tracing::info!("input reaches the session");
                }
                // nothing is down on new devices, whatever was on the old ones
                state.translator = Translator::default();
                let since = Instant::now();
                state.way = Way::Open { backend, since };
            }
            Err(error) => {
                let why = error.to_string();
                if before.as_ref() != Some(&why) {
                    tracing::warn!(why, "no input into this session; it is tried again");
                }
                state.broken(why);
            }
        }
        drop(state);
        self.settled.notify_all();
    }
}

impl State {
    fn backend(&mut self) -> Option<(&mut Translator, &mut dyn Backend)> {
        match &mut self.way {
            Way::Open { backend, .. } => Some((&mut self.translator, backend.as_mut())),
            _ => None,
        }
    }

    fn inject(&mut self, event: &InputEvent) {
        let Some((translator, backend)) = self.backend() else {
            return;
        };
        if let InputEvent::Text(character) = event {
            match backend.text(*character) {
                Text::Done => {}
                Text::Keys(stroke) => {
                    translator.stroke(stroke, &mut |action| backend.apply(action));
                }
                Text::Impossible => {
                    tracing::info!(
                        "a character that the session's keyboard cannot type was left out"
                    );
                }
            }
        } else {
            translator.translate(event, &mut |action| backend.apply(action));
        }
        self.flush();
    }

    fn release(&mut self, held: Held) {
        if let Some((translator, backend)) = self.backend() {
            translator.release(held, &mut |action| backend.apply(action));
            self.flush();
        }
    }

    /// Send what is queued, and notice a way that has broken.
    fn flush(&mut self) {
        let Way::Open { backend, since } = &mut self.way else {
            return;
        };
        if let Err(error) = backend.flush() {
            if since.elapsed() > LASTING {
                self.wait = RETRY.0;
            }
            tracing::warn!(%error, "input into the session has ended; it is tried again");
            self.broken(error.to_string());
        }
    }

    fn broken(&mut self, why: String) {
        let next = Instant::now() + self.wait;
        self.wait = (self.wait * 2).min(RETRY.1);
        self.way = Way::Broken { why, next };
    }

    /// Why input goes nowhere, if it does.
    fn trouble(&self) -> Option<&str> {
        match &self.way {
            Way::Open { .. } | Way::Closed => None,
            Way::Broken { why, .. } => Some(why),
            Way::Opening { why } => Some(
                why.as_deref()
                    .unwrap_or("the compositor has not answered yet"),
            ),
        }
    }
}

/// The source's hold on the input of its session, to close it before the session.
pub struct InputHandle(Arc<Shared>);

impl InputHandle {
    /// Move the pointer a little, so that the compositor has something to paint: first by a pixel (one way in even
    /// `attempt`s, back in odd ones), later, in case the pointer is on another output, to the middle of this one.
    pub fn nudge(&self, attempt: u32) {
        let mut state = self.0.state();
        let even = attempt.is_multiple_of(2);
        if let Some((_, backend)) = state.backend() {
            backend.apply(if attempt < 2 {
                Action::Move {
                    dx: if even { 1.0 } else { -1.0 },
                    dy: 0.0,
                }
            } else {
                Action::MoveTo {
                    x: if even { 0.5 } else { 0.51 },
                    y: 0.5,
                }
            });
        }
        state.flush();
    }

    /// Whether there is a way, or one is being opened.
    pub fn promises(&self) -> bool {
        !matches!(self.0.state().way, Way::Broken { .. } | Way::Closed)
    }

    /// Let go of everything and close the way in; events that still come are dropped.
    pub fn close(self) {
        let mut state = self.0.state();
        state.release(Held::ALL);
        state.way = Way::Closed;
    }
}

/// The stream's hold on it.
struct SessionInput(Arc<Shared>);

impl Injector for SessionInput {
    fn inject(&mut self, event: &InputEvent) {
        self.0.state().inject(event);
        self.0.attempt(Instant::now());
    }

    fn release(&mut self, held: Held) {
        self.0.state().release(held);
    }

    fn tend(&mut self) -> Option<String> {
        self.0.state().flush();
        self.0.attempt(Instant::now());
        self.0.state().trouble().map(str::to_owned)
    }
}

impl Drop for SessionInput {
    fn drop(&mut self) {
        self.release(Held::ALL);
    }
}

/// Open a way with `open`, now and whenever there is none. The first attempt is waited for, but not longer than `prompt`.
pub fn keep(open: Box<Open>, prompt: Duration) -> (Box<dyn Injector>, InputHandle) {
    let now = Instant::now();
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            translator: Translator::default(),
            way: Way::Broken {
                why: String::new(),
                next: now,
            },
            wait: RETRY.0,
        }),
        settled: Condvar::new(),
        open: Mutex::new(open),
    });
    shared.attempt(now);
    let opening = |state: &mut State| matches!(state.way, Way::Opening { .. });
    drop(
        shared
            .settled
            .wait_timeout_while(shared.state(), prompt, opening),
    );
    (
        Box::new(SessionInput(Arc::clone(&shared))),
        InputHandle(shared),
    )
}
