//! The service's part of the hand-over of a frame from the agent: its copy and its checks alone.
//!
//! The producer writes to a mapping of the ring, as the agent does.
use super::{
    mapping::Mapping,
    ratio::{Clock, Table},
};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair},
    time::ClockId,
};
use punktfunk_dbus::channel::{
    Consumer, Endpoint, Event, Geometry, Limits, Producer, Received, Ring, ToAgent, ToService,
    message::MAX_MESSAGE, producer::Written, socket,
};
use std::{
    fs::File,
    hint::black_box,
    num::NonZeroUsize,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::FileExt,
    },
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

pub const FRAME: usize = 100 << 10;
const GEOMETRY: Geometry = Geometry {
    slots: 3,
    slot_size: 1 << 20,
};
const LIMITS: Limits = Limits {
    geometry: GEOMETRY,
    // The benches are faster than any stream.
    max_frame_rate: u32::MAX,
    max_audio_bytes: 1400,
};

pub fn run(table: &mut Table) {
    read(table);
    announce(table);
}

pub fn now_ns() -> u64 {
    let now = ClockId::CLOCK_MONOTONIC.now().expect("the kernel has it");
    Duration::from(now).as_nanos() as u64
}

pub fn wait(fd: impl AsFd) {
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::NONE).expect("poll");
}

const MAPPED: NonZeroUsize =
    NonZeroUsize::new(GEOMETRY.slots as usize * GEOMETRY.slot_size as usize).expect("not empty");

/// An agent, as far as the ring is concerned.
pub struct Agent {
    endpoint: Arc<Endpoint>,
    memory: Mapping,
    producer: Arc<Mutex<Producer>>,
    /// Another thread hears which slots are free, as the agent's channel does.
    apart: bool,
}

impl Agent {
    /// Both ends of a new stream.
    pub fn and_service() -> (Self, Ring, Consumer) {
        let ring = Ring::create(GEOMETRY).expect("a ring");
        let (service, agent) = socket::pair().expect("a pair");
        let agent = Self {
            endpoint: Arc::new(Endpoint::new(agent)),
            memory: Mapping::of(&ring.agent_fd().expect("a descriptor"), MAPPED),
            producer: Arc::new(Mutex::new(Producer::new(GEOMETRY))),
            apart: false,
        };
        let consumer = Consumer::new(Arc::new(Endpoint::new(service)), LIMITS);
        (agent, ring, consumer)
    }

    /// Write a frame and announce it, once a slot is free.
    pub fn hand_over(&mut self, frame: &[u8]) {
        let began_ns = now_ns();
        let slot = loop {
            if !self.apart {
                hear(&self.endpoint, &self.producer);
            }
            let reserved = self.producer.lock().expect("no panic").reserve();
            match reserved {
                Some(slot) => break slot,
                None if self.apart => thread::yield_now(),
                None => wait(&*self.endpoint),
            }
        };
        let at = GEOMETRY.offset(slot.slot()).expect("a slot of the ring");
        self.memory.write(frame, at);
        let written = Written {
            len: frame.len() as u32,
            flags: 0,
            pts_ns: began_ns,
            capture_ns: began_ns,
            encoded_ns: began_ns,
        };
        let announcement = (self.producer.lock().expect("no panic")).announce(slot, written);
        assert!(
            self.endpoint
                .send_to_service(&announcement)
                .expect("the service is there")
        );
    }

    /// From now on another thread hears what the service says, until it is gone.
    pub fn hear_apart(&mut self) -> thread::JoinHandle<()> {
        self.apart = true;
        let (endpoint, producer) = (Arc::clone(&self.endpoint), Arc::clone(&self.producer));
        thread::spawn(move || {
            while hear(&endpoint, &producer) {
                wait(&*endpoint);
            }
        })
    }
}

/// Learn which slots are free again; false when the service is gone.
fn hear(endpoint: &Endpoint, producer: &Mutex<Producer>) -> bool {
    loop {
        match endpoint.receive_from_service().expect("a message") {
            Received::Message(ToAgent::SlotFree { slot }) => {
                let freed = producer.lock().expect("no panic").freed(slot);
                freed.expect("an announced slot");
            }
            Received::Message(_) => {}
            Received::Empty => return true,
            Received::Closed => return false,
        }
    }
}

/// Take one announced frame and give its slot back, as the media thread does; answers when the agent began with it, and when all of
/// it was read.
pub fn take(ring: &Ring, consumer: &mut Consumer, into: &mut Vec<u8>) -> (u64, u64) {
    loop {
        match consumer.receive(now_ns()).expect("no violation") {
            Event::Message(ToService::FrameReady(frame)) => {
                ring.read(frame.slot, frame.len, into).expect("pread");
                let read_ns = now_ns();
                assert_eq!(consumer.release(frame.slot), Ok(true));
                return (frame.capture_ns, read_ns);
            }
            Event::Empty => wait(consumer.endpoint().as_fd()),
            other => panic!("{other:?}"),
        }
    }
}

fn read(table: &mut Table) {
    let ring = Ring::create(GEOMETRY).expect("a ring");
    let frame = vec![7; FRAME];
    let memory = File::from(ring.agent_fd().expect("a descriptor"));
    memory.write_all_at(&frame, 0).expect("pwrite");
    let (mut into, mut copy) = (Vec::new(), frame.clone());
    table.row(
        Clock::Cpu,
        "ring read 100 KiB",
        || {
            ring.read(0, FRAME as u32, black_box(&mut into))
                .expect("pread");
        },
        "memcpy of the frame",
        || {
            copy.copy_from_slice(black_box(&frame));
            black_box(&mut copy);
        },
    );
}

fn announce(table: &mut Table) {
    let (mut agent, _ring, mut consumer) = Agent::and_service();
    let (a, b) = plain_pair();
    let message = [0; 46];
    table.row(
        Clock::Cpu,
        "ring announce, check, release",
        || {
            agent.hand_over(&[1]);
            let Ok(Event::Message(ToService::FrameReady(frame))) = consumer.receive(now_ns())
            else {
                panic!("the announcement is there");
            };
            assert_eq!(consumer.release(frame.slot), Ok(true));
        },
        "46 bytes there and back, unchecked",
        || {
            let mut buffer = [0; MAX_MESSAGE];
            for (from, to) in [(&a, &b), (&b, &a)] {
                send(from.as_raw_fd(), &message, MsgFlags::empty()).expect("send");
                recv(to.as_raw_fd(), &mut buffer, MsgFlags::empty()).expect("recv");
            }
        },
    );
}

pub fn plain_pair() -> (OwnedFd, OwnedFd) {
    let flags = SockFlag::SOCK_CLOEXEC;
    socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags).expect("a pair")
}
