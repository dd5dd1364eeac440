//! Which complete frames reach the decoder: none before the first key frame, none after a loss until the picture restarts.
//!
//! Without reference invalidation that takes a key frame, and one request goes out after each loss, sent when the next
//! complete frame shows that the host is still there. With it a frame of type 2, 4 or 5 does, and the range of lost frames
//! is reported again, and longer, with each complete frame that is of no use.

use super::{
    bitstream::{self, VideoCodec},
    frame::Frame,
};
use crate::breach::Breaches;
use std::time::{Duration, Instant};

/// How long a request may go unanswered while frames keep coming.
const ANSWER: Duration = Duration::from_secs(2);
/// Frames discarded in a row after which a client that reports losses asks for a key frame after all.
const MOST_DISCARDED: u32 = 120;
/// Frame types with which a picture restarts.
const RESTARTS: [u8; 3] = [2, 4, 5];

/// The gate of one stream.
pub struct Gate {
    codec: VideoCodec,
    waiting_for_key: bool,
    request_due: bool,
    requested: Option<Instant>,
    seen_any: bool,
    /// Losses are reported.
    reports: bool,
    /// First frame lost since the picture was last whole.
    lost_from: Option<u32>,
    discarded: u32,
    /// The frame that was the latest one when help was asked for last.
    asked_at: Option<u32>,
    /// When that was.
    asked: Instant,
    breaches: Breaches,
}

/// What to do with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub decode: bool,
    pub key: bool,
    pub request_key_frame: bool,
    /// Report these frames as lost.
    pub report: Option<(u32, u32)>,
    /// The picture was not whole, and is again: so many frames after help was asked for.
    pub recovered_after: Option<u32>,
    /// And so long after.
    pub recovered_in: Option<Duration>,
}

impl Gate {
    /// `reports`: losses are reported, as references to leave out.
    pub fn new(codec: VideoCodec, reports: bool, breaches: Breaches) -> Self {
        Self {
            codec,
            waiting_for_key: true,
            request_due: false,
            requested: None,
            seen_any: false,
            reports,
            lost_from: None,
            discarded: 0,
            asked_at: None,
            asked: Instant::now(),
            breaches,
        }
    }

    /// Frames were lost. The range to report, if this client reports.
    pub fn lost(&mut self, first: u32, last: u32) -> Option<(u32, u32)> {
        self.waiting_for_key = true;
        // The answer may be among what was lost.
        self.requested = None;
        self.asked_at = None;
        let from = *self.lost_from.get_or_insert(first);
        if self.reports && self.seen_any {
            // The packet that showed the loss belongs to the next frame.
            (self.asked_at, self.asked) = (Some(last + 1), Instant::now());
            return Some((from, last));
        }
        self.request_due = true;
        None
    }

    /// Somebody asked for a key frame outside of loss handling: the answer is awaited all the same.
    pub fn asked(&mut self, now: Instant) {
        self.requested.get_or_insert(now);
    }

