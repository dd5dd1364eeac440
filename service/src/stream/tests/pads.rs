//! Gamepads of a stream, from the control connection to the devices and back.
use super::*;
use crate::{
    gamepads::tests::{FakePads, arrival, state},
    store::{PERMISSION_GAMEPAD, PERMISSION_POINTER, PERMISSION_VIEW},
};
use client::Heard;
use punktfunk_core::{
    control::{ClientMessage, HostMessage},
    input::{ControllerKind, InputEvent},
};

fn rig() -> (Rig, FakePads) {
    let pads = FakePads::default();
    let maker = pads.maker();
    let rig = Rig::made(|| Streams::with(config(|_| {}), FIRST_LIMIT, Box::new(maker)));
    (rig, pads)
}

fn say(client: &mut Client, event: &InputEvent) {
    client.say(&ClientMessage::Input(&event.encode()));
}

/// Wait, with the client's connection alive meanwhile.
fn until(client: &mut Client, what: &str, is: impl Fn() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(8);
    while !is() {
        assert!(std::time::Instant::now() < end, "{what}: did not come");
        client.pump();
        std::thread::yield_now();
    }
}

fn hear_rumble(client: &mut Client) -> (u16, u16, u16) {
    loop {
        if let Heard::Message(HostMessage::Rumble {
            controller,
            low,
            high,
        }) = client.hear()
        {
            return (controller, low, high);
        }
    }
}

#[test]
fn a_clients_controller_becomes_a_pad_and_its_rumble_comes_back() {
    let (rig, pads) = rig();
    let (_agent, mut client) = rig.start_connected(1);
    say(&mut client, &state(2, 0x1000));
    until(&mut client, "its button", || {
        pads.buttons(2) == Some(0x1000)
    });
    assert_eq!(pads.alive()[0].identity.owner, Uid(1001));
    pads.wish(2, |wishes| wishes.rumble = Some((7, 8)));
    assert_eq!(hear_rumble(&mut client), (2, 7, 8));
}

#[test]
fn pads_survive_a_pause_and_go_with_the_application() {
    let (rig, pads) = rig();
    let (handle, opened) = agent::register(&rig.agents, 1001, false);
    // The stream of the same client, once and once more.
    let start = || {
        let setup = setup(1, handle.clone(), |_| {});
        let key = setup.launch.key.clone();
        rig.runtime
            .block_on(rig.streams.start(setup, &BTreeSet::new()))
            .unwrap();
        let agent = FakeAgent::new(opened.recv().unwrap());
        let mut client = Client::new(rig.ports, &key);
        client.ping_video(video_ping(1));
        client.connect(connect_data(1));
        (agent, client)
    };
    let (_agent, mut client) = start();
    say(&mut client, &arrival(0, ControllerKind::PlayStation));
    say(&mut client, &state(0, 0x1000));
    until(&mut client, "its button", || {
        pads.buttons(0) == Some(0x1000)
    });
    client.hang_up();
    rig.wait_until_gone();
    until(&mut client, "rest", || pads.buttons(0) == Some(0));
    let (_agent, mut client) = start();
    say(&mut client, &arrival(0, ControllerKind::PlayStation));
    say(&mut client, &state(0, 0x2000));
    until(&mut client, "its button", || {
        pads.buttons(0) == Some(0x2000)
    });
    assert_eq!(pads.made(), 1);
    client.hang_up();
    rig.wait_until_gone();
    // The application ends while no stream runs.
    rig.streams
        .stop_client(&ClientId("client1".into()), StopReason::ClientCancelled);
    pads.wait_until("the end", |pads| pads.alive().is_empty());
}

#[test]
fn an_agent_that_dies_takes_the_pads_along() {
    let (rig, pads) = rig();
    let (agent, mut client) = rig.start_connected(1);
    say(&mut client, &state(0, 0));
    pads.wait_until("a pad", |pads| pads.alive().len() == 1);
    drop(agent);
    rig.wait_until_gone();
    pads.wait_until("the end", |pads| pads.alive().is_empty());
}

#[test]
fn behind_a_lock_the_pads_of_a_stream_rest_and_take_nothing() {
    let (rig, pads) = rig();
    let (_agent, mut client) = rig.start_connected(1);
    let lock = |locked| {
        let agent = rig.agents.for_owner(Uid(1001)).unwrap();
        agent.update(|info| info.locked = locked);
    };
    say(&mut client, &state(0, 0x1000));
    until(&mut client, "its button", || {
        pads.buttons(0) == Some(0x1000)
    });
    lock(true);
    until(&mut client, "rest", || pads.buttons(0) == Some(0));
    say(&mut client, &state(0, 0x2000));
    until(&mut client, "it is refused", || {
        rig.figure(1, "input_refused") == 1
    });
    lock(false);
    say(&mut client, &state(1, 0x4000));
    until(&mut client, "its button", || {
        pads.buttons(1) == Some(0x4000)
    });
    assert_eq!(pads.buttons(0), Some(0));
}

#[test]
fn a_client_without_the_permission_has_no_pads_and_one_that_loses_it_lets_go() {
    let (rig, pads) = rig();
    let (_agent, mut client) = rig.start_connected(1);
    say(&mut client, &state(0, 0x1000));
    until(&mut client, "its button", || {
        pads.buttons(0) == Some(0x1000)
    });
    let id = ClientId("client1".into());
    let without = [PERMISSION_VIEW, PERMISSION_POINTER].map(str::to_owned);
    rig.streams.set_permissions(&id, &without);
    until(&mut client, "rest", || pads.buttons(0) == Some(0));
    say(&mut client, &state(0, 0x2000));
    say(&mut client, &state(1, 0x2000));
    let refused = || rig.figure(1, "input_refused");
    until(&mut client, "both are refused", || refused() == 2);
    let with = [PERMISSION_VIEW, PERMISSION_GAMEPAD].map(str::to_owned);
    rig.streams.set_permissions(&id, &with);
    say(&mut client, &state(2, 0x4000));
    until(&mut client, "its button", || {
        pads.buttons(2) == Some(0x4000)
    });
    assert_eq!(pads.buttons(0), Some(0));
}
