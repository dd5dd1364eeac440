//! Pads without a kernel: what clients do becomes devices with states, and what programs want comes back.
mod double;

use super::{kind::capability, *};
use double::FakeClient;
pub(crate) use double::{FakePads, NoPads};
use punktfunk_core::input::{ControllerKind, ControllerState, MotionSensor};

const A: u32 = 0x1000;

pub(crate) fn state(controller: u8, buttons: u32) -> InputEvent {
    InputEvent::Controller(ControllerState {
        controller,
        active_mask: 1 << controller,
        buttons,
        ..ControllerState::default()
    })
}

pub(crate) fn gone(controller: u8) -> InputEvent {
    InputEvent::Controller(ControllerState {
        controller,
        ..ControllerState::default()
    })
}

pub(crate) fn arrival(controller: u8, kind: ControllerKind) -> InputEvent {
    InputEvent::ControllerArrival {
        controller,
        kind,
        capabilities: capability::TOUCHPAD | capability::ACCELEROMETER | capability::GYROSCOPE,
        buttons: 0,
    }
}

struct Rig {
    pads: FakePads,
    gamepads: Gamepads,
}

impl Rig {
    fn new(choice: Choice) -> Self {
        let pads = FakePads::default();
        let gamepads = Gamepads::spawn(Box::new(pads.maker()), choice).unwrap();
        Self { pads, gamepads }
    }

    fn attach(&self, stream: u64, client: &str) -> (PadPort, Arc<FakeClient>) {
        let link = Arc::new(FakeClient::default());
        let port = self.gamepads.attach(
            StreamId(stream),
            ClientId(client.into()),
            Uid(1000),
            Arc::clone(&link) as Arc<dyn PadClient>,
        );
        (port, link)
    }
}

fn motion(controller: u16, rate_hz: u16, kind: u8) -> HostMessage {
    HostMessage::MotionEvents {
        controller,
        rate_hz,
        kind,
    }
}

#[test]
fn an_unannounced_controller_becomes_an_xbox_pad_and_goes_with_its_bit() {
    let rig = Rig::new(Choice::Auto);
    let (port, _client) = rig.attach(7, "a");
    port.push(state(3, A));
    let pad = rig
        .pads
        .wait_for("a pad", |pads| pads.alive().first().cloned());
    assert_eq!(pad.kind, PadKind::Xbox);
    assert_eq!(pad.identity.phys(), "punktfunk/1000/7/3");
    rig.pads
        .wait_until("its button", |pads| pads.buttons(3) == Some(A));
    port.push(gone(3));
    rig.pads
        .wait_until("its end", |pads| pads.alive().is_empty());
}

#[test]
fn a_playstation_controller_is_asked_for_motion_and_its_touch_and_motion_are_shown() {
    let rig = Rig::new(Choice::Auto);
    let (port, client) = rig.attach(1, "a");
    port.push(arrival(0, ControllerKind::PlayStation));
    assert_eq!(client.hear(), motion(0, 100, 1));
    assert_eq!(client.hear(), motion(0, 100, 2));
    port.push(state(0, 0));
    port.push(InputEvent::ControllerTouch {
        controller: 0,
        event: 1,
        touchpad: 0,
        pointer: 9,
        x: 0.5,
        y: 0.25,
        pressure: 1.0,
    });
    port.push(InputEvent::ControllerMotion {
        controller: 0,
        sensor: MotionSensor::Gyroscope,
        x: 1.0,
        y: 2.0,
        z: 3.0,
    });
    port.push(InputEvent::ControllerBattery {
        controller: 0,
        state: 2,
        percent: 40,
    });
    rig.pads.wait_until("touch, motion and battery", |pads| {
        let alive = pads.alive();
        alive.first().is_some_and(|pad| {
            let touched = pad.state.fingers[0].is_some_and(|finger| finger.x == 0.5);
            pad.kind == PadKind::DualSense
                && touched
                && pad.state.rotation == [1.0, 2.0, 3.0]
                && pad.state.battery.level == 40
        })
    });
}

