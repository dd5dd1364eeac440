//! Frames in parts, judged by the service's own reader.

use super::{sink::RingSink, *};
use crate::{
    encode::{AccessUnit, Tag},
    pipeline::{Delivered, Sink},
};
use punktfunk_dbus::channel::{
    Consumer, FramePart, FrameReady, Ring, ToAgent,
    consumer::{Event, Limits},
    message::FRAME_KEY,
    socket,
};

const GEOMETRY: Geometry = Geometry {
    slots: 3,
    slot_size: 64 * 1024,
};

struct Rig {
    ring: Ring,
    consumer: Consumer,
    shared: Arc<Shared>,
    sink: RingSink,
}

impl Rig {
    fn new() -> Self {
        let ring = Ring::create(GEOMETRY).unwrap();
        let (ours, theirs) = socket::pair().unwrap();
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK).unwrap());
        let session = Surroundings::default().session;
        let life = Life::new((640, 368), false, session, Arc::clone(&wake));
        let shared = Arc::new(Shared {
            endpoint: Endpoint::new(theirs),
            orders: OrdersHandle::default(),
            slots: Mutex::new(Slots::new(GEOMETRY.slots)),
            totals: Mutex::default(),
            life: Arc::new(life),
            wake,
            ended: AtomicBool::new(false),
        });
        let writer = RingWriter::map(&ring.agent_fd().unwrap(), GEOMETRY).unwrap();
        let limits = Limits {
            geometry: GEOMETRY,
            max_frame_rate: 1000,
            max_audio_bytes: 400,
        };
        Self {
            ring,
            consumer: Consumer::new(Arc::new(Endpoint::new(ours)), limits),
            sink: RingSink::new(writer, Arc::clone(&shared)),
            shared,
        }
    }

    fn heard(&mut self) -> Option<ToService> {
        match self.consumer.receive(clock::now_ns()).unwrap() {
            Event::Message(message) => Some(message),
            Event::Empty => None,
            Event::Closed => panic!("nobody closed"),
        }
    }

    fn part(&mut self) -> FramePart {
        match self.heard() {
            Some(ToService::FramePart(part)) => part,
            other => panic!("{other:?}"),
        }
    }

    fn whole(&mut self) -> FrameReady {
        match self.heard() {
            Some(ToService::FrameReady(frame)) => frame,
            other => panic!("{other:?}"),
        }
    }

    /// The service has read a slot.
    fn release(&mut self, slot: u16) {
        assert_eq!(self.consumer.release(slot), Ok(true));
        let heard = self.consumer_says();
        assert_eq!(heard, ToAgent::SlotFree { slot });
        assert!(self.shared.slots().release(slot));
    }

    fn consumer_says(&self) -> ToAgent {
        match self.shared.endpoint.receive_from_service().unwrap() {
            punktfunk_dbus::channel::Received::Message(message) => message,
            other => panic!("{other:?}"),
        }
    }

    /// Talk until the service's socket is full.
    fn fill(&self) {
        while self
            .shared
            .endpoint
            .send_to_service(&ToService::FrameAbandoned { seq: 0 })
            .unwrap()
        {}
    }
}

fn unit(data: &[u8], number: u64) -> AccessUnit<'_> {
    let now = clock::now_ns();
    AccessUnit {
        data,
        key: number == 0,
        tag: Tag {
            pts_ns: 1000 * (number + 1),
            capture_ns: now.min(500),
            ..Tag::default()
        },
    }
}

