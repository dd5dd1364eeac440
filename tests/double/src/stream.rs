//! One stream of the double: access units at the stream's rate into the ring, orders out of the channel.

use crate::{
    behaviour::Behaviour,
    orders::{Order, Orders},
};
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sys::time::{TimeSpec, TimeValLike},
    time::{ClockId, clock_gettime},
};
use punktfunk_dbus::{
    channel::{Endpoint, Geometry, Producer, Received, ToAgent, producer::Written},
    open_stream::OpenStream,
};
use std::{
    fs::File,
    os::{fd::AsFd, unix::fs::FileExt},
    time::{Duration, Instant},
};

/// What the next access unit should be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    pub key: bool,
    /// The client lost frames: refer to none of them.
    pub without_lost: bool,
    /// The budget of now, in kbit/s.
    pub kbps: u32,
}

/// One access unit, and the `FRAME_*` flags to announce it with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    pub bytes: Vec<u8>,
    pub flags: u32,
}

/// Where access units come from.
pub trait Pictures: Send {
    fn next(&mut self, wanted: Wanted) -> Unit;
}

/// CLOCK_MONOTONIC in nanoseconds.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the clock can be read");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// A stream that is being served.
pub(crate) struct Stream {
    pub options: OpenStream,
    pub ring: File,
    pub channel: Endpoint,
    pub pictures: Box<dyn Pictures>,
    pub behaviour: Behaviour,
    /// Begin with the first order for a key frame, as the contract has it; else at once.
    pub patient: bool,
    pub orders: Orders,
}

impl Stream {
    /// At the stream's frame rate, until the channel ends.
    pub(crate) fn run(mut self) {
        let frames = self.serve();
        self.orders
            .note(self.options.stream, Order::Closed { frames });
    }

    fn serve(&mut self) -> u64 {
        let geometry = Geometry {
            slots: self.options.slots as u16,
            slot_size: self.options.slot_size,
        };
        let mut producer = Producer::new(geometry);
        let interval = Duration::from_secs(1) / self.options.fps.max(1);
        let mut wanted = Wanted {
            key: !self.patient,
            without_lost: false,
            kbps: self.options.bitrate_kbps,
        };
        let (mut next, mut frames, mut begun) = (Instant::now(), 0u64, !self.patient);
        loop {
            next += interval;
            // After a pause of the machine there is no hurry to make up for it.
            let now = Instant::now();
            if now > next + interval * 4 {
                next = now;
            }
            if !self.obey_until(next, &mut producer, &mut wanted) {
                return frames;
            }
            begun |= wanted.key;
            if !begun {
                continue;
            }
            if self
                .behaviour
                .act(frames, &self.channel, geometry, &self.orders)
            {
                return frames;
            }
            // What is not encoded breaks no reference.
            let Some(reserved) = producer.reserve() else {
                continue;
            };
            let capture_ns = now_ns();
            let unit = self.pictures.next(wanted);
            (wanted.key, wanted.without_lost) = (false, false);
            let offset = geometry.offset(reserved.slot()).expect("slot of the ring");
            self.ring.write_all_at(&unit.bytes, offset).expect("ring");
            let written = Written {
                len: unit.bytes.len() as u32,
                flags: unit.flags,
                pts_ns: capture_ns,
                capture_ns,
                encoded_ns: now_ns(),
            };
            let message = producer.announce(reserved, written);
            if self.channel.send_to_service(&message).is_err() {
                return frames;
            }
            frames += 1;
        }
    }

    /// Serve the channel until `due`; false when it is over.
    fn obey_until(&self, due: Instant, producer: &mut Producer, wanted: &mut Wanted) -> bool {
        let note = |order| self.orders.note(self.options.stream, order);
        loop {
            match self.channel.receive_from_service() {
                Ok(Received::Empty) => {
                    let wait = due.saturating_duration_since(Instant::now());
                    if wait.is_zero() {
                        return true;
                    }
                    let wait = TimeSpec::nanoseconds(wait.as_nanos() as i64);
                    let mut fds = [PollFd::new(self.channel.as_fd(), PollFlags::POLLIN)];
                    let _ = ppoll(&mut fds, Some(wait), None);
                }
                Ok(Received::Message(message)) => match message {
                    ToAgent::SlotFree { slot } => producer
                        .freed(slot)
                        .expect("the service frees what was announced"),
                    ToAgent::Idr => {
                        wanted.key = true;
                        note(Order::Idr);
                    }
                    ToAgent::InvalidateRefs { first, last } => {
                        wanted.without_lost = true;
                        note(Order::InvalidateRefs { first, last });
                    }
                    ToAgent::Bitrate { kbps } => {
                        wanted.kbps = kbps;
                        note(Order::Bitrate { kbps });
                    }
                    ToAgent::Input(event) => note(Order::Input(event)),
                    ToAgent::Release(held) => note(Order::Release(held)),
                    ToAgent::ReleaseAll => note(Order::ReleaseAll),
                    ToAgent::Stop => {
                        note(Order::Stop);
                        return false;
                    }
                    _ => {}
                },
                Ok(Received::Closed) | Err(_) => return false,
            }
        }
    }
}
