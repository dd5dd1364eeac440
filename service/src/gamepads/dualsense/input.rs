//! Input report 0x01: a pad's state as the device's bytes.
use super::{
    descriptor::INPUT_SIZE,
    features::{STEPS_PER_DEGREE, STEPS_PER_G},
};
use crate::gamepads::state::{Battery, Finger, PadState};
use punktfunk_core::input::buttons as b;

const G: f32 = 9.806_65;
/// Points of the touchpad.
pub(super) const TOUCH_WIDTH: u16 = 1920;
pub(super) const TOUCH_HEIGHT: u16 = 1080;
/// A trigger pulled further than this also is a pressed button.
const TRIGGER_PRESSED: u8 = 0;

/// The report. `sequence` counts reports; `clock` counts thirds of a microsecond.
pub(super) fn report(state: &PadState, sequence: u8, clock: u32) -> Vec<u8> {
    let controls = &state.controls;
    let mut report = Vec::with_capacity(INPUT_SIZE);
    report.push(0x01);
    report.extend([
        stick(controls.left_stick.0),
        stick(controls.left_stick.1.saturating_neg()),
        stick(controls.right_stick.0),
        stick(controls.right_stick.1.saturating_neg()),
        controls.left_trigger,
        controls.right_trigger,
        sequence,
    ]);
    report.extend(buttons(
        controls.buttons,
        controls.left_trigger > TRIGGER_PRESSED,
        controls.right_trigger > TRIGGER_PRESSED,
    ));
    report.extend([0; 4]);
    for axis in state.rotation {
        report.extend(steps(axis * STEPS_PER_DEGREE).to_le_bytes());
    }
    for axis in state.acceleration {
        report.extend(steps(axis / G * STEPS_PER_G).to_le_bytes());
    }
    report.extend(clock.to_le_bytes());
    report.push(0);
    for finger in &state.fingers {
        report.extend(touch(finger.as_ref()));
    }
    report.resize(53, 0);
    report.push(battery(state.battery));
    report.resize(INPUT_SIZE, 0);
    report
}

/// 0..=255, 128 at rest; the device's Y axis points down.
fn stick(value: i16) -> u8 {
    let [high, _low] = value.to_be_bytes();
    high ^ 0x80
}

/// Hat, face buttons; shoulders and the middle; the rest.
fn buttons(pressed: u32, left_trigger: bool, right_trigger: bool) -> [u8; 4] {
    let bit = |wire: u32, bit: u8| if pressed & wire != 0 { bit } else { 0 };
    let when = |on: bool, bit: u8| if on { bit } else { 0 };
    [
        hat(pressed) | bit(b::X, 0x10) | bit(b::A, 0x20) | bit(b::B, 0x40) | bit(b::Y, 0x80),
        bit(b::LEFT_SHOULDER, 0x01)
            | bit(b::RIGHT_SHOULDER, 0x02)
            | when(left_trigger, 0x04)
            | when(right_trigger, 0x08)
            | bit(b::BACK, 0x10)
            | bit(b::START, 0x20)
            | bit(b::LEFT_STICK, 0x40)
            | bit(b::RIGHT_STICK, 0x80),
        bit(b::GUIDE, 0x01) | bit(b::TOUCHPAD, 0x02) | bit(b::MISC, 0x04),
        0,
    ]
}

/// 0 up, clockwise to 7; 8 at rest. Opposite directions cancel.
fn hat(pressed: u32) -> u8 {
    let on = |bit: u32, other: u32| pressed & bit != 0 && pressed & other == 0;
    let (up, down) = (on(b::UP, b::DOWN), on(b::DOWN, b::UP));
    let (left, right) = (on(b::LEFT, b::RIGHT), on(b::RIGHT, b::LEFT));
    match (up, down, left, right) {
        (true, _, false, false) => 0,
        (true, _, _, true) => 1,
        (false, false, _, true) => 2,
        (_, true, _, true) => 3,
        (_, true, false, false) => 4,
        (_, true, true, _) => 5,
        (false, false, true, _) => 6,
        (true, _, true, _) => 7,
        (false, false, false, false) => 8,
    }
}

/// Rounded and kept within what the sensor's 16 bits hold.
fn steps(value: f32) -> i16 {
    let limited = value
        .round()
        .clamp(f32::from(i16::MIN), f32::from(i16::MAX));
    #[expect(
        clippy::cast_possible_truncation,
        reason = "clamped to the type's range on the line before; NaN becomes 0"
    )]
    let steps = limited as i16;
    steps
}

/// Number and contact (0x80 = none), then 12 bits of each coordinate.
fn touch(finger: Option<&Finger>) -> [u8; 4] {
    let Some(finger) = finger else {
        return [0x80, 0, 0, 0];
    };
    let point = |share: f32, size: u16| {
        let last = size.saturating_sub(1);
        steps(share.clamp(0.0, 1.0) * f32::from(last))
            .unsigned_abs()
            .min(last)
    };
    let [x_low, x_high] = point(finger.x, TOUCH_WIDTH).to_le_bytes();
    let y = point(finger.y, TOUCH_HEIGHT);
    let [y_low, _] = (y << 4).to_le_bytes();
    let [y_high, _] = (y >> 4).to_le_bytes();
    [
        finger.contact & 0x7F,
        x_low,
        (x_high & 0x0F) | (y_low & 0xF0),
        y_high,
    ]
}