#[test]
fn a_frame_grows_in_its_slot_and_is_there_in_full_in_the_end() {
    let mut rig = Rig::new();
    let bytes: Vec<u8> = (0..60_000u32).map(|k| (k / 7) as u8).collect();
    for number in 0..5 {
        for (count, len) in [10, 4000, 40_000].into_iter().enumerate() {
            rig.sink.part(&unit(&bytes[..len], number), 4);
            let part = rig.part();
            assert_eq!((part.seq, part.len, part.parts), (number, len as u32, 4));
            assert_eq!(
                part.flags,
                if number == 0 { FRAME_KEY } else { 0 },
                "{count}"
            );
            let mut read = Vec::new();
            rig.ring.read(part.slot, part.len, &mut read).unwrap();
            assert!(read == bytes[..len]);
        }
        assert_eq!(
            rig.sink.deliver(&unit(&bytes, number)),
            Ok(Delivered::Taken)
        );
        let frame = rig.whole();
        let mut read = Vec::new();
        rig.ring.read(frame.slot, frame.len, &mut read).unwrap();
        assert!(frame.seq == number && read == bytes);
        rig.release(frame.slot);
    }
}

#[test]
fn one_that_is_void_uses_its_number_up_and_its_slot_comes_back_from_the_service() {
    let mut rig = Rig::new();
    assert!(!rig.sink.void(), "nothing has begun");
    rig.sink.part(&unit(&[7; 100], 0), 2);
    let slot = rig.part().slot;
    assert!(rig.sink.void() && !rig.sink.void());
    assert_eq!(rig.heard(), Some(ToService::FrameAbandoned { seq: 0 }));
    assert_eq!(rig.sink.deliver(&unit(&[8; 100], 1)), Ok(Delivered::Taken));
    let frame = rig.whole();
    assert!(frame.seq == 1 && frame.slot != slot);
    assert!(!rig.sink.ready(), "both are out");
    rig.release(slot);
    assert!(rig.sink.ready());
}

#[test]
fn a_full_socket_costs_parts_and_never_a_contradiction() {
    let mut rig = Rig::new();
    rig.fill();
    rig.sink.part(&unit(&[1; 100], 0), 2);
    assert_eq!(
        rig.shared.slots().announce(),
        Some(0),
        "the slot is free again"
    );
    assert!(rig.shared.slots().release(0));
    assert_eq!(rig.sink.deliver(&unit(&[1; 200], 0)), Ok(Delivered::Lost));
    assert!(!rig.sink.void(), "nobody heard of it");
    // Words that the reader takes by rate: in time it takes them all.
    let mut rig = Rig::new();
    rig.sink.part(&unit(&[2; 100], 0), 3);
    rig.part();
    while rig
        .shared
        .endpoint
        .send_to_service(&ToService::Stats(Default::default()))
        .unwrap()
    {}
    rig.sink.part(&unit(&[2; 200], 0), 3);
    assert_eq!(rig.sink.deliver(&unit(&[2; 300], 0)), Ok(Delivered::Lost));
    assert!(
        rig.sink.void() && !rig.sink.ready(),
        "that cannot be said yet"
    );
    let now = std::cell::Cell::new(clock::now_ns());
    loop {
        // in as much time as that many words are allowed
        now.set(now.get() + 100_000_000);
        match rig.consumer.receive(now.get()) {
            Ok(Event::Message(ToService::Stats(_))) => {}
            Ok(Event::Empty) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(rig.sink.ready());
    assert_eq!(rig.heard(), Some(ToService::FrameAbandoned { seq: 0 }));
    assert_eq!(rig.sink.deliver(&unit(&[3; 100], 1)), Ok(Delivered::Taken));
    assert_eq!(rig.whole().seq, 1);
}

#[test]
fn what_fits_no_slot_is_not_begun_and_what_ends_as_it_was_is_lost() {
    let mut rig = Rig::new();
    let large = vec![1; GEOMETRY.slot_size as usize + 1];
    rig.sink.part(&unit(&large, 0), 2);
    assert_eq!(rig.heard(), None);
    rig.sink.part(&unit(&[1; 100], 0), 2);
    rig.part();
    assert_eq!(rig.sink.deliver(&unit(&[1; 100], 0)), Ok(Delivered::Lost));
    assert!(rig.sink.void());
    assert_eq!(rig.heard(), Some(ToService::FrameAbandoned { seq: 0 }));
}
