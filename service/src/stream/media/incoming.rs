//! Frames as far as the agent has announced them.
use punktfunk_dbus::channel::{FramePart, FrameReady};
use std::collections::VecDeque;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// More of it is to come.
    Growing,
    Whole,
    /// No more of it comes.
    Abandoned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Incoming {
    /// Its length is that of the bytes that are final; while it grows, the time of its encoding is that of its capture.
    pub frame: FrameReady,
    /// Into how many parts it is cut; 1 when it came whole.
    pub parts: u8,
    pub progress: Progress,
}

/// Announced and waiting for their turn, and the one whose turn came before it was whole. The ring bounds them, and the reader of the
/// channel has seen to it that the announcements of a frame follow each other.
#[derive(Debug, Default)]
pub(super) struct Frames {
    waiting: VecDeque<Incoming>,
    leaving: Option<Incoming>,
}

impl Frames {
    pub(super) fn part(&mut self, part: &FramePart) {
        let incoming = Incoming {
            frame: FrameReady {
                slot: part.slot,
                seq: part.seq,
                len: part.len,
                flags: part.flags,
                pts_ns: part.pts_ns,
                capture_ns: part.capture_ns,
                encoded_ns: part.capture_ns,
            },
            parts: part.parts,
            progress: Progress::Growing,
        };
        match self.growing(part.seq) {
            Some(known) => *known = incoming,
            None => self.waiting.push_back(incoming),
        }
    }

    pub(super) fn whole(&mut self, frame: FrameReady) {
        match self.growing(frame.seq) {
            Some(known) => {
                known.frame = frame;
                known.progress = Progress::Whole;
            }
            None => self.waiting.push_back(Incoming {
                frame,
                parts: 1,
                progress: Progress::Whole,
            }),
        }
    }

    pub(super) fn abandoned(&mut self, seq: u64) {
        if let Some(known) = self.growing(seq) {
            known.progress = Progress::Abandoned;
        }
    }

    fn growing(&mut self, seq: u64) -> Option<&mut Incoming> {
        let latest = self.waiting.back_mut().or(self.leaving.as_mut());
        latest.filter(|known| known.progress == Progress::Growing && known.frame.seq == seq)
    }

    pub(super) fn front(&self) -> Option<Incoming> {
        self.waiting.front().copied()
    }

    /// It is the first one's turn.
    pub(super) fn take(&mut self) {
        let taken = self.waiting.pop_front();
        self.leaving = taken.filter(|taken| taken.progress == Progress::Growing);
    }

    /// The one that was taken while it grew.
    pub(super) fn leaving(&self) -> Option<Incoming> {
        self.leaving
    }

    pub(super) fn left(&mut self) {
        self.leaving = None;
    }

    /// Their session is gone.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.leaving = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(seq: u64, len: u32) -> FramePart {
        FramePart {
            slot: 0,
            seq,
            len,
            parts: 4,
            flags: 0,
            pts_ns: 1,
            capture_ns: 1,
        }
    }

    fn whole(seq: u64, len: u32) -> FrameReady {
        FrameReady {
            slot: 0,
            seq,
            len,
            flags: 0,
            pts_ns: 1,
            capture_ns: 1,
            encoded_ns: 2,
        }
    }

    fn told(incoming: Option<Incoming>) -> Option<(u64, u32, u8, Progress)> {
        incoming.map(|known| {
            let frame = known.frame;
            (frame.seq, frame.len, known.parts, known.progress)
        })
    }

    #[test]
    fn a_frame_grows_where_it_is_waiting_or_leaving() {
        let mut frames = Frames::default();
        frames.whole(whole(0, 10));
        frames.part(&part(1, 5));
        frames.part(&part(1, 6));
        frames.take();
        assert_eq!(
            frames.leaving(),
            None,
            "a whole frame is done when it is taken"
        );
        assert_eq!(told(frames.front()), Some((1, 6, 4, Progress::Growing)));
        frames.take();
        frames.part(&part(1, 7));
        assert_eq!(
            (frames.front(), told(frames.leaving())),
            (None, Some((1, 7, 4, Progress::Growing)))
        );
        frames.whole(whole(1, 9));
        frames.part(&part(2, 3));
        frames.abandoned(2);
        assert_eq!(told(frames.leaving()), Some((1, 9, 4, Progress::Whole)));
        assert_eq!(told(frames.front()), Some((2, 3, 4, Progress::Abandoned)));
        frames.left();
        frames.whole(whole(3, 4));
        frames.take();
        assert_eq!(
            (frames.leaving(), told(frames.front())),
            (None, Some((3, 4, 1, Progress::Whole)))
        );
        frames.part(&part(4, 1));
        frames.clear();
        assert_eq!((frames.front(), frames.leaving()), (None, None));
    }
}
