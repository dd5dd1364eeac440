//! The service's reader: receives, validates every field in a private copy, and tracks which slots are announced.
//!
//! It never repairs: after the first [`Violation`] every further call answers the same one.
use super::{
    Endpoint, FrameReady, Geometry, Violation,
    budget::Budget,
    message::{FRAME_FLAGS, FramePart, PARTS, ToAgent, ToService},
    socket::Received,
    wire::DecodeError,
};
use std::{io, sync::Arc};

/// What the service accepts of one agent.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub geometry: Geometry,
    /// frames a second, with some slack
    pub max_frame_rate: u32,
    /// largest Opus packet
    pub max_audio_bytes: usize,
}

/// What a receive that broke no rule found.
#[derive(Debug, PartialEq)]
pub enum Event {
    Message(ToService),
    Empty,
    Closed,
}

/// A frame's times may be this far ahead of `now_ns`: the reader may have looked at the clock before it drained.
const CLOCK_SLACK_NS: u64 = 1_000_000_000;
/// Twice what packets of 5 ms make.
const AUDIO_RATE: u32 = 400;
/// As many as the socket holds after a stall.
const AUDIO_BURST: u32 = 300;
const STATUS_RATE: u32 = 20;
const STATUS_BURST: u32 = 60;

/// The service's end of one stream channel.
pub struct Consumer {
    endpoint: Arc<Endpoint>,
    limits: Limits,
    /// One for each slot: announced and not yet released.
    announced: Vec<bool>,
    /// The frame that is announced in part, as it was last, and how many more parts it may have.
    begun: Option<(FramePart, u8)>,
    next_frame: u64,
    next_audio: u64,
    last_pts_ns: u64,
    frames: Budget,
    audio: Budget,
    status: Budget,
    broken: Option<Violation>,
}

impl Consumer {
    pub fn new(endpoint: Arc<Endpoint>, limits: Limits) -> Self {
        let slots = u32::from(limits.geometry.slots);
        // After a stall every slot may be waiting, and the next frames come at the usual rate.
        let burst = slots
            .saturating_mul(2)
            .max(limits.max_frame_rate / 4)
            .max(8);
        Self {
            endpoint,
            limits,
            announced: vec![false; usize::from(limits.geometry.slots)],
            begun: None,
            next_frame: 0,
            next_audio: 0,
            last_pts_ns: 0,
            frames: Budget::new(limits.max_frame_rate, burst),
            audio: Budget::new(AUDIO_RATE, AUDIO_BURST),
            status: Budget::new(STATUS_RATE, STATUS_BURST),
            broken: None,
        }
    }

    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// The next message, validated against everything that came before. `now_ns` is CLOCK_MONOTONIC. Never blocks.
    pub fn receive(&mut self, now_ns: u64) -> Result<Event, Violation> {
        if let Some(violation) = self.broken {
            return Err(violation);
        }
        let checked = match self.endpoint.receive_from_agent() {
            Ok(Received::Message(message)) => self
                .check(&message, now_ns)
                .map(|()| Event::Message(message)),
            Ok(Received::Empty) => Ok(Event::Empty),
            Ok(Received::Closed) => Ok(Event::Closed),
            Err(error) => match decode_error(&error) {
                Some(malformed) => Err(malformed.into()),
                // The socket itself failed: for the stream that is the same as a peer that is gone.
                None => Ok(Event::Closed),
            },
        };
        checked.inspect_err(|violation| self.broken = Some(*violation))
    }

    /// The slot was copied out: tell the agent. `Ok(false)`: its socket is full (stalled peer); the slot counts
    /// as announced until a later call succeeds. A slot that is not announced is left alone.
    pub fn release(&mut self, slot: u16) -> Result<bool, Violation> {
        if let Some(violation) = self.broken {
            return Err(violation);
        }
        let Some(announced) = self.announced.get_mut(usize::from(slot)).filter(|a| **a) else {
            return Ok(true);
        };
        match self.endpoint.send_to_agent(&ToAgent::SlotFree { slot }) {
            Ok(false) => Ok(false),
            // An agent that is gone need not be told: the next receive says `Closed`.
            Ok(true) | Err(_) => {
                *announced = false;
                Ok(true)
            }
        }
    }

    /// Slots that the agent announced and that were not released yet.
    pub fn outstanding(&self) -> usize {
        self.announced.iter().filter(|a| **a).count()
    }

