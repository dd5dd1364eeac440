use super::*;
use proptest::prelude::*;

fn one_of_each() -> Vec<(InputEvent, u32)> {
    let pad = ControllerState {
        controller: 15,
        active_mask: 0x8001,
        buttons: buttons::A | buttons::GUIDE | buttons::MISC,
        left_trigger: 1,
        right_trigger: 255,
        left_stick: (-32768, 32767),
        right_stick: (1, -2),
    };
    let touch = Touch {
        event: 1,
        pointer: 7,
        x: 0.25,
        y: 0.75,
        pressure_or_distance: 0.5,
        contact_major: 1.5,
        contact_minor: 2.5,
        rotation: 359,
    };
    let pen = Pen {
        event: 3,
        tool: 1,
        buttons: 4,
        x: 0.1,
        y: 0.2,
        pressure_or_distance: 0.3,
        rotation: 0xFFFF,
        tilt: 45,
        contact_major: 0.0,
        contact_minor: 0.5,
    };
    vec![
        (
            InputEvent::Key {
                down: true,
                code: 0x41,
                modifiers: 3,
                flags: 1,
            },
            10,
        ),
        (
            InputEvent::Key {
                down: false,
                code: 0xA0,
                modifiers: 0,
                flags: 0,
            },
            10,
        ),
        (
            InputEvent::MouseAbsolute {
                x: 12,
                y: -3,
                ref_width: 1919,
                ref_height: 1079,
            },
            14,
        ),
        (InputEvent::MouseRelative { dx: 10, dy: -3 }, 8),
        (
            InputEvent::MouseButton {
                down: true,
                button: 1,
            },
            5,
        ),
        (
            InputEvent::MouseButton {
                down: false,
                button: 5,
            },
            5,
        ),
        (InputEvent::Scroll { amount: -120 }, 10),
        (InputEvent::HorizontalScroll { amount: 40 }, 6),
        (InputEvent::Text('a'), 5),
        (InputEvent::Text('€'), 7),
        (InputEvent::Text('🦀'), 8),
        (InputEvent::Controller(pad), 30),
        (
            InputEvent::ControllerArrival {
                controller: 2,
                kind: ControllerKind::PlayStation,
                capabilities: 0x1FF,
                buttons: 0x3F_F7FF,
            },
            12,
        ),
        (
            InputEvent::ControllerTouch {
                controller: 1,
                event: 2,
                touchpad: 1,
                pointer: 9,
                x: 0.5,
                y: 0.25,
                pressure: 1.0,
            },
            24,
        ),
        (
            InputEvent::ControllerMotion {
                controller: 0,
                sensor: MotionSensor::Gyroscope,
                x: 1.0,
                y: -2.0,
                z: 3.5,
            },
            20,
        ),
        (
            InputEvent::ControllerBattery {
                controller: 3,
                state: 2,
                percent: 0xFF,
            },
            8,
        ),
        (InputEvent::Touch(touch), 32),
        (InputEvent::Pen(pen), 32),
        (InputEvent::EnableHaptics { enabled: true }, 6),
    ]
}

#[test]
fn every_packet_survives_the_way_there_and_back_at_its_exact_size() {
    for (event, size) in one_of_each() {
        let bytes = event.encode();
        assert_eq!(bytes[..4], size.to_be_bytes(), "{event:?}");
        assert_eq!(bytes.len() as u32, size + 4, "{event:?}");
        assert!(bytes.len() <= MAX_PACKET_LEN);
        assert_eq!(decode(&bytes).unwrap(), event);
    }
}

#[test]
fn a_packet_of_any_other_length_is_refused() {
    for (event, _) in one_of_each() {
        if matches!(event, InputEvent::Text(_)) {
            continue;
        }
        for change in [-1i32, 1, 4] {
            let mut bytes = event.encode();
            bytes.resize((bytes.len() as i32 + change) as usize, 0);
            assert!(decode(&bytes).is_err(), "the size field lies: {event:?}");
            let size = (bytes.len() - 4) as u32;
            bytes[..4].copy_from_slice(&size.to_be_bytes());
            assert!(
                decode(&bytes).is_err(),
                "the size is wrong for the kind: {event:?}"
            );
        }
    }
}

#[test]
fn known_bytes_of_a_real_client_are_understood() {
    let mouse = hex::decode("0000000807000000000afffd").unwrap();
    assert_eq!(
        decode(&mouse).unwrap(),
        InputEvent::MouseRelative { dx: 10, dy: -3 }
    );
    assert_eq!(InputEvent::MouseRelative { dx: 10, dy: -3 }.encode(), mouse);
    let key = hex::decode("0000000a03000000004180000000").unwrap();
    assert_eq!(
        decode(&key).unwrap(),
        InputEvent::Key {
            down: true,
            code: 0x41,
            modifiers: 0,
            flags: 0
        }
    );
    let pad = InputEvent::Controller(ControllerState {
        controller: 1,
        active_mask: 2,
        ..Default::default()
    });
    assert_eq!(
        hex::encode(pad.encode()),
        "0000001e0c0000001a00010002001400".to_owned() + &"00".repeat(12) + "9c0000005500"
    );
}

#[test]
fn text_is_exactly_one_character() {
    let packet = |body: &[u8]| {
        let mut out = (body.len() as u32 + 4).to_be_bytes().to_vec();
        out.extend_from_slice(&[0x17, 0, 0, 0]);
        out.extend_from_slice(body);
        out
    };
    for bad in [
        &b""[..],
        b"ab",
        b"\xff",
        b"\xe2\x82",
        b"abcde",
        "e\u{301}".as_bytes(),
    ] {
        assert!(decode(&packet(bad)).is_err(), "{bad:?}");
    }
    assert_eq!(
        decode(&packet("é".as_bytes())).unwrap(),
        InputEvent::Text('é')
    );
}

#[test]
fn impossible_values_are_refused() {
    let mut bytes = InputEvent::MouseButton {
        down: true,
        button: 1,
    }
    .encode();
    for button in [0, 6, 255] {
        bytes[8] = button;
        assert!(decode(&bytes).is_err());
    }
    let mut bytes = InputEvent::ControllerBattery {
        controller: 0,
        state: 0,
        percent: 0,
    }
    .encode();
    bytes[8] = 16;
    assert!(decode(&bytes).is_err());
    let mut bytes = InputEvent::ControllerMotion {
        controller: 0,
        sensor: MotionSensor::Gyroscope,
        x: 0.0,
        y: 0.0,
        z: 0.0,
    }
    .encode();
    bytes[12..16].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(decode(&bytes).is_err());
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn what_decodes_decodes_again_after_encoding(magic in 0u32..0x20, high in any::<bool>(), body in proptest::collection::vec(any::<u8>(), 0..30)) {
        let magic = if high { 0x5500_0000 | (magic & 7) } else { magic };
        let mut bytes = (body.len() as u32 + 4).to_be_bytes().to_vec();
        bytes.extend_from_slice(&magic.to_le_bytes());
        bytes.extend_from_slice(&body);
        if let Ok(event) = decode(&bytes) {
            prop_assert_eq!(decode(&event.encode()).unwrap(), event);
        }
    }
}
