//! What a hostile agent can do with its two descriptors: every breach has its own code, and nothing blocks.
use super::super::{message::MAX_MESSAGE, *};
use super::*;
use nix::{
    errno::Errno,
    fcntl::{FallocateFlags, FcntlArg, OFlag, fallocate, fcntl},
    sys::uio::pwrite,
};
use std::{fs::File, os::unix::fs::FileExt};

/// The violation that one bad message causes after one good frame in slot 0.
fn verdict(bad: &ToService) -> Violation {
    let (mut consumer, agent) = channel();
    say(&agent, &ToService::FrameReady(frame(0, 0)));
    assert!(matches!(consumer.receive(now(0)), Ok(Event::Message(_))));
    say(&agent, bad);
    say(&agent, &ToService::FrameReady(frame(1, 1)));
    let violation = consumer.receive(now(1)).unwrap_err();
    assert_eq!(
        consumer.receive(now(1)),
        Err(violation),
        "a liar is not heard again"
    );
    assert_eq!(consumer.release(0), Err(violation));
    violation
}

fn bad_frame(change: impl FnOnce(&mut FrameReady)) -> Violation {
    let mut bad = frame(1, 1);
    change(&mut bad);
    verdict(&ToService::FrameReady(bad))
}

#[test]
fn each_lie_about_a_frame_has_its_own_violation() {
    assert_eq!(
        bad_frame(|f| f.slot = 4),
        Violation::SlotOutOfRange { slot: 4, slots: 4 }
    );
    assert_eq!(bad_frame(|f| f.slot = 0), Violation::SlotAnnouncedTwice(0));
    assert_eq!(
        bad_frame(|f| f.seq = 2),
        Violation::FrameSequence {
            expected: 1,
            got: 2
        }
    );
    for len in [0, 4097, u32::MAX] {
        let slot_size = 4096;
        assert_eq!(
            bad_frame(|f| f.len = len),
            Violation::FrameLength { len, slot_size }
        );
    }
    assert_eq!(bad_frame(|f| f.flags = 16), Violation::FrameFlags(16));
    assert!(matches!(
        bad_frame(|f| f.pts_ns = 0),
        Violation::TimeBackwards { .. }
    ));
    assert_eq!(
        bad_frame(|f| f.capture_ns = f.encoded_ns + 1),
        Violation::TimeOrder
    );
    assert_eq!(bad_frame(|f| f.encoded_ns = u64::MAX), Violation::TimeOrder);
    assert_eq!(bad_frame(|f| f.pts_ns = u64::MAX), Violation::TimeOrder);
}

#[test]
fn lies_about_audio_have_their_own_violations() {
    let audio = |seq, len| ToService::Audio {
        seq,
        opus: vec![0; len],
    };
    let sequence = Violation::AudioSequence {
        expected: 0,
        got: 1,
    };
    assert_eq!(verdict(&audio(1, 10)), sequence);
    let length = Violation::AudioLength { len: 401, max: 400 };
    assert_eq!(verdict(&audio(0, 401)), length);
}

#[test]
fn raw_bytes_that_are_no_message_have_their_own_violations() {
    let cases: [(&[u8], Violation); 6] = [
        (&[], Violation::Malformed(DecodeError::Length)),
        (&[1], Violation::Malformed(DecodeError::Length)),
        (&[9, 0, 1, 0], Violation::Version(9)),
        (&[4, 0, 99, 0], Violation::Kind(99)),
        (&[4, 0, 4, 0, 0xff], Violation::Text),
        (&[0; MAX_MESSAGE + 1], Violation::Oversize),
    ];
    for (bytes, violation) in cases {
        let (mut consumer, agent) = channel();
        send_raw(&agent, bytes);
        assert_eq!(consumer.receive(now(0)), Err(violation));
    }
}

#[test]
fn codes_are_stable_and_unique() {
    let codes = [
        bad_frame(|f| f.slot = 4).code(),
        bad_frame(|f| f.slot = 0).code(),
        bad_frame(|f| f.seq = 0).code(),
        bad_frame(|f| f.len = 0).code(),
        bad_frame(|f| f.flags = 1 << 31).code(),
        bad_frame(|f| f.pts_ns = 0).code(),
        bad_frame(|f| f.encoded_ns = 0).code(),
    ];
    assert_eq!(
        codes,
        [
            "PF-V05", "PF-V06", "PF-V07", "PF-V08", "PF-V09", "PF-V10", "PF-V11"
        ]
    );
}

