//! The figures of one stream: counted on the hot path without a lock, read whenever someone asks.
use super::histogram::Histogram;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Totals since the stream began, and the time each stage took.
        #[derive(Debug, Default)]
        pub struct Statistics {
            $($(#[$doc])* pub $name: AtomicU64,)*
            pub stages: Stages,
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
    keyframes,
    /// Frames that show the last captured picture again.
    repeated,
    /// Frames that came before the client's address was known, or before the first key frame after that.
    dropped_before_ping,
    /// Frames that the wire cannot carry.
    dropped_too_large,
    /// Video datagrams that the kernel's buffer had no room for in time.
    dropped_would_block,
    /// Times that the kernel's buffer was full.
    send_would_block,
    audio_packets_sent,
    audio_dropped,
    idr_requests,
    rfi_requests,
    /// Key frames asked of the agent.
    idr_asked,
    /// From the client's FEC status: data packets missed, blocks rebuilt, blocks given up.
    fec_packets_lost,
    fec_blocks_repaired,
    fec_blocks_lost,
    input_events,
    input_refused,
    /// Control messages that could not be opened.
    control_refused,
    /// The agent's own totals.
    agent_captured,
    agent_encoded,
    agent_repeated,
    agent_skipped_no_slot,
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
    /// Every figure by name. A stage without a frame yet is left out.
    pub fn snapshot(&self) -> BTreeMap<&'static str, u64> {
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
        self.counters()
            .map(|(name, count)| (name, count.load(Ordering::Relaxed)))
            .chain(stages)
            .collect()
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
        let figures = statistics.snapshot();
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
}
