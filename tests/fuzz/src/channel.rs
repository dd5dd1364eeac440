//! Any bytes from an agent: as one message, and as a conversation with the service's reader. No panic, what decodes
//! survives being encoded again, and after the first violation nothing is believed any more.
use nix::sys::socket::{MsgFlags, send};
use punktfunk_dbus::channel::{
    Consumer, Endpoint, Event, FramePart, Geometry, Limits, ToAgent, ToService,
    message::MAX_MESSAGE, socket,
};
use std::{os::fd::AsRawFd, sync::Arc};

const LIMITS: Limits = Limits {
    geometry: Geometry {
        slots: 3,
        slot_size: 4096,
    },
    max_frame_rate: 60,
    max_audio_bytes: 400,
};

/// One input.
pub fn run(data: &[u8]) {
    if let Ok(message) = ToService::decode(data) {
        let again = message.encode().expect("what was decoded fits");
        assert_eq!(again.as_bytes(), data);
    }
    if let Ok(message) = ToAgent::decode(data) {
        let again = message.encode().expect("what was decoded fits");
        assert_eq!(ToAgent::decode(again.as_bytes()), Ok(message));
    }
    converse(data);
}

/// Each datagram is preceded by its length; what the reader accepts is released again.
fn converse(mut data: &[u8]) {
    let (service, agent) = socket::pair().expect("a pair");
    let mut consumer = Consumer::new(Arc::new(Endpoint::new(service)), LIMITS);
    let mut now_ns = 1_000_000_000;
    let mut begun: Option<FramePart> = None;
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)) % (MAX_MESSAGE + 2);
        let (datagram, rest) = rest.split_at(length.min(rest.len()));
        data = rest;
        if send(agent.as_raw_fd(), datagram, MsgFlags::MSG_DONTWAIT).is_err() {
            return;
        }
        now_ns += 5_000_000;
        match consumer.receive(now_ns) {
            Ok(Event::Message(ToService::FramePart(part))) => {
                assert!(part.slot < LIMITS.geometry.slots);
                assert!(part.len <= LIMITS.geometry.slot_size && (2..=4).contains(&part.parts));
                let before = begun.replace(part);
                let grew = |before: FramePart| {
                    assert!(part.len > before.len);
                    assert_eq!(
                        FramePart {
                            len: before.len,
                            ..part
                        },
                        before
                    );
                };
                before.map_or_else(|| assert!(part.len > 0), grew);
            }
            Ok(Event::Message(ToService::FrameAbandoned { seq })) => {
                let part = begun.take().expect("nothing was begun");
                assert_eq!(part.seq, seq);
                let _ = consumer.release(part.slot);
            }
            Ok(Event::Message(ToService::FrameReady(frame))) => {
                if let Some(part) = begun.take() {
                    assert_eq!(
                        (part.slot, part.seq, part.flags),
                        (frame.slot, frame.seq, frame.flags)
                    );
                    assert!(frame.len > part.len);
                }
                assert!(frame.slot < LIMITS.geometry.slots);
                assert!((1..=LIMITS.geometry.slot_size).contains(&frame.len));
                assert!(consumer.outstanding() <= usize::from(LIMITS.geometry.slots));
                if frame.seq % 3 != 0 {
                    let _ = consumer.release(frame.slot);
                }
            }
            Ok(Event::Message(_)) => {}
            Ok(other) => panic!("the datagram was lost: {other:?}"),
            Err(violation) => {
                assert_eq!(consumer.receive(now_ns), Err(violation));
                return;
            }
        }
    }
}
