//! How much parity: enough for the loss that is reported, at once; less again after a quiet time, slowly.
use super::{
    Change, Reason,
    loss::{Loss, Sample},
};

/// The range, in percent of the data; a configured percentage outside of it extends it.
pub(super) const LEAST: u8 = 5;
pub(super) const MOST: u8 = 50;
/// More for each step in which blocks were lost in spite of the parity.
const UNREPAIRED_STEP: u8 = 5;
/// One block of a thousand may fail: three standard deviations of the packets that a block loses.
const DEVIATIONS: f64 = 3.0;
/// The largest block that the wire takes with most parity.
const LARGEST_BLOCK: u32 = 170;
/// How long parity stays after it was last needed, and the time between two steps down.
const HOLD_NS: u64 = 5_000_000_000;
const STEP_DOWN_NS: u64 = 1_000_000_000;
/// How long nothing at all may be lost before parity goes below what is configured. Doubled, up to the longest, each time
/// that this was a mistake.
const CALM_NS: u64 = 30_000_000_000;
const LONGEST_CALM_NS: u64 = 240_000_000_000;

#[derive(Debug)]
pub(super) struct Parity {
    configured: u8,
    percent: u8,
    min_parity: u8,
    /// When all of it was needed last, and when anything was lost last.
    needed_ns: u64,
    lost_ns: u64,
    stepped_ns: u64,
    calm_ns: u64,
}

impl Parity {
    pub(super) fn new(configured: u8, min_parity: u8) -> Self {
        Self {
            configured,
            percent: configured,
            min_parity,
            needed_ns: 0,
            lost_ns: 0,
            stepped_ns: 0,
            calm_ns: CALM_NS,
        }
    }

    pub(super) fn begin(&mut self, now_ns: u64) {
        (self.needed_ns, self.lost_ns, self.stepped_ns) = (now_ns, now_ns, now_ns);
    }

    pub(super) fn percent(&self) -> u8 {
        self.percent
    }

    /// There is no more to be had.
    pub(super) fn at_most(&self) -> bool {
        self.percent >= self.most()
    }

    fn most(&self) -> u8 {
        MOST.max(self.configured)
    }

    pub(super) fn step(&mut self, sample: &Sample, loss: &Loss, now_ns: u64) -> Option<Change> {
        let enough = enough(loss.recent_ppm(), loss.block_packets(), self.min_parity);
        // A frame of which nothing arrived is in no report, but the client asks for help.
        let unrepaired = sample.blocks_lost > 0 || (sample.lost > 0 && sample.requests > 0);
        let wanted = if unrepaired {
            enough.max(self.percent.saturating_add(UNREPAIRED_STEP))
        } else {
            enough
        };
        let wanted = wanted.clamp(LEAST.min(self.configured), self.most());
        if sample.lost > 0 || unrepaired {
            self.lost_ns = now_ns;
        }
        if wanted >= self.percent {
            self.needed_ns = now_ns;
        }
        if wanted > self.percent {
            if self.percent < self.configured {
                self.calm_ns = self.calm_ns.saturating_mul(2).min(LONGEST_CALM_NS);
            }
            // Never less than configured while anything is lost.
            self.percent = wanted.max(self.configured);
            let reason = if unrepaired {
                Reason::Unrepaired
            } else {
                Reason::Loss
            };
            return Some(Change { up: true, reason });
        }
        let since = |then: u64| now_ns.saturating_sub(then);
        let calm = since(self.lost_ns) >= self.calm_ns;
        let least = if calm {
            LEAST.min(self.configured)
        } else {
            self.configured
        };
        let may = self.percent > wanted.max(least)
            && since(self.needed_ns) >= HOLD_NS
            && since(self.stepped_ns) >= STEP_DOWN_NS;
        may.then(|| {
            self.stepped_ns = now_ns;
            self.percent = self.percent.saturating_sub(1);
            Change {
                up: false,
                reason: Reason::Quiet,
            }
        })
    }
}

/// The least percentage with which a usual block survives this loss, [`MOST`] when none does.
fn enough(lost_ppm: u32, block_packets: u32, min_parity: u8) -> u8 {
    if lost_ppm == 0 {
        return 0;
    }
    let chance = f64::from(lost_ppm) / 1_000_000.0;
    let data = block_packets.min(LARGEST_BLOCK);
    let survives = |percent: u8| {
        let parity = data
            .saturating_mul(u32::from(percent))
            .div_ceil(100)
            .max(u32::from(min_parity));
        let all = f64::from(data.saturating_add(parity));
        let lost = all * chance + DEVIATIONS * (all * chance * (1.0 - chance)).sqrt();
        lost <= f64::from(parity)
    };
    (LEAST..MOST)
        .find(|percent| survives(*percent))
        .unwrap_or(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_loss_needs_more_parity_and_small_blocks_need_more_than_large_ones() {
        let mut last = 0;
        for percent in 0..=30 {
            let needed = enough(percent * 10_000, 100, 2);
            assert!(needed >= last, "{percent} %");
            last = needed;
        }
        assert_eq!(last, MOST);
        assert!(enough(50_000, 20, 2) > enough(50_000, 170, 2));
        // 5 % of 100 packets: five and three deviations, twelve or so.
        assert!((11..=14).contains(&enough(50_000, 100, 2)));
        // Two packets of three are parity anyway.
        assert_eq!(enough(50_000, 1, 2), LEAST);
    }
}
