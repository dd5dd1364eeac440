//! The life of a stream's pictures: what is shown while the desktop can, may or must not be seen.
//!
//! A [`Keeper`] thread holds the source, notices that it is gone or hangs, and opens another one. The encode thread asks
//! the [`Scene`] at each tick and gets a captured picture, the last one again, or a [`placeholder`]. The channel thread
//! tells the service how it is and puts input in. [`view`] alone decides what is shown. Which client may see what is the
//! service's decision; what the session does is logind's word (`bus::session_life`).

mod keeper;
mod letterbox;
pub mod lockers;
mod placeholder;
pub mod pulse;
mod scene;
#[cfg(test)]
mod tests;
mod view;

pub use keeper::{Keeper, Open};
pub use scene::Scene;
pub use view::Facts;

use crate::source::{Injector, Painter, PictureSlot, Source};
use letterbox::Letterbox;
use nix::sys::eventfd::EventFd;
use punktfunk_core::input::InputEvent;
use punktfunk_dbus::channel::message::{Held, SourceState};
use std::{
    borrow::Cow,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;
use view::{Supply, View};

/// How it is with the pictures, as the service is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub state: SourceState,
    /// For a person; empty where the state says it all.
    pub reason: Cow<'static, str>,
    /// The client's input may go into the session.
    pub takes_input: bool,
}

/// Shared by the threads of one stream.
pub struct Life {
    /// Of the stream, in pixels.
    size: (u32, u32),
    session: watch::Receiver<Facts>,
    state: Mutex<State>,
    changed: Condvar,
    /// Rung when there is something to tell.
    wake: Arc<EventFd>,
    injector: Mutex<Option<Box<dyn Injector>>>,
}

struct State {
    lock_screen: bool,
    supply: Supply,
    /// Since when the session has been in front, awake and not locked.
    open_ns: u64,
    /// A new source's pictures, for the encode thread to take.
    arrival: Option<Arrival>,
    told: Told,
    /// Counts changes of `told`.
    news: u64,
    /// Of the newest captured picture.
    captured: (u32, u32),
    /// A locker runs that logind does not know of.
    locker: Option<&'static str>,
    /// Why input goes nowhere, if it does.
    no_input: Option<String>,
    /// Something happened that the keeper should look at.
    nudged: bool,
    stop: bool,
}

/// Where a source's pictures come from.
struct Arrival {
    slot: Arc<PictureSlot>,
    painter: Option<Box<dyn Painter>>,
}

