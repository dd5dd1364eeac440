//! Which complete frames reach the decoder: none before the first key frame, none after a loss until the next one,
//! and one key-frame request after each loss, sent when the next complete frame shows that the host is still there.

use super::{frame::Frame, h264};
use crate::breach::Breaches;
use std::time::{Duration, Instant};

/// How long a request may go unanswered while frames keep coming.
const ANSWER: Duration = Duration::from_secs(2);

/// The gate of one stream.
pub struct Gate {
    waiting_for_key: bool,
    request_due: bool,
    requested: Option<Instant>,
    seen_any: bool,
    breaches: Breaches,
}

/// What to do with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub decode: bool,
    pub key: bool,
    pub request_key_frame: bool,
}

impl Gate {
    pub fn new(breaches: Breaches) -> Self {
        Self {
            waiting_for_key: true,
            request_due: false,
            requested: None,
            seen_any: false,
            breaches,
        }
    }

    /// Frames were lost.
    pub fn lost(&mut self) {
        self.waiting_for_key = true;
        self.request_due = true;
        // The answer may be among what was lost.
        self.requested = None;
    }

    /// Somebody asked for a key frame outside of loss handling: the answer is awaited all the same.
    pub fn asked(&mut self, now: Instant) {
        self.requested.get_or_insert(now);
    }

    pub fn frame(&mut self, frame: &Frame) -> Verdict {
        let look = h264::look(frame, &self.breaches);
        if !self.seen_any {
            self.seen_any = true;
            if frame.index == 1 {
                self.breaches
                    .require(look.key, "13", "first-frame-not-a-key-frame", || {
                        "frame 1 is no IDR: the picture would stay black".into()
                    });
            }
        }
        let request_key_frame = std::mem::take(&mut self.request_due) && !look.key;
        if look.key {
            self.waiting_for_key = false;
            self.requested = None;
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
            self.asked(frame.arrived);
        }
        Verdict {
            decode: !self.waiting_for_key,
            key: look.key,
            request_key_frame,
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
            packets: 1,
            blocks: 1,
        }
    }

    #[test]
    fn after_a_loss_one_request_goes_out_and_nothing_is_decoded_until_a_key_frame() {
        let breaches = Breaches::default();
        let now = Instant::now();
        let mut gate = Gate::new(breaches.clone());
        assert!(gate.frame(&frame(1, true, now)).decode);
        assert!(gate.frame(&frame(2, false, now)).decode);
        gate.lost();
        assert_eq!(
            gate.frame(&frame(4, false, now)),
            Verdict {
                decode: false,
                key: false,
                request_key_frame: true
            }
        );
        assert_eq!(
            gate.frame(&frame(5, false, now)),
            Verdict {
                decode: false,
                key: false,
                request_key_frame: false
            }
        );
        assert!(gate.frame(&frame(6, true, now)).decode);
        assert!(breaches.is_empty());
    }

    #[test]
    fn a_stream_that_does_not_start_with_a_key_frame_or_ignores_requests_is_in_breach() {
        let breaches = Breaches::default();
        let now = Instant::now();
        let mut gate = Gate::new(breaches.clone());
        assert!(!gate.frame(&frame(1, false, now)).decode);
        gate.lost();
        gate.frame(&frame(3, false, now));
        gate.frame(&frame(4, false, now + Duration::from_secs(3)));
        let rules: Vec<_> = breaches.list().iter().map(|breach| breach.rule).collect();
        assert_eq!(
            rules,
            ["first-frame-not-a-key-frame", "key-frame-request-ignored"]
        );
    }
}