    pub fn frame(&mut self, frame: &Frame) -> Verdict {
        let look = bitstream::look(self.codec, frame, &self.breaches);
        if !self.seen_any {
            self.seen_any = true;
            if frame.index == 1 {
                self.breaches
                    .require(look.key, "13", "first-frame-not-a-key-frame", || {
                        "frame 1 is no IDR: the picture would stay black".into()
                    });
            }
        }
        let restarts = if self.reports {
            RESTARTS.contains(&frame.kind)
        } else {
            look.key
        };
        let mut request_key_frame = std::mem::take(&mut self.request_due) && !look.key;
        let (mut report, mut recovered_after, mut recovered_in) = (None, None, None);
        if restarts {
            if self.lost_from.take().is_some() {
                recovered_after = self
                    .asked_at
                    .map(|asked| frame.index - asked.min(frame.index));
                recovered_in =
                    recovered_after.map(|_| frame.arrived.saturating_duration_since(self.asked));
            }
            (self.waiting_for_key, self.discarded) = (false, 0);
            self.requested = None;
        } else if self.waiting_for_key
            && self.reports
            && let Some(from) = self.lost_from
        {
            report = Some((from, frame.index));
            self.discarded += 1;
            request_key_frame |= self.discarded == MOST_DISCARDED;
        } else if let Some(asked) = self
            .requested
            .filter(|asked| frame.arrived.duration_since(*asked) > ANSWER)
        {
            self.requested = None;
            self.breaches.record("13", "key-frame-request-ignored", || {
                format!(
                    "{:?} and frames without an IDR",
                    frame.arrived.duration_since(asked)
                )
            });
        }
        if request_key_frame {
            (self.asked_at, self.asked) = (Some(frame.index), Instant::now());
            self.asked(frame.arrived);
        }
        Verdict {
            decode: !self.waiting_for_key,
            key: look.key,
            request_key_frame,
            report,
            recovered_after,
            recovered_in,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(index: u32, key: bool, arrived: Instant) -> Frame {
        let access_unit = if key {
            vec![0, 0, 1, 0x67, 1, 0, 0, 1, 0x65, 3, 4]
        } else {
            vec![0, 0, 1, 0x61, 3, 4]
        };
        Frame {
            index,
            timestamp: 0,
            latency: 0,
            kind: if key { 2 } else { 1 },
            access_unit,
            in_first_packet: 1000,
            arrived,
            whole: arrived,
            packets: 1,
            blocks: 1,
        }
    }

    #[test]
    fn after_a_loss_one_request_goes_out_and_nothing_is_decoded_until_a_key_frame() {
        let breaches = Breaches::default();
        let now = Instant::now();
        let mut gate = Gate::new(VideoCodec::H264, false, breaches.clone());
        assert!(gate.frame(&frame(1, true, now)).decode);
        assert!(gate.frame(&frame(2, false, now)).decode);
        assert_eq!(gate.lost(3, 3), None);
        assert_eq!(
            gate.frame(&frame(4, false, now)),
            Verdict {
                decode: false,
                key: false,
                request_key_frame: true,
                report: None,
                recovered_after: None,
                recovered_in: None
            }
        );
        assert_eq!(
            gate.frame(&frame(5, false, now)),
            Verdict {
                decode: false,
                key: false,
                request_key_frame: false,
                report: None,
                recovered_after: None,
                recovered_in: None
            }
        );
        let verdict = gate.frame(&frame(6, true, now));
        assert!(verdict.decode && verdict.recovered_after == Some(2));
        assert!(breaches.is_empty());
    }

    #[test]
    fn a_stream_that_does_not_start_with_a_key_frame_or_ignores_requests_is_in_breach() {
        let breaches = Breaches::default();
        let now = Instant::now();
        let mut gate = Gate::new(VideoCodec::H264, false, breaches.clone());
        assert!(!gate.frame(&frame(1, false, now)).decode);
        gate.lost(2, 2);
        gate.frame(&frame(3, false, now));
        gate.frame(&frame(4, false, now + Duration::from_secs(3)));
        let rules: Vec<_> = breaches.list().iter().map(|breach| breach.rule).collect();
        assert_eq!(
            rules,
            ["first-frame-not-a-key-frame", "key-frame-request-ignored"]
        );
    }

    #[test]
    fn a_client_that_reports_repeats_the_growing_range_until_a_frame_of_type_5() {
        let breaches = Breaches::default();
        let now = Instant::now();
        let mut gate = Gate::new(VideoCodec::H264, true, breaches.clone());
        assert!(gate.frame(&frame(1, true, now)).decode);
        assert_eq!(gate.lost(2, 3), Some((2, 3)));
        for index in [4, 5] {
            let verdict = gate.frame(&frame(index, false, now));
            assert!(!verdict.decode && !verdict.request_key_frame);
            assert_eq!(verdict.report, Some((2, index)));
        }
        let free = Frame {
            kind: 5,
            ..frame(6, false, now)
        };
        let verdict = gate.frame(&free);
        assert!(verdict.decode && verdict.report.is_none());
        assert_eq!(verdict.recovered_after, Some(2));
        // Nothing helps: after 120 frames a key frame is asked for.
        gate.lost(7, 7);
        let asked =
            (8..200).position(|index| gate.frame(&frame(index, false, now)).request_key_frame);
        assert_eq!(asked, Some(119));
    }
}
