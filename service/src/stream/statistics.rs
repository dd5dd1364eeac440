//! The figures of one stream: counted on the hot path without a lock, read whenever someone asks.
use super::{
    adaptation::{Adaptation, Change, Decision, Reason},
    histogram::Histogram,
};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Totals since the stream began, and the time each stage took.
        #[derive(Debug, Default)]
        pub struct Statistics {
            $($(#[$doc])* pub $name: AtomicU64,)*
            pub stages: Stages,
            /// Index into [`Reason::ALL`], from 1; 0 = nothing was changed yet.
            last_reason: AtomicU8,
        }
        impl Statistics {
            fn counters(&self) -> impl Iterator<Item = (&'static str, &AtomicU64)> {
                [$((stringify!($name), &self.$name)),*].into_iter()
            }
        }
    };
}

counters! {
    /// Frames whose packets were handed to the kernel.
    frames_sent,
    /// Video datagrams, parity and injected loss included.
    packets_sent,
    bytes_sent,
    /// FEC blocks of those datagrams: one of each frame, or one of each slice.
    blocks_sent,
    keyframes,
    /// Frames whose elements were put in another order, or left out, so that clients take them.
    rearranged,
    /// Frames that show the last captured picture again.
    repeated,
    /// Frames that began to leave with their first slices, before the last ones were there; and those whose end never came.
    frames_in_parts,
    frames_cut_short,
    /// Frames that came before the client's address was known, or before the first key frame after that.
    dropped_before_ping,
    /// Frames that the wire cannot carry.
    dropped_too_large,
    /// Video datagrams that the kernel's buffer had no room for in time.
    dropped_would_block,
    /// Video datagrams that had no way to the client: no route, no address, a rule of the firewall, a port that was closed.
    lost_on_this_side,
    /// Times that the kernel's buffer was full.
    send_would_block,
    audio_packets_sent,
    audio_dropped,
    /// Times that another session's pictures, or those of another agent of the same one, took over.
    hand_overs,
    /// The client's requests for a key frame; those that another one or a key frame under way answered; those that had to
    /// wait for the rate of key frames.
    idr_requests,
    idr_coalesced,
    idr_delayed,
    /// Key frames asked of the agent.
    idr_asked,
    /// The client's reports of lost frames; those that were answered already; how the others were answered, and the
    /// invalidations that the agent left unanswered.
    rfi_requests,
    rfi_coalesced,
    rfi_by_invalidation,
    rfi_by_idr,
    rfi_unanswered,
    /// Frames sent that avoid what the client lost.
    recovery_frames,
    /// From the client's FEC status: packets of the blocks that it reported, packets missing of them (parity included),
    /// blocks rebuilt, blocks given up.
    fec_packets_reported,
    fec_packets_lost,
    fec_blocks_repaired,
    fec_blocks_lost,
    /// As it is now: parity in percent of the data, the rate that the encoder was told, packets lost of a thousand.
    parity_percent,
    bitrate_target_kbps,
    loss_permille,
    parity_increases,
    parity_decreases,
    bitrate_increases,
    bitrate_decreases,
    /// CLOCK_MONOTONIC of the last such change; shown as its age.
    last_decision_ns,
    input_events,
    input_refused,
    /// Control messages that could not be opened, or were not what their type promises.
    control_refused,
    /// Control messages of types that this version does not know.
    control_unknown,
    /// Times that the control connection followed the client to another address.
    control_moved,
    /// The agent's own totals.
    agent_captured,
    agent_encoded,
    agent_repeated,
    agent_skipped_no_slot,
    agent_missed_ticks,
    agent_scaled,
    agent_replaced,
}

/// Time from one point of a frame's way to the next, in microseconds.
#[derive(Debug, Default)]
pub struct Stages {
    pub capture_to_encoded: Histogram,
    pub encoded_to_handed_over: Histogram,
    pub handed_over_to_first_packet: Histogram,
    pub handed_over_to_last_packet: Histogram,
    pub total: Histogram,
}

impl Statistics {
    /// What was just decided about parity and rate.
    pub(super) fn decided(&self, decision: &Decision, now: &Adaptation, now_ns: u64) {
        let show = |gauge: &AtomicU64, value: u32| gauge.store(value.into(), Ordering::Relaxed);
        show(&self.parity_percent, now.percent().into());
        show(&self.bitrate_target_kbps, now.video_kbps());
        show(&self.loss_permille, now.loss_permille());
        let parity = (&self.parity_increases, &self.parity_decreases);
        let rate = (&self.bitrate_increases, &self.bitrate_decreases);
        for (change, (more, less)) in [(decision.parity, parity), (decision.rate, rate)] {
            if let Some(Change { up, reason }) = change {
                add(if up { more } else { less }, 1);
                self.decided_for(reason, now_ns);
            }
        }
    }

