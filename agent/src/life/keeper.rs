//! The thread that keeps a source open for its stream: it notices that one is gone, and opens the next.
//!
//! A compositor that hangs keeps its source: nothing would be gained by another one, and it may go on in a moment.
//! Sources are opened on threads of their own, because that may take as long as a compositor, or a person, likes.

use super::{Life, lockers, pulse::Beat};
use crate::{
    clock,
    source::{Source, SourceError},
};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How often a source is looked after.
const ROUND: Duration = Duration::from_secs(1);
/// The wait before another source is opened; it doubles up to the second with each failure.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));
/// A source that lived this long is no failed attempt.
const LASTING: Duration = Duration::from_secs(20);

/// Opens a source, blocking.
pub type Open = dyn Fn() -> Result<Box<dyn Source>, SourceError> + Send + Sync;

/// The thread; dropping it ends the source.
pub struct Keeper {
    life: Arc<Life>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Keep `source`, or, with the reason why there is none yet, begin to look for one.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        life: Arc<Life>,
        source: Result<Box<dyn Source>, SourceError>,
        open: Arc<Open>,
    ) -> io::Result<Self> {
        let first = match source {
            Ok(mut source) => {
                life.install(source.as_mut());
                Some(source)
            }
            Err(error) => {
                life.missing(clock::now_ns(), &error.to_string());
                None
            }
        };
        let kept = Arc::clone(&life);
        let thread = thread::Builder::new()
            .name("pf-keeper".into())
            .spawn(move || keep(&kept, first, &open))?;
        Ok(Self {
            life,
            thread: Some(thread),
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.life.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the keeper of a source panicked");
        }
    }
}

fn keep(life: &Arc<Life>, first: Option<Box<dyn Source>>, open: &Arc<Open>) {
    let mut present = first;
    let mut wait = RETRY.0;
    loop {
        if let Some(source) = present.take() {
            let since = Instant::now();
            let lost = look_after(life, source.as_ref());
            // what is pressed first, then the picture, then the session
            life.disconnect();
            if let Some(why) = &lost {
                tracing::warn!(source = source.name(), why, "the pictures have ended");
                if source.comes_back() {
                    life.missing(clock::now_ns(), why);
                } else {
                    life.end(why);
                }
            }
            let comes_back = source.comes_back();
            drop(source);
            if lost.is_none() || !comes_back {
                return;
            }
            if since.elapsed() > LASTING {
                wait = RETRY.0;
            }
        }
        if !pause(life, wait) {
            return;
        }
        match attempt(life, open) {
            None => return,
            Some(Ok(mut source)) => {
                tracing::info!(source = source.name(), "there are pictures again");
                life.install(source.as_mut());
                present = Some(source);
            }
            Some(Err(error)) => {
                tracing::info!(%error, "no pictures yet");
                life.missing(clock::now_ns(), &error.to_string());
                wait = (wait * 2).min(RETRY.1);
            }
        }
    }
}

/// Until the source has ended (the reason), or the stream has (None).
fn look_after(life: &Life, source: &dyn Source) -> Option<String> {
    let slot = source.slot();
    let mut pulse = source.pulse();
    let mut captured = 0;
    while life.wait(ROUND) {
        life.locker(lockers::running());
        life.tend();
        let state = slot.state();
        if let Some(why) = state.over() {
            return Some(why.to_owned());
        }
        // whoever paints is alive
        let painted = std::mem::replace(&mut captured, state.captured) != state.captured;
        drop(state);
        // a compositor that is not in front, or of a machine that sleeps, need not answer in time
        if !life.facts().shows(true) {
            pulse = None;
            continue;
        }
        let beat = match pulse.as_mut() {
            Some(pulse) => pulse.beat(clock::now_ns()),
            None => {
                pulse = source.pulse();
                Beat::Alive
            }
        };
        match beat {
            Beat::Silent if !painted => life.missing(
                clock::now_ns(),
                "the compositor does not answer; it hangs or was stopped",
            ),
            Beat::Alive | Beat::Silent => life.flowing(),
            // its death is the source's to tell; this may have been another compositor, nested in the session
            Beat::Closed => pulse = None,
        }
    }
    None
}

/// Wait before the next attempt, and on for as long as the session need not have pictures. False: the stream is over.
fn pause(life: &Life, wait: Duration) -> bool {
    let until = Instant::now() + wait;
    loop {
        // one that died with its compositor covers nothing any more
        life.locker(lockers::running());
        let left = until.saturating_duration_since(Instant::now());
        let closed = !life.facts().shows(true);
        if left.is_zero() && !closed {
            return true;
        }
        let facts = life.facts();
        if !life.wait(if closed { ROUND } else { left }) {
            return false;
        }
        // unlocked, or in front again: what failed before may work now
        if life.facts() != facts && life.facts().shows(true) {
            return true;
        }
    }
}

/// What an opening thread has to say.
#[derive(Default)]
enum Answer {
    #[default]
    Pending,
    Here(Result<Box<dyn Source>, SourceError>),
    /// Nobody waits any more.
    Unwanted,
}

/// Open a source on another thread. None: the stream ended first; a source that still comes is closed at once.
fn attempt(life: &Arc<Life>, open: &Arc<Open>) -> Option<Result<Box<dyn Source>, SourceError>> {
    let answer = Arc::<Mutex<Answer>>::default();
    let (open, waiter, given) = (Arc::clone(open), Arc::clone(life), Arc::clone(&answer));
    let lock = |answer: &Mutex<Answer>, new| {
        let mut answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *answer, new)
    };
    let spawned = thread::Builder::new()
        .name("pf-open".into())
        .spawn(move || {
            let opened = open();
            let mut answer = given.lock().unwrap_or_else(PoisonError::into_inner);
            if !matches!(*answer, Answer::Unwanted) {
                *answer = Answer::Here(opened);
                drop(answer);
                waiter.nudge();
            }
        });
    if let Err(error) = spawned {
        let why = error.to_string();
        return Some(Err(SourceError::Failed {
            name: "source",
            why,
        }));
    }
    while life.wait(ROUND) {
        if let Answer::Here(opened) = lock(&answer, Answer::Pending) {
            return Some(opened);
        }
    }
    // a source that has just come is dropped here, one that comes later by its thread
    let _ = lock(&answer, Answer::Unwanted);
    None
}
