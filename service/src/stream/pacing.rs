//! When the packets of a frame leave. Time is passed in.
//!
//! The first burst leaves at once; the rest is spread over the lesser of three quarters of the frame interval and the
//! time that the frame takes at the pace rate. A burst at line rate is lost on real links, a needless delay is felt.

/// Time between bursts that is worth a wake-up.
const STEP_NS: u64 = 200_000;
/// Fewest packets of a burst.
const MIN_BURST: u64 = 8;

/// The pace of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Pacer {
    /// Three quarters of the frame interval.
    window_ns: u64,
    bytes_per_second: u64,
    max_burst: u64,
}

/// The schedule of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    start_ns: u64,
    count: u64,
    burst: u64,
    step_ns: u64,
    end_ns: u64,
}

impl Pacer {
    /// `max_burst` is what one send takes. A rate of 0 means as fast as the window allows.
    pub fn new(fps: u32, rate_mbit: u32, max_burst: usize) -> Self {
        let interval_ns = 1_000_000_000u64
            .checked_div(u64::from(fps))
            .unwrap_or(16_666_667);
        Self {
            window_ns: interval_ns.saturating_sub(interval_ns.div_ceil(4)),
            bytes_per_second: u64::from(rate_mbit).saturating_mul(125_000),
            max_burst: u64::try_from(max_burst).unwrap_or(u64::MAX).max(MIN_BURST),
        }
    }

    /// The longest time that a frame is spread over.
    pub fn window_ns(&self) -> u64 {
        self.window_ns
    }

    /// `count` packets of `stride` bytes, the first of which leaves at `start_ns`.
    pub fn schedule(&self, count: usize, stride: usize, start_ns: u64) -> Schedule {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let stride = u64::try_from(stride).unwrap_or(u64::MAX);
        let bytes = count.saturating_mul(stride);
        let at_rate = bytes
            .saturating_mul(1_000_000_000)
            .checked_div(self.bytes_per_second)
            .unwrap_or(u64::MAX);
        let spread_ns = at_rate.min(self.window_ns);
        let by_time = count
            .saturating_mul(STEP_NS)
            .checked_div(spread_ns)
            .unwrap_or(u64::MAX);
        let burst = by_time.clamp(MIN_BURST, self.max_burst);
        let later_bursts = count.div_ceil(burst).saturating_sub(1);
        Schedule {
            start_ns,
            count,
            burst,
            step_ns: spread_ns.checked_div(later_bursts).unwrap_or(0),
            end_ns: start_ns.saturating_add(spread_ns),
        }
    }
}

impl Schedule {
    /// How many packets may have left by `now_ns`.
    pub fn due(&self, now_ns: u64) -> usize {
        let elapsed = now_ns.saturating_sub(self.start_ns);
        let bursts = elapsed
            .checked_div(self.step_ns)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        usize::try_from(self.burst.saturating_mul(bursts).min(self.count)).unwrap_or(usize::MAX)
    }

    /// When the packet after the first `sent` may leave.
    pub fn next_ns(&self, sent: usize) -> u64 {
        let sent = u64::try_from(sent).unwrap_or(u64::MAX);
        let burst = sent.checked_div(self.burst).unwrap_or(0);
        self.start_ns
            .saturating_add(burst.saturating_mul(self.step_ns))
    }

    /// When the last packet is due.
    pub fn end_ns(&self) -> u64 {
        self.end_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// (time, packets) of each burst, woken exactly when due.
    fn bursts(schedule: &Schedule, count: usize) -> Vec<(u64, usize)> {
        let (mut sent, mut out) = (0, Vec::new());
        while sent < count {
            let now = schedule.next_ns(sent);
            let due = schedule.due(now);
            assert!(due > sent, "a wake-up without work at {now}");
            out.push((now, due.saturating_sub(sent)));
            sent = due;
        }
        out
    }

    #[test]
    fn a_small_frame_leaves_at_once() {
        let schedule = Pacer::new(60, 800, 46).schedule(8, 1424, 5 * MS);
        assert_eq!(bursts(&schedule, 8), [(5 * MS, 8)]);
    }

    #[test]
    fn a_frame_is_spread_at_the_pace_rate() {
        // 100 packets of 1000 bytes at 800 Mbit/s take 1 ms.
        let schedule = Pacer::new(60, 800, 46).schedule(100, 1000, 7 * MS);
        let bursts = bursts(&schedule, 100);
        assert_eq!(bursts.first(), Some(&(7 * MS, 20)));
        assert_eq!(bursts.last(), Some(&(8 * MS, 20)));
        assert_eq!(bursts.len(), 5);
        assert!(
            bursts
                .windows(2)
                .all(|pair| pair[1].0 - pair[0].0 == MS / 4)
        );
    }

    #[test]
    fn a_large_frame_takes_no_more_than_three_quarters_of_its_interval() {
        let schedule = Pacer::new(100, 100, 46).schedule(3000, 1400, 0);
        let bursts = bursts(&schedule, 3000);
        let last = bursts.last().unwrap().0;
        assert!(last <= 7_500_000 && last > 7_300_000, "{last}");
        assert!(bursts.iter().all(|(_, packets)| *packets <= 46));
        assert_eq!(schedule.due(schedule.end_ns()), 3000);
    }

    #[test]
    fn a_late_wake_up_catches_up_and_no_more() {
        let schedule = Pacer::new(60, 800, 46).schedule(100, 1000, 0);
        assert_eq!(schedule.due(MS / 2), 60);
        assert_eq!(schedule.due(MS / 2 + MS / 8), 60);
        assert_eq!(schedule.due(u64::MAX), 100);
    }

    #[test]
    fn time_that_runs_backwards_sends_the_first_burst_only() {
        let schedule = Pacer::new(60, 800, 46).schedule(100, 1000, MS);
        assert_eq!(schedule.due(0), 20);
    }
}
