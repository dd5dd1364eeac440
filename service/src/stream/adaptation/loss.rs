//! How much is lost, from running totals.

/// A part of a million.
const WHOLE_PPM: u64 = 1_000_000;
/// Most FEC reports of a client in one step (8 in 100 ms); at as many, blocks were left out of the reports.
const MOST_REPORTS: u64 = 20;

/// Totals since the stream began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::stream) struct Totals {
    pub blocks_sent: u64,
    /// Parity included.
    pub packets_sent: u64,
    /// Of the blocks that the client reported: packets, parity included, that were sent and that were missing.
    pub reported: u64,
    pub lost: u64,
    pub blocks_repaired: u64,
    pub blocks_lost: u64,
    /// The client's requests for a key frame or an invalidation.
    pub requests: u64,
    /// Packets that this host's own network had no room for.
    pub unsent: u64,
}

/// What one step brought.
pub(super) type Sample = Totals;

impl Totals {
    pub(super) fn since(&self, earlier: &Self) -> Sample {
        let since = |now: u64, then: u64| now.saturating_sub(then);
        Sample {
            blocks_sent: since(self.blocks_sent, earlier.blocks_sent),
            packets_sent: since(self.packets_sent, earlier.packets_sent),
            reported: since(self.reported, earlier.reported),
            lost: since(self.lost, earlier.lost),
            blocks_repaired: since(self.blocks_repaired, earlier.blocks_repaired),
            blocks_lost: since(self.blocks_lost, earlier.blocks_lost),
            requests: since(self.requests, earlier.requests),
            unsent: since(self.unsent, earlier.unsent),
        }
    }

    /// The part that was lost. Blocks without loss are not reported, so it is taken of all that was sent, unless there were
    /// so many reports that some were left out.
    fn lost_ppm(&self) -> Option<u32> {
        let reports = self.blocks_repaired.saturating_add(self.blocks_lost);
        let of = if reports >= MOST_REPORTS {
            self.reported
        } else {
            self.packets_sent.max(self.reported)
        };
        let ppm = self.lost.saturating_mul(WHOLE_PPM).checked_div(of)?;
        Some(u32::try_from(ppm.min(WHOLE_PPM)).unwrap_or(0))
    }
}

/// The rate of loss, in parts of a million.
#[derive(Debug, Default)]
pub(super) struct Loss {
    now: u32,
    /// Over about a second, and over about four.
    recent: u32,
    usual: u32,
    /// Packets of a FEC block, parity included, times 16.
    block_packets: u64,
}

impl Loss {
    pub(super) fn sampled(&mut self, sample: &Sample) {
        // A step in which nothing was sent says nothing.
        let Some(now) = sample.lost_ppm() else { return };
        self.now = now;
        self.recent = towards(self.recent, now, 4);
        if let Some(packets) = sample
            .packets_sent
            .saturating_mul(16)
            .checked_div(sample.blocks_sent)
        {
            self.block_packets = match self.block_packets {
                0 => packets,
                before => before.saturating_mul(7).saturating_add(packets) / 8,
            };
        }
    }

    /// The step is over: what is now becomes what is usual.
    pub(super) fn settle(&mut self) {
        self.usual = towards(self.usual, self.now, 16);
    }

    pub(super) fn now_ppm(&self) -> u32 {
        self.now
    }

    pub(super) fn recent_ppm(&self) -> u32 {
        self.recent
    }

    pub(super) fn usual_ppm(&self) -> u32 {
        self.usual
    }

    /// Packets of a usual block, parity included. A frame that leaves in slices has several.
    pub(super) fn block_packets(&self) -> u32 {
        u32::try_from(self.block_packets / 16)
            .unwrap_or(u32::MAX)
            .max(1)
    }
}

/// One `parts`th of the way, rounded so that it arrives.
fn towards(from: u32, to: u32, parts: u32) -> u32 {
    let step = |distance: u32| distance.div_ceil(parts.max(1));
    if to >= from {
        from.saturating_add(step(to.saturating_sub(from)))
    } else {
        from.saturating_sub(step(from.saturating_sub(to)))
    }
}
