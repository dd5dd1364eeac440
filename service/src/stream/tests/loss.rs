//! What a client says of loss, and what comes of it: for the agent, on the wire, in the figures.
use super::*;
use punktfunk_core::control::{ClientMessage, FecStatus};
use punktfunk_dbus::channel::{
    ToAgent,
    message::{FRAME_AFTER_INVALIDATION, FRAME_KEY},
};

/// Frames 1 (a key frame) to `last` were sent and received; the agent leaves references out if `invalidates`.
fn running(last: u32, invalidates: bool) -> (Rig, FakeAgent, Client) {
    let mut rig = Rig::new();
    rig.invalidates_refs = invalidates;
    let (mut agent, client) = rig.start_connected(1);
    agent.key_frame(b"key");
    assert_eq!(client.receive_frame().kind, 2);
    for index in 2..=last {
        agent.frame(b"frame", 0);
        assert_eq!(client.receive_frame().index, index);
    }
    (rig, agent, client)
}

fn lost(client: &mut Client, first: u32, last: u32) {
    client.say(&ClientMessage::InvalidateReferences { first, last });
}

#[test]
fn lost_frames_are_invalidated_and_the_answer_has_type_5() {
    let (rig, mut agent, mut client) = running(4, true);
    lost(&mut client, 3, 3);
    // Frame 3 was the agent's number 2; number 3 may depend on it.
    let order = ToAgent::InvalidateRefs { first: 2, last: 3 };
    assert_eq!(agent.hear_order(), order);
    // What the client goes on saying is answered already.
    lost(&mut client, 3, 4);
    agent.frame(b"still dependent", 0);
    assert_eq!(client.receive_frame().kind, 1);
    agent.frame(b"free", FRAME_AFTER_INVALIDATION);
    let frame = client.receive_frame();
    assert_eq!((frame.index, frame.kind), (6, 5));
    lost(&mut client, 3, 5);
    // The answer is lost as well: this is a new loss.
    agent.frame(b"after", 0);
    client.receive_frame();
    lost(&mut client, 3, 6);
    let order = ToAgent::InvalidateRefs { first: 2, last: 6 };
    assert_eq!(agent.hear_order(), order);
    assert_eq!(rig.figure(1, "rfi_by_invalidation"), 2);
    assert_eq!(rig.figure(1, "rfi_coalesced"), 2);
    assert_eq!(rig.figure(1, "recovery_frames"), 1);
    assert_eq!(rig.figure(1, "idr_asked"), 1, "the one of the beginning");
}

#[test]
fn numbers_of_the_agent_count_frames_that_were_never_sent() {
    let mut rig = Rig::new();
    rig.invalidates_refs = true;
    let (mut agent, mut client) = rig.start(1);
    client.ping_video(video_ping(1));
    client.connect(connect_data(1));
    assert_eq!(agent.hear(), ToAgent::Idr);
    // Nobody can use these.
    (0..3).for_each(|_| agent.frame(b"too early", 0));
    agent.key_frame(b"key");
    agent.frame(b"two", 0);
    assert_eq!(client.receive_frame().index, 1);
    assert_eq!(client.receive_frame().index, 2);
    lost(&mut client, 2, 2);
    let order = ToAgent::InvalidateRefs { first: 4, last: 4 };
    assert_eq!(agent.hear_order(), order);
}

#[test]
fn a_range_that_only_a_key_frame_helps_gets_one_of_type_2() {
    for (first, last) in [(1, 2), (3, 9), (4, 2)] {
        let (rig, mut agent, mut client) = running(4, true);
        lost(&mut client, first, last);
        assert_eq!(agent.hear_order(), ToAgent::Idr, "{first}..={last}");
        agent.frame(b"key", FRAME_KEY);
        assert_eq!(client.receive_frame().kind, 2);
        assert_eq!(rig.figure(1, "rfi_by_idr"), 1);
    }
}

#[test]
fn an_encoder_that_cannot_leave_frames_out_answers_with_a_key_frame() {
    let (rig, mut agent, mut client) = running(4, false);
    lost(&mut client, 3, 3);
    assert_eq!(agent.hear_order(), ToAgent::Idr);
    // A mark that nobody asked for does not let a client go on that still waits.
    agent.frame(b"marked", FRAME_AFTER_INVALIDATION);
    assert_eq!(client.receive_frame().kind, 1);
    assert_eq!(rig.figure(1, "rfi_by_idr"), 1);
}

