//! One frame at a time, from the ring to the socket.
use super::{
    Over,
    channel::Inlet,
    front::{self, front, same_profile},
    incoming::{Incoming, Progress},
    leaving::Leaving,
    now_ns,
    perf::{self, Perf},
};
use crate::{
    net::video::DropEvery,
    stream::{
        link::{Happening, StreamLink},
        pacing::Pacer,
        statistics::add,
    },
};
use punktfunk_core::{
    Error,
    sdp::Codec,
    video::{AccessUnit, Begun, FrameKind, Packetizer},
};
use punktfunk_dbus::channel::{
    FrameReady,
    message::{FRAME_KEY, FRAME_REPEATED},
};
use std::{
    io::IoSliceMut,
    sync::{Arc, atomic::Ordering},
};

pub(super) struct FrameSender {
    pub packetizer: Packetizer,
    /// The front of the access unit, or where that does not tell enough the whole.
    pub unit: Vec<u8>,
    pub codec: Codec,
    /// Of the first key frame: what the client's decoder was made for.
    pub profile: Option<u8>,
    pub pacer: Pacer,
    pub drop: DropEvery,
    pub perf: Perf,
    /// A frame in parts turned out larger than the blocks that it was promised: such are this encoder's, and the next ones leave whole.
    pub whole: bool,
}

impl FrameSender {
    pub(super) fn turn(&mut self, inlet: &mut Inlet) -> Result<(), Over> {
        self.perf.tick(inlet.link.id(), now_ns());
        let next = inlet.next_frame(|incoming| {
            let len = usize::try_from(incoming.frame.len).unwrap_or(usize::MAX);
            // AV1 has no zeros between its units.
            !self.whole && self.codec != Codec::Av1 && self.packetizer.worth_parts(len)
        })?;
        match next {
            Some(incoming) => self.send(incoming, inlet),
            None => inlet.wait(None),
        }
    }

    fn send(&mut self, incoming: Incoming, inlet: &mut Inlet) -> Result<(), Over> {
        let (frame, taken_ns) = (incoming.frame, now_ns());
        let in_parts = incoming.progress == Progress::Growing;
        let repeated = frame.flags & FRAME_REPEATED != 0;
        // The picture of a repeated frame is old on purpose; what the client wants to know is the host's share.
        let begin_ns = if repeated {
            frame.pts_ns
        } else {
            frame.capture_ns
        };
        let (kind, percent) = inlet.leaving(&frame)?;
        let room = self.packetizer.first_packet_room();
        let Some(ring) = inlet.ring() else {
            return Ok(());
        };
        let front = front(&mut self.unit, ring, self.codec, room, &frame)?;
        if frame.flags & FRAME_KEY != 0 {
            same_profile(&mut self.profile, self.codec, front.bytes)?;
        }
        let arranged = front.arranged;
        let kind = arranged.kind(kind);
        self.packetizer.set_fec_percent(percent);
        let unit = AccessUnit {
            data: arranged.pieces,
            unread: front.unread,
            kind,
            timestamp_90k: timestamp_90k(frame.pts_ns),
            latency_100us: u16::try_from(taken_ns.saturating_sub(begin_ns) / 100_000)
                .unwrap_or(u16::MAX),
        };
        let mut at = front.read;
        let read = |places: &mut [IoSliceMut<'_>]| {
            let from = at;
            at = places
                .iter()
                .fold(at, |at, place| at.saturating_add(place.len()));
            ring.read_into(frame.slot, from, places)
        };
        let made = if in_parts {
            let blocks = self.packetizer.blocks_for(&unit, incoming.parts);
            let made = self.packetizer.begin_reading(&unit, blocks, read);
            made.map(|(begun, datagrams)| (Some(begun), datagrams))
        } else {
            let made = self.packetizer.packetize_reading(&unit, read);
            made.map(|datagrams| (None, datagrams))
        };
        if !in_parts {
            inlet.release(frame.slot)?;
        }
        let (begun, datagrams) = match made {
            Ok(made) => made,
            Err(Error::Transport(error)) => return Err(front::unreadable(error)),
            Err(error) => {
                too_large(&inlet.link, &error);
                inlet.left_out()?;
                return if in_parts { end(inlet) } else { Ok(()) };
            }
        };
        let link = Arc::clone(&inlet.link);
        let statistics = link.statistics();
        if arranged.changed {
            add(&statistics.rearranged, 1);
        }
        inlet.left(&frame, kind, datagrams.frame_index);
        // Asked now: the next session's may be on their way before this one has left.
        let first = inlet.first_of_feed();
        match kind {
            FrameKind::Idr => add(&statistics.keyframes, 1),
            FrameKind::AfterInvalidation => add(&statistics.recovery_frames, 1),
            _ => {}
        }

        let mut leaving = Leaving::new(if in_parts { incoming.parts } else { 1 });
        leaving.send(&datagrams, &self.pacer, &mut self.drop, inlet)?;
        let whole = match begun {
            None => (!leaving.failed).then_some((frame, taken_ns)),
            Some(begun) => self.send_rest(begun, frame.len, &mut leaving, inlet)?,
        };

        let last_ns = now_ns();
        add(&statistics.packets_sent, leaving.sent);
        add(&statistics.bytes_sent, leaving.bytes);
        add(&statistics.blocks_sent, leaving.blocks);
        let Some((whole, handed_over_ns)) = whole else {
            if first {
                inlet.still_first();
            }
            return Ok(());
        };
        add(&statistics.frames_sent, 1);
        if repeated {
            add(&statistics.repeated, 1);
        }
        let times = perf::Times {
            capture_ns: (!repeated).then_some(frame.capture_ns),
            encoded_ns: whole.encoded_ns,
            handed_over_ns,
            first_ns: leaving.first_ns.unwrap_or(last_ns),
            last_ns,
        };
        self.perf.frame(&statistics.stages, &times, leaving.sent);
        if first {
            inlet.link.happened(Happening::FirstFrame);
        }
        Ok(())
    }

