//! Input packets (payload of control message 0x0206) as typed values, both ways.
//!
//! Owns the byte layouts and their exact sizes. What a key or a button means, and whether the sender may press it, is
//! decided elsewhere.
mod decode;
mod encode;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;

pub use decode::decode;

/// Largest packet: touch and pen, 32 bytes after the size field.
pub const MAX_PACKET_LEN: usize = 36;

/// One input event of a client, in the client's terms (Windows key codes, packet coordinates).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum InputEvent {
    /// `code` is the Windows virtual key (0..=255, the wire's 0x80 marker removed); `modifiers` 1 shift, 2 ctrl, 4 alt,
    /// 8 meta; `flags` 1 = the code is not normalised to a US layout.
    Key {
        down: bool,
        code: u16,
        modifiers: u8,
        flags: u8,
    },
    /// Position in units of a `ref_width` by `ref_height` grid; the references are already size minus one.
    MouseAbsolute {
        x: i16,
        y: i16,
        ref_width: i16,
        ref_height: i16,
    },
    /// Motion in pixels.
    MouseRelative { dx: i16, dy: i16 },
    /// 1 left, 2 middle, 3 right, 4 X1, 5 X2.
    MouseButton { down: bool, button: u8 },
    /// 120 = one notch, positive away from the user.
    Scroll { amount: i16 },
    /// 120 = one notch, positive to the right.
    HorizontalScroll { amount: i16 },
    /// One character of typed text.
    Text(char),
    /// State of one controller.
    Controller(ControllerState),
    /// A controller came; an empty [`InputEvent::Controller`] follows.
    ControllerArrival {
        controller: u8,
        kind: ControllerKind,
        capabilities: u16,
        buttons: u32,
    },
    /// Finger on a controller's touchpad; `x`, `y`, `pressure` 0..=1.
    ControllerTouch {
        controller: u8,
        event: u8,
        touchpad: u8,
        pointer: u32,
        x: f32,
        y: f32,
        pressure: f32,
    },
    /// Motion sensor: m/s² with gravity for the accelerometer, degrees per second for the gyroscope.
    ControllerMotion {
        controller: u8,
        sensor: MotionSensor,
        x: f32,
        y: f32,
        z: f32,
    },
    /// `state` 0 unknown, 1 absent, 2 discharging, 3 charging, 4 not charging, 5 full; `percent` 0xFF = unknown.
    ControllerBattery {
        controller: u8,
        state: u8,
        percent: u8,
    },
    /// Finger on the client's screen.
    Touch(Touch),
    /// Pen on the client's screen.
    Pen(Pen),
    /// The client is ready for rumble.
    EnableHaptics { enabled: bool },
}

/// Buttons and axes of one controller. Stick Y is positive upwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ControllerState {
    /// 0..=15.
    pub controller: u8,
    /// Bit n set = controller n is connected; a packet whose own bit is clear takes the controller away.
    pub active_mask: u16,
    /// Bits as in [`buttons`].
    pub buttons: u32,
    /// 0..=255.
    pub left_trigger: u8,
    /// 0..=255.
    pub right_trigger: u8,
    pub left_stick: (i16, i16),
    pub right_stick: (i16, i16),
}

impl ControllerState {
    /// Its own bit of the mask: clear = this packet takes the controller away.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.active_mask
            .checked_shr(self.controller.into())
            .is_some_and(|mask| mask & 1 == 1)
    }
}

/// Bits of [`ControllerState::buttons`].
pub mod buttons {
    pub const UP: u32 = 0x0001;
    pub const DOWN: u32 = 0x0002;
    pub const LEFT: u32 = 0x0004;
    pub const RIGHT: u32 = 0x0008;
    pub const START: u32 = 0x0010;
    pub const BACK: u32 = 0x0020;
    pub const LEFT_STICK: u32 = 0x0040;
    pub const RIGHT_STICK: u32 = 0x0080;
    pub const LEFT_SHOULDER: u32 = 0x0100;
    pub const RIGHT_SHOULDER: u32 = 0x0200;
    pub const GUIDE: u32 = 0x0400;
    pub const A: u32 = 0x1000;
    pub const B: u32 = 0x2000;
    pub const X: u32 = 0x4000;
    pub const Y: u32 = 0x8000;
    pub const PADDLE1: u32 = 0x01_0000;
    pub const PADDLE2: u32 = 0x02_0000;
    pub const PADDLE3: u32 = 0x04_0000;
    pub const PADDLE4: u32 = 0x08_0000;
    pub const TOUCHPAD: u32 = 0x10_0000;
    pub const MISC: u32 = 0x20_0000;
}

/// What the client's controller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControllerKind {
    /// Also every number that this version does not know, so that newer clients keep working.
    Unknown,
    Xbox,
    PlayStation,
    Nintendo,
    Steam,
}

/// Which sensor an [`InputEvent::ControllerMotion`] comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MotionSensor {
    Accelerometer,
    Gyroscope,
}

/// A finger. `x`, `y` are 0..=1 over the video; `pressure_or_distance` is distance while hovering.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Touch {
    /// 0 hover, 1 down, 2 up, 3 move, 4 cancel, 6 hover leave, 7 cancel all.
    pub event: u8,
    pub pointer: u32,
    pub x: f32,
    pub y: f32,
    pub pressure_or_distance: f32,
    pub contact_major: f32,
    pub contact_minor: f32,
    /// Degrees 0..=360, 0xFFFF unknown.
    pub rotation: u16,
}

/// A pen; fields as in [`Touch`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pen {
    /// As [`Touch::event`], and 5 = only the buttons changed.
    pub event: u8,
    /// 0 unknown, 1 pen, 2 eraser.
    pub tool: u8,
    /// Bits 1, 2, 4.
    pub buttons: u8,
    pub x: f32,
    pub y: f32,
    pub pressure_or_distance: f32,
    pub rotation: u16,
    /// Degrees 0..=90, 0xFF unknown.
    pub tilt: u8,
    pub contact_major: f32,
    pub contact_minor: f32,
}

/// The magic numbers of the packets.
mod magic {
    pub const KEY_DOWN: u32 = 0x0000_0003;
    pub const KEY_UP: u32 = 0x0000_0004;
    pub const MOUSE_ABSOLUTE: u32 = 0x0000_0005;
    pub const MOUSE_RELATIVE: u32 = 0x0000_0007;
    pub const BUTTON_DOWN: u32 = 0x0000_0008;
    pub const BUTTON_UP: u32 = 0x0000_0009;
    pub const SCROLL: u32 = 0x0000_000A;
    pub const MULTI_CONTROLLER: u32 = 0x0000_000C;
    pub const HAPTICS: u32 = 0x0000_000D;
    pub const TEXT: u32 = 0x0000_0017;
    pub const HORIZONTAL_SCROLL: u32 = 0x5500_0001;
    pub const TOUCH: u32 = 0x5500_0002;
    pub const PEN: u32 = 0x5500_0003;
    pub const ARRIVAL: u32 = 0x5500_0004;
    pub const CONTROLLER_TOUCH: u32 = 0x5500_0005;
    pub const MOTION: u32 = 0x5500_0006;
    pub const BATTERY: u32 = 0x5500_0007;
}
