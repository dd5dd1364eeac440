//! Announcements go through their pipe, and nothing else does.
use super::*;
use proptest::prelude::*;

fn place() -> Violation {
    Violation::Malformed(DecodeError::Place)
}

#[test]
fn a_frame_on_the_socket_and_anything_else_in_the_pipe_are_violations() {
    let (mut consumer, agent) = channel();
    let announced = ToService::FrameReady(frame(0, 0)).encode().unwrap();
    send_raw(&agent, announced.as_bytes());
    assert_eq!(consumer.receive(now(0)), Err(place()));

    let (mut consumer, agent) = channel();
    let audio = ToService::Audio {
        seq: 0,
        opus: vec![1],
    };
    let audio = audio.encode().unwrap();
    write_raw(&agent, &pipe::record(&audio).unwrap());
    assert_eq!(consumer.receive(now(0)), Err(place()));
    let stats = ToService::Stats(Default::default()).encode().unwrap();
    assert!(pipe::record(&stats).is_none_or(|record| pipe::decode(&record).is_err()));
}

#[test]
fn half_a_record_and_one_with_something_behind_its_message_are_violations() {
    let announced = ToService::FrameReady(frame(0, 0)).encode().unwrap();
    let record = pipe::record(&announced).unwrap();
    let len = announced.as_bytes().len();
    for cut in [1, len, pipe::RECORD - 1] {
        let (mut consumer, agent) = channel();
        write_raw(&agent, &record[..cut]);
        let expected = Violation::Malformed(DecodeError::Length);
        assert_eq!(consumer.receive(now(0)), Err(expected), "{cut} bytes");
    }
    let mut trailing = record;
    trailing[pipe::RECORD - 1] = 1;
    assert_eq!(pipe::decode(&trailing), Err(DecodeError::Value));
    let mut beyond = record;
    beyond[0] = u8::MAX;
    assert_eq!(pipe::decode(&beyond), Err(DecodeError::Length));
}

#[test]
fn an_agent_that_closes_its_pipe_is_closed_once_its_last_words_were_heard() {
    let (mut consumer, agent) = channel();
    say(&agent, &ToService::FrameReady(frame(0, 0)));
    let failed = ToService::Failed {
        reason: "no more".into(),
    };
    say(&agent, &failed);
    // The socket stays open: what has no pipe any more sends no frame.
    let End { socket, frames } = agent;
    drop(frames);
    let announced = ToService::FrameReady(frame(0, 0));
    let patience = 20_000u16;
    assert!(consumer.endpoint().wait_for_agent(patience).unwrap());
    assert_eq!(consumer.receive(now(0)), Ok(Event::Message(announced)));
    assert_eq!(consumer.receive(now(0)), Ok(Event::Message(failed)));
    assert_eq!(consumer.receive(now(0)), Ok(Event::Closed));
    assert!(
        consumer.endpoint().frames().is_none(),
        "nobody waits for a pipe that always wakes"
    );
    drop(socket);
}

#[test]
fn a_full_pipe_refuses_a_word_and_takes_the_next_once_it_was_read() {
    let (service, agent) = socket::pair().unwrap();
    let mut consumer = Consumer::new(Arc::new(Endpoint::new(service)), LIMITS);
    let agent = Endpoint::new(agent);
    let word = |seq| ToService::FrameReady(frame(seq, 0));
    let mut said = 0;
    while agent.send_to_service(&word(said)).unwrap() {
        said += 1;
        assert!(said < 1_000_000, "the pipe never fills");
    }
    for seq in 0..said {
        let heard = consumer.receive(now(seq));
        assert_eq!(heard, Ok(Event::Message(word(seq))));
        assert_eq!(consumer.release(0), Ok(true));
        assert!(agent.receive_from_service().is_ok());
    }
    assert!(agent.send_to_service(&word(said)).unwrap());
    drop(consumer);
    let error = agent.send_to_service(&word(said)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
}

proptest! {
    #[test]
    fn every_word_about_a_frame_fits_a_record_and_comes_back(
        slot in any::<u16>(), seq in any::<u64>(), len in any::<u32>(), parts in any::<u8>(), times in any::<[u64; 3]>(),
    ) {
        let [pts_ns, capture_ns, encoded_ns] = times;
        let words = [
            ToService::FrameReady(FrameReady { slot, seq, len, flags: 1, pts_ns, capture_ns, encoded_ns }),
            ToService::FramePart(FramePart { slot, seq, len, parts, flags: 1, pts_ns, capture_ns }),
            ToService::FrameAbandoned { seq },
        ];
        for word in words {
            let record = pipe::record(&word.encode().unwrap()).unwrap();
            prop_assert_eq!(pipe::decode(&record), Ok(word));
        }
    }

    #[test]
    fn any_bytes_in_the_pipe_are_a_message_or_a_violation(bytes in proptest::collection::vec(any::<u8>(), 1..300)) {
        let (mut consumer, agent) = channel();
        write_raw(&agent, &bytes);
        let heard = consumer.receive(now(0));
        prop_assert!(heard.is_err() || matches!(heard, Ok(Event::Message(_))));
    }
}