#[test]
fn a_flood_of_frames_exhausts_the_rate_and_the_honest_rate_never_does() {
    let (mut consumer, agent) = channel();
    let agent = Endpoint::new(agent);
    for seq in 0..600 {
        let message = ToService::FrameReady(frame(seq, 0));
        assert!(agent.send_to_service(&message).unwrap());
        assert!(matches!(consumer.receive(now(seq)), Ok(Event::Message(_))));
        assert_eq!(consumer.release(0), Ok(true));
        let freed = agent.receive_from_service().unwrap();
        assert_eq!(freed, Received::Message(ToAgent::SlotFree { slot: 0 }));
    }
    let flood = (600..).find_map(|seq| {
        let mut late = frame(seq, 0);
        (late.pts_ns, late.capture_ns, late.encoded_ns) = (now(600), now(600), now(600));
        let sent = agent.send_to_service(&ToService::FrameReady(late)).unwrap();
        assert!(sent, "never refused after {seq} frames");
        let violation = consumer.receive(now(600)).err();
        consumer.release(0).ok();
        agent.receive_from_service().unwrap();
        violation.map(|v| (seq, v))
    });
    let (seq, violation) = flood.unwrap();
    assert_eq!(violation, Violation::FrameRate);
    assert!(seq < 620, "{seq} frames at one instant");
}

#[test]
fn floods_of_audio_and_of_status_exhaust_their_rates() {
    let (mut consumer, agent) = channel();
    let flood = (0..1000).find_map(|seq| {
        let opus = vec![1];
        say(&agent, &ToService::Audio { seq, opus });
        consumer.receive(now(0)).err()
    });
    assert_eq!(flood, Some(Violation::AudioRate));
    let (mut consumer, agent) = channel();
    let flood = (0..1000).find_map(|_| {
        say(&agent, &ToService::Stats(Default::default()));
        consumer.receive(now(0)).err()
    });
    assert_eq!(flood, Some(Violation::MessageRate));
}

