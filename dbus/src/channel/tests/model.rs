//! Producer and consumer together: whatever they do in whichever order, an honest pair never breaks a rule and
//! every byte arrives.
use super::super::{producer::Written, *};
use super::*;
use proptest::prelude::*;
use std::{collections::VecDeque, fs::File, os::unix::fs::FileExt};

#[derive(Debug, Clone)]
enum Step {
    Produce { len: u16, fill: u8, parts: u8 },
    Abandon,
    Cancel,
    Audio(u8),
    Receive,
    Release,
    Hear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1u16..=4096, any::<u8>(), 1u8..=4).prop_map(|(len, fill, parts)| Step::Produce { len, fill, parts }),
        1 => Just(Step::Abandon),
        1 => Just(Step::Cancel),
        1 => any::<u8>().prop_map(Step::Audio),
        3 => Just(Step::Receive),
        2 => Just(Step::Release),
        3 => Just(Step::Hear),
    ]
}

struct Pair {
    ring: Ring,
    memory: File,
    producer: Producer,
    agent: Endpoint,
    consumer: Consumer,
    clock_ns: u64,
    /// announced and not received
    expected: VecDeque<(usize, u8)>,
    /// slots of frames that were begun and given up, among the expected
    begun: VecDeque<u16>,
    /// received and not released
    held: VecDeque<u16>,
    /// released and not heard
    unheard: usize,
}

impl Pair {
    fn new() -> Self {
        let (service, agent) = socket::pair().unwrap();
        let ring = Ring::create(GEOMETRY).unwrap();
        Self {
            memory: File::from(ring.agent_fd().unwrap()),
            ring,
            producer: Producer::new(GEOMETRY),
            agent: Endpoint::new(agent),
            consumer: Consumer::new(Arc::new(Endpoint::new(service)), LIMITS),
            clock_ns: SECOND,
            expected: VecDeque::new(),
            begun: VecDeque::new(),
            held: VecDeque::new(),
            unheard: 0,
        }
    }

    fn run(&mut self, step: Step) {
        self.clock_ns += SECOND / 60;
        match step {
            Step::Produce { len, fill, parts } => self.produce(len.into(), fill, parts),
            Step::Abandon => self.abandon(),
            Step::Cancel => {
                if let Some(slot) = self.producer.reserve() {
                    self.producer.cancel(slot);
                }
            }
            Step::Audio(byte) => {
                let audio = self.producer.audio(vec![byte]);
                assert!(self.agent.send_to_service(&audio).unwrap());
            }
            Step::Receive => self.receive(),
            Step::Release => {
                if let Some(slot) = self.held.pop_front() {
                    assert_eq!(self.consumer.release(slot), Ok(true));
                    self.unheard += 1;
                }
            }
            Step::Hear => match self.agent.receive_from_service().unwrap() {
                Received::Message(ToAgent::SlotFree { slot }) => {
                    self.producer.freed(slot).unwrap();
                    self.unheard -= 1;
                }
                other => assert_eq!((other, self.unheard), (Received::Empty, 0)),
            },
        }
    }

    /// A frame that is begun and given up: its slot comes back through the reader's hands.
    fn abandon(&mut self) {
        let Some(slot) = self.producer.reserve() else {
            return;
        };
        let begun = Written {
            len: 1,
            flags: 0,
            pts_ns: self.clock_ns,
            capture_ns: self.clock_ns,
            encoded_ns: self.clock_ns,
        };
        let number = slot.slot();
        let part = self.producer.part(&slot, begun, 2);
        assert!(self.agent.send_to_service(&part).unwrap());
        let abandoned = self.producer.abandon(slot);
        assert!(self.agent.send_to_service(&abandoned).unwrap());
        self.expected.push_back((0, 0));
        self.begun.push_back(number);
    }

    fn produce(&mut self, len: u32, fill: u8, parts: u8) {
        let Some(slot) = self.producer.reserve() else {
            let out = self.expected.len() + self.held.len() + self.unheard;
            assert_eq!(out, usize::from(GEOMETRY.slots), "a slot was lost");
            return;
        };
        let bytes = vec![fill; len.try_into().unwrap()];
        let at = u64::from(slot.slot()) * u64::from(GEOMETRY.slot_size);
        self.memory.write_all_at(&bytes, at).unwrap();
        let written = Written {
            len,
            flags: 0,
            pts_ns: self.clock_ns,
            capture_ns: self.clock_ns - 1,
            encoded_ns: self.clock_ns,
        };
        // In equal steps, the last one being the announcement of the whole.
        for part in 1..u32::from(parts) {
            let len = len * part / u32::from(parts);
            if len > 0 && parts as u32 <= written.len {
                let part = self.producer.part(&slot, Written { len, ..written }, parts);
                assert!(self.agent.send_to_service(&part).unwrap());
            }
        }
        let announcement = self.producer.announce(slot, written);
        assert!(self.agent.send_to_service(&announcement).unwrap());
        self.expected.push_back((bytes.len(), fill));
    }

    fn receive(&mut self) {
        match self.consumer.receive(self.clock_ns).unwrap() {
            Event::Message(ToService::FrameReady(frame)) => {
                let mut bytes = Vec::new();
                self.ring.read(frame.slot, frame.len, &mut bytes).unwrap();
                let (len, fill) = self.expected.pop_front().unwrap();
                assert_eq!(bytes, vec![fill; len]);
                self.held.push_back(frame.slot);
            }
            Event::Message(ToService::FrameAbandoned { .. }) => {
                assert_eq!(self.expected.pop_front(), Some((0, 0)));
                self.held.push_back(self.begun.pop_front().unwrap());
            }
            Event::Message(_) => {}
            Event::Empty => assert!(self.expected.is_empty()),
            Event::Closed => panic!("nobody closed"),
        }
    }
}

proptest! {
    #[test]
    fn an_honest_pair_never_breaks_a_rule_and_loses_no_byte(steps in proptest::collection::vec(step(), 1..200)) {
        let mut pair = Pair::new();
        for step in steps {
            pair.run(step);
        }
    }
}

#[test]
fn a_release_of_a_slot_that_is_not_out_is_an_error_for_the_agent() {
    let mut producer = Producer::new(GEOMETRY);
    let writing = producer.reserve().unwrap();
    assert!(producer.freed(writing.slot()).is_err());
    assert!(producer.freed(4).is_err());
    producer.cancel(writing);
}

#[test]
fn the_agent_gets_a_typed_error_for_bytes_that_are_no_message() {
    let (service, agent) = socket::pair().unwrap();
    let agent = Endpoint::new(agent);
    send_raw(&service, &[4, 0, 0xff, 1]);
    let error = agent.receive_from_service().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    let inner = error.get_ref().unwrap().downcast_ref::<DecodeError>();
    assert_eq!(inner, Some(&DecodeError::Kind(0x1ff)));
}
