//! Marks inside access units: whose frame it is, and which one. Sources of tests put them there; real encoders do not.
//!
//! An SEI message "user data unregistered" (H.264, HEVC) or a T.35 metadata OBU of country 0xb5 (AV1) with the 16 bytes
//! `punktfunk-double`, then hexadecimal digits: 8 of the stream, 16 of a counter that rises by one with each unit, 16 of
//! the CLOCK_MONOTONIC in nanoseconds at which the unit was made.

use super::bitstream::VideoCodec;
use serde::Serialize;
use std::collections::BTreeSet;

const NAME: &[u8; 16] = b"punktfunk-double";
/// Marks stand in front of the picture; what lies further back is picture.
const SEARCHED: usize = 4096;

/// One unit's mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub stream: u32,
    pub counter: u64,
    /// When the source made it; means something where both ends read one clock.
    pub made_ns: u64,
}

/// The mark in an access unit, where it stands as the codec wants it.
pub fn read(codec: VideoCodec, unit: &[u8]) -> Option<Mark> {
    let head = &unit[..unit.len().min(SEARCHED)];
    let at = head.windows(NAME.len()).position(|window| window == NAME)?;
    let before: &[u8] = match codec {
        VideoCodec::H264 => &[0, 0, 1, 6, 5, 56],
        VideoCodec::Hevc => &[0, 0, 1, 39 << 1, 1, 5, 56],
        VideoCodec::Av1 => &[5 << 3 | 2, 59, 4, 0xb5],
    };
    if !head[..at].ends_with(before) {
        return None;
    }
    let digits = std::str::from_utf8(unit.get(at + 16..at + 56)?).ok()?;
    Some(Mark {
        stream: u32::from_str_radix(digits.get(..8)?, 16).ok()?,
        counter: u64::from_str_radix(digits.get(8..24)?, 16).ok()?,
        made_ns: u64::from_str_radix(digits.get(24..)?, 16).ok()?,
    })
}

/// The marks of a whole stream, in order of arrival.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Marks {
    /// Every stream that a frame claimed to belong to; more than one is a catastrophe.
    pub streams: BTreeSet<u32>,
    pub read: u64,
    pub first: Option<u64>,
    pub last: Option<u64>,
    /// Counters that never came.
    pub skipped: u64,
    /// Counters that came again or ran backwards.
    pub backwards: u64,
    /// Frames without a mark, after the first one with.
    pub unmarked: u64,
}

impl Marks {
    pub fn note(&mut self, mark: Option<Mark>) {
        let Some(mark) = mark else {
            self.unmarked += u64::from(self.read > 0);
            return;
        };
        self.read += 1;
        self.streams.insert(mark.stream);
        match self.last.map(|last| mark.counter.checked_sub(last + 1)) {
            None => self.first = Some(mark.counter),
            Some(Some(skipped)) => self.skipped += skipped,
            Some(None) => self.backwards += 1,
        }
        self.last = Some(mark.counter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_where_the_codec_has_it() {
        let text = b"punktfunk-double000000ab00000000000000030000000000001000";
        let mark = Some(Mark {
            stream: 0xab,
            counter: 3,
            made_ns: 0x1000,
        });
        let unit = |before: &[u8]| [before, text, &[0x80, 0, 0, 1, 0x65, 1]].concat();
        assert_eq!(read(VideoCodec::H264, &unit(&[0, 0, 0, 1, 6, 5, 56])), mark);
        assert_eq!(
            read(VideoCodec::Hevc, &unit(&[0, 0, 0, 1, 78, 1, 5, 56])),
            mark
        );
        assert_eq!(
            read(VideoCodec::Av1, &unit(&[0x12, 0, 0x2a, 59, 4, 0xb5])),
            mark
        );
        assert_eq!(read(VideoCodec::H264, &unit(&[1, 2, 3])), None);
        assert_eq!(read(VideoCodec::H264, &[0, 0, 1, 0x65]), None);
    }

    #[test]
    fn gaps_strangers_and_steps_back_are_counted() {
        let mut marks = Marks::default();
        for (stream, counter) in [(1, 1), (1, 2), (2, 5), (1, 5)] {
            marks.note(Some(Mark {
                stream,
                counter,
                made_ns: 0,
            }));
        }
        marks.note(None);
        assert_eq!(
            (
                marks.streams.len(),
                marks.skipped,
                marks.backwards,
                marks.unmarked
            ),
            (2, 2, 1, 1)
        );
        assert_eq!((marks.first, marks.last, marks.read), (Some(1), Some(5), 4));
    }
}
