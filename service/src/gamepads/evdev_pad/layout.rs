//! What an Xbox pad and a Switch pad have, under the names and numbers that the kernel's drivers give them: games know
//! pads by these.
use crate::gamepads::{kind::PadKind, state::PadState};
use evdev::{AbsoluteAxisCode as Axis, EventType, KeyCode};
use punktfunk_core::input::{ControllerState, buttons as b};

/// A button of the device and the client's bit for it.
type Button = (KeyCode, u32);

/// One axis: how far it goes, and how its value is read from a state.
#[derive(Clone, Copy)]
pub(in super::super) struct AxisOf {
    pub code: Axis,
    pub range: (i32, i32),
    pub fuzz: i32,
    pub flat: i32,
    read: fn(&ControllerState) -> i32,
}

pub(in super::super) struct Layout {
    pub name: &'static str,
    /// Vendor, product, version; always on USB.
    pub id: (u16, u16, u16),
    pub buttons: Vec<Button>,
    pub axes: Vec<AxisOf>,
}

impl Layout {
    /// Type and code of everything, in the order of [`Layout::values`].
    pub(super) fn controls(&self) -> impl Iterator<Item = (EventType, u16)> {
        let buttons = self.buttons.iter().map(|(key, _)| (EventType::KEY, key.0));
        let axes = self.axes.iter();
        buttons.chain(axes.map(|axis| (EventType::ABSOLUTE, axis.code.0)))
    }

    pub(super) fn values(&self, state: &PadState) -> Vec<i32> {
        let controls = &state.controls;
        let pressed = |(_, bit): &Button| i32::from(pressed(controls, *bit));
        let buttons = self.buttons.iter().map(pressed);
        let axes = self.axes.iter().map(|axis| (axis.read)(controls));
        buttons.chain(axes).collect()
    }
}

/// Not bits of the wire: a trigger that is pulled, where the device has a button for it.
const LEFT_TRIGGER: u32 = 1 << 30;
const RIGHT_TRIGGER: u32 = 1 << 31;
const PULLED: u8 = 0;

fn pressed(controls: &ControllerState, bit: u32) -> bool {
    match bit {
        LEFT_TRIGGER => controls.left_trigger > PULLED,
        RIGHT_TRIGGER => controls.right_trigger > PULLED,
        bit => controls.buttons & bit != 0,
    }
}

const PADDLES: [Button; 4] = [
    (KeyCode::BTN_TRIGGER_HAPPY5, b::PADDLE1),
    (KeyCode::BTN_TRIGGER_HAPPY6, b::PADDLE2),
    (KeyCode::BTN_TRIGGER_HAPPY7, b::PADDLE3),
    (KeyCode::BTN_TRIGGER_HAPPY8, b::PADDLE4),
];

/// The layout of `kind`, for a controller that has the `supported` buttons (0: it did not say).
pub(in super::super) fn layout(kind: PadKind, supported: u32) -> Layout {
    match kind {
        PadKind::Switch => switch(),
        PadKind::Xbox | PadKind::DualSense => xbox(supported),
    }
}

/// As the kernel's xpad driver shows an Xbox 360 pad. What the client's controller has beyond it comes after, where it
/// changes the number of no other button.
fn xbox(supported: u32) -> Layout {
    let mut buttons = vec![
        (KeyCode::BTN_SOUTH, b::A),
        (KeyCode::BTN_EAST, b::B),
        (KeyCode::BTN_NORTH, b::X),
        (KeyCode::BTN_WEST, b::Y),
        (KeyCode::BTN_TL, b::LEFT_SHOULDER),
        (KeyCode::BTN_TR, b::RIGHT_SHOULDER),
        (KeyCode::BTN_SELECT, b::BACK),
        (KeyCode::BTN_START, b::START),
        (KeyCode::BTN_MODE, b::GUIDE),
        (KeyCode::BTN_THUMBL, b::LEFT_STICK),
        (KeyCode::BTN_THUMBR, b::RIGHT_STICK),
    ];
    let paddles = PADDLES.iter().filter(|(_, bit)| supported & bit != 0);
    buttons.extend(paddles.copied());
    if supported & b::MISC != 0 {
        buttons.push((KeyCode::KEY_RECORD, b::MISC));
    }
    let mut axes = sticks(16, 128);
    axes.extend([
        trigger(Axis::ABS_Z, |controls| controls.left_trigger.into()),
        trigger(Axis::ABS_RZ, |controls| controls.right_trigger.into()),
    ]);
    axes.extend(hat());
    Layout {
        name: "Microsoft X-Box 360 pad",
        id: (0x045E, 0x028E, 0x0114),
        buttons,
        axes,
    }
}

/// As the kernel's hid-nintendo driver shows a Pro Controller. Buttons keep their places, not their letters: what is
/// below on the client's controller is below here.
fn switch() -> Layout {
    let buttons = vec![
        (KeyCode::BTN_SOUTH, b::A),
        (KeyCode::BTN_EAST, b::B),
        (KeyCode::BTN_NORTH, b::Y),
        (KeyCode::BTN_WEST, b::X),
        (KeyCode::BTN_TL, b::LEFT_SHOULDER),
        (KeyCode::BTN_TR, b::RIGHT_SHOULDER),
        (KeyCode::BTN_TL2, LEFT_TRIGGER),
        (KeyCode::BTN_TR2, RIGHT_TRIGGER),
        (KeyCode::BTN_SELECT, b::BACK),
        (KeyCode::BTN_START, b::START),
        (KeyCode::BTN_MODE, b::GUIDE),
        (KeyCode::BTN_THUMBL, b::LEFT_STICK),
        (KeyCode::BTN_THUMBR, b::RIGHT_STICK),
        (KeyCode::BTN_Z, b::MISC),
    ];
    let mut axes = sticks(250, 500);
    axes.extend(hat());
    Layout {
        name: "Nintendo Switch Pro Controller",
        id: (0x057E, 0x2009, 0x8111),
        buttons,
        axes,
    }
}

/// The devices' Y axes point down; the client's up.
fn sticks(fuzz: i32, flat: i32) -> Vec<AxisOf> {
    let axis = |code, read| AxisOf {
        code,
        range: (i16::MIN.into(), i16::MAX.into()),
        fuzz,
        flat,
        read,
    };
    vec![
        axis(Axis::ABS_X, |c| c.left_stick.0.into()),
        axis(Axis::ABS_Y, |c| down(c.left_stick.1)),
        axis(Axis::ABS_RX, |c| c.right_stick.0.into()),
        axis(Axis::ABS_RY, |c| down(c.right_stick.1)),
    ]
}

fn down(up: i16) -> i32 {
    up.saturating_neg().into()
}

fn trigger(code: Axis, read: fn(&ControllerState) -> i32) -> AxisOf {
    AxisOf {
        code,
        range: (0, 255),
        fuzz: 0,
        flat: 0,
        read,
    }
}

fn hat() -> [AxisOf; 2] {
    let axis = |code, read| AxisOf {
        code,
        range: (-1, 1),
        fuzz: 0,
        flat: 0,
        read,
    };
    [
        axis(Axis::ABS_HAT0X, |c| direction(c, b::LEFT, b::RIGHT)),
        axis(Axis::ABS_HAT0Y, |c| direction(c, b::UP, b::DOWN)),
    ]
}

/// Opposite directions cancel.
fn direction(controls: &ControllerState, negative: u32, positive: u32) -> i32 {
    let on = |bit| i32::from(controls.buttons & bit != 0);
    on(positive).saturating_sub(on(negative))
}