#[test]
fn a_decoder_with_one_reference_gets_key_frames() {
    let mut rig = Rig::new();
    rig.invalidates_refs = true;
    let (mut agent, mut client) = rig.start_with(1, |params| params.max_reference_frames = 1);
    client.ping_video(video_ping(1));
    client.connect(connect_data(1));
    assert_eq!(agent.hear(), ToAgent::Idr);
    agent.key_frame(b"key");
    agent.frame(b"two", 0);
    client.receive_frame();
    client.receive_frame();
    lost(&mut client, 2, 2);
    assert_eq!(agent.hear_order(), ToAgent::Idr);
}

#[test]
fn an_agent_that_leaves_an_invalidation_unanswered_is_asked_for_a_key_frame() {
    let (rig, mut agent, mut client) = running(4, true);
    lost(&mut client, 4, 4);
    let order = ToAgent::InvalidateRefs { first: 3, last: 3 };
    assert_eq!(agent.hear_order(), order);
    for _ in 0..8 {
        agent.frame(b"deaf", 0);
        assert_eq!(client.receive_frame().kind, 1);
    }
    assert_eq!(agent.hear_order(), ToAgent::Idr);
    assert_eq!(rig.figure(1, "rfi_unanswered"), 1);
}

/// A report of a block of ten and two of which so many data packets are missing.
fn report(missing: u16) -> ClientMessage<'static> {
    ClientMessage::FecStatus(FecStatus {
        data: 10,
        parity: 2,
        received_data: 10u16.saturating_sub(missing),
        received_parity: 2,
        missing_before_highest: missing,
        fec_percent: 20,
        blocks: 1,
        ..FecStatus::default()
    })
}

/// Frames and reports of lost blocks until the agent hears something.
fn reports_until_an_order(agent: &mut FakeAgent, client: &mut Client) -> ToAgent {
    for _ in 0..100 {
        for _ in 0..4 {
            client.say(&report(5));
        }
        agent.frame(&[1; 10_000], 0);
        client.receive_frame();
        if let Some(order) = agent.order_within(std::time::Duration::from_millis(50)) {
            return order;
        }
    }
    panic!("nothing was decided")
}

#[test]
fn reported_loss_raises_parity_and_the_picture_pays_for_it() {
    let (rig, mut agent, mut client) = running(2, false);
    let ToAgent::Bitrate { kbps } = reports_until_an_order(&mut agent, &mut client) else {
        panic!("something else than a rate was told");
    };
    assert!(kbps < agent.options.bitrate_kbps);
    let infos = rig.streams.list();
    let info = infos.first().unwrap();
    let figure = |name: &str| *info.statistics.get(name).unwrap();
    assert!(figure("parity_percent") > 20 && figure("parity_increases") >= 1);
    assert_eq!(figure("bitrate_target_kbps"), u64::from(kbps));
    assert!(figure("loss_permille") > 0 && figure("fec_blocks_lost") >= 4);
    assert!(["loss", "unrepaired", "beyond repair", "loss rose"].contains(&info.last_decision));
    assert!(figure("last_decision_age_ms") < 60_000);
    // And so it goes on the wire.
    agent.frame(&[1; 10_000], 0);
    let percent = client.receive_frame().percent;
    assert!(
        u64::from(percent) >= figure("parity_percent"),
        "{percent} %"
    );
}

#[test]
fn what_is_switched_off_by_policy_stays_as_it_is() {
    let rig = Rig::with(|config| {
        config.adaptive_parity = false;
        config.adaptive_bitrate = false;
    });
    let (mut agent, mut client) = rig.start_connected(1);
    agent.key_frame(b"key");
    client.receive_frame();
    for _ in 0..10 {
        client.say(&report(5));
        agent.frame(&[1; 10_000], 0);
        client.receive_frame();
        let order = agent.order_within(std::time::Duration::from_millis(60));
        assert_eq!(order, None);
    }
    assert_eq!(rig.figure(1, "parity_percent"), 20);
    assert!(rig.figure(1, "fec_blocks_lost") > 0);
}
