//! When the packets of a frame leave. Time is passed in.
//!
//! A frame has the lesser of three quarters of its interval and the time that it takes at the pace rate. It leaves in bursts of one size,
//! the first at once, each other one when the time of those before it is over. A burst at line rate is lost on real links, a needless
//! delay is felt, and each burst costs a wake-up and a send: what a link loses decides how small they are and how fast they follow.
//!
//! The deadlines are absolute and kept here, not in the kernel: `SO_TXTIME` is honoured by two queueing disciplines only (`etf`,
//! `fq`), needs a clock of theirs, and elsewhere a time stamp is ignored without a word.

/// Fewest packets of a burst while nothing is lost.
const MIN_BURST: u64 = 8;

/// How a link is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Care {
    /// From so many lost packets of a thousand on.
    loss_permille: u32,
    /// Time between bursts.
    step_ns: u64,
    min_burst: u64,
    /// The pace rate is divided by it.
    slower: u64,
}

/// The worst first.
const CARE: [Care; 3] = [
    Care {
        loss_permille: 20,
        step_ns: 100_000,
        min_burst: 4,
        slower: 4,
    },
    Care {
        loss_permille: 1,
        step_ns: 200_000,
        min_burst: 4,
        slower: 2,
    },
    Care {
        loss_permille: 0,
        step_ns: 400_000,
        min_burst: MIN_BURST,
        slower: 1,
    },
];

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

    /// `count` packets of `stride` bytes, the first of which leaves at `start_ns`, to a client that has lately lost so many packets
    /// of a thousand.
    pub fn schedule(
        &self,
        count: usize,
        stride: usize,
        loss_permille: u32,
        start_ns: u64,
    ) -> Schedule {
        self.schedule_within(self.window_ns, count, stride, loss_permille, start_ns)
    }

    /// As [`Pacer::schedule`], spread over another time at most.
    fn schedule_within(
        &self,
        window_ns: u64,
        count: usize,
        stride: usize,
        loss_permille: u32,
        start_ns: u64,
    ) -> Schedule {
        let care = CARE.iter().find(|care| loss_permille >= care.loss_permille);
        let (step_ns, min_burst, slower) = care.map_or((400_000, MIN_BURST, 1), |care| {
            (care.step_ns, care.min_burst, care.slower)
        });
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let stride = u64::try_from(stride).unwrap_or(u64::MAX);
        let bytes = count.saturating_mul(stride).saturating_mul(slower);
        let at_rate = bytes
            .saturating_mul(1_000_000_000)
            .checked_div(self.bytes_per_second)
            .unwrap_or(u64::MAX);
        let spread_ns = at_rate.min(window_ns);
        // To the nearest: a frame that takes little more than a step leaves whole.
        let by_time = spread_ns
            .saturating_add(step_ns / 2)
            .checked_div(step_ns)
            .unwrap_or(1);
        let bursts = by_time.clamp(count.div_ceil(self.max_burst), count.div_ceil(min_burst));
        Schedule {
            start_ns,
            count,
            // All of one size, and the last one not a crumb.
            burst: count.div_ceil(bursts.max(1)).max(1),
            step_ns: spread_ns.checked_div(bursts).unwrap_or(0),
            end_ns: start_ns.saturating_add(spread_ns),
        }
    }
}

/// The window of one frame that leaves in parts: it has one as any other, which begins with its first part and is shared among them. A part
/// that comes late in it, or behind it, has its share all the same, or it would leave at line rate; and none begins before the time of the
/// one in front of it is over.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// Of the frame, and those to come.
    parts: u64,
    left: u64,
    /// When the window ends, and when the next burst may leave.
    until_ns: Option<u64>,
    free_ns: u64,
}

impl Spread {
    /// Of a frame in so many parts, at least 1.
    pub fn over(parts: u8) -> Self {
        let parts = u64::from(parts.max(1));
        Self {
            parts,
            left: parts,
            until_ns: None,
            free_ns: 0,
        }
    }

    /// The next part is all that is left of the frame.
    pub fn ends(&mut self) {
        self.left = 1;
    }

    /// The next part's packets, as for [`Pacer::schedule`]; they are there at `now_ns`.
    pub fn schedule(
        &mut self,
        pacer: &Pacer,
        count: usize,
        stride: usize,
        loss_permille: u32,
        now_ns: u64,
    ) -> Schedule {
        let start_ns = now_ns.max(self.free_ns);
        let until_ns = self
            .until_ns
            .get_or_insert(start_ns.saturating_add(pacer.window_ns));
        let left_ns = until_ns.saturating_sub(start_ns);
        let even_ns = left_ns.checked_div(self.left).unwrap_or(left_ns);
        let share_ns = pacer.window_ns.checked_div(self.parts).unwrap_or(0);
        let window_ns = even_ns.max(share_ns);
        let schedule = pacer.schedule_within(window_ns, count, stride, loss_permille, start_ns);
        self.left = self.left.saturating_sub(1).max(1);
        self.free_ns = schedule.end_ns;
        schedule
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

    /// When the last packet has left at the pace rate.
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
        let schedule = Pacer::new(60, 800, 46).schedule(8, 1424, 0, 5 * MS);
        assert_eq!(bursts(&schedule, 8), [(5 * MS, 8)]);
        // 20 Mbit/s at 60 with parity; one packet more than a burst takes; 30 Mbit/s on a link that loses some.
        let at_once = |count, loss| Pacer::new(60, 800, 46).schedule(count, 1424, loss, 0);
        assert_eq!(bursts(&at_once(36, 0), 36), [(0, 36)]);
        assert_eq!(bursts(&at_once(47, 0), 47).len(), 2);
        assert_eq!(bursts(&at_once(54, 1), 54).len(), 8);
    }

