//! What the host tells a client: when, how often, and that it arrives.
use super::*;
use client::Heard;
use punktfunk_core::control::{ClientMessage, HdrMetadata, HostMessage};
use punktfunk_core::input::InputEvent;
use punktfunk_dbus::channel::ToService;

fn rumble(low: u16) -> HostMessage {
    HostMessage::Rumble {
        controller: 0,
        low,
        high: 0,
    }
}

fn led(red: u8) -> HostMessage {
    HostMessage::RgbLed {
        controller: 1,
        red,
        green: 0,
        blue: 0,
    }
}

fn hdr(enabled: bool, max_display: u16) -> HostMessage {
    HostMessage::Hdr {
        enabled,
        metadata: HdrMetadata {
            max_display,
            ..HdrMetadata::default()
        },
    }
}

fn tell(rig: &Rig, message: HostMessage) {
    rig.streams.0.link(StreamId(1)).unwrap().tell(message);
}

#[test]
fn the_newest_state_waits_for_the_client_and_rumble_until_it_is_wanted() {
    let rig = Rig::new();
    let (_agent, mut client) = rig.start(1);
    for strength in 0..1000 {
        tell(&rig, rumble(strength));
    }
    tell(&rig, led(1));
    tell(&rig, led(2));
    client.connect(connect_data(1));
    assert_eq!(client.hear(), Heard::Message(led(2)));
    let wish = InputEvent::EnableHaptics { enabled: true };
    client.say(&ClientMessage::Input(&wish.encode()));
    assert_eq!(client.hear(), Heard::Message(rumble(999)));
    // Nothing is told twice, and from now on at once.
    tell(&rig, rumble(5));
    assert_eq!(client.hear(), Heard::Message(rumble(5)));
}

#[test]
fn every_message_to_a_pad_arrives_as_it_was_left() {
    let rig = Rig::new();
    let (_agent, mut client) = rig.start_connected(1);
    let wish = InputEvent::EnableHaptics { enabled: true };
    client.say(&ClientMessage::Input(&wish.encode()));
    for message in [
        rumble(0x1234),
        HostMessage::TriggerRumble {
            controller: 2,
            left: 3,
            right: 4,
        },
        HostMessage::MotionEvents {
            controller: 15,
            rate_hz: 100,
            kind: 2,
        },
        led(9),
        HostMessage::AdaptiveTriggers {
            controller: 0,
            flags: 0x0C,
            left_kind: 1,
            right_kind: 2,
            left: [3; 10],
            right: [4; 10],
        },
    ] {
        tell(&rig, message.clone());
        assert_eq!(client.hear(), Heard::Message(message));
    }
}

#[test]
fn hdr_is_told_at_the_start_and_at_every_change() {
    let rig = Rig::new();
    let (agent, mut client) = rig.start_with(1, |params| {
        (params.hdr, params.hdr_asked) = (true, true);
    });
    client.connect(connect_data(1));
    assert_eq!(client.hear(), Heard::Message(hdr(true, 0)));
    for (enabled, level) in [(true, 1000), (false, 0), (true, 600)] {
        let HostMessage::Hdr { metadata, .. } = hdr(enabled, level) else {
            unreachable!();
        };
        agent.say(&ToService::Hdr { enabled, metadata });
        assert_eq!(client.hear(), Heard::Message(hdr(enabled, level)));
    }
}

#[test]
fn a_client_that_wanted_hdr_and_does_not_get_it_is_told() {
    let rig = Rig::new();
    let (_agent, mut client) = rig.start_with(1, |params| params.hdr_asked = true);
    client.connect(connect_data(1));
    assert_eq!(client.hear(), Heard::Message(hdr(false, 0)));
}

#[test]
fn an_sdr_stream_hears_nothing_of_hdr_whatever_its_agent_says() {
    let rig = Rig::new();
    let (agent, mut client) = rig.start(1);
    for enabled in [true, false] {
        let metadata = HdrMetadata::default();
        agent.say(&ToService::Hdr { enabled, metadata });
    }
    client.connect(connect_data(1));
    tell(&rig, led(1));
    assert_eq!(client.hear(), Heard::Message(led(1)));
    assert!(rig.streams.stop(StreamId(1), StopReason::Administrator));
    assert!(matches!(
        client.hear(),
        Heard::Message(HostMessage::Termination { .. })
    ));
}

#[test]
fn a_termination_arrives_through_heavy_loss_and_before_the_disconnect() {
    let rig = Rig::new();
    let (_agent, mut client) = rig.start_connected(1);
    client.line.lock().lost = 20;
    assert!(rig.streams.stop(StreamId(1), StopReason::Administrator));
    let told = HostMessage::Termination {
        reason: 0x8003_0023,
    };
    assert_eq!(client.hear(), Heard::Message(told));
    assert_eq!(client.hear(), Heard::Disconnected);
    rig.wait_until_gone();
}
