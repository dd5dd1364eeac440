//! The encode clock: absolute deadlines at the client's frame rate, kept without drift. Pure: time is passed in.
//!
//! A tick that comes less than one interval late keeps the grid. One that comes later starts a new grid at that moment:
//! what was missed is gone, never made up for in a burst.
//!
//! Where pictures arrive on their own, the grid leans on them: a picture that comes within half an interval of its tick is served as it
//! comes, a tick whose picture is a little late waits for it, and the grid moves until arrivals lie just before it. It moves later
//! freely, earlier only in small steps from a small allowance, so that the rate stays the client's. Otherwise a picture waits for half
//! an interval on average.
//!
//! Of a source that is faster than the client a tick shows the picture that comes nearest to it, also as it comes: one that came
//! before is not taken to be the next while the next is expected in time. Otherwise each would wait a little longer than the one before,
//! until one is left out, and again for half an interval on average.

mod rhythm;
#[cfg(test)]
mod tests;

use rhythm::Rhythm;
use std::ops::RangeInclusive;

/// Frame rates times 100 that the clock keeps; anything else is clamped into it.
const RATES_X100: RangeInclusive<u32> = 100..=24_000;

/// The allowance for moving to an earlier time grows by an interval in so many pictures: a sixth of a percent.
const ALLOWANCE: u64 = 600;
/// A source is faster than the client if its pictures are closer by this part of an interval: less than that the grid can follow.
const FASTER: u64 = 128;
/// Most that the grid leans on a faster source with each picture, as a part of an interval: one of twice the rate is not to come half-way
/// between two ticks for long.
const NUDGE: u64 = 256;

/// 100 seconds.
const SPAN_NS: u64 = 100_000_000_000;

/// See the module's text. Times are CLOCK_MONOTONIC nanoseconds.
#[derive(Debug, Clone)]
pub struct Cadence {
    fps_x100: u64,
    /// Where the grid begins, and how many of its ticks have been served.
    base_ns: u64,
    served: u64,
    missed: u64,
    /// The last tick showed a picture that had just come.
    live: bool,
    /// By how much the grid may still move to an earlier time.
    allowance_ns: u64,
    source: Rhythm,
}

impl Cadence {
    /// `fps_x100` ticks in 100 seconds (5994 for 59.94 Hz); the first is due at once.
    pub fn new(fps_x100: u32, now_ns: u64) -> Self {
        Self {
            fps_x100: fps_x100
                .clamp(*RATES_X100.start(), *RATES_X100.end())
                .into(),
            base_ns: now_ns,
            served: 0,
            missed: 0,
            live: false,
            allowance_ns: 0,
            source: Rhythm::default(),
        }
        .rested()
    }

    fn rested(mut self) -> Self {
        self.allowance_ns = self.interval_ns();
        self
    }

    /// When the next tick is to be served if this is when the newest picture came that was not served yet.
    pub fn due_ns(&self, arrived_ns: Option<u64>) -> u64 {
        let (deadline_ns, interval_ns) = (self.deadline_ns(), self.interval_ns());
        // Of a source that gave nothing to the last tick nobody knows when it gives something next.
        let faster = self.faster().filter(|_| self.live);
        let (before_ns, grace_ns) = match faster {
            Some(apart_ns) => (apart_ns / 2, apart_ns / 2),
            None if self.live => (interval_ns / 2, interval_ns / 4),
            None => (interval_ns / 2, 0),
        };
        let earliest_ns = deadline_ns.saturating_sub(before_ns);
        let latest_ns = deadline_ns + grace_ns;
        let served_ns = match (arrived_ns, faster) {
            (None, _) => latest_ns,
            // The next one should be nearer to the tick; where it is overdue, this one was the last.
            (Some(at_ns), Some(apart_ns)) if at_ns < earliest_ns => at_ns + apart_ns + apart_ns / 4,
            (Some(at_ns), _) => at_ns,
        };
        served_ns.clamp(earliest_ns, latest_ns)
    }

    /// How far apart the pictures of a source are that is faster than the client; None for others.
    fn faster(&self) -> Option<u64> {
        let limit_ns = self.interval_ns() - self.interval_ns() / FASTER;
        self.source.apart_ns().filter(|apart| *apart < limit_ns)
    }

    /// The tick that was just served showed a picture that had arrived at `arrived_ns`, the `number`th of its source.
    pub fn follow(&mut self, arrived_ns: u64, number: u64) {
        let interval_ns = self.interval_ns();
        self.live = true;
        self.allowance_ns = (self.allowance_ns + interval_ns / ALLOWANCE).min(interval_ns);
        (self.source).arrived(arrived_ns, number, 2 * interval_ns);
        // Arrivals are to lie in the middle of the time in which they are served as they come.
        let (early_ns, later_ns, earlier_ns) = match self.faster() {
            None => (interval_ns / 8, interval_ns / 8, interval_ns / 64),
            Some(_) => (0, interval_ns / NUDGE, interval_ns / NUDGE),
        };
        let wanted_ns = arrived_ns + interval_ns + early_ns;
        let due_ns = self.deadline_ns();
        if wanted_ns > due_ns {
            let step_ns = (wanted_ns - due_ns).min(later_ns);
            self.base_ns += step_ns;
            if self.faster().is_some() {
                // Such a source's pictures come now before, now behind their ticks: what goes one way comes back.
                self.allowance_ns = (self.allowance_ns + step_ns).min(interval_ns);
            }
        } else {
            let step_ns = (due_ns - wanted_ns).min(earlier_ns);
            let step_ns = step_ns.min(self.allowance_ns).min(self.base_ns);
            self.base_ns -= step_ns;
            self.allowance_ns -= step_ns;
        }
    }

    /// The tick that was just served found nothing new.
    pub fn rest(&mut self) {
        self.live = false;
    }

    /// When the next tick is due.
    pub fn deadline_ns(&self) -> u64 {
        // split, so that neither drift nor overflow comes in over weeks
        let (spans, rest) = (self.served / self.fps_x100, self.served % self.fps_x100);
        self.base_ns + spans * SPAN_NS + rest * SPAN_NS / self.fps_x100
    }

    /// The next tick is due at `now_ns`, and the grid begins there. Nothing counts as missed.
    pub fn restart(&mut self, now_ns: u64) {
        self.base_ns = now_ns;
        self.served = 0;
    }

    /// Nanoseconds between two ticks, rounded down.
    pub fn interval_ns(&self) -> u64 {
        SPAN_NS / self.fps_x100
    }

    /// The tick is being served at `now_ns`. Returns how many whole ticks were missed before it.
    pub fn serve(&mut self, now_ns: u64) -> u64 {
        let late = now_ns.saturating_sub(self.deadline_ns());
        let missed = late / self.interval_ns();
        if missed > 0 {
            self.base_ns = now_ns;
            self.served = 0;
            self.missed += missed;
        }
        self.served += 1;
        missed
    }

    /// Ticks missed so far.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}
