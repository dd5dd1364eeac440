//! Frames that are announced in parts, and what a hostile agent can make of them.
use super::super::*;
use super::*;

/// Frame `seq` in slot 1, known up to `len` of its bytes, in three parts.
fn part(seq: u64, len: u32) -> FramePart {
    let whole = frame(seq, 1);
    FramePart {
        slot: 1,
        seq,
        len,
        parts: 3,
        flags: whole.flags,
        pts_ns: whole.pts_ns,
        capture_ns: whole.capture_ns,
    }
}

/// What is heard of these messages, up to the first breach.
fn heard(messages: &[ToService]) -> Result<(), Violation> {
    let (mut consumer, agent) = channel();
    for message in messages {
        say(&agent, message);
        assert_eq!(consumer.receive(now(9))?, Event::Message(message.clone()));
    }
    Ok(())
}

fn first(change: impl FnOnce(&mut FramePart)) -> Result<(), Violation> {
    let mut bad = part(0, 50);
    change(&mut bad);
    heard(&[ToService::FramePart(bad)])
}

fn second(change: impl FnOnce(&mut FramePart)) -> Result<(), Violation> {
    let mut bad = part(0, 70);
    change(&mut bad);
    heard(&[ToService::FramePart(part(0, 50)), ToService::FramePart(bad)])
}

fn end(change: impl FnOnce(&mut FrameReady)) -> Result<(), Violation> {
    let mut bad = frame(0, 1);
    change(&mut bad);
    heard(&[
        ToService::FramePart(part(0, 99)),
        ToService::FrameReady(bad),
    ])
}

#[test]
fn a_frame_may_grow_and_end_or_be_abandoned_and_its_slot_comes_back_once() {
    let (mut consumer, agent) = channel();
    let whole = ToService::FrameReady;
    let all = [
        ToService::FramePart(part(0, 50)),
        ToService::FramePart(part(0, 51)),
        whole(frame(0, 1)),
        whole(frame(1, 0)),
        ToService::FramePart(FramePart {
            slot: 2,
            ..part(2, 99)
        }),
        ToService::FrameAbandoned { seq: 2 },
        ToService::FramePart(FramePart {
            slot: 3,
            ..part(3, 99)
        }),
        whole(frame(3, 3)),
    ];
    for message in all {
        say(&agent, &message);
        assert_eq!(consumer.receive(now(9)), Ok(Event::Message(message)));
    }
    assert_eq!(consumer.outstanding(), 4);
    for slot in 0..4 {
        assert_eq!(consumer.release(slot), Ok(true));
    }
    assert_eq!(consumer.outstanding(), 0);
    say(&agent, &whole(frame(4, 1)));
    assert!(matches!(consumer.receive(now(9)), Ok(Event::Message(_))));
}

#[test]
fn each_lie_about_a_part_has_its_violation() {
    let contradicts = Err(Violation::FrameParts(0));
    assert_eq!(first(|_| ()), Ok(()));
    let slots = 4;
    assert_eq!(
        first(|p| p.slot = 4),
        Err(Violation::SlotOutOfRange { slot: 4, slots })
    );
    let (expected, got) = (0, 1);
    assert_eq!(
        first(|p| p.seq = 1),
        Err(Violation::FrameSequence { expected, got })
    );
    let slot_size = 4096;
    for len in [0, 4097, u32::MAX] {
        let length = Err(Violation::FrameLength { len, slot_size });
        assert_eq!(first(|p| p.len = len), length);
    }
    for parts in [0, 1, 5, 255] {
        assert_eq!(first(|p| p.parts = parts), contradicts, "{parts} parts");
    }
    assert_eq!(first(|p| p.flags = 16), Err(Violation::FrameFlags(16)));
    assert_eq!(first(|p| p.pts_ns = u64::MAX), Err(Violation::TimeOrder));
    assert_eq!(
        first(|p| p.capture_ns = u64::MAX),
        Err(Violation::TimeOrder)
    );

    assert_eq!(second(|_| ()), Ok(()));
    let changes: [fn(&mut FramePart); 8] = [
        |p| p.slot = 2,
        |p| p.seq = 1,
        |p| p.len = 50,
        |p| p.len = 0,
        |p| p.parts = 4,
        |p| p.flags = 1,
        |p| p.pts_ns += 1,
        |p| p.capture_ns -= 1,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let seq = u64::from(number == 1);
        assert_eq!(second(change), Err(Violation::FrameParts(seq)), "{number}");
    }
    let len = 4097;
    assert_eq!(
        second(|p| p.len = len),
        Err(Violation::FrameLength { len, slot_size })
    );
}

#[test]
fn the_end_contains_what_was_announced_and_there_are_no_more_parts_than_were_said() {
    let contradicts = Err(Violation::FrameParts(0));
    assert_eq!(end(|_| ()), Ok(()));
    let changes: [fn(&mut FrameReady); 6] = [
        |f| f.slot = 2,
        |f| f.len = 99,
        |f| f.len = 1,
        |f| f.flags = 1,
        |f| f.pts_ns += 1,
        |f| f.capture_ns += 1,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        assert_eq!(end(change), contradicts, "{number}");
    }
    assert_eq!(end(|f| f.encoded_ns = u64::MAX), Err(Violation::TimeOrder));
    assert_eq!(end(|f| f.seq = 1), Err(Violation::FrameParts(1)));
    let parts = [50, 60, 70].map(|len| ToService::FramePart(part(0, len)));
    assert_eq!(heard(&parts[..2]), Ok(()));
    assert_eq!(heard(&parts), contradicts);
    for seq in [1, u64::MAX] {
        let wrong = ToService::FrameAbandoned { seq };
        let after = heard(&[ToService::FramePart(part(0, 50)), wrong.clone()]);
        assert_eq!(after, Err(Violation::FrameParts(seq)));
    }
    let nothing_begun = [ToService::FrameAbandoned { seq: 0 }];
    assert_eq!(heard(&nothing_begun), contradicts);
    assert_eq!(Violation::FrameParts(0).code(), "PF-V19");
}

#[test]
fn frames_that_are_begun_and_abandoned_exhaust_the_rate_as_any_others() {
    let (mut consumer, agent) = channel();
    let refused = (0..200u64).find_map(|seq| {
        let slot = (seq % 4) as u16;
        let begun = FramePart {
            seq,
            slot,
            ..part(0, 50)
        };
        say(&agent, &ToService::FramePart(begun));
        say(&agent, &ToService::FrameAbandoned { seq });
        let heard = consumer
            .receive(now(0))
            .and_then(|_| consumer.receive(now(0)));
        assert!(heard.is_err() || consumer.release(slot) == Ok(true));
        heard.err()
    });
    assert_eq!(refused, Some(Violation::FrameRate));
}
