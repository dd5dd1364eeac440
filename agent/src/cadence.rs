//! The encode clock: absolute deadlines at the client's frame rate, kept without drift. Pure: time is passed in.
//!
//! A tick that comes less than one interval late keeps the grid. One that comes later starts a new grid at that moment:
//! what was missed is gone, never made up for in a burst.
//!
//! Where pictures arrive on their own, the grid leans on them: a picture that comes within half an interval of its tick is served as it
//! comes, a tick whose picture is a little late waits for it, and the grid moves until arrivals lie just before it. It moves later
//! freely, earlier only in small steps from a small allowance, so that the rate stays the client's. Otherwise a picture waits for half
//! an interval on average.

use std::ops::RangeInclusive;

/// Frame rates times 100 that the clock keeps; anything else is clamped into it.
const RATES_X100: RangeInclusive<u32> = 100..=24_000;

/// The allowance for moving to an earlier time grows by an interval in so many pictures: a sixth of a percent.
const ALLOWANCE: u64 = 600;

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
        }
        .rested()
    }

    fn rested(mut self) -> Self {
        self.allowance_ns = self.interval_ns();
        self
    }

    /// From when on a picture that comes is served at once.
    pub fn earliest_ns(&self) -> u64 {
        self.deadline_ns().saturating_sub(self.interval_ns() / 2)
    }

    /// Until when a tick waits for its picture.
    pub fn latest_ns(&self) -> u64 {
        let grace_ns = if self.live { self.interval_ns() / 4 } else { 0 };
        self.deadline_ns() + grace_ns
    }

    /// The tick that was just served showed a picture that had arrived at `arrived_ns`.
    pub fn follow(&mut self, arrived_ns: u64) {
        let interval_ns = self.interval_ns();
        self.live = true;
        self.allowance_ns = (self.allowance_ns + interval_ns / ALLOWANCE).min(interval_ns);
        // Arrivals are to lie in the middle of the time in which they are served as they come.
        let wanted_ns = arrived_ns + interval_ns + interval_ns / 8;
        let due_ns = self.deadline_ns();
        if wanted_ns > due_ns {
            self.base_ns += (wanted_ns - due_ns).min(interval_ns / 8);
        } else {
            let step_ns = (due_ns - wanted_ns).min(interval_ns / 64);
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

    /// Pictures arrive at these times; answers how long each that was served had waited, and how many ticks there were.
    fn play(fps_x100: u32, arrivals: &[u64]) -> (Vec<u64>, u64) {
        let mut clock = Cadence::new(fps_x100, SECOND_NS);
        let (mut next, mut waits, mut ticks) = (0, Vec::new(), 0);
        while next < arrivals.len() {
            let (earliest, latest) = (clock.earliest_ns(), clock.latest_ns());
            let now = arrivals[next].max(earliest).min(latest);
            // The newest one that has come by then.
            let come = arrivals[next..].iter().take_while(|at| **at <= now).count();
            clock.serve(now);
            ticks += 1;
            if come == 0 {
                clock.rest();
                continue;
            }
            next += come;
            waits.push(now - arrivals[next - 1]);
            clock.follow(arrivals[next - 1]);
        }
        assert_eq!(clock.missed(), 0);
        (waits, ticks)
    }

    /// So many arrivals in 100 seconds, from `phase_ns` on, each up to `jitter_ns` late.
    fn arrivals(rate_x100: u64, phase_ns: u64, jitter_ns: u64, count: u64) -> Vec<u64> {
        let times = (0..count).map(|n| {
            let late = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            SECOND_NS + phase_ns + n * SPAN_NS / rate_x100 + late % (jitter_ns + 1)
        });
        times.collect()
    }

    #[test]
    fn pictures_of_the_same_rate_are_served_as_they_come_whatever_their_phase() {
        for phase in 0..16 {
            for rate in [5994, 6000, 6005] {
                let at = arrivals(rate, phase * 1_000_000, 1_500_000, 6000);
                let (waits, ticks) = play(6000, &at);
                // Within two seconds the grid has found them.
                let late = waits.iter().skip(120).filter(|wait| **wait > 0).count();
                assert!(late < 60, "phase {phase} ms, rate {rate}: {late} waited");
                assert!(
                    waits.len() > 5990,
                    "phase {phase} ms, rate {rate}: {} served",
                    waits.len()
                );
                assert!(ticks < 6150, "{ticks}");
            }
        }
    }

    #[test]
    fn a_faster_source_does_not_raise_the_rate() {
        for rate in [6100, 7500, 12_000, 14_400] {
            let at = arrivals(rate, 3_000_000, 500_000, 60 * rate / 100);
            let (_, ticks) = play(6000, &at);
            // A minute: 3600, the allowance of the beginning, a sixth of a percent, and the source's end.
            assert!((3590..=3615).contains(&ticks), "{ticks} ticks at {rate}");
        }
    }

    #[test]
    fn a_slower_source_keeps_the_rate_with_pictures_shown_again() {
        for rate in [2400, 3000, 4500] {
            let at = arrivals(rate, 3_000_000, 500_000, 60 * rate / 100);
            let (waits, ticks) = play(6000, &at);
            assert!(ticks > 3100, "{ticks} ticks at {rate}");
            assert!(
                waits.len() as u64 + 2 >= 60 * rate / 100,
                "{} shown at {rate}",
                waits.len()
            );
        }
    }

    #[test]
    fn without_arrivals_the_grid_stands_still() {
        let mut clock = Cadence::new(6000, SECOND_NS);
        for tick in 0..100 {
            let due = SECOND_NS + tick * SECOND_NS / 60;
            assert_eq!((clock.deadline_ns(), clock.latest_ns()), (due, due));
            clock.serve(due);
            clock.rest();
        }
    }
}
