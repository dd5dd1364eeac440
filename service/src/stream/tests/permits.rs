//! What a client may do is obeyed while it does it: event by event, and what it holds down is let go.
use super::*;
use crate::{ids::SessionId, store::DEFAULT_PERMISSIONS};
use control::{key_press, orders_until_press};
use punktfunk_core::{
    control::ClientMessage,
    input::{InputEvent, Pen, Touch},
};
use punktfunk_dbus::channel::{ToAgent, message::Held};
use std::time::Instant;

const POINTER: Held = Held {
    pointer: true,
    keyboard: false,
};
const KEYBOARD: Held = Held {
    pointer: false,
    keyboard: true,
};

fn button(down: bool) -> InputEvent {
    InputEvent::MouseButton { down, button: 1 }
}

/// One event of every kind that points.
fn pointing() -> Vec<InputEvent> {
    let touch = Touch {
        event: 1,
        pointer: 1,
        x: 0.5,
        y: 0.5,
        pressure_or_distance: 0.5,
        contact_major: 0.0,
        contact_minor: 0.0,
        rotation: 0xFFFF,
    };
    let pen = Pen {
        event: 1,
        tool: 1,
        buttons: 0,
        x: 0.5,
        y: 0.5,
        pressure_or_distance: 0.5,
        rotation: 0xFFFF,
        tilt: 0xFF,
        contact_major: 0.0,
        contact_minor: 0.0,
    };
    vec![
        InputEvent::MouseAbsolute {
            x: 1,
            y: 1,
            ref_width: 9,
            ref_height: 9,
        },
        InputEvent::MouseRelative { dx: 1, dy: 1 },
        button(true),
        InputEvent::Scroll { amount: 120 },
        InputEvent::HorizontalScroll { amount: 120 },
        InputEvent::Touch(touch),
        InputEvent::Pen(pen),
    ]
}

fn typing() -> Vec<InputEvent> {
    vec![key_press(65), InputEvent::Text('é')]
}

impl Rig {
    fn allow(&self, words: &[&str]) {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let id = crate::ids::ClientId("client1".into());
        self.streams.set_permissions(&id, &words);
    }

    /// Say these events, and wait until the service has refused all of them.
    fn assert_refused(&self, client: &mut Client, events: &[InputEvent]) {
        let refused = self.figure(1, "input_refused") + events.len() as u64;
        for event in events {
            client.say(&ClientMessage::Input(&event.encode()));
        }
        let end = Instant::now() + Duration::from_secs(60);
        while self.figure(1, "input_refused") < refused {
            assert!(Instant::now() < end, "not refused: {events:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(self.figure(1, "input_refused"), refused);
    }

    fn lock(&self, locked: bool) {
        let agent = self.agents.of_session(&SessionId("c1001".into())).unwrap();
        agent.update(|info| info.locked = locked);
    }
}

/// Say these events, and wait until the agent has all of them.
fn assert_taken(agent: &mut FakeAgent, client: &mut Client, events: &[InputEvent]) {
    for event in events {
        client.say(&ClientMessage::Input(&event.encode()));
        assert_eq!(agent.hear_order(), ToAgent::Input(event.clone()));
    }
}

#[test]
fn a_client_that_may_only_point_types_nothing_and_the_other_way_round() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    rig.allow(&["view", "pointer"]);
    rig.assert_refused(&mut client, &typing());
    assert_taken(&mut agent, &mut client, &pointing());
    rig.allow(&["view", "keyboard"]);
    assert_eq!(agent.hear_order(), ToAgent::Release(POINTER));
    rig.assert_refused(&mut client, &pointing());
    assert_taken(&mut agent, &mut client, &typing());
    rig.allow(&["view"]);
    assert_eq!(agent.hear_order(), ToAgent::Release(KEYBOARD));
    rig.assert_refused(&mut client, &typing());
}

#[test]
fn what_is_held_is_let_go_without_a_further_event_and_the_rest_stays_held() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    assert_taken(&mut agent, &mut client, &[button(true), key_press(65)]);
    rig.allow(&["view", "pointer", "unlock"]);
    assert_eq!(agent.hear_order(), ToAgent::Release(KEYBOARD));
    // The button is still the client's to let go.
    assert_taken(&mut agent, &mut client, &[button(false)]);
}

