//! The encode clock: absolute deadlines at the client's frame rate, kept without drift. Pure: time is passed in.
//!
//! A tick that comes less than one interval late keeps the grid. One that comes later starts a new grid at that moment:
//! what was missed is gone, never made up for in a burst.

use std::ops::RangeInclusive;

/// Frame rates times 100 that the clock keeps; anything else is clamped into it.
const RATES_X100: RangeInclusive<u32> = 100..=24_000;

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
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;
    use proptest::prelude::*;

    #[test]
    fn ticks_fall_on_an_absolute_grid_without_drift() {
        let mut clock = Cadence::new(6000, 500);
        for tick in 0..60 * 3600 {
            let due = clock.deadline_ns();
            assert_eq!(due, 500 + tick * SECOND_NS / 60);
            // served a little late every time: the grid does not care
            assert_eq!(clock.serve(due + 3_000_000), 0);
        }
        assert_eq!(clock.deadline_ns(), 500 + 3600 * SECOND_NS);
    }

    #[test]
    fn a_slow_frame_starts_a_new_grid_instead_of_a_burst() {
        let mut clock = Cadence::new(10_000, 0);
        clock.serve(0);
        assert_eq!(clock.serve(57_000_000), 4);
        assert_eq!(clock.deadline_ns(), 67_000_000);
        assert_eq!(clock.missed(), 4);
    }

    #[test]
    fn rates_are_clamped() {
        assert_eq!(Cadence::new(0, 0).interval_ns(), SECOND_NS);
        assert_eq!(Cadence::new(100_000, 0).interval_ns(), SECOND_NS / 240);
    }

    proptest! {
        /// However long each frame takes, no window of one second sees more than its ticks and one.
        #[test]
        fn there_is_never_a_burst(fps in 1u32..=240, delays in proptest::collection::vec(0u64..200_000_000, 1..400)) {
            let mut clock = Cadence::new(fps * 100, 0);
            let mut served = Vec::new();
            let mut now = 0;
            for delay in delays {
                now = now.max(clock.deadline_ns());
                clock.serve(now);
                served.push(now);
                now += delay;
            }
            let interval = clock.interval_ns();
            for (index, start) in served.iter().enumerate() {
                let window = served[index..].iter().take_while(|at| **at < start + 4 * interval).count();
                prop_assert!(window <= 5, "{window} ticks within four intervals");
            }
        }
    }

    #[test]
    fn a_broken_rate_is_kept_without_drift() {
        let mut clock = Cadence::new(5994, 0);
        for _ in 0..5994 {
            let due = clock.deadline_ns();
            clock.serve(due);
        }
        assert_eq!(clock.deadline_ns(), 100 * SECOND_NS);
    }
}
