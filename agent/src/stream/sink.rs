//! Access units into the ring, and their announcements to the service.

use super::{Shared, ring::RingWriter};
use crate::{
    clock,
    encode::AccessUnit,
    pipeline::{Delivered, Sink},
};
use punktfunk_dbus::channel::{
    FrameReady, ToService,
    message::{FRAME_AFTER_INVALIDATION, FRAME_KEY, FRAME_REPEATED, LARGE_FRAME},
};
use std::{
    io::ErrorKind,
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
}

impl RingSink {
    pub fn new(ring: RingWriter, shared: Arc<Shared>) -> Self {
        Self {
            ring,
            shared,
            seq: 0,
        }
    }
}

impl Sink for RingSink {
    fn ready(&mut self) -> bool {
        self.shared.slots().has_room()
    }

    fn deliver(&mut self, unit: &AccessUnit<'_>) -> Result<Delivered, String> {
        let limit = self.ring.slot_size();
        if unit.data.len() > limit {
            return Ok(Delivered::TooLarge { limit });
        }
        // only an encoder that held frames back can find no slot here
        let Some(slot) = self.shared.slots().announce() else {
            return Ok(Delivered::Lost);
        };
        // The service wakes up while the slot is written. That its socket is full or gone the announcement will tell.
        if unit.data.len() >= LARGE_FRAME {
            let _ = self
                .shared
                .endpoint
                .send_to_service(&ToService::FrameComing);
        }
        if !self.ring.write(slot, unit.data) {
            return Err(format!("slot {slot} is outside of the ring"));
        }
        // the bytes must be in memory before the words that announce them
        fence(Ordering::Release);
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
        let announcement = ToService::FrameReady(FrameReady {
            slot,
            seq: self.seq,
            len: unit.data.len() as u32,
            flags,
            pts_ns: unit.tag.pts_ns,
            capture_ns: unit.tag.capture_ns,
            encoded_ns: clock::now_ns(),
        });
        match self.shared.endpoint.send_to_service(&announcement) {
            Ok(true) => {
                self.seq += 1;
                Ok(Delivered::Taken)
            }
            Ok(false) => {
                self.shared.slots().release(slot);
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
