//! The outcome of a stream as numbers, for people (text) and programs (JSON).

use crate::{
    audio,
    breach::Breach,
    client::Options,
    control::{End, State},
    streaming::Negotiated,
    video::{
        self,
        counter::Counters,
        mark::Marks,
        range::Described,
        statistics::{NotableFrame, percentile},
    },
};
use serde::Serialize;
use std::fmt;

/// Minimum is left out of most figures; these three say enough about a distribution here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Spread {
    pub min: f64,
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
    pub samples: usize,
}

impl Spread {
    fn of<T: Ord + Copy + Default + Into<f64>>(samples: &[T], unit: f64) -> Self {
        let at = |percent| percentile(samples, percent).into() * unit;
        Self {
            min: at(0),
            p50: at(50),
            p99: at(99),
            max: at(100),
            samples: samples.len(),
        }
    }
}

/// The video plane.
#[derive(Debug, Clone, Serialize)]
pub struct Video {
    pub width: usize,
    pub height: usize,
    pub frames_received: u64,
    pub frames_decoded: u64,
    /// Decoded pictures that showed something new.
    pub distinct_pictures: u64,
    pub frames_lost: u64,
    /// Complete frames thrown away while waiting for a key frame.
    pub frames_discarded: u64,
    pub decode_failures: u64,
    pub key_frames: u64,
    pub key_frame_requests: u64,
    pub repaired_shards: u64,
    pub repaired_blocks: u64,
    pub unrepairable_blocks: u64,
    pub unrepaired_though_repairable: u64,
    pub verified_parity_blocks: u64,
    pub packets: u64,
    pub parity_packets: u64,
    pub bytes: u64,
    pub injected_loss: u64,
    pub injected_reordering: u64,
    pub missing_on_arrival: u64,
    pub duplicate_packets: u64,
    pub late_packets: u64,
    pub most_packets_in_frame: u32,
    pub most_blocks_in_frame: u8,
    pub first_frame_index: Option<u32>,
    /// From the question for the launch to the whole of the first frame.
    pub launch_to_first_frame_ms: Option<f64>,
    pub last_frame_index: u32,
    /// The longest time between two frames, and the index of the frame that ended it.
    pub longest_gap_ms: f64,
    pub after_longest_gap: u32,
    /// Key frames, and the frames that let the client wait for 100 ms or more.
    pub notable_frames: Vec<NotableFrame>,
    pub seconds: f64,
    pub megabits_per_second: f64,
    pub frames_per_second: f64,
    /// Capture to send, as the frame header tells it.
    pub host_latency_ms: Spread,
    /// Capture to the last needed packet, by the time stamps; only with host and client on one machine.
    pub capture_to_received_ms: Option<Spread>,
    /// The same by the marks of the source, without trust in any stamp of the host's.
    pub made_to_received_ms: Option<Spread>,
    /// The same to the frame's first packet.
    pub made_to_first_packet_ms: Option<Spread>,
    /// From the painting of a picture to its last needed packet, and to the decoded picture, by the clock in the picture itself.
    pub painted_to_received_ms: Option<Spread>,
    pub painted_to_decoded_ms: Option<Spread>,
    /// Deviation of arrival intervals from time stamp intervals.
    pub arrival_jitter_ms: Spread,
    /// Times at which a client that shows a picture an interval has nothing new: no frame began to arrive for 1.5 intervals, 2.5, and so on.
    pub missed_deadlines: u64,
    /// First packet on our socket to decoded picture.
    pub receive_to_decoded_ms: Spread,
    pub counters: Counters,
    /// Whose frames came, where the source marked them.
    pub marks: Marks,
    /// What the last key frame says of its light.
    pub described: Option<Described>,
}

