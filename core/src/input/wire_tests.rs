//! Each packet from its bytes, written out by hand: sizes and mouse big-endian, everything else little-endian.
use super::*;

fn read(text: &str) -> InputEvent {
    let bytes = hex::decode(text.replace(' ', "")).unwrap();
    decode(&bytes).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn keys_and_text_are_read_from_the_bytes_of_the_wire() {
    assert_eq!(
        read("0000000a 03000000 01 41 80 05 0000"),
        InputEvent::Key {
            down: true,
            code: 0x41,
            modifiers: 5,
            flags: 1
        },
        "the high byte of the key code is dropped"
    );
    assert_eq!(
        read("0000000a 04000000 00 a0 00 00 0000"),
        InputEvent::Key {
            down: false,
            code: 0xa0,
            modifiers: 0,
            flags: 0
        }
    );
    assert_eq!(read("00000007 17000000 e282ac"), InputEvent::Text('€'));
}

#[test]
fn the_mouse_is_read_big_endian() {
    assert_eq!(
        read("0000000e 05000000 0102 fffe 0000 077f 0437"),
        InputEvent::MouseAbsolute {
            x: 0x0102,
            y: -2,
            ref_width: 1919,
            ref_height: 1079
        }
    );
    assert_eq!(
        read("00000008 07000000 0102 fffd"),
        InputEvent::MouseRelative { dx: 0x0102, dy: -3 }
    );
    assert_eq!(
        read("00000005 08000000 04"),
        InputEvent::MouseButton {
            down: true,
            button: 4
        }
    );
    assert_eq!(
        read("00000005 09000000 02"),
        InputEvent::MouseButton {
            down: false,
            button: 2
        }
    );
    assert_eq!(
        read("0000000a 0a000000 ff88 ff88 0000"),
        InputEvent::Scroll { amount: -120 }
    );
    assert_eq!(
        read("00000006 01000055 0078"),
        InputEvent::HorizontalScroll { amount: 120 }
    );
}

#[test]
fn controllers_are_read_little_endian() {
    assert_eq!(
        read("0000001e 0c000000 1a00 0200 0500 1400 0110 07 ff 0080 ff7f 0100 feff 9c00 2000 5500"),
        InputEvent::Controller(ControllerState {
            controller: 2,
            active_mask: 5,
            buttons: buttons::A | buttons::UP | buttons::MISC,
            left_trigger: 7,
            right_trigger: 255,
            left_stick: (-32768, 32767),
            right_stick: (1, -2),
        })
    );
    assert_eq!(
        read("0000000c 04000055 01 02 ff01 ffff3f00"),
        InputEvent::ControllerArrival {
            controller: 1,
            kind: ControllerKind::PlayStation,
            capabilities: 0x1ff,
            buttons: 0x3f_ffff
        }
    );
    assert_eq!(
        read("00000018 05000055 01 03 00 01 09000000 0000003f 0000803e 0000803f"),
        InputEvent::ControllerTouch {
            controller: 1,
            event: 3,
            touchpad: 1,
            pointer: 9,
            x: 0.5,
            y: 0.25,
            pressure: 1.0
        }
    );
    assert_eq!(
        read("00000014 06000055 00 02 0000 0000803f 000000c0 00006040"),
        InputEvent::ControllerMotion {
            controller: 0,
            sensor: MotionSensor::Gyroscope,
            x: 1.0,
            y: -2.0,
            z: 3.5
        }
    );
    assert_eq!(
        read("00000008 07000055 03 05 64 00"),
        InputEvent::ControllerBattery {
            controller: 3,
            state: 5,
            percent: 100
        }
    );
    assert_eq!(
        read("00000006 0d000000 0100"),
        InputEvent::EnableHaptics { enabled: true }
    );
}

#[test]
fn touch_and_pen_are_read_little_endian() {
    assert_eq!(
        read("00000020 02000055 01 00 6701 07000000 0000803e 0000403f 0000003f 0000c03f 00002040"),
        InputEvent::Touch(Touch {
            event: 1,
            pointer: 7,
            x: 0.25,
            y: 0.75,
            pressure_or_distance: 0.5,
            contact_major: 1.5,
            contact_minor: 2.5,
            rotation: 359
        })
    );
    assert_eq!(
        read(
            "00000020 03000055 03 02 04 00 0000803e 0000403f 0000003f ffff 2d 00 0000c03f 00002040"
        ),
        InputEvent::Pen(Pen {
            event: 3,
            tool: 2,
            buttons: 4,
            x: 0.25,
            y: 0.75,
            pressure_or_distance: 0.5,
            rotation: 0xffff,
            tilt: 45,
            contact_major: 1.5,
            contact_minor: 2.5
        })
    );
}