    /// What follows a first part that ended at byte `done`, as it comes. The whole frame and when it was there, or `None` where it
    /// never was, or too little of it left: then it is made good as a loss.
    fn send_rest(
        &mut self,
        mut begun: Begun,
        done: u32,
        leaving: &mut Leaving,
        inlet: &mut Inlet,
    ) -> Result<Option<(FrameReady, u64)>, Over> {
        let link = Arc::clone(&inlet.link);
        let statistics = link.statistics();
        add(&statistics.frames_in_parts, 1);
        let mut done = done;
        loop {
            let known = inlet.growing();
            let ended = match known {
                Some(known) if known.progress == Progress::Growing => {
                    let more = known.frame.len.saturating_sub(done);
                    let fits = usize::try_from(more).is_ok_and(|more| self.packetizer.holds(more));
                    if more == 0 || !fits || begun.is_last() || leaving.failed {
                        inlet.wait(None)?;
                        continue;
                    }
                    None
                }
                Some(known) if known.progress == Progress::Whole => Some(known.frame),
                // Given up by its agent, or with it.
                gone => {
                    if let Some(known) = gone {
                        inlet.grown(known.frame.slot)?;
                    }
                    add(&statistics.frames_cut_short, 1);
                    if !leaving.failed {
                        inlet.unsent(begun.frame_index())?;
                    }
                    return Ok(None);
                }
            };
            let handed_over_ns = now_ns();
            let (Some(known), Some(ring)) = (known, inlet.ring()) else {
                continue;
            };
            let slot = known.frame.slot;
            if leaving.failed {
                inlet.grown(slot)?;
                return Ok(None);
            }
            let size = |len: u32| usize::try_from(len).unwrap_or(usize::MAX);
            let mut at = size(done);
            let len = size(known.frame.len.saturating_sub(done));
            done = known.frame.len;
            let read = |places: &mut [IoSliceMut<'_>]| {
                let from = at;
                at = places
                    .iter()
                    .fold(at, |at, place| at.saturating_add(place.len()));
                ring.read_into(slot, from, places)
            };
            let made = match ended {
                None => self.packetizer.part_reading(&mut begun, len, read),
                Some(_) => self.packetizer.rest_reading(begun, len, read),
            };
            if ended.is_some() {
                leaving.ends();
                inlet.grown(slot)?;
            }
            match made {
                Ok(datagrams) => {
                    leaving.send(&datagrams, &self.pacer, &mut self.drop, inlet)?;
                }
                Err(Error::Transport(error)) => return Err(front::unreadable(error)),
                Err(error) => {
                    too_large(&link, &error);
                    leaving.failed = true;
                    self.whole = true;
                    inlet.unsent(begun.frame_index())?;
                }
            }
            if let Some(frame) = ended {
                return Ok((!leaving.failed).then_some((frame, handed_over_ns)));
            }
        }
    }
}

/// Nothing of the frame that is growing leaves: its slot comes back when the agent is done with it.
fn end(inlet: &mut Inlet) -> Result<(), Over> {
    while let Some(known) = inlet.growing() {
        if known.progress == Progress::Growing {
            inlet.wait(None)?;
        } else {
            inlet.grown(known.frame.slot)?;
        }
    }
    Ok(())
}

fn too_large(link: &StreamLink, error: &Error) {
    if link
        .statistics()
        .dropped_too_large
        .fetch_add(1, Ordering::Relaxed)
        == 0
    {
        tracing::warn!(stream = %link.id(), "a frame was dropped: {error} (further ones are only counted)");
    }
}

/// 90 kHz, as the wire has it: it wraps.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low 32 bits are what goes on the wire"
)]
fn timestamp_90k(pts_ns: u64) -> u32 {
    // In 1/9 of 100 µs first, so that nothing overflows for 65 000 years.
    let ticks = u128::from(pts_ns).saturating_mul(9) / 100_000;
    ticks as u32
}