#[test]
fn permissions_given_back_work_at_once_and_release_nothing() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    rig.allow(&["view"]);
    rig.assert_refused(&mut client, &[key_press(65)]);
    rig.allow(&DEFAULT_PERMISSIONS);
    assert_eq!(orders_until_press(&mut client, &mut agent, 66), []);
}

#[test]
fn a_lock_that_comes_down_lets_go_of_everything_and_takes_no_input() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    assert_taken(&mut agent, &mut client, &[key_press(65), button(true)]);
    rig.lock(true);
    assert_eq!(agent.hear_order(), ToAgent::Release(Held::ALL));
    rig.assert_refused(&mut client, &[key_press(66), button(true)]);
    rig.lock(false);
    assert_eq!(orders_until_press(&mut client, &mut agent, 67), []);
}

#[test]
fn a_session_that_another_is_in_front_of_takes_no_input_from_anybody() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    rig.allow(&["view", "pointer", "keyboard", "unlock"]);
    assert_taken(&mut agent, &mut client, &[key_press(65), button(true)]);
    let in_front = |active| {
        let agent = rig.agents.of_session(&SessionId("c1001".into())).unwrap();
        agent.update(|info| info.active = active);
    };
    in_front(false);
    assert_eq!(agent.hear_order(), ToAgent::Release(Held::ALL));
    rig.assert_refused(&mut client, &[key_press(66), button(true)]);
    in_front(true);
    assert_eq!(orders_until_press(&mut client, &mut agent, 67), []);
}

#[test]
fn the_agent_is_told_whether_the_client_may_see_the_lock_screen() {
    let rig = Rig::new();
    let (mut agent, _client) = rig.start_connected(1);
    assert_eq!(agent.options.lock_screen, Some(false));
    for visible in [true, false] {
        let words: &[&str] = if visible {
            &["view", "unlock"]
        } else {
            &["view"]
        };
        rig.allow(words);
        while agent.hear() != (ToAgent::LockScreen { visible }) {}
    }
}

#[test]
fn a_client_that_may_unlock_types_on_behind_the_lock() {
    let rig = Rig::new();
    let (mut agent, mut client) = rig.start_connected(1);
    rig.allow(&["view", "keyboard", "unlock"]);
    rig.lock(true);
    assert_taken(&mut agent, &mut client, &[key_press(65)]);
    rig.allow(&["view", "keyboard"]);
    assert_eq!(agent.hear_order(), ToAgent::Release(KEYBOARD));
}

#[test]
fn a_client_that_loses_the_permission_to_view_loses_its_stream() {
    let rig = Rig::new();
    let (mut agent, _client) = rig.start_connected(1);
    rig.allow(&["pointer", "keyboard"]);
    let orders: Vec<_> = std::iter::from_fn(|| agent.try_hear()).collect();
    assert!(orders.contains(&ToAgent::ReleaseAll), "{orders:?}");
    assert_eq!(orders.last(), Some(&ToAgent::Stop));
    rig.wait_until_gone();
}

#[test]
fn a_client_that_may_not_hear_gets_no_sound() {
    let rig = Rig::new();
    let (mut agent, client) = rig.start_connected(1);
    let mut buffer = [0; 2048];
    let short = Some(Duration::from_millis(20));
    client.audio.set_read_timeout(short).unwrap();
    while client.audio.recv(&mut buffer).is_err() {
        client.ping_audio(audio_ping(1));
        agent.sound(&[1; 40]);
    }
    rig.allow(&["view"]);
    agent.sound(&[2; 40]);
    // What the agent says is heard in order: when the picture is here, the sound before it was judged.
    agent.key_frame(b"picture");
    client.receive_frame();
    rig.allow(&["view", "audio"]);
    let patience = Some(Duration::from_secs(5));
    client.audio.set_read_timeout(patience).unwrap();
    let last = loop {
        agent.sound(&[3; 40]);
        let length = client.audio.recv(&mut buffer).expect("sound again");
        // Parity is no sound.
        if buffer[1] == 97 && buffer[length - 1] != 1 {
            break buffer[length - 1];
        }
    };
    assert_eq!(last, 3);
}
