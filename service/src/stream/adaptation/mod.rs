//! How much parity a stream gets and at what rate its encoder aims, from what the client reports of loss.
//!
//! Pure decisions: totals and time are passed in, what to do comes out. Parity follows the loss rate at once and goes back
//! slowly; the rate falls by a part when loss rises or is beyond repair, and comes back step by step. The rules and their
//! constants are explained in docs/loss.md.
mod loss;
mod parity;
mod rate;
#[cfg(test)]
mod tests;

use loss::Loss;
pub(super) use loss::Totals;
use parity::Parity;
use rate::Rate;

/// Time between decisions.
pub(super) const STEP_NS: u64 = 250_000_000;

/// What a stream begins with, and what may change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// Parity in percent of the data; 0 = none, and none is ever added.
    pub percent: u8,
    /// The encoder's rate at that parity.
    pub video_kbps: u32,
    /// No more than this of it, for the sake of other streams.
    pub limit_kbps: Option<u32>,
    /// Fewest parity packets of a block, as the client demands.
    pub min_parity: u8,
    pub adaptive_parity: bool,
    pub adaptive_bitrate: bool,
    /// The client tells what becomes of its blocks. If not, its requests are the only sign of loss.
    pub reports: bool,
}

/// Why something was changed last. The words are part of the D-Bus interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Parity: more is needed for the loss that is reported.
    Loss,
    /// Parity: blocks were lost in spite of it.
    Unrepaired,
    /// Parity or rate: a quiet time has passed.
    Quiet,
    /// Rate: loss has risen.
    LossRose,
    /// Rate: more is lost than any parity repairs.
    BeyondRepair,
    /// Rate: this host's own network took the packets too slowly.
    SendBuffer,
    /// Rate: somebody set it.
    ByHand,
    /// Rate: the stream's share of the host's total has changed.
    HostLimit,
}

impl Reason {
    pub(super) const ALL: [Self; 8] = [
        Self::Loss,
        Self::Unrepaired,
        Self::Quiet,
        Self::LossRose,
        Self::BeyondRepair,
        Self::SendBuffer,
        Self::ByHand,
        Self::HostLimit,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Unrepaired => "unrepaired",
            Self::Quiet => "quiet",
            Self::LossRose => "loss rose",
            Self::BeyondRepair => "beyond repair",
            Self::SendBuffer => "send buffer full",
            Self::ByHand => "set by hand",
            Self::HostLimit => "host limit",
        }
    }
}

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub up: bool,
    pub reason: Reason,
}

/// What came of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Decision {
    pub parity: Option<Change>,
    pub rate: Option<Change>,
    /// Tell the encoder this rate.
    pub video_kbps: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Adaptation {
    settings: Settings,
    /// The encoder's rate with nothing taken off, and whether somebody set it.
    ceiling_kbps: u32,
    by_hand: bool,
    /// The stream's share of the host's total.
    limit_kbps: Option<u32>,
    loss: Loss,
    parity: Parity,
    rate: Rate,
    told_kbps: u32,
    due_ns: Option<u64>,
    seen: Totals,
}

impl Adaptation {
    pub(super) fn new(settings: Settings) -> Self {
        let mut adaptation = Self {
            settings,
            ceiling_kbps: settings.video_kbps,
            by_hand: false,
            limit_kbps: settings.limit_kbps,
            loss: Loss::default(),
            parity: Parity::new(settings.percent, settings.min_parity),
            rate: Rate::new(settings.video_kbps, settings.limit_kbps),
            told_kbps: 0,
            due_ns: None,
            seen: Totals::default(),
        };
        adaptation.told_kbps = adaptation.target_kbps();
        adaptation
    }

    /// Parity in percent of the data, for the next frame.
    pub(super) fn percent(&self) -> u8 {
        self.parity.percent()
    }

    /// The rate that the encoder was told, in kbit/s.
    pub(super) fn video_kbps(&self) -> u32 {
        self.told_kbps
    }

    /// Packets lost of a thousand, as reported lately.
    pub(super) fn loss_permille(&self) -> u32 {
        self.loss.recent_ppm() / 1000
    }

    /// Whether a step is due; nothing changes between steps.
    pub(super) fn due(&self, now_ns: u64) -> bool {
        self.due_ns.is_none_or(|due_ns| now_ns >= due_ns)
    }

    /// Decide. `totals` are those of the whole stream.
    pub(super) fn step(&mut self, totals: Totals, now_ns: u64) -> Decision {
        let first = self.due_ns.is_none();
        self.due_ns = Some(now_ns.saturating_add(STEP_NS));
        let mut sample = totals.since(&self.seen);
        self.seen = totals;
        if first {
            self.parity.begin(now_ns);
            self.rate.begin(now_ns);
            return Decision::default();
        }
        if !self.settings.reports {
            // A request says that at least a block was lost, and nothing of how many packets.
            sample.blocks_lost = sample.blocks_lost.max(sample.requests.min(1));
        }
        self.loss.sampled(&sample);
        let mut decision = Decision::default();
        if self.settings.adaptive_parity && self.settings.percent > 0 {
            decision.parity = self.parity.step(&sample, &self.loss, now_ns);
        }
        if self.settings.adaptive_bitrate {
            let at_most = self.parity.at_most() || decision.parity.is_none();
            decision.rate = self.rate.step(&sample, &self.loss, at_most, now_ns);
        }
        self.loss.settle();
        if decision.parity.is_some() || decision.rate.is_some() {
            decision.video_kbps = self.retarget();
        }
        decision
    }

    /// The stream's share of the host's total: it holds at once. What loss has taught of the link is kept.
    pub(super) fn limit(&mut self, limit_kbps: Option<u32>) -> Decision {
        self.limit_kbps = limit_kbps;
        self.rate.limit(self.ceiling_kbps, limit_kbps);
        let before = self.told_kbps;
        let video_kbps = self.retarget();
        let change = |kbps| Change {
            up: kbps > before,
            reason: Reason::HostLimit,
        };
        Decision {
            parity: None,
            rate: video_kbps.map(change),
            video_kbps,
        }
    }

    /// Somebody set the encoder's rate: it is the new ceiling, and holds at once, within the stream's share.
    pub(super) fn set_by_hand(
        &mut self,
        video_kbps: u32,
        limit_kbps: Option<u32>,
        now_ns: u64,
    ) -> u32 {
        self.ceiling_kbps = video_kbps;
        self.by_hand = true;
        self.limit_kbps = limit_kbps;
        self.rate = Rate::new(video_kbps, limit_kbps);
        self.rate.begin(now_ns);
        self.told_kbps = self.target_kbps();
        self.told_kbps
    }

    fn retarget(&mut self) -> Option<u32> {
        let target = self.target_kbps();
        let differs = target != self.told_kbps;
        self.told_kbps = target;
        differs.then_some(target)
    }

    /// Parity is paid from the same budget: what it takes more than at the start, the picture gets less.
    fn target_kbps(&self) -> u32 {
        let left = |percent: u8| 100u64.saturating_sub(u64::from(percent)).max(1);
        let rated =
            u64::from(self.ceiling_kbps).saturating_mul(u64::from(self.rate.permille())) / 1000;
        let rated = rated.min(self.limit_kbps.map_or(u64::MAX, u64::from));
        let target = rated
            .saturating_mul(left(self.percent()))
            .checked_div(left(self.settings.percent))
            .unwrap_or(rated);
        let target = u32::try_from(target).unwrap_or(u32::MAX);
        let most = if self.by_hand {
            self.ceiling_kbps
        } else {
            u32::MAX
        };
        target.min(most).max(1)
    }
}