    /// Somebody set the rate.
    pub(super) fn set_by_hand(&self, now: &Adaptation, now_ns: u64) {
        self.decided(&Decision::default(), now, now_ns);
        self.decided_for(Reason::ByHand, now_ns);
    }

    fn decided_for(&self, reason: Reason, now_ns: u64) {
        let index = Reason::ALL.iter().position(|other| *other == reason);
        let number = index.and_then(|index| u8::try_from(index).ok());
        let number = number.map_or(0, |number| number.saturating_add(1));
        self.last_reason.store(number, Ordering::Relaxed);
        self.last_decision_ns.store(now_ns, Ordering::Relaxed);
    }

    /// Why parity or rate were changed last; empty before the first time.
    pub fn last_decision(&self) -> &'static str {
        let number = usize::from(self.last_reason.load(Ordering::Relaxed));
        let reason = number
            .checked_sub(1)
            .and_then(|index| Reason::ALL.get(index));
        reason.map_or("", |reason| reason.as_str())
    }

    /// Every figure by name. A stage without a frame yet is left out.
    pub fn snapshot(&self, now_ns: u64) -> BTreeMap<&'static str, u64> {
        let stages = &self.stages;
        let percentiles = [
            (
                &stages.capture_to_encoded,
                [
                    "capture_to_encoded_p50_us",
                    "capture_to_encoded_p90_us",
                    "capture_to_encoded_p99_us",
                ],
            ),
            (
                &stages.encoded_to_handed_over,
                [
                    "encoded_to_handed_over_p50_us",
                    "encoded_to_handed_over_p90_us",
                    "encoded_to_handed_over_p99_us",
                ],
            ),
            (
                &stages.handed_over_to_first_packet,
                [
                    "handed_over_to_first_packet_p50_us",
                    "handed_over_to_first_packet_p90_us",
                    "handed_over_to_first_packet_p99_us",
                ],
            ),
            (
                &stages.handed_over_to_last_packet,
                [
                    "handed_over_to_last_packet_p50_us",
                    "handed_over_to_last_packet_p90_us",
                    "handed_over_to_last_packet_p99_us",
                ],
            ),
            (
                &stages.total,
                ["total_p50_us", "total_p90_us", "total_p99_us"],
            ),
        ];
        let stages = percentiles.into_iter().flat_map(|(histogram, names)| {
            names
                .into_iter()
                .zip([50, 90, 99])
                .filter_map(|(name, percent)| Some((name, histogram.percentile(percent)?)))
        });
        let figures = self.counters().filter_map(|(name, count)| {
            let value = count.load(Ordering::Relaxed);
            match (name, value) {
                ("last_decision_ns", 0) => None,
                ("last_decision_ns", then) => Some((
                    "last_decision_age_ms",
                    now_ns.saturating_sub(then) / 1_000_000,
                )),
                figure => Some(figure),
            }
        });
        figures.chain(stages).collect()
    }
}

/// Shorthand for the hot path.
pub(super) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_by_name() {
        let statistics = Statistics::default();
        add(&statistics.frames_sent, 3);
        statistics.stages.total.record(40);
        let figures = statistics.snapshot(0);
        assert_eq!(figures.get("frames_sent"), Some(&3));
        assert_eq!(figures.get("total_p99_us"), Some(&40));
        assert_eq!(figures.get("capture_to_encoded_p50_us"), None);
        for name in [
            "packets_sent",
            "bytes_sent",
            "keyframes",
            "repeated",
            "dropped_before_ping",
            "send_would_block",
        ] {
            assert_eq!(figures.get(name), Some(&0), "{name}");
        }
    }

    #[test]
    fn the_last_decision_has_a_reason_and_an_age() {
        let statistics = Statistics::default();
        assert_eq!(statistics.last_decision(), "");
        assert_eq!(statistics.snapshot(9).get("last_decision_age_ms"), None);
        for reason in Reason::ALL {
            statistics.decided_for(reason, 1_000_000);
            assert_eq!(statistics.last_decision(), reason.as_str());
        }
        let figures = statistics.snapshot(8_000_000);
        assert_eq!(figures.get("last_decision_age_ms"), Some(&7));
    }
}