/// The audio plane.
#[derive(Debug, Clone, Serialize)]
pub struct Audio {
    pub channels: u8,
    pub packets: u64,
    pub bytes: u64,
    pub packet_bytes: usize,
    pub injected_loss: u64,
    pub repaired: u64,
    pub lost: u64,
    pub decoded: u64,
    pub discarded_at_start: u64,
    pub decode_failures: u64,
    pub verified_parity_blocks: u64,
    /// Strongest frequency of each channel in Hz over the last two thirds of a second.
    pub tones_hz: Vec<Option<f32>>,
    /// By how many dB each channel's own tone is louder in it than the loudest tone of another channel.
    pub separation_db: Vec<Option<f32>>,
}

/// The whole outcome.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub mode: String,
    pub codec: &'static str,
    /// Encryption bits in use: 1 control v2, 2 video, 4 audio.
    pub encryption: u32,
    pub audio_sealed: bool,
    pub packet_size: usize,
    pub enet_channels: usize,
    /// `left`, `terminated 0x…`, `dropped`, `vanished`, `running`.
    pub ended: String,
    pub video: Video,
    pub audio: Audio,
    pub host_messages: usize,
    pub breaches: Vec<Breach>,
    /// Expectations that were asked for and did not hold.
    pub failed_expectations: Vec<String>,
}

impl Report {
    pub(crate) fn new(
        options: &Options,
        negotiated: &Negotiated,
        statistics: &video::Statistics,
        audio: &audio::Statistics,
        heard: audio::Heard,
        state: &State,
        breaches: Vec<Breach>,
    ) -> Self {
        let s = statistics;
        let seconds = match (s.first_frame, s.last_frame) {
            (Some(first), Some(last)) => last.duration_since(first).as_secs_f64(),
            _ => 0.0,
        };
        let rate = |amount: f64| if seconds > 0.0 { amount / seconds } else { 0.0 };
        let (width, height) = s.picture.unwrap_or_default();
        let ended = match state.end {
            Some(End::Left { acknowledged: true }) => "left".into(),
            Some(End::Left {
                acknowledged: false,
            }) => "left, not acknowledged".into(),
            Some(End::Terminated(reason)) => format!("terminated {reason:#010x}"),
            Some(End::Dropped) => "dropped".into(),
            Some(End::Vanished) => "vanished".into(),
            None => "running".into(),
        };
        Self {
            codec: options.codec.name(),
            mode: format!("{}x{}@{}", options.width, options.height, options.fps),
            encryption: negotiated.agreement.encryption,
            audio_sealed: negotiated.agreement.audio_sealed,
            packet_size: negotiated.agreement.packet_size,
            enet_channels: state.channels,
            ended,
            video: Video {
                width,
                height,
                frames_received: s.frames_complete,
                frames_decoded: s.frames_decoded,
                distinct_pictures: s.distinct_pictures,
                frames_lost: s.frames_lost,
                frames_discarded: s.frames_discarded,
                decode_failures: s.decode_failures,
                key_frames: s.key_frames,
                key_frame_requests: s.key_frame_requests,
                repaired_shards: s.repaired_shards,
                repaired_blocks: s.repaired_blocks,
                unrepairable_blocks: s.unrepairable_blocks,
                unrepaired_though_repairable: s.unrepaired_though_repairable,
                verified_parity_blocks: s.verified_blocks,
                packets: s.packets,
                parity_packets: s.parity_packets,
                bytes: s.bytes,
                injected_loss: s.injected_loss,
                injected_reordering: s.injected_reordering,
                missing_on_arrival: s.missing_on_arrival,
                duplicate_packets: s.duplicate_packets,
                late_packets: s.late_packets,
                most_packets_in_frame: s.most_packets_in_frame,
                most_blocks_in_frame: s.most_blocks_in_frame,
                first_frame_index: s.first_frame_index,
                launch_to_first_frame_ms: None,
                last_frame_index: s.last_frame_index,
                longest_gap_ms: s
                    .longest_gap
                    .map_or(0.0, |(gap, _)| gap.as_secs_f64() * 1e3),
                after_longest_gap: s.longest_gap.map_or(0, |(_, index)| index),
                notable_frames: s.notable_frames.clone(),
                seconds,
                megabits_per_second: rate(s.bytes as f64 * 8.0 / 1e6),
                frames_per_second: rate(s.frames_complete.saturating_sub(1) as f64),
                host_latency_ms: Spread::of(&s.host_latency, 0.1),
                capture_to_received_ms: options
                    .same_machine
                    .then(|| Spread::of(&s.stamp_to_complete_us, 0.001)),
                made_to_received_ms: (options.same_machine && s.marks.read > 0)
                    .then(|| Spread::of(&s.made_to_complete_us, 0.001)),
                made_to_first_packet_ms: (options.same_machine && s.marks.read > 0)
                    .then(|| Spread::of(&s.made_to_first_us, 0.001)),
                painted_to_received_ms: (options.picture_clock)
                    .then(|| Spread::of(&s.painted_to_complete_us, 0.001)),
                painted_to_decoded_ms: (options.picture_clock)
                    .then(|| Spread::of(&s.painted_to_decoded_us, 0.001)),
                arrival_jitter_ms: Spread::of(&s.jitter_us, 0.001),
                missed_deadlines: missed_deadlines(&s.arrival_gaps_us, options.fps),
                receive_to_decoded_ms: Spread::of(&s.receive_to_decoded_us, 0.001),
                counters: s.counters.clone(),
                marks: s.marks.clone(),
                described: s.described,
            },
            audio: Audio {
                channels: options.audio_channels,
                packets: audio.packets,
                bytes: audio.bytes,
                packet_bytes: audio.packet_bytes,
                injected_loss: audio.injected_loss,
                repaired: audio.repaired,
                lost: audio.lost,
                decoded: audio.decoded,
                discarded_at_start: audio.discarded,
                decode_failures: audio.decode_failures,
                verified_parity_blocks: audio.verified_blocks,
                tones_hz: heard.tones_hz,
                separation_db: heard.separation_db,
            },
            host_messages: state.messages.len(),
            breaches,
            failed_expectations: Vec::new(),
        }
    }