#[test]
fn without_uhid_a_playstation_controller_is_an_xbox_pad_and_motion_is_not_promised() {
    let pads = FakePads::default();
    pads.forbid_uhid();
    let gamepads = Gamepads::spawn(Box::new(pads.maker()), Choice::Auto).unwrap();
    assert_eq!(gamepads.feature_flags(), 0);
    let rig = Rig { pads, gamepads };
    let (port, client) = rig.attach(1, "a");
    port.push(arrival(0, ControllerKind::PlayStation));
    let pad = rig
        .pads
        .wait_for("a pad", |pads| pads.alive().first().cloned());
    assert_eq!(pad.kind, PadKind::Xbox);
    assert!(client.heard().is_empty());
    assert_eq!(Rig::new(Choice::Auto).gamepads.feature_flags(), 2);
    let xbox = Choice::Always(PadKind::Xbox);
    assert_eq!(Rig::new(xbox).gamepads.feature_flags(), 0);
}

#[test]
fn rumble_and_light_come_back_to_the_client_of_the_pad() {
    let rig = Rig::new(Choice::Auto);
    let (one, _) = rig.attach(1, "a");
    let (other, client) = rig.attach(2, "b");
    one.push(state(0, 0));
    rig.pads
        .wait_until("the first pad", |pads| pads.alive().len() == 1);
    other.push(state(5, 0));
    rig.pads
        .wait_until("both pads", |pads| pads.alive().len() == 2);
    rig.pads
        .wish(5, |wishes| wishes.rumble = Some((0x1111, 0x2222)));
    let rumble = HostMessage::Rumble {
        controller: 5,
        low: 0x1111,
        high: 0x2222,
    };
    assert_eq!(client.hear(), rumble);
    rig.pads.wish(5, |wishes| wishes.light = Some([1, 2, 3]));
    let light = HostMessage::RgbLed {
        controller: 5,
        red: 1,
        green: 2,
        blue: 3,
    };
    assert_eq!(client.hear(), light);
}

#[test]
fn a_paused_client_finds_its_pads_again_and_they_rest_meanwhile() {
    let rig = Rig::new(Choice::Auto);
    let (port, _) = rig.attach(1, "a");
    port.push(arrival(0, ControllerKind::PlayStation));
    port.push(state(0, A));
    rig.pads
        .wait_until("its button", |pads| pads.buttons(0) == Some(A));
    rig.pads.wish(0, |wishes| wishes.light = Some([9, 9, 9]));
    port.detach(true);
    rig.pads
        .wait_until("rest", |pads| pads.buttons(0) == Some(0));
    let (port, client) = rig.attach(2, "a");
    port.push(arrival(0, ControllerKind::PlayStation));
    port.push(state(0, A));
    rig.pads
        .wait_until("its button again", |pads| pads.buttons(0) == Some(A));
    assert_eq!(rig.pads.made(), 1, "the same pad goes on");
    let mut expected = vec![
        HostMessage::RgbLed {
            controller: 0,
            red: 9,
            green: 9,
            blue: 9,
        },
        motion(0, 100, 1),
        motion(0, 100, 2),
    ];
    while !expected.is_empty() {
        let heard = client.hear();
        expected.retain(|message| *message != heard);
    }
    port.detach(false);
    rig.pads
        .wait_until("the end", |pads| pads.alive().is_empty());
}

#[test]
fn paused_pads_go_when_their_client_cancels_or_their_session_ends() {
    let rig = Rig::new(Choice::Auto);
    let (cancelled, _) = rig.attach(1, "a");
    let (over, client) = rig.attach(2, "b");
    cancelled.push(state(0, 0));
    over.push(state(1, 0));
    rig.pads
        .wait_until("both pads", |pads| pads.alive().len() == 2);
    cancelled.detach(true);
    over.detach(true);
    rig.gamepads.release(&ClientId("a".into()));
    rig.pads
        .wait_until("one pad less", |pads| pads.alive().len() == 1);
    client.end_session();
    rig.pads.wait_until("none", |pads| pads.alive().is_empty());
}

