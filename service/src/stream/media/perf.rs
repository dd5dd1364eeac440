//! Per-stage times of each frame: into the histograms always, and as one log line a second if asked for.
use crate::{ids::StreamId, stream::statistics::Stages};

const SECOND_NS: u64 = 1_000_000_000;

/// The points of a frame's way, CLOCK_MONOTONIC nanoseconds.
pub(super) struct Times {
    /// `None` for a frame that shows an old picture again.
    pub capture_ns: Option<u64>,
    pub encoded_ns: u64,
    /// When the whole frame was; the first packet may have left before.
    pub handed_over_ns: u64,
    pub first_ns: u64,
    pub last_ns: u64,
}

/// The worst of the last second.
#[derive(Debug, Default)]
struct Worst {
    capture_to_encoded_us: u64,
    encoded_to_handed_over_us: u64,
    to_first_packet_us: u64,
    to_last_packet_us: u64,
    total_us: u64,
    new_frames: u32,
    repeated_frames: u32,
    most_packets: usize,
}

pub(super) struct Perf {
    log: bool,
    since_ns: u64,
    worst: Worst,
}

impl Perf {
    pub(super) fn new(log: bool, now_ns: u64) -> Self {
        Self {
            log,
            since_ns: now_ns,
            worst: Worst::default(),
        }
    }

    pub(super) fn frame(&mut self, stages: &Stages, times: &Times, packets: usize) {
        let micros = |from: u64, to: u64| to.saturating_sub(from) / 1000;
        let worst = &mut self.worst;
        if let Some(capture_ns) = times.capture_ns {
            let encoded = micros(capture_ns, times.encoded_ns);
            let total = micros(capture_ns, times.last_ns);
            stages.capture_to_encoded.record(encoded);
            stages.total.record(total);
            worst.capture_to_encoded_us = worst.capture_to_encoded_us.max(encoded);
            worst.total_us = worst.total_us.max(total);
            worst.new_frames = worst.new_frames.saturating_add(1);
        } else {
            worst.repeated_frames = worst.repeated_frames.saturating_add(1);
        }
        let handed_over = micros(times.encoded_ns, times.handed_over_ns);
        let first = micros(times.handed_over_ns, times.first_ns);
        let last = micros(times.handed_over_ns, times.last_ns);
        stages.encoded_to_handed_over.record(handed_over);
        stages.handed_over_to_first_packet.record(first);
        stages.handed_over_to_last_packet.record(last);
        worst.encoded_to_handed_over_us = worst.encoded_to_handed_over_us.max(handed_over);
        worst.to_first_packet_us = worst.to_first_packet_us.max(first);
        worst.to_last_packet_us = worst.to_last_packet_us.max(last);
        worst.most_packets = worst.most_packets.max(packets);
    }

    /// Log the last second, if it is over.
    pub(super) fn tick(&mut self, stream: StreamId, now_ns: u64) {
        if !self.log || now_ns.saturating_sub(self.since_ns) < SECOND_NS {
            return;
        }
        self.since_ns = now_ns;
        let worst = std::mem::take(&mut self.worst);
        tracing::info!(
            %stream,
            capture_to_encoded_us = worst.capture_to_encoded_us,
            encoded_to_handed_over_us = worst.encoded_to_handed_over_us,
            handed_over_to_first_packet_us = worst.to_first_packet_us,
            handed_over_to_last_packet_us = worst.to_last_packet_us,
            total_us = worst.total_us,
            new_frames = worst.new_frames,
            repeated_frames = worst.repeated_frames,
            most_packets = worst.most_packets,
            "worst of the last second"
        );
    }
}