    #[test]
    fn a_frame_is_spread_at_the_pace_rate() {
        // 90 packets of 1000 bytes at 720 Mbit/s take 1 ms.
        let schedule = Pacer::new(60, 720, 46).schedule(90, 1000, 0, 7 * MS);
        let third = MS / 3;
        let expected = [(7 * MS, 30), (7 * MS + third, 30), (7 * MS + 2 * third, 30)];
        assert_eq!(bursts(&schedule, 90), expected);
        // One packet more than a burst takes is not sent after a pause of its own.
        let schedule = Pacer::new(60, 0, 46).schedule(47, 1000, 0, 0);
        let sizes: Vec<_> = bursts(&schedule, 47).iter().map(|burst| burst.1).collect();
        assert_eq!(sizes, [8, 8, 8, 8, 8, 7]);
        let schedule = Pacer::new(60, 2000, 46).schedule(47, 1408, 0, 0);
        let sizes: Vec<_> = bursts(&schedule, 47).iter().map(|burst| burst.1).collect();
        assert_eq!(sizes, [24, 23]);
    }

    #[test]
    fn a_link_that_loses_packets_gets_smaller_bursts_and_more_time() {
        let pacer = Pacer::new(60, 800, 46);
        let shapes: Vec<(usize, u64)> = [0, 1, 19, 20, 1000]
            .iter()
            .map(|loss| {
                let schedule = pacer.schedule(100, 1000, *loss, 0);
                let all = bursts(&schedule, 100);
                assert_eq!(all.iter().map(|burst| burst.1).sum::<usize>(), 100);
                (all[0].1, all.last().unwrap().0)
            })
            .collect();
        assert!(
            shapes[0].0 > shapes[1].0 && shapes[1].0 > shapes[3].0,
            "{shapes:?}"
        );
        assert!(
            shapes[0].1 < shapes[1].1 && shapes[1].1 < shapes[3].1,
            "{shapes:?}"
        );
        assert_eq!((shapes[1], shapes[3]), (shapes[2], shapes[4]));
        // However careful, the next frame finds the way free.
        assert!(pacer.schedule(5000, 1400, 1000, 0).end_ns() <= 12_500_000);
    }

    #[test]
    fn a_large_frame_takes_no_more_than_three_quarters_of_its_interval() {
        let schedule = Pacer::new(100, 100, 46).schedule(3000, 1400, 0, 0);
        let bursts = bursts(&schedule, 3000);
        let last = bursts.last().unwrap().0;
        assert!(last < 7_500_000 && last > 7_300_000, "{last}");
        assert!(bursts.iter().all(|(_, packets)| *packets <= 46));
        assert_eq!(schedule.due(schedule.end_ns()), 3000);
    }

    #[test]
    fn a_late_wake_up_catches_up_and_no_more() {
        let schedule = Pacer::new(60, 720, 46).schedule(90, 1000, 0, 0);
        assert_eq!(schedule.due(MS / 3), 60);
        assert_eq!(schedule.due(MS / 2 + MS / 8), 60);
        assert_eq!(schedule.due(u64::MAX), 90);
    }

    #[test]
    fn the_parts_of_a_frame_share_one_window_and_keep_one_pace() {
        // 30 packets of 1000 bytes at 720 Mbit/s take a third of a millisecond.
        let pacer = Pacer::new(60, 720, 46);
        let mut spread = Spread::over(3);
        let first = spread.schedule(&pacer, 60, 1000, 0, MS);
        assert_eq!(first, pacer.schedule(60, 1000, 0, MS));
        // One that is there at once waits until the time of those before it is over, and no longer.
        let second = spread.schedule(&pacer, 60, 1000, 0, MS);
        assert_eq!(second.start_ns, first.end_ns);
        let third = spread.schedule(&pacer, 60, 1000, 0, 6 * MS);
        assert_eq!(third.start_ns, 6 * MS);

        // However large, all of them are over when the frame's window is, as long as they come in time,
        let slow = Pacer::new(100, 1, 46);
        let mut spread = Spread::over(3);
        let mut end = 0;
        for _ in 0..3 {
            let part = spread.schedule(&slow, 100, 1000, 0, 0);
            assert_eq!((part.start_ns, part.end_ns()), (end, end + 2_500_000));
            end = part.end_ns();
        }
        // what is left at once has all that is left of it,
        let mut spread = Spread::over(4);
        spread.schedule(&slow, 100, 1000, 0, 0);
        spread.ends();
        assert_eq!(spread.schedule(&slow, 300, 1000, 0, 0).end_ns(), 7_500_000);
        // and a late one has its share of a window instead of a burst.
        let mut spread = Spread::over(2);
        spread.schedule(&slow, 100, 1000, 0, 0);
        let late = spread.schedule(&slow, 100, 1000, 0, 9 * MS);
        assert_eq!((late.start_ns, late.end_ns()), (9 * MS, 9 * MS + 3_750_000));
        // A frame of one part is as it always was.
        let mut whole = Spread::over(1);
        assert_eq!(
            whole.schedule(&slow, 100, 1000, 0, 5),
            slow.schedule(100, 1000, 0, 5)
        );
    }

    #[test]
    fn time_that_runs_backwards_sends_the_first_burst_only() {
        let schedule = Pacer::new(60, 720, 46).schedule(90, 1000, 0, MS);
        assert_eq!(schedule.due(0), 30);
    }
}