#[test]
fn at_the_lock_screen_everything_is_let_go_and_nothing_pressed() {
    let rig = Rig::new(Choice::Auto);
    let (port, client) = rig.attach(1, "a");
    port.push(arrival(0, ControllerKind::PlayStation));
    port.push(state(0, A));
    rig.pads
        .wait_until("its button", |pads| pads.buttons(0) == Some(A));
    rig.pads.wish(0, |wishes| wishes.rumble = Some((5, 5)));
    while !matches!(client.hear(), HostMessage::Rumble { low: 5, .. }) {}
    // Nobody presses anything: the lock itself lets go.
    client.permit(false);
    rig.pads
        .wait_until("rest", |pads| pads.buttons(0) == Some(0));
    while !matches!(client.hear(), HostMessage::Rumble { low: 0, .. }) {}
    assert_eq!(client.hear(), motion(0, 0, 1));
    assert_eq!(client.hear(), motion(0, 0, 2));
    port.push(state(0, A));
    // A pad that comes now is remembered, and made when it may be.
    port.push(arrival(1, ControllerKind::Nintendo));
    port.push(state(1, A));
    port.push(gone(2));
    client.permit(true);
    assert_eq!(client.hear(), motion(0, 100, 1));
    port.push(state(1, 0));
    let made = rig.pads.wait_for("the other pad", |pads| {
        pads.alive().into_iter().find(|pad| pad.identity.pad == 1)
    });
    assert_eq!(made.kind, PadKind::Switch);
}

#[test]
fn sixteen_pads_of_a_stream_are_told_apart_and_the_machine_has_a_limit() {
    let rig = Rig::new(Choice::Auto);
    let ports: Vec<_> = (1..=5).map(|n| rig.attach(n, &format!("c{n}")).0).collect();
    for pad in 0..16 {
        ports[0].push(state(pad, u32::from(pad) + 1));
    }
    rig.pads.wait_until("all sixteen", |pads| {
        (0..16).all(|pad| pads.buttons(pad) == Some(u32::from(pad) + 1))
    });
    for port in &ports[1..] {
        (0..16).for_each(|pad| port.push(state(pad, 0)));
    }
    rig.pads.wait_until("the limit", |pads| pads.made() == 64);
    ports[0].push(gone(0));
    rig.pads
        .wait_until("one less", |pads| pads.alive().len() == 63);
    ports[4].push(gone(3));
    ports[4].push(state(3, 0));
    rig.pads
        .wait_until("its successor", |pads| pads.made() == 65);
}

#[test]
fn a_controller_that_turns_out_to_be_another_kind_is_made_anew() {
    let rig = Rig::new(Choice::Auto);
    let (port, _) = rig.attach(1, "a");
    port.push(state(0, 0));
    rig.pads.wait_until("a pad", |pads| pads.alive().len() == 1);
    port.push(arrival(0, ControllerKind::Nintendo));
    rig.pads.wait_until("a Switch pad", |pads| {
        let alive = pads.alive();
        alive.len() == 1 && alive[0].kind == PadKind::Switch
    });
    port.push(arrival(0, ControllerKind::Nintendo));
    port.push(state(0, A));
    rig.pads
        .wait_until("its button", |pads| pads.buttons(0) == Some(A));
    assert_eq!(rig.pads.made(), 2);
}

#[test]
fn the_end_of_the_service_takes_every_pad_away() {
    let rig = Rig::new(Choice::Auto);
    let (port, _) = rig.attach(1, "a");
    port.push(state(0, 0));
    rig.pads.wait_until("a pad", |pads| pads.alive().len() == 1);
    let Rig { pads, gamepads } = rig;
    drop(gamepads);
    pads.wait_until("the end", |pads| pads.alive().is_empty());
}
