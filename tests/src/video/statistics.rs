//! The figures of the video plane, counted by the receiving thread and the decoder.

use super::{counter::Counters, ledger::Ledger, mark::Marks, range::Described};
use serde::Serialize;
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
    /// The same for those alone that an invalidation answered; and the time from the report to the whole picture.
    pub spared_after: Vec<u32>,
    pub spared_in_us: Vec<u32>,
    pub ledger: Ledger,
    pub most_packets_in_frame: u32,
    pub most_blocks_in_frame: u8,
    /// The block that was completed last: its frame, its number from 1, and how many there are.
    pub latest_block: (u32, u8, u8),
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
    /// The same to the arrival of its first packet.
    pub made_to_first_us: Vec<u32>,
    /// From the painting of a picture, as the clock in the picture tells it, to the arrival of the last needed packet of the first
    /// frame that shows it, and to that frame's decoded picture.
    pub painted_to_complete_us: Vec<u32>,
    pub painted_to_decoded_us: Vec<u32>,
    /// Between the first packets of consecutive frames, in µs.
    pub arrival_gaps_us: Vec<u32>,
    /// From the first packet of a frame on the socket to the decoded picture, in µs.
    pub receive_to_decoded_us: Vec<u32>,
    pub counters: Counters,
    /// Whose frames came, where the source marked them.
    pub marks: Marks,
    pub picture: Option<(usize, usize)>,
    /// What the last key frame says of its light.
    pub described: Option<Described>,
    pub first_frame_index: Option<u32>,
    pub last_frame_index: u32,
    pub first_packet: Option<Instant>,
    pub first_frame: Option<Instant>,
    pub last_frame: Option<Instant>,
    /// The longest time between two frames, and what the first one after it was called.
    pub longest_gap: Option<(Duration, u32)>,
    /// Key frames, and the first thousand that let us wait, see [`NotableFrame`].
    pub notable_frames: Vec<NotableFrame>,
}

/// A key frame, or one that came [`LONG`] or more after the frame before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NotableFrame {
    pub index: u32,
    pub key: bool,
    /// How long after the frame before; 0 for the first.
    pub after_ms: f64,
}

/// What counts as waiting for a frame.
const LONG: Duration = Duration::from_millis(100);
/// Late frames to be written down, key frames apart.
const LATE: usize = 1000;

impl Statistics {
    /// A whole frame has come.
    pub(super) fn arrived(&mut self, index: u32, key: bool, at: Instant) {
        self.first_frame_index.get_or_insert(index);
        self.last_frame_index = index;
        self.first_frame.get_or_insert(at);
        let before = self.last_frame.replace(at);
        let gap = before.map(|before| at.duration_since(before));
        self.longest_gap = self.longest_gap.max(gap.map(|gap| (gap, index)));
        let gap = gap.unwrap_or_default();
        if key || gap >= LONG && self.notable_frames.len() < LATE {
            self.notable_frames.push(NotableFrame {
                index,
                key,
                after_ms: gap.as_secs_f64() * 1e3,
            });
        }
    }
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
    fn a_wait_and_a_key_frame_are_written_down() {
        let (mut statistics, start) = (Statistics::default(), Instant::now());
        for (index, key, at) in [
            (1, true, 0),
            (2, false, 16),
            (3, false, 516),
            (4, false, 532),
            (5, true, 548),
        ] {
            statistics.arrived(index, key, start + Duration::from_millis(at));
        }
        let seen = (statistics.notable_frames.iter())
            .map(|frame| (frame.index, frame.key, frame.after_ms.round() as u32));
        let expected = [(1, true, 0), (3, false, 500), (5, true, 16)];
        assert_eq!(seen.collect::<Vec<_>>(), expected);
        assert_eq!(
            statistics.longest_gap,
            Some((Duration::from_millis(500), 3))
        );
    }

    #[test]
    fn percentiles_of_few_samples_stay_inside() {
        assert_eq!(percentile::<u32>(&[], 99), 0);
        assert_eq!(percentile(&[3, 1, 2], 50), 2);
        assert_eq!(percentile(&[3, 1, 2], 99), 3);
    }
}