    fn check(&mut self, message: &ToService, now_ns: u64) -> Result<(), Violation> {
        match message {
            ToService::FrameReady(frame) => self.check_frame(frame, now_ns),
            ToService::FramePart(part) => self.check_part(part, now_ns),
            ToService::FrameAbandoned { seq } => {
                let begun = self.begun.take();
                let known = begun.is_some_and(|(part, _)| part.seq == *seq);
                within(known, Violation::FrameParts(*seq))?;
                self.next_frame = seq.wrapping_add(1);
                Ok(())
            }
            ToService::Audio { seq, opus } => self.check_audio(*seq, opus.len(), now_ns),
            ToService::State { .. }
            | ToService::Failed { .. }
            | ToService::Stats(_)
            | ToService::Hdr { .. } => within(self.status.take(now_ns), Violation::MessageRate),
        }
    }

    fn check_frame(&mut self, frame: &FrameReady, now_ns: u64) -> Result<(), Violation> {
        let latest_ns = now_ns.saturating_add(CLOCK_SLACK_NS);
        let in_time = frame.capture_ns <= frame.encoded_ns && frame.encoded_ns <= latest_ns;
        let last = FramePart {
            slot: frame.slot,
            seq: frame.seq,
            len: frame.len,
            parts: 0,
            flags: frame.flags,
            pts_ns: frame.pts_ns,
            capture_ns: frame.capture_ns,
        };
        if let Some((begun, _)) = self.begun.take() {
            self.follows(
                &begun,
                &FramePart {
                    parts: begun.parts,
                    ..last
                },
            )?;
            within(in_time, Violation::TimeOrder)?;
        } else {
            self.begins(&last, in_time, now_ns)?;
        }
        self.next_frame = frame.seq.wrapping_add(1);
        Ok(())
    }

    fn check_part(&mut self, part: &FramePart, now_ns: u64) -> Result<(), Violation> {
        let contradicts = Violation::FrameParts(part.seq);
        let left = match self.begun {
            Some((begun, left)) => {
                self.follows(&begun, part)?;
                left
            }
            None => {
                within(PARTS.contains(&part.parts), contradicts)?;
                let latest_ns = now_ns.saturating_add(CLOCK_SLACK_NS);
                self.begins(part, part.capture_ns <= latest_ns, now_ns)?;
                part.parts.saturating_sub(1)
            }
        };
        // The last of them is the whole frame.
        let left = left.checked_sub(1).ok_or(contradicts)?;
        self.begun = Some((*part, left));
        Ok(())
    }

    /// The first word of a frame.
    fn begins(&mut self, frame: &FramePart, in_time: bool, now_ns: u64) -> Result<(), Violation> {
        let Geometry { slots, slot_size } = self.limits.geometry;
        let slot = frame.slot;
        let announced = self
            .announced
            .get_mut(usize::from(slot))
            .ok_or(Violation::SlotOutOfRange { slot, slots })?;
        within(!*announced, Violation::SlotAnnouncedTwice(slot))?;
        let expected = self.next_frame;
        let got = frame.seq;
        within(got == expected, Violation::FrameSequence { expected, got })?;
        let len = frame.len;
        within(
            (1..=slot_size).contains(&len),
            Violation::FrameLength { len, slot_size },
        )?;
        within(
            frame.flags & !FRAME_FLAGS == 0,
            Violation::FrameFlags(frame.flags),
        )?;
        let (last_ns, pts_ns) = (self.last_pts_ns, frame.pts_ns);
        within(
            pts_ns >= last_ns,
            Violation::TimeBackwards { last_ns, pts_ns },
        )?;
        let latest_ns = now_ns.saturating_add(CLOCK_SLACK_NS);
        within(in_time && pts_ns <= latest_ns, Violation::TimeOrder)?;
        within(self.frames.take(now_ns), Violation::FrameRate)?;
        *announced = true;
        self.last_pts_ns = pts_ns;
        Ok(())
    }

    /// A later word of the same frame: nothing has changed but that there is more of it.
    fn follows(&self, before: &FramePart, now: &FramePart) -> Result<(), Violation> {
        let (len, slot_size) = (now.len, self.limits.geometry.slot_size);
        within(len <= slot_size, Violation::FrameLength { len, slot_size })?;
        let same = FramePart { len, ..*before } == *now && len > before.len;
        within(same, Violation::FrameParts(now.seq))
    }

    fn check_audio(&mut self, got: u64, len: usize, now_ns: u64) -> Result<(), Violation> {
        let expected = self.next_audio;
        within(got == expected, Violation::AudioSequence { expected, got })?;
        let max = self.limits.max_audio_bytes;
        within(
            (1..=max).contains(&len),
            Violation::AudioLength { len, max },
        )?;
        within(self.audio.take(now_ns), Violation::AudioRate)?;
        self.next_audio = expected.wrapping_add(1);
        Ok(())
    }
}

fn within(kept: bool, violation: Violation) -> Result<(), Violation> {
    if kept { Ok(()) } else { Err(violation) }
}

fn decode_error(error: &io::Error) -> Option<DecodeError> {
    error.get_ref()?.downcast_ref().copied()
}
