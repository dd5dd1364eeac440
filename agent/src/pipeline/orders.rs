//! What the channel thread wants of the encode thread: the one place where the two meet.

use crate::clock;
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Orders since the last tick; several of a kind fold into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orders {
    pub keyframe: bool,
    /// First and last picture that must not be referred to.
    pub invalidate: Option<(u32, u32)>,
    pub bitrate_kbps: Option<u32>,
    /// When the newest picture came that nobody has taken yet (CLOCK_MONOTONIC).
    pub arrived_ns: Option<u64>,
}

/// Why a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The deadline has come, or a picture; the orders are handed over.
    Tick(Orders),
    Stop,
}

#[derive(Default)]
struct State {
    orders: Orders,
    stop: bool,
}

/// Shared by the threads of one stream.
#[derive(Clone, Default)]
pub struct OrdersHandle {
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl OrdersHandle {
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next picture shall be a key frame.
    pub fn keyframe(&self) {
        self.state().orders.keyframe = true;
        self.shared.1.notify_all();
    }

    /// Sleep until a key frame is asked for; the order stays. `false`: stopped.
    pub fn wait_for_keyframe(&self) -> bool {
        let mut state = self.state();
        while !state.stop && !state.orders.keyframe {
            state = self
                .shared
                .1
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        !state.stop
    }

    /// Do not refer to these pictures any more.
    pub fn invalidate(&self, first: u32, last: u32) {
        let mut state = self.state();
        state.orders.invalidate = Some(match state.orders.invalidate {
            Some((begin, end)) => (begin.min(first), end.max(last)),
            None => (first, last),
        });
    }

    /// Aim at this rate.
    pub fn bitrate(&self, kbps: u32) {
        self.state().orders.bitrate_kbps = Some(kbps);
    }

    /// End the stream; a thread that waits wakes at once.
    pub fn stop(&self) {
        self.state().stop = true;
        self.shared.1.notify_all();
    }

    pub fn stopped(&self) -> bool {
        self.state().stop
    }

    /// A picture has come.
    pub fn arrived(&self) {
        self.state().orders.arrived_ns = Some(clock::now_ns());
        self.shared.1.notify_all();
    }

    /// Sleep until a moment of CLOCK_MONOTONIC, or until stopped.
    pub fn wait_until(&self, deadline_ns: u64) -> Wake {
        self.wait(|_| deadline_ns)
    }

    /// The same, for a moment that depends on when the newest picture came that nobody has taken yet.
    pub fn wait(&self, due_ns: impl Fn(Option<u64>) -> u64) -> Wake {
        let mut state = self.state();
        loop {
            if state.stop {
                return Wake::Stop;
            }
            let left = due_ns(state.orders.arrived_ns).saturating_sub(clock::now_ns());
            if left == 0 {
                return Wake::Tick(std::mem::take(&mut state.orders));
            }
            state = self
                .shared
                .1
                .wait_timeout(state, Duration::from_nanos(left))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}