#[test]
fn a_cleared_non_blocking_flag_blocks_nobody() {
    let (service, agent) = socket::pair().unwrap();
    // The worst case: the flag is cleared on the service's own description.
    for fd in [&service, &agent] {
        fcntl(fd, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    }
    let endpoint = Arc::new(Endpoint::new(service));
    let mut consumer = Consumer::new(endpoint.clone(), LIMITS);
    assert_eq!(consumer.receive(0), Ok(Event::Empty));
    let mut sent = 0;
    while endpoint.send_to_agent(&ToAgent::Idr).unwrap() {
        sent += 1;
        assert!(sent < 1_000_000, "the socket never fills");
    }
}

#[test]
fn a_slot_whose_release_finds_the_socket_full_stays_announced_until_it_is_told() {
    let (mut consumer, agent) = channel();
    say(&agent, &ToService::FrameReady(frame(0, 2)));
    consumer.receive(now(0)).unwrap();
    while consumer.endpoint().send_to_agent(&ToAgent::Idr).unwrap() {}
    assert_eq!(consumer.release(2), Ok(false));
    assert_eq!(consumer.outstanding(), 1);
    let agent = Endpoint::new(agent);
    while agent.receive_from_service().unwrap() != Received::Empty {}
    assert_eq!(consumer.release(2), Ok(true));
    assert_eq!(consumer.outstanding(), 0);
    let freed = agent.receive_from_service().unwrap();
    assert_eq!(freed, Received::Message(ToAgent::SlotFree { slot: 2 }));
}

#[test]
fn a_peer_that_is_gone_is_closed_and_its_last_words_are_heard() {
    let (mut consumer, agent) = channel();
    // Unread messages on the agent's side turn its death into ECONNRESET.
    consumer.endpoint().send_to_agent(&ToAgent::Idr).unwrap();
    let reason = "no encoder".to_owned();
    let last_words = ToService::Failed { reason };
    say(&agent, &last_words);
    drop(agent);
    assert_eq!(consumer.receive(0), Ok(Event::Message(last_words)));
    assert_eq!(consumer.receive(0), Ok(Event::Closed));
    let error = consumer
        .endpoint()
        .send_to_agent(&ToAgent::Stop)
        .unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    assert_eq!(consumer.release(0), Ok(true));
}

#[test]
fn descriptors_pushed_through_the_channel_are_discarded() {
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    let (mut consumer, agent) = channel();
    let (pipe, pushed) = nix::unistd::pipe().unwrap();
    let bytes = ToService::FrameReady(frame(0, 0)).encode().unwrap();
    let fds = [pushed.as_raw_fd()];
    sendmsg::<()>(
        agent.as_raw_fd(),
        &[std::io::IoSlice::new(bytes.as_bytes())],
        &[ControlMessage::ScmRights(&fds)],
        MsgFlags::empty(),
        None,
    )
    .unwrap();
    drop(pushed);
    assert!(matches!(consumer.receive(now(0)), Ok(Event::Message(_))));
    // Had the descriptor arrived, the pipe would still have a writer.
    assert_eq!(nix::unistd::read(&pipe, &mut [0; 1]), Ok(0));
}

#[test]
fn no_trick_with_the_ring_changes_what_the_service_reads_or_stops_it() {
    let ring = Ring::create(GEOMETRY).unwrap();
    let agent = File::from(ring.agent_fd().unwrap());
    agent.write_all_at(&[7; 4096], 4096).unwrap();
    // Resizing is sealed, and so are the seals.
    assert_eq!(
        agent.set_len(0).unwrap_err().kind(),
        std::io::ErrorKind::PermissionDenied
    );
    assert_eq!(
        agent.set_len(1 << 20).unwrap_err().kind(),
        std::io::ErrorKind::PermissionDenied
    );
    let write_seal = FcntlArg::F_ADD_SEALS(nix::fcntl::SealFlag::F_SEAL_WRITE);
    assert_eq!(fcntl(&agent, write_seal), Err(Errno::EPERM));
    // O_APPEND is a flag of the agent's own description.
    fcntl(
        &agent,
        FcntlArg::F_SETFL(OFlag::O_APPEND | OFlag::O_NONBLOCK),
    )
    .unwrap();
    let other = ring.agent_fd().unwrap();
    let flags = OFlag::from_bits_retain(fcntl(&other, FcntlArg::F_GETFL).unwrap());
    assert!(!flags.intersects(OFlag::O_APPEND | OFlag::O_NONBLOCK));
    let mut into = Vec::new();
    ring.read(1, 4096, &mut into).unwrap();
    assert_eq!(into, [7; 4096]);
    fcntl(&agent, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    assert_eq!(pwrite(&agent, &[8; 10], 4096), Ok(10));
    ring.read(1, 10, &mut into).unwrap();
    assert_eq!(into, [8; 10]);
    // A hole reads as zeros.
    let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    fallocate(&agent, hole, 4096, 4096).unwrap();
    ring.read(1, 4096, &mut into).unwrap();
    assert_eq!(into, [0; 4096]);
}

#[test]
fn the_ring_refuses_what_lies_outside_it_and_shapes_without_sense() {
    let ring = Ring::create(GEOMETRY).unwrap();
    let mut into = Vec::new();
    assert!(ring.read(4, 1, &mut into).is_err());
    assert!(ring.read(0, 4097, &mut into).is_err());
    for (slots, slot_size) in [(0, 1), (1, 0), (65, 1), (1, u32::MAX), (64, 64 << 20)] {
        assert!(
            Ring::create(Geometry { slots, slot_size }).is_err(),
            "{slots} of {slot_size}"
        );
    }
}

#[test]
fn a_slot_is_read_to_several_places_and_never_beyond_its_end() {
    use std::{io::IoSliceMut, os::unix::fs::FileExt};
    let ring = Ring::create(GEOMETRY).unwrap();
    let agent = std::fs::File::from(ring.agent_fd().unwrap());
    let bytes: Vec<u8> = (0..2 * 4096).map(|k| (k % 251) as u8).collect();
    agent.write_all_at(&bytes, 4096).unwrap();
    let (mut one, mut none, mut two) = ([0; 100], [0; 0], [0; 1000]);
    let mut read = |slot, at, two: &mut [u8]| {
        let places = [&mut one[..], &mut none, two].map(IoSliceMut::new);
        {
            let mut places = places;
            ring.read_into(slot, at, &mut places)
        }
    };
    read(1, 7, &mut two).unwrap();
    assert_eq!(two[..], bytes[107..1107]);
    read(2, 4096 - 1100, &mut two).unwrap();
    assert_eq!(two[..], bytes[2 * 4096 - 1000..]);
    assert!(read(1, 4096 - 1099, &mut two).is_err());
    assert!(read(1, usize::MAX, &mut two).is_err());
    assert!(read(GEOMETRY.slots, 0, &mut two).is_err());
    assert!(ring.read_into(1, 4096, &mut []).is_ok());
}
