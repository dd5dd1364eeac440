//! What to ask of the agent when the client lost frames or wants a key frame. Time is passed in, and nothing is sent here.
//!
//! Reports that came together are one; reports that were sent before the latest restart could arrive are answered already;
//! lost references are left out where the encoder can do that and otherwise replaced by a key frame; key frames have a rate.
use std::collections::VecDeque;

/// Key frames on average, and how many at once: more often they only cost the bits that a bad link lacks.
const KEY_FRAME_INTERVAL_NS: u64 = 100_000_000;
const KEY_FRAME_BURST: u64 = 4;
/// A key frame is missing when so many others came and so much time passed since it was asked for, or after a second.
const MISSING_FRAMES: u32 = 4;
const MISSING_NS: u64 = 100_000_000;
const MISSING_FOR_SURE_NS: u64 = 1_000_000_000;
/// A client cannot know yet that a key frame is lost which nothing followed; should nothing follow for long, it is answered.
const UNKNOWN_NS: u64 = 100_000_000;
/// Frames that may still come unmarked after an invalidation was asked for: a full ring, one in the encoder, and slack.
const UNANSWERED_FRAMES: u32 = 8;
/// The most references that H.264 and HEVC keep. Behind a longer gap nothing is left that a picture could refer to.
const REFERENCE_WINDOW: u32 = 16;

/// What the agent is to be told. Sequence numbers are its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Idr,
    Invalidate { first: u32, last: u32 },
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Tell the agent.
    Order(Order),
    /// Something that answers it is under way, or was sent before this could be known.
    Coalesced,
    /// A key frame, as soon as their rate allows: [`Recovery::due`].
    Later,
}

/// How a frame stands on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    Key,
    AfterInvalidation,
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    Key { at_ns: u64 },
    Invalidation { first: u32 },
}

/// A frame after which a client that lost others can go on.
#[derive(Debug, Clone, Copy)]
struct Restarted {
    index: u32,
    /// The first lost frame that it avoids; `None`: it avoids all.
    first: Option<u32>,
    at_ns: u64,
    /// A later frame was sent, so that a client may have seen that this one is missing.
    followed: bool,
}

/// The client's side counts frames as sent (from 1), the agent's side as announced (from 0).
#[derive(Debug)]
pub(super) struct Recovery {
    can_invalidate: bool,
    asked: Option<Asked>,
    /// Frames since `asked`.
    frames_since: u32,
    restarted: Option<Restarted>,
    key_frame: Option<u32>,
    /// (index, sequence number of the agent) of the last frames sent.
    sent: VecDeque<(u32, u32)>,
    key_frame_due: bool,
    /// The rate of key frames, as the time at which the whole burst is available again.
    rested_ns: u64,
}

impl Recovery {
    /// `can_invalidate`: the encoder leaves references out when told.
    pub(super) fn new(can_invalidate: bool) -> Self {
        Self {
            can_invalidate,
            asked: None,
            frames_since: 0,
            restarted: None,
            key_frame: None,
            sent: VecDeque::new(),
            key_frame_due: false,
            rested_ns: 0,
        }
    }

    /// The client has just become ready: it needs a key frame whatever was before.
    pub(super) fn begin(&mut self, now_ns: u64) -> Order {
        self.restarted = None;
        self.ask_for_key_frame(now_ns)
    }

    /// Somebody wants a key frame.
    pub(super) fn key_frame_wanted(&mut self, now_ns: u64) -> Answer {
        let unknown = self.restarted.is_some_and(|restarted| {
            restarted.first.is_none()
                && !restarted.followed
                && now_ns.saturating_sub(restarted.at_ns) < UNKNOWN_NS
        });
        if unknown {
            return Answer::Coalesced;
        }
        self.only_a_key_frame_helps(now_ns)
    }

    fn only_a_key_frame_helps(&mut self, now_ns: u64) -> Answer {
        if self.key_frame_under_way(now_ns) {
            return Answer::Coalesced;
        }
        self.key_frame_due = true;
        self.due(now_ns).map_or(Answer::Later, Answer::Order)
    }

    /// The client lost frames `first..=last`. It repeats this with a growing `last` until something restarts its picture.
    pub(super) fn references_lost(&mut self, first: u32, last: u32, now_ns: u64) -> Answer {
        if let Some(restarted) = self.restarted
            && before(last, restarted.index)
            && restarted.first.is_none_or(|from| !before(first, from))
        {
            return Answer::Coalesced;
        }
        match self.asked {
            Some(Asked::Key { .. }) if self.key_frame_under_way(now_ns) => Answer::Coalesced,
            Some(Asked::Invalidation { first: from })
                if !before(first, from) && self.was_sent(last) =>
            {
                Answer::Coalesced
            }
            None if self.can_invalidate => match self.range(first, last) {
                Some((from, to)) => {
                    self.asked = Some(Asked::Invalidation { first });
                    self.frames_since = 0;
                    Answer::Order(Order::Invalidate {
                        first: from,
                        last: to,
                    })
                }
                None => self.only_a_key_frame_helps(now_ns),
            },
            _ => self.only_a_key_frame_helps(now_ns),
        }
    }