    /// Expect the pictures' counters to run from 1 to `frames` without a gap; up to two skips are tolerated, and named.
    pub fn expect_counters(&mut self, frames: u32) {
        let counters = &self.video.counters;
        let mut failed = Vec::new();
        // A source that was already at 2 when the first picture was encoded has skipped one.
        let skipped = counters.skipped + u64::from(counters.first.unwrap_or(0).saturating_sub(1));
        if counters.first.is_none() {
            failed.push("no picture carried a counter".into());
        }
        if counters.last.is_none_or(|last| last < frames) {
            failed.push(format!(
                "the last counter is {:?}, {frames} was to be reached",
                counters.last
            ));
        }
        if skipped > 2 || counters.backwards > 0 || counters.unreadable > 0 {
            failed.push(format!(
                "{skipped} counters skipped, {} ran backwards, {} pictures unreadable",
                counters.backwards, counters.unreadable
            ));
        }
        self.failed_expectations.extend(failed);
    }

    /// No breach, nothing repairable left unrepaired, no expectation failed.
    pub fn is_clean(&self) -> bool {
        self.breaches.is_empty()
            && self.failed_expectations.is_empty()
            && self.video.unrepaired_though_repairable == 0
            && self.video.decode_failures == 0
    }
}

/// How many pictures a client that shows one each interval had to show again, or to leave out to catch up with.
fn missed_deadlines(gaps_us: &[u32], fps: u32) -> u64 {
    let interval_us = 1e6 / f64::from(fps.max(1));
    let beyond = |gap: &u32| (f64::from(*gap) / interval_us - 0.5).floor();
    gaps_us.iter().map(|gap| beyond(gap).max(0.0) as u64).sum()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (v, a) = (&self.video, &self.audio);
        let spread = |s: &Spread| {
            format!(
                "min {:.1} p50 {:.1} p99 {:.1} max {:.1} ms ({} samples)",
                s.min, s.p50, s.p99, s.max, s.samples
            )
        };
        writeln!(
            f,
            "stream      {} {} asked, {}x{} decoded, encryption {}, ended: {}",
            self.codec, self.mode, v.width, v.height, self.encryption, self.ended
        )?;
        writeln!(
            f,
            "frames      {} received, {} decoded, {} lost, {} discarded, {} key, {:.1}/s over {:.1} s",
            v.frames_received,
            v.frames_decoded,
            v.frames_lost,
            v.frames_discarded,
            v.key_frames,
            v.frames_per_second,
            v.seconds
        )?;
        writeln!(
            f,
            "packets     {} ({} parity), {:.2} Mbit/s, {} lost by injection, {} missing on arrival",
            v.packets,
            v.parity_packets,
            v.megabits_per_second,
            v.injected_loss,
            v.missing_on_arrival
        )?;
        writeln!(
            f,
            "repair      {} shards in {} blocks; {} blocks beyond repair, {} unrepaired though repairable",
            v.repaired_shards,
            v.repaired_blocks,
            v.unrepairable_blocks,
            v.unrepaired_though_repairable
        )?;
        writeln!(f, "host        {}", spread(&v.host_latency_ms))?;
        if let Some(received) = &v.capture_to_received_ms {
            writeln!(f, "received    {}", spread(received))?;
        }
        if let Some(made) = &v.made_to_received_ms {
            writeln!(f, "by marks    {}", spread(made))?;
        }
        for (name, painted) in [
            ("painted     ", &v.painted_to_received_ms),
            ("  decoded   ", &v.painted_to_decoded_ms),
        ] {
            if let Some(painted) = painted {
                writeln!(f, "{name}{}", spread(painted))?;
            }
        }
        writeln!(
            f,
            "arrival     {}, {} deadlines missed",
            spread(&v.arrival_jitter_ms),
            v.missed_deadlines
        )?;
        writeln!(f, "decoding    {}", spread(&v.receive_to_decoded_ms))?;
        let c = &v.counters;
        writeln!(
            f,
            "counters    {:?} to {:?}: {} read, {} skipped, {} repeated, {} unreadable",
            c.first, c.last, c.read, c.skipped, c.duplicates, c.unreadable
        )?;
        if let Some(first) = c.first.filter(|first| *first > 1) {
            writeln!(f, "  skip      the first counter is {first}")?;
        }
        for gap in &c.gaps {
            writeln!(f, "  skip      {} is followed by {}", gap.after, gap.next)?;
        }
        if let Some(described) = &v.described {
            let Described {
                bits,
                colours: [primaries, transfer, matrix],
                ..
            } = described;
            let hdr = if described.is_hdr() { "HDR10" } else { "SDR" };
            writeln!(
                f,
                "colours     {hdr}: {bits} bits, primaries {primaries}, transfer {transfer}, matrix {matrix}"
            )?;
        }
        let m = &v.marks;
        if m.read > 0 {
            writeln!(
                f,
                "marks       of stream {:x?}, {:?} to {:?}: {} read, {} skipped, {} backwards, {} frames without",
                m.streams, m.first, m.last, m.read, m.skipped, m.backwards, m.unmarked
            )?;
        }
        writeln!(
            f,
            "sound       {} packets, {} decoded, {} repaired, {} lost, tones {:?} Hz",
            a.packets, a.decoded, a.repaired, a.lost, a.tones_hz
        )?;
        for breach in &self.breaches {
            writeln!(
                f,
                "BREACH      {} (section {}, {} times): {}",
                breach.rule, breach.section, breach.count, breach.detail
            )?;
        }
        for expectation in &self.failed_expectations {
            writeln!(f, "FAILED      {expectation}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_missed_for_each_interval_beyond_one_and_a_half() {
        assert_eq!(missed_deadlines(&[16_667, 9_000, 24_900, 0], 60), 0);
        assert_eq!(missed_deadlines(&[25_100, 41_700, 33_333], 60), 1 + 2 + 1);
        assert_eq!(missed_deadlines(&[], 60), 0);
    }
}