impl Life {
    /// For a stream of `size`; `lock_screen`: its client may see the session while it is locked.
    pub fn new(
        size: (u32, u32),
        lock_screen: bool,
        session: watch::Receiver<Facts>,
        wake: Arc<EventFd>,
    ) -> Self {
        let takes_input = session.borrow().shows(lock_screen);
        Self {
            size,
            session,
            state: Mutex::new(State {
                lock_screen,
                supply: Supply::Flowing,
                open_ns: 0,
                arrival: None,
                told: Told {
                    state: SourceState::Starting,
                    reason: Cow::Borrowed(""),
                    takes_input,
                },
                news: 1,
                captured: size,
                locker: None,
                no_input: None,
                nudged: false,
                stop: false,
            }),
            changed: Condvar::new(),
            wake,
            injector: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn injector(&self) -> MutexGuard<'_, Option<Box<dyn Injector>>> {
        self.injector.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of the session now.
    pub fn facts(&self) -> Facts {
        let told = *self.session.borrow();
        Facts {
            locked: told.locked || self.state().locker.is_some(),
            ..told
        }
    }

    /// A locker was looked for.
    fn locker(&self, running: Option<&'static str>) {
        let before = std::mem::replace(&mut self.state().locker, running);
        if before != running {
            tracing::info!(?running, "a locker that tells logind nothing");
        }
    }

    /// The client may, or may no longer, see the session while it is locked.
    pub fn set_lock_screen(&self, visible: bool) {
        self.state().lock_screen = visible;
    }

    /// What to tell the service, if it is not what was `seen` last.
    pub fn news(&self, seen: &mut u64) -> Option<Told> {
        let state = self.state();
        if state.news == *seen {
            return None;
        }
        *seen = state.news;
        Some(state.told.clone())
    }

    /// Put an event into the session, if the client can see what it does there.
    pub fn inject(&self, event: &InputEvent) {
        let state = self.state();
        if !state.told.takes_input {
            return;
        }
        let captured = state.captured;
        drop(state);
        if let Some(injector) = self.injector().as_mut() {
            if captured == self.size {
                injector.inject(event);
            } else {
                injector.inject(&Letterbox::new(captured, self.size).mapped(event));
            }
        }
    }

    /// Let go of what is pressed of `held`.
    pub fn release(&self, held: Held) {
        if let Some(injector) = self.injector().as_mut() {
            injector.release(held);
        }
    }

    /// What is to be seen at `now_ns`. `pictures`: how many of the present source there were (none, some), and whether
    /// there ever was one.
    fn view(&self, now_ns: u64, seen: view::Seen) -> View {
        let facts = self.facts();
        let mut state = self.state();
        if !facts.shows(false) {
            state.open_ns = now_ns;
        }
        let times = (now_ns, state.open_ns);
        let view = view::view(facts, state.lock_screen, &state.supply, seen, times);
        let view = view.with_input(state.no_input.as_deref());
        let told = &state.told;
        if told.state != view.state
            || told.reason != view.reason
            || told.takes_input != view.takes_input()
        {
            state.told = Told {
                state: view.state,
                reason: view.reason.clone(),
                takes_input: view.takes_input(),
            };
            state.news += 1;
            // the keeper tries at once what was not possible before
            state.nudged = true;
            drop(state);
            self.changed.notify_all();
            let _ = self.wake.write(1);
        }
        view
    }

    fn arrival(&self) -> Option<Arrival> {
        self.state().arrival.take()
    }

    fn captured(&self, size: (u32, u32)) {
        self.state().captured = size;
    }

    /// Have the keeper look after the source now.
    fn nudge(&self) {
        self.state().nudged = true;
        self.changed.notify_all();
    }

    fn stop(&self) {
        self.state().stop = true;
        self.changed.notify_all();
    }

    /// Wait for a nudge or the stop, `limit` at most. False: stopped.
    fn wait(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.state();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if state.stop || state.nudged || left.is_zero() {
                state.nudged = false;
                return !state.stop;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Where input goes from now on.
    pub(crate) fn connect(&self, injector: Option<Box<dyn Injector>>) {
        *self.injector() = injector;
    }

    /// A source is there: its pictures go to the encode thread, input into its session.
    fn install(&self, source: &mut dyn Source) {
        // before the first picture of it
        self.locker(lockers::running());
        self.connect(source.injector());
        let arrival = Arrival {
            slot: source.slot(),
            painter: source.painter(),
        };
        let mut state = self.state();
        state.arrival = Some(arrival);
        state.supply = Supply::Flowing;
    }

    /// The source has ended, or another attempt to open one has failed.
    fn missing(&self, now_ns: u64, why: &str) {
        let closed = !self.facts().shows(true);
        let mut state = self.state();
        let since_ns = match &state.supply {
            // a session that is not in front, or asleep, need not have pictures
            Supply::Missing { since_ns, .. } if !closed => *since_ns,
            _ => now_ns,
        };
        state.supply = Supply::Missing {
            since_ns,
            why: why.into(),
        };
    }

    /// The source has ended, and the stream ends with it.
    fn end(&self, why: &str) {
        self.state().supply = Supply::Over(why.to_owned());
    }

    /// The compositor answers again.
    fn flowing(&self) {
        let mut state = self.state();
        if state.supply != Supply::Flowing {
            state.supply = Supply::Flowing;
        }
    }

    /// Look after the way into the session.
    fn tend(&self) {
        let no_input = self
            .injector()
            .as_mut()
            .and_then(|injector| injector.tend());
        self.state().no_input = no_input;
    }

    /// Nothing can be put in any more; what is pressed is let go of, as far as that is still possible.
    fn disconnect(&self) {
        self.connect(None);
        self.state().no_input = None;
    }
}