    /// A frame was left out before it had a number, so that no client will miss it: what follows may refer to it all the same.
    pub(super) fn left_out(&mut self, now_ns: u64) -> Answer {
        self.only_a_key_frame_helps(now_ns)
    }

    /// Frame `index` was cut into packets and could not be sent: the client will miss it, and whatever it restarted.
    pub(super) fn unsent(&mut self, index: u32, now_ns: u64) -> Answer {
        self.restarted.take_if(|restarted| restarted.index == index);
        self.references_lost(index, index, now_ns)
    }

    /// The agent's numbers from the lost frame to the latest: what came after it may depend on it. `None`: only a key frame
    /// helps, because the range is none, was never sent, is too old, or has a key frame in it.
    fn range(&self, first: u32, last: u32) -> Option<(u32, u32)> {
        let (latest, to) = *self.sent.back()?;
        let sane = !before(last, first) && !before(latest, last);
        let reachable = latest.wrapping_sub(first) < REFERENCE_WINDOW;
        let restarts_inside = self.key_frame.is_some_and(|key| !before(key, first));
        if !sane || !reachable || restarts_inside {
            return None;
        }
        let (_, from) = *self.sent.iter().find(|(index, _)| *index == first)?;
        Some((from, to))
    }

    fn was_sent(&self, index: u32) -> bool {
        self.sent
            .back()
            .is_some_and(|(latest, _)| !before(*latest, index))
    }

    fn key_frame_under_way(&self, now_ns: u64) -> bool {
        let Some(Asked::Key { at_ns }) = self.asked else {
            return false;
        };
        let waited_ns = now_ns.saturating_sub(at_ns);
        let missing = self.frames_since >= MISSING_FRAMES && waited_ns >= MISSING_NS;
        !missing && waited_ns < MISSING_FOR_SURE_NS
    }

    /// The agent announced a frame; call before it is sent. `true`: it was asked to leave references out and has not done
    /// so in all this time, a key frame is due instead.
    pub(super) fn announced(&mut self, restart: Option<Restart>) -> bool {
        self.frames_since = self.frames_since.saturating_add(1);
        match (self.asked, restart) {
            (_, Some(Restart::Key)) => {
                self.asked = None;
                self.key_frame_due = false;
                false
            }
            (Some(Asked::Invalidation { .. }), None) if self.frames_since >= UNANSWERED_FRAMES => {
                self.asked = None;
                self.key_frame_due = true;
                true
            }
            _ => false,
        }
    }

    /// Whether a client that waits could go on with such a frame now.
    pub(super) fn restarts(&self, restart: Option<Restart>) -> bool {
        match restart {
            Some(Restart::Key) => true,
            // A mark that nobody asked for says nothing of what this client lost.
            Some(Restart::AfterInvalidation) => {
                matches!(self.asked, Some(Asked::Invalidation { .. }))
            }
            None => false,
        }
    }

    /// A frame was cut into packets as `index`; the agent calls it `sequence`.
    pub(super) fn sent(
        &mut self,
        index: u32,
        sequence: u32,
        restart: Option<Restart>,
        now_ns: u64,
    ) {
        if let Some(restarted) = &mut self.restarted {
            restarted.followed = true;
        }
        match (restart, self.asked) {
            (Some(Restart::Key), _) => {
                self.key_frame = Some(index);
                self.restart(index, None, now_ns);
            }
            (Some(Restart::AfterInvalidation), Some(Asked::Invalidation { first })) => {
                self.asked = None;
                self.restart(index, Some(first), now_ns);
            }
            _ => {}
        }
        if self.sent.len() >= usize::try_from(REFERENCE_WINDOW).unwrap_or(usize::MAX) {
            self.sent.pop_front();
        }
        self.sent.push_back((index, sequence));
    }

    fn restart(&mut self, index: u32, first: Option<u32>, now_ns: u64) {
        self.restarted = Some(Restarted {
            index,
            first,
            at_ns: now_ns,
            followed: false,
        });
    }

    /// The key frame that had to wait, if its time has come.
    pub(super) fn due(&mut self, now_ns: u64) -> Option<Order> {
        let due = self.due_ns().is_some_and(|due_ns| due_ns <= now_ns);
        due.then(|| self.ask_for_key_frame(now_ns))
    }

    /// When [`Recovery::due`] has something.
    pub(super) fn due_ns(&self) -> Option<u64> {
        let burst_ns = KEY_FRAME_INTERVAL_NS.saturating_mul(KEY_FRAME_BURST.saturating_sub(1));
        self.key_frame_due
            .then(|| self.rested_ns.saturating_sub(burst_ns))
    }

    fn ask_for_key_frame(&mut self, now_ns: u64) -> Order {
        self.key_frame_due = false;
        self.asked = Some(Asked::Key { at_ns: now_ns });
        self.frames_since = 0;
        self.rested_ns = self
            .rested_ns
            .max(now_ns)
            .saturating_add(KEY_FRAME_INTERVAL_NS);
        Order::Idr
    }
}

/// Whether frame `one` was before frame `other`; indices wrap.
fn before(one: u32, other: u32) -> bool {
    one.wrapping_sub(other).cast_signed() < 0
}

#[cfg(test)]
mod tests;
