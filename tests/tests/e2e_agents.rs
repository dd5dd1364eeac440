//! A stream and its agent: input goes one way, key frames are asked for, and an agent that misbehaves costs only its own.

mod fixture;

use fixture::{
    Host, Setup,
    bystander::{assert_unharmed, observed, small},
    fake_agent::{Behaviour, FakeAgent},
};
use punktfunk_core::input::InputEvent;
use punktfunk_tests::{
    Ending, Running,
    control::End,
    input::{self, Step},
};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

#[test]
fn input_arrives_at_the_agent_in_the_clients_terms_and_is_released_at_the_end() {
    let (_host, agent, _client, running) = observed();
    let sent = [
        input::key(true, 0x41, 0),
        input::key(false, 0x41, 0),
        input::mouse_absolute(100, 200, 640, 480),
        input::mouse_button(true, 1),
        input::scroll(-120),
        input::horizontal_scroll(240),
        input::text('é'),
        input::key(true, 0x10, 1),
    ];
    running.play(&sent.map(Step::Send));
    let expected = [
        InputEvent::Key {
            down: true,
            code: 0x41,
            modifiers: 0,
            flags: 0,
        },
        InputEvent::Key {
            down: false,
            code: 0x41,
            modifiers: 0,
            flags: 0,
        },
        InputEvent::MouseAbsolute {
            x: 100,
            y: 200,
            ref_width: 639,
            ref_height: 479,
        },
        InputEvent::MouseButton {
            down: true,
            button: 1,
        },
        InputEvent::Scroll { amount: -120 },
        InputEvent::HorizontalScroll { amount: 240 },
        InputEvent::Text('é'),
        InputEvent::Key {
            down: true,
            code: 0x10,
            modifiers: 1,
            flags: 0,
        },
    ];
    // Channels are ordered each for itself, not among each other.
    let all_there = agent.wait(SOON, |seen| {
        expected.iter().all(|event| seen.inputs.contains(event))
    });
    assert!(all_there, "{:?}", agent.inputs());
    let inputs = agent.inputs();
    let at = |event: &InputEvent| inputs.iter().position(|seen| seen == event);
    assert!(at(&expected[0]) < at(&expected[1]), "{inputs:?}");

    let report = running.finish(Ending::Disconnect).expect("report");
    assert!(report.breaches.is_empty(), "{report}");
    // Shift and the left button are still down: either the agent is told to let go, or the end of the channel says so.
    assert!(agent.wait(SOON, |seen| seen.released > 0 || seen.closed > 0));
}

#[test]
fn key_frames_come_when_asked_for() {
    let (_host, agent, _client, running) = observed();
    running.control().commands.request_key_frame();
    assert!(agent.wait(SOON, |seen| seen.key_frames_asked > 0));
    assert!(
        running
            .shared
            .wait(SOON, |statistics| statistics.key_frames >= 2)
    );
    assert_unharmed(running);
}

/// Two agents: one client watches the honest one, then a second client is given the one that misbehaves.
fn beside_a_bad_agent(behaviour: Behaviour, judge: impl FnOnce(&mut Host, &FakeAgent, Running)) {
    let mut host = Setup::default().without_agent().start();
    // Of equals, the session that sorts first is taken.
    let _honest = host
        .block(FakeAgent::register(host.connect(), "b", Behaviour::Honest))
        .expect("registration");
    let bystander = host.client();
    let victim = host.client();
    let watching = bystander
        .stream(&small(&host, &bystander), false)
        .expect("stream");
    assert!(watching.wait_decoded(10, SOON));
    let bad = host
        .block(FakeAgent::register(host.connect(), "a", behaviour))
        .expect("registration");
    let victims = victim
        .stream(&small(&host, &victim), false)
        .expect("stream");
    assert!(victims.wait_decoded(20, SOON), "it was good for a while");
    judge(&mut host, &bad, victims);
    assert_unharmed(watching);
    host.service().assert_alive();
}

fn assert_ended_for(host: &mut Host, running: Running, word: &str) {
    let end = running.wait_end(SOON);
    assert!(
        matches!(end, Some(End::Terminated(_))),
        "the stream ends with a reason: {end:?}"
    );
    let log = host.service_log();
    assert!(log.contains(word), "the log names {word}:\n{log}");
    running.finish(Ending::Vanish).expect("report");
}

#[test]
fn an_agent_that_lies_about_a_slot_loses_its_stream_and_no_other() {
    beside_a_bad_agent(
        Behaviour::SlotOutOfRange { after: 40 },
        |host, _, running| {
            assert_ended_for(host, running, "PF-V");
            let again = host.block(FakeAgent::register(host.connect(), "a", Behaviour::Honest));
            assert!(again.is_err(), "its account has to wait");
        },
    );
}

#[test]
fn an_agent_that_announces_more_than_a_slot_holds_loses_its_stream() {
    beside_a_bad_agent(
        Behaviour::LengthBeyondSlot { after: 40 },
        |host, _, running| assert_ended_for(host, running, "PF-V"),
    );
}

#[test]
fn an_agent_that_sends_garbage_loses_its_stream() {
    beside_a_bad_agent(Behaviour::Garbage { after: 40 }, |host, _, running| {
        assert_ended_for(host, running, "PF-V")
    });
}

#[test]
fn an_agent_that_fails_ends_its_stream_with_its_own_words_in_the_log() {
    beside_a_bad_agent(Behaviour::Fails { after: 40 }, |host, _, running| {
        assert_ended_for(host, running, "picture tube")
    });
}

#[test]
fn a_stalled_agent_stalls_its_own_stream_alone() {
    beside_a_bad_agent(Behaviour::Stalls { after: 40 }, |_, agent, running| {
        assert!(agent.wait(SOON, |seen| seen.stalled));
        // More keys than the channel's socket can hold: the service has to notice, not to block.
        for _ in 0..600 {
            running.input(&input::key(true, 0x41, 0));
            running.input(&input::key(false, 0x41, 0));
        }
        let end = running.wait_end(SOON);
        assert!(matches!(end, Some(End::Terminated(_))), "{end:?}");
        running.finish(Ending::Vanish).expect("report");
    });
}

#[test]
fn a_second_agent_of_the_same_session_is_refused_by_name() {
    let host = Setup::default().start();
    let second = host.block(FakeAgent::register(
        host.connect(),
        "dev",
        Behaviour::Honest,
    ));
    let error = second.err().expect("the session has its agent").to_string();
    assert!(
        error.contains("AgentExists") || error.contains("already"),
        "{error}"
    );
}
