//! Seeds of the control stream: its messages, its transport and the client's input.
use super::Seeds;
use punktfunk_core::{
    Role,
    control::{ClientMessage, FecStatus, HdrMetadata, HostMessage, Iv, Sealer},
    crypto::Key,
    enet::framing::{Body, Command, Fragment},
    input::{ControllerKind, ControllerState, InputEvent, MotionSensor, Pen, Touch},
};

/// Type and payload of every message of both directions, and one sealed.
pub(super) fn control() -> Seeds {
    let rumble = HostMessage::Rumble {
        controller: 1,
        low: 0x1234,
        high: 0x5678,
    };
    let from_client = [
        ClientMessage::RequestIdr,
        ClientMessage::StartB,
        ClientMessage::Ping,
        ClientMessage::InvalidateReferences { first: 7, last: 9 },
        ClientMessage::LtrAck { frame: 5 },
        ClientMessage::FecStatus(FecStatus {
            frame: 3,
            data: 10,
            parity: 2,
            ..FecStatus::default()
        }),
        ClientMessage::Input(&[0, 0, 0, 8, 7, 0, 0, 0, 0, 10, 0xff, 0xfd]),
    ];
    let from_host = [
        rumble,
        HostMessage::TriggerRumble {
            controller: 0,
            left: 1,
            right: 2,
        },
        HostMessage::MotionEvents {
            controller: 0,
            rate_hz: 100,
            kind: 2,
        },
        HostMessage::RgbLed {
            controller: 0,
            red: 1,
            green: 2,
            blue: 3,
        },
        HostMessage::AdaptiveTriggers {
            controller: 0,
            flags: 0x0c,
            left_kind: 1,
            right_kind: 2,
            left: [3; 10],
            right: [4; 10],
        },
        HostMessage::Hdr {
            enabled: true,
            metadata: HdrMetadata {
                max_display: 1000,
                ..HdrMetadata::default()
            },
        },
        HostMessage::Termination {
            reason: 0x8003_0023,
        },
    ];
    let plain = |(kind, payload): (u16, Vec<u8>)| [&kind.to_le_bytes()[..], &payload].concat();
    let mut seeds: Seeds = from_client.iter().map(|m| plain(m.encode())).collect();
    seeds.extend(from_host.iter().map(|m| plain(m.encode())));
    let mut sealer = Sealer::new(&Key([7; 16]), Iv::V2, Role::Host).expect("a key");
    seeds.push(sealer.seal(0x0302, &[0, 0]).expect("short").to_vec());
    seeds
}

/// A conversation with every command, one out of order, and a datagram alone.
pub(super) fn enet() -> Seeds {
    let part = |number, offset| {
        Body::Fragment(Fragment {
            start: 3,
            count: 2,
            number,
            total: 8,
            offset,
            payload: &[1, 2, 3, 4],
        })
    };
    let said = [
        (0, 1, Body::Reliable(&[1; 20])),
        (1, 2, Body::Reliable(&[3; 8])),
        (1, 1, Body::Reliable(&[2; 8])),
        (
            0x10,
            0,
            Body::Unreliable {
                sequence: 1,
                payload: &[4; 12],
            },
        ),
        (
            0,
            0,
            Body::Unsequenced {
                group: 1,
                payload: &[5; 21],
            },
        ),
        (2, 3, part(1, 4)),
        (2, 3, part(0, 0)),
        (0xff, 2, Body::Ping),
        (
            0xff,
            0,
            Body::Acknowledge {
                sequence: 1,
                sent_time: 40,
            },
        ),
        (0xff, 3, Body::Disconnect { data: 0 }),
    ];
    let mut conversation = Vec::new();
    let mut seeds = Seeds::new();
    for (channel, sequence, body) in said {
        let mut bytes = Vec::new();
        let command = Command {
            acknowledge: sequence != 0,
            channel,
            sequence,
            body,
        };
        command.write(&mut bytes);
        let turn = [&[0x18, bytes.len() as u8, 0], &bytes[..]].concat();
        conversation.extend_from_slice(&turn);
        seeds.push(turn);
    }
    seeds.push(conversation);
    seeds
}

/// One packet of each kind.
pub(super) fn input() -> Seeds {
    let events = [
        InputEvent::Key {
            down: true,
            code: 0x41,
            modifiers: 1,
            flags: 0,
        },
        InputEvent::MouseAbsolute {
            x: 1,
            y: 2,
            ref_width: 1279,
            ref_height: 719,
        },
        InputEvent::MouseRelative { dx: 10, dy: -3 },
        InputEvent::MouseButton {
            down: true,
            button: 1,
        },
        InputEvent::Scroll { amount: -120 },
        InputEvent::HorizontalScroll { amount: 120 },
        InputEvent::Text('\u{20ac}'),
        InputEvent::Controller(ControllerState {
            active_mask: 1,
            buttons: 0x20_1000,
            left_stick: (1, -1),
            ..ControllerState::default()
        }),
        InputEvent::ControllerArrival {
            controller: 0,
            kind: ControllerKind::PlayStation,
            capabilities: 0xff,
            buttons: 0x10_ffff,
        },
        InputEvent::ControllerTouch {
            controller: 0,
            event: 1,
            touchpad: 0,
            pointer: 3,
            x: 0.5,
            y: 0.25,
            pressure: 1.0,
        },
        InputEvent::ControllerMotion {
            controller: 0,
            sensor: MotionSensor::Gyroscope,
            x: 1.0,
            y: -2.0,
            z: 3.5,
        },
        InputEvent::ControllerBattery {
            controller: 0,
            state: 3,
            percent: 80,
        },
        InputEvent::Touch(Touch {
            event: 1,
            pointer: 1,
            x: 0.5,
            y: 0.5,
            pressure_or_distance: 1.0,
            contact_major: 0.0,
            contact_minor: 0.0,
            rotation: 0xffff,
        }),
        InputEvent::Pen(Pen {
            event: 3,
            tool: 1,
            buttons: 1,
            x: 0.1,
            y: 0.9,
            pressure_or_distance: 0.3,
            rotation: 90,
            tilt: 45,
            contact_major: 0.0,
            contact_minor: 0.0,
        }),
        InputEvent::EnableHaptics { enabled: true },
    ];
    events.iter().map(|event| event.encode().to_vec()).collect()
}
