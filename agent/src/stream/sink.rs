//! Access units into the ring, and their announcements to the service: in parts where the encoder hands them out so.

use super::{Shared, ring::RingWriter};
use crate::{
    clock,
    encode::AccessUnit,
    pipeline::{Delivered, Sink},
};
use punktfunk_dbus::channel::{
    FramePart, FrameReady, ToService,
    message::{FRAME_AFTER_INVALIDATION, FRAME_KEY, FRAME_REPEATED},
};
use std::{
    io::{self, ErrorKind},
    sync::{
        Arc,
        atomic::{Ordering, fence},
    },
};

pub struct RingSink {
    ring: RingWriter,
    shared: Arc<Shared>,
    /// Of the next announcement.
    seq: u64,
    /// The frame that was announced in part.
    begun: Option<Begun>,
    /// A frame that was begun and given up, while the service could not be told yet.
    abandoned: Option<u64>,
}

struct Begun {
    slot: u16,
    /// Bytes that the service knows of.
    announced: usize,
}

impl RingSink {
    pub fn new(ring: RingWriter, shared: Arc<Shared>) -> Self {
        Self {
            ring,
            shared,
            seq: 0,
            begun: None,
            abandoned: None,
        }
    }

    fn say(&self, message: &ToService) -> io::Result<bool> {
        self.shared.endpoint.send_to_service(message)
    }

    /// Say what could not be said before. False: the socket is still full.
    fn catch_up(&mut self) -> bool {
        let Some(seq) = self.abandoned else {
            return true;
        };
        // a service that is gone need not know
        let said = self.say(&ToService::FrameAbandoned { seq }).unwrap_or(true);
        if said {
            self.abandoned = None;
        }
        said
    }

    /// The slot of the frame, and how much of it was announced; `None` when there is no room.
    fn slot(&mut self) -> Option<(u16, usize)> {
        match &self.begun {
            Some(begun) => Some((begun.slot, begun.announced)),
            None => Some((self.shared.slots().announce()?, 0)),
        }
    }

    /// Nobody heard of the frame: its slot is free again.
    fn take_back(&mut self, slot: u16) {
        if self.begun.is_none() {
            self.shared.slots().release(slot);
        }
    }
}

fn flags(unit: &AccessUnit<'_>) -> u32 {
    let mut flags = 0;
    if unit.key {
        flags |= FRAME_KEY;
    }
    if unit.tag.repeated {
        flags |= FRAME_REPEATED;
    }
    if unit.tag.after_invalidation {
        flags |= FRAME_AFTER_INVALIDATION;
    }
    flags
}

impl Sink for RingSink {
    fn ready(&mut self) -> bool {
        self.catch_up() && self.shared.slots().has_room()
    }

    fn part(&mut self, unit: &AccessUnit<'_>, parts: u8) {
        let len = unit.data.len();
        if len >= self.ring.slot_size() || !self.catch_up() {
            return;
        }
        let Some((slot, known)) = self.slot() else {
            return;
        };
        let new = unit.data.get(known..).unwrap_or_default();
        let mut said = false;
        if !new.is_empty() && self.ring.write(slot, known, new) {
            // the bytes must be in memory before the words that announce them
            fence(Ordering::Release);
            let part = ToService::FramePart(FramePart {
                slot,
                seq: self.seq,
                len: len as u32,
                parts,
                flags: flags(unit),
                pts_ns: unit.tag.pts_ns,
                capture_ns: unit.tag.capture_ns,
            });
            // a full or closed socket: the whole frame will tell
            said = self.say(&part).unwrap_or(false);
        }
        if said {
            let announced = len;
            self.begun = Some(Begun { slot, announced });
        } else {
            self.take_back(slot);
        }
    }

    fn void(&mut self) -> bool {
        if self.begun.take().is_none() {
            return false;
        }
        // its slot comes back as any other
        self.abandoned = Some(self.seq);
        self.seq += 1;
        self.catch_up();
        true
    }

    fn deliver(&mut self, unit: &AccessUnit<'_>) -> Result<Delivered, String> {
        let limit = self.ring.slot_size();
        if unit.data.len() > limit {
            return Ok(Delivered::TooLarge { limit });
        }
        if !self.catch_up() {
            return Ok(Delivered::Lost);
        }
        // only an encoder that held frames back can find no slot here
        let Some((slot, known)) = self.slot() else {
            return Ok(Delivered::Lost);
        };
        let new = unit.data.get(known..).unwrap_or_default();
        // the end of a frame is more than was announced of it
        if new.is_empty() {
            self.take_back(slot);
            return Ok(Delivered::Lost);
        }
        if !self.ring.write(slot, known, new) {
            return Err(format!("slot {slot} is outside of the ring"));
        }
        // the bytes must be in memory before the words that announce them
        fence(Ordering::Release);
        let announcement = ToService::FrameReady(FrameReady {
            slot,
            seq: self.seq,
            len: unit.data.len() as u32,
            flags: flags(unit),
            pts_ns: unit.tag.pts_ns,
            capture_ns: unit.tag.capture_ns,
            encoded_ns: clock::now_ns(),
        });
        match self.say(&announcement) {
            Ok(true) => {
                self.seq += 1;
                self.begun = None;
                Ok(Delivered::Taken)
            }
            Ok(false) => {
                self.take_back(slot);
                Ok(Delivered::Lost)
            }
            // A stream that ends well ends like this as often as not: a picture was under way. The channel's thread reads why.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.shared.stop();
                Ok(Delivered::Lost)
            }
            Err(error) => Err(format!("the service cannot be told of a picture: {error}")),
        }
    }
}
