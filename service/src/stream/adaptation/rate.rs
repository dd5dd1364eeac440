//! The encoder's rate, as a part of its ceiling: less by a part when the network is asked too much, more by steps after. A limit
//! below the ceiling stands in for it while it lasts.
use super::{
    Change, Reason,
    loss::{Loss, Sample},
};

const WHOLE: u32 = 1000;
/// Never below a fifth of the ceiling, nor below this if the ceiling is above it.
const FLOOR_PERMILLE: u32 = 200;
const FLOOR_KBPS: u32 = 500;
/// Loss has risen when it is at least this, and more than twice the usual by this.
const RISEN_PPM: u32 = 20_000;
const RISEN_ABOVE_USUAL_PPM: u32 = 10_000;
/// With blocks lost at this loss the network is the cause, whatever parity there is.
const HEAVY_PPM: u32 = 100_000;
/// So many blocks in one step are more than a stray packet.
const BLOCKS_BEYOND_REPAIR: u64 = 2;
/// Steps in a row that must say so: a burst of loss lies in one or two.
const STEPS_IN_A_ROW: u32 = 3;
/// Less by this part at least, and by the part that was lost at most up to that.
const LEAST_CUT_PERMILLE: u32 = 150;
const MOST_CUT_PERMILLE: u32 = 300;
/// One cause is answered once: the next cut waits until this one can have shown.
const CUT_INTERVAL_NS: u64 = 2_000_000_000;
/// A step up, and the time between two of them.
const RAISE_PERMILLE: u32 = 50;
const RAISE_INTERVAL_NS: u64 = 1_000_000_000;
/// Quiet before the first step up. Doubled, up to the longest, when steps up led to a cut; as it was after a long peace.
const HOLD_NS: u64 = 5_000_000_000;
const LONGEST_HOLD_NS: u64 = 60_000_000_000;
const PEACE_NS: u64 = 120_000_000_000;

#[derive(Debug)]
pub(super) struct Rate {
    /// What the link bears, as far as is known.
    permille: u32,
    /// What is used of it at most, and at least.
    most: u32,
    floor: u32,
    /// When there was last a reason to cut; the last cut and the last raise.
    pressed_ns: u64,
    /// Steps in a row with such a reason.
    pressed_steps: u32,
    cut_ns: Option<u64>,
    raised_ns: Option<u64>,
    hold_ns: u64,
}

impl Rate {
    /// At the ceiling, or at the limit below it.
    pub(super) fn new(ceiling_kbps: u32, limit_kbps: Option<u32>) -> Self {
        let mut rate = Self {
            permille: WHOLE,
            most: WHOLE,
            floor: WHOLE,
            pressed_ns: 0,
            pressed_steps: 0,
            cut_ns: None,
            raised_ns: None,
            hold_ns: HOLD_NS,
        };
        rate.limit(ceiling_kbps, limit_kbps);
        rate
    }

    /// Use no more than this of the ceiling, from now on.
    pub(super) fn limit(&mut self, ceiling_kbps: u32, limit_kbps: Option<u32>) {
        let part = |kbps: u32| {
            let permille = u64::from(kbps)
                .saturating_mul(WHOLE.into())
                .div_ceil(u64::from(ceiling_kbps.max(1)));
            u32::try_from(permille).unwrap_or(WHOLE).min(WHOLE)
        };
        self.most = limit_kbps.map_or(WHOLE, part).max(1);
        let least = self.most.saturating_mul(FLOOR_PERMILLE) / WHOLE;
        self.floor = part(FLOOR_KBPS).max(least).min(self.most);
    }

    pub(super) fn begin(&mut self, now_ns: u64) {
        self.pressed_ns = now_ns;
    }

    /// Of the ceiling. Where the limit rules, that is not less; it is the caller's to keep to the last bit.
    pub(super) fn permille(&self) -> u32 {
        self.permille.min(self.most)
    }

    /// `parity_exhausted`: parity has not just been raised as the first answer.
    pub(super) fn step(
        &mut self,
        sample: &Sample,
        loss: &Loss,
        parity_exhausted: bool,
        now_ns: u64,
    ) -> Option<Change> {
        let pressure = pressure(sample, loss, parity_exhausted);
        self.pressed_steps = match pressure {
            Some(_) => self.pressed_steps.saturating_add(1),
            None => 0,
        };
        let lasting =
            |reason: &Reason| *reason == Reason::SendBuffer || self.pressed_steps >= STEPS_IN_A_ROW;
        let Some(reason) = pressure.filter(lasting) else {
            return self.raise(now_ns);
        };
        self.pressed_ns = now_ns;
        self.cut(reason, loss.recent_ppm(), now_ns)
    }

    fn cut(&mut self, reason: Reason, lost_ppm: u32, now_ns: u64) -> Option<Change> {
        let since = |then: Option<u64>| then.map_or(u64::MAX, |then| now_ns.saturating_sub(then));
        if since(self.cut_ns) < CUT_INTERVAL_NS {
            return None;
        }
        if since(self.cut_ns) >= PEACE_NS {
            self.hold_ns = HOLD_NS;
        } else if since(self.raised_ns) < PEACE_NS {
            self.hold_ns = self.hold_ns.saturating_mul(2).min(LONGEST_HOLD_NS);
        }
        self.cut_ns = Some(now_ns);
        // Counted from here anew.
        self.raised_ns = None;
        let cut = (lost_ppm / 1000).clamp(LEAST_CUT_PERMILLE, MOST_CUT_PERMILLE);
        let used = self.permille();
        let left = used
            .saturating_mul(WHOLE.saturating_sub(cut))
            .checked_div(WHOLE)
            .unwrap_or(used)
            .max(self.floor);
        let lower = left < used;
        self.permille = left;
        lower.then_some(Change { up: false, reason })
    }

    fn raise(&mut self, now_ns: u64) -> Option<Change> {
        let quiet_ns = now_ns.saturating_sub(self.pressed_ns);
        let rested = self
            .raised_ns
            .is_none_or(|raised| now_ns.saturating_sub(raised) >= RAISE_INTERVAL_NS);
        if self.permille >= self.most || quiet_ns < self.hold_ns || !rested {
            return None;
        }
        self.raised_ns = Some(now_ns);
        let step = self.most.saturating_mul(RAISE_PERMILLE) / WHOLE;
        self.permille = self.permille.saturating_add(step.max(1)).min(self.most);
        Some(Change {
            up: true,
            reason: Reason::Quiet,
        })
    }
}

fn pressure(sample: &Sample, loss: &Loss, parity_exhausted: bool) -> Option<Reason> {
    let now = loss.now_ppm();
    let unusual = loss
        .usual_ppm()
        .saturating_mul(2)
        .saturating_add(RISEN_ABOVE_USUAL_PPM);
    if sample.unsent > 0 {
        Some(Reason::SendBuffer)
    } else if sample.blocks_lost >= BLOCKS_BEYOND_REPAIR && (parity_exhausted || now >= HEAVY_PPM) {
        Some(Reason::BeyondRepair)
    } else if now >= RISEN_PPM && now > unusual && sample.lost >= 3 {
        Some(Reason::LossRose)
    } else {
        None
    }
}
