//! The figures of the video plane, counted by the receiving thread and the decoder.

use super::{counter::Counters, ledger::Ledger, mark::Marks};
use std::time::{Duration, Instant};

/// Running totals; samples are kept whole because runs are short.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    /// Datagrams and bytes that reached the socket, before injected loss.
    pub packets: u64,
    pub bytes: u64,
    pub parity_packets: u64,
    pub injected_loss: u64,
    pub injected_reordering: u64,
    /// Packets that never reached the socket, by their sequence numbers.
    pub missing_on_arrival: u64,
    pub duplicate_packets: u64,
    /// Packets of frames that were already finished or given up, beyond the usual spare parity.
    pub late_packets: u64,
    pub frames_complete: u64,
    pub frames_lost: u64,
    /// Complete, but thrown away while waiting for a key frame.
    pub frames_discarded: u64,
    pub frames_decoded: u64,
    /// Decoded pictures that showed something new.
    pub distinct_pictures: u64,
    pub decode_failures: u64,
    pub key_frames: u64,
    pub repaired_shards: u64,
    pub repaired_blocks: u64,
    /// Blocks given up because more was lost than the parity could repair.
    pub unrepairable_blocks: u64,
    /// Blocks given up although enough shards came. Must stay 0.
    pub unrepaired_though_repairable: u64,
    pub key_frame_requests: u64,
    /// Reports of lost frames sent.
    pub loss_reports: u64,
    /// Frames that restarted the picture without being key frames.
    pub recovery_frames: u64,
    /// For each time that the picture was whole again: frames since help was asked for.
    pub recovered_after: Vec<u32>,
    pub ledger: Ledger,
    pub most_packets_in_frame: u32,
    pub most_blocks_in_frame: u8,
    pub verified_blocks: u64,
    /// Host processing latency of each frame that told one, in 0.1 ms.
    pub host_latency: Vec<u16>,
    /// |difference between arrival interval and timestamp interval| of consecutive frames, in µs.
    pub jitter_us: Vec<u32>,
    /// From the time stamp of a frame to the arrival of its last needed packet, in µs; means something only when both
    /// ends read one monotonic clock.
    pub stamp_to_complete_us: Vec<u32>,
    /// From the making of a frame, as its own mark tells it, to the arrival of its last needed packet, in µs; as above.
    pub made_to_complete_us: Vec<u32>,
    /// From the first packet of a frame on the socket to the decoded picture, in µs.
    pub receive_to_decoded_us: Vec<u32>,
    pub counters: Counters,
    /// Whose frames came, where the source marked them.
    pub marks: Marks,
    pub picture: Option<(usize, usize)>,
    pub first_frame_index: Option<u32>,
    pub last_frame_index: u32,
    pub first_packet: Option<Instant>,
    pub first_frame: Option<Instant>,
    pub last_frame: Option<Instant>,
    /// The longest time between two frames, and what the first one after it was called.
    pub longest_gap: Option<(Duration, u32)>,
}

/// `percent`-th percentile of the samples, 0 for none.
pub fn percentile<T: Ord + Copy + Default>(samples: &[T], percent: usize) -> T {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted
        .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_few_samples_stay_inside() {
        assert_eq!(percentile::<u32>(&[], 99), 0);
        assert_eq!(percentile(&[3, 1, 2], 50), 2);
        assert_eq!(percentile(&[3, 1, 2], 99), 3);
    }
}
