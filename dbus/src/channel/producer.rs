//! The agent's book-keeping: which slots are free, and the sequence numbers that the service expects.
//!
//! It owns no memory: the mapping of the ring is the agent's own. The service's words are checked here too, so
//! that a bug on that side ends in an error instead of a picture written over.
use super::{
    Geometry,
    message::{FramePart, FrameReady, ToService},
};

/// The service released a slot that the agent does not have out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service released slot {slot} of a ring of {slots}, which was not announced")]
pub struct NotAnnounced {
    pub slot: u16,
    pub slots: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Free,
    Writing,
    Announced,
}

/// A slot that may be written; give it to [`Producer::announce`] or back to [`Producer::cancel`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a slot that is neither announced nor cancelled is lost to the stream"]
pub struct Reserved {
    slot: u16,
}

impl Reserved {
    pub fn slot(&self) -> u16 {
        self.slot
    }
}

/// What is known of a frame before it is announced; see [`FrameReady`] for the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub len: u32,
    pub flags: u32,
    pub pts_ns: u64,
    pub capture_ns: u64,
    pub encoded_ns: u64,
}

/// The agent's side of one stream's ring.
#[derive(Debug)]
pub struct Producer {
    geometry: Geometry,
    slots: Vec<Slot>,
    next_frame: u64,
    next_audio: u64,
}

impl Producer {
    pub fn new(geometry: Geometry) -> Self {
        Self {
            geometry,
            slots: vec![Slot::Free; usize::from(geometry.slots)],
            next_frame: 0,
            next_audio: 0,
        }
    }

    /// A free slot to write to. `None`: the service has them all; do not encode now.
    pub fn reserve(&mut self) -> Option<Reserved> {
        let (slot, state) = (0..self.geometry.slots)
            .zip(&mut self.slots)
            .find(|(_, state)| **state == Slot::Free)?;
        *state = Slot::Writing;
        Some(Reserved { slot })
    }

    /// The slot was written in full: the message that says so. Send it; if the socket is full, the stream is over.
    pub fn announce(&mut self, reserved: Reserved, written: Written) -> ToService {
        let slot = reserved.slot;
        self.set(slot, Slot::Announced);
        let seq = self.next_frame;
        self.next_frame = seq.wrapping_add(1);
        let Written {
            len,
            flags,
            pts_ns,
            capture_ns,
            encoded_ns,
        } = written;
        ToService::FrameReady(FrameReady {
            slot,
            seq,
            len,
            flags,
            pts_ns,
            capture_ns,
            encoded_ns,
        })
    }

    /// The first `written.len` bytes of the slot are what they will be, of a frame in so many parts: the message that says so.
    pub fn part(&self, reserved: &Reserved, written: Written, parts: u8) -> ToService {
        ToService::FramePart(FramePart {
            slot: reserved.slot,
            seq: self.next_frame,
            len: written.len,
            parts,
            flags: written.flags,
            pts_ns: written.pts_ns,
            capture_ns: written.capture_ns,
        })
    }

    /// The frame that was announced in part will never be whole: the message that says so. The slot comes back as any other.
    pub fn abandon(&mut self, reserved: Reserved) -> ToService {
        self.set(reserved.slot, Slot::Announced);
        let seq = self.next_frame;
        self.next_frame = seq.wrapping_add(1);
        ToService::FrameAbandoned { seq }
    }

    /// Nothing was written: the slot is free again.
    pub fn cancel(&mut self, reserved: Reserved) {
        self.set(reserved.slot, Slot::Free);
    }

    /// `SlotFree` arrived.
    pub fn freed(&mut self, slot: u16) -> Result<(), NotAnnounced> {
        let slots = self.geometry.slots;
        match self.slots.get_mut(usize::from(slot)) {
            Some(state) if *state == Slot::Announced => {
                *state = Slot::Free;
                Ok(())
            }
            _ => Err(NotAnnounced { slot, slots }),
        }
    }

    /// The message for one Opus packet.
    pub fn audio(&mut self, opus: Vec<u8>) -> ToService {
        let seq = self.next_audio;
        self.next_audio = seq.wrapping_add(1);
        ToService::Audio { seq, opus }
    }

    /// The message that [`Producer::audio`] made last was thrown away because the socket was full: its number is
    /// given to the next packet.
    pub fn audio_not_sent(&mut self) {
        self.next_audio = self.next_audio.saturating_sub(1);
    }

    fn set(&mut self, slot: u16, to: Slot) {
        if let Some(state) = self.slots.get_mut(usize::from(slot)) {
            *state = to;
        }
    }
}