/// Tenths of the charge, and what the charger does.
fn battery(battery: Battery) -> u8 {
    const CHARGING: u8 = 0x10;
    const FULL: u8 = 0x20;
    let tenths = battery.level.min(100) / 10;
    match (battery.full, battery.charging) {
        (true, _) => FULL | 10,
        // Drivers add half a tenth to what is less than full.
        (false, true) => CHARGING | tenths.min(9),
        (false, false) => tenths.min(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use punktfunk_core::input::{ControllerState, MotionSensor};

    #[test]
    fn a_pad_at_rest_has_the_devices_resting_bytes() {
        let report = report(&PadState::default(), 7, 0x0403_0201);
        assert_eq!(report.len(), 64);
        assert_eq!(
            report[..12],
            [1, 0x80, 0x80, 0x80, 0x80, 0, 0, 7, 8, 0, 0, 0]
        );
        assert_eq!(report[16..22], [0; 6]);
        // One g upwards.
        assert_eq!(report[22..28], [0, 0, 0x00, 0x20, 0, 0]);
        assert_eq!(report[28..32], [1, 2, 3, 4]);
        assert_eq!(report[33..41], [0x80, 0, 0, 0, 0x80, 0, 0, 0]);
        assert_eq!(report[53], 0x2A);
    }

    #[test]
    fn every_control_has_its_place() {
        let mut state = PadState {
            controls: ControllerState {
                left_trigger: 1,
                right_trigger: 255,
                left_stick: (i16::MIN, i16::MAX),
                right_stick: (i16::MAX, i16::MIN),
                ..ControllerState::default()
            },
            ..PadState::default()
        };
        let shown = |state: &PadState| {
            let report = report(state, 0, 0);
            (report[1..7].to_vec(), report[8..12].to_vec())
        };
        assert_eq!(
            shown(&state),
            (vec![0, 0, 255, 255, 1, 255], vec![8, 0x0C, 0, 0])
        );
        state.controls = ControllerState::default();
        for (button, bytes) in [
            (b::UP, [0, 0, 0]),
            (b::UP | b::RIGHT, [1, 0, 0]),
            (b::RIGHT, [2, 0, 0]),
            (b::RIGHT | b::DOWN, [3, 0, 0]),
            (b::DOWN, [4, 0, 0]),
            (b::DOWN | b::LEFT, [5, 0, 0]),
            (b::LEFT, [6, 0, 0]),
            (b::LEFT | b::UP, [7, 0, 0]),
            (b::UP | b::DOWN, [8, 0, 0]),
            (b::UP | b::DOWN | b::LEFT, [6, 0, 0]),
            (b::X, [0x18, 0, 0]),
            (b::A, [0x28, 0, 0]),
            (b::B, [0x48, 0, 0]),
            (b::Y, [0x88, 0, 0]),
            (b::LEFT_SHOULDER, [8, 0x01, 0]),
            (b::RIGHT_SHOULDER, [8, 0x02, 0]),
            (b::BACK, [8, 0x10, 0]),
            (b::START, [8, 0x20, 0]),
            (b::LEFT_STICK, [8, 0x40, 0]),
            (b::RIGHT_STICK, [8, 0x80, 0]),
            (b::GUIDE, [8, 0, 0x01]),
            (b::TOUCHPAD, [8, 0, 0x02]),
            (b::MISC, [8, 0, 0x04]),
        ] {
            state.controls.buttons = button;
            assert_eq!(shown(&state).1[..3], bytes, "{button:#x}");
        }
    }

    #[test]
    fn fingers_span_the_touchpad() {
        let mut state = PadState::default();
        state.touch(1, 9, 0.0, 0.0);
        state.touch(1, 8, 1.0, 1.0);
        let shown = report(&state, 0, 0);
        // 1919 = 0x77F, 1079 = 0x437.
        assert_eq!(shown[33..41], [0, 0, 0, 0, 1, 0x7F, 0x77, 0x43]);
    }

    #[test]
    fn motion_is_scaled_to_the_calibration_and_limited() {
        let mut state = PadState::default();
        state.moved(MotionSensor::Gyroscope, [1.0, -90.0, 1e9]);
        state.moved(MotionSensor::Accelerometer, [-G, 2.0 * G, -1e9]);
        let shown = report(&state, 0, 0);
        let at = |index| i16::from_le_bytes([shown[index], shown[index + 1]]);
        assert_eq!([at(16), at(18), at(20)], [16, -1440, i16::MAX]);
        assert_eq!([at(22), at(24), at(26)], [-8192, 16384, i16::MIN]);
    }

    #[test]
    fn the_battery_is_told_in_tenths() {
        let mut state = PadState::default();
        for (charge, percent, byte) in [
            (2, 0, 0x00),
            (2, 55, 0x05),
            (2, 100, 0x0A),
            (3, 49, 0x14),
            (3, 100, 0x19),
            (5, 0xFF, 0x2A),
        ] {
            state.charge(charge, percent);
            assert_eq!(report(&state, 0, 0)[53], byte, "{charge} {percent}");
        }
    }
}
