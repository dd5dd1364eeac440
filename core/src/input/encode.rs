//! [`InputEvent`] to the bytes that a client sends.
use super::{ControllerKind, InputEvent, MAX_PACKET_LEN, MotionSensor, magic};

/// Clients set this in the high byte of key codes.
const KEY_MARKER: u16 = 0x8000;

impl InputEvent {
    /// The packet as a client sends it (size field included).
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Packet::new(self.magic());
        match *self {
            Self::Key {
                down: _,
                code,
                modifiers,
                flags,
            } => {
                out.bytes(&[flags])
                    .bytes(&(code | KEY_MARKER).to_le_bytes())
                    .bytes(&[modifiers, 0, 0]);
            }
            Self::MouseAbsolute {
                x,
                y,
                ref_width,
                ref_height,
            } => {
                out.be(x).be(y).be(0).be(ref_width).be(ref_height);
            }
            Self::MouseRelative { dx, dy } => {
                out.be(dx).be(dy);
            }
            Self::MouseButton { down: _, button } => {
                out.bytes(&[button]);
            }
            Self::Scroll { amount } => {
                out.be(amount).be(amount).be(0);
            }
            Self::HorizontalScroll { amount } => {
                out.be(amount);
            }
            Self::Text(c) => {
                out.bytes(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Self::Controller(state) => {
                let [b0, b1, b2, b3] = state.buttons.to_le_bytes();
                out.bytes(&[0x1A, 0, state.controller, 0])
                    .bytes(&state.active_mask.to_le_bytes());
                out.bytes(&[0x14, 0, b0, b1, state.left_trigger, state.right_trigger]);
                for axis in [
                    state.left_stick.0,
                    state.left_stick.1,
                    state.right_stick.0,
                    state.right_stick.1,
                ] {
                    out.bytes(&axis.to_le_bytes());
                }
                out.bytes(&[0x9C, 0, b2, b3, 0x55, 0]);
            }
            Self::ControllerArrival {
                controller,
                kind,
                capabilities,
                buttons,
            } => {
                let kind = match kind {
                    ControllerKind::Unknown => 0,
                    ControllerKind::Xbox => 1,
                    ControllerKind::PlayStation => 2,
                    ControllerKind::Nintendo => 3,
                    ControllerKind::Steam => 4,
                };
                out.bytes(&[controller, kind])
                    .bytes(&capabilities.to_le_bytes())
                    .bytes(&buttons.to_le_bytes());
            }
            Self::ControllerTouch {
                controller,
                event,
                touchpad,
                pointer,
                x,
                y,
                pressure,
            } => {
                out.bytes(&[controller, event, 0, touchpad])
                    .bytes(&pointer.to_le_bytes())
                    .floats(&[x, y, pressure]);
            }
            Self::ControllerMotion {
                controller,
                sensor,
                x,
                y,
                z,
            } => {
                let sensor = match sensor {
                    MotionSensor::Accelerometer => 1,
                    MotionSensor::Gyroscope => 2,
                };
                out.bytes(&[controller, sensor, 0, 0]).floats(&[x, y, z]);
            }
            Self::ControllerBattery {
                controller,
                state,
                percent,
            } => {
                out.bytes(&[controller, state, percent, 0]);
            }
            Self::Touch(t) => {
                out.bytes(&[t.event, 0])
                    .bytes(&t.rotation.to_le_bytes())
                    .bytes(&t.pointer.to_le_bytes());
                out.floats(&[
                    t.x,
                    t.y,
                    t.pressure_or_distance,
                    t.contact_major,
                    t.contact_minor,
                ]);
            }
            Self::Pen(p) => {
                out.bytes(&[p.event, p.tool, p.buttons, 0]).floats(&[
                    p.x,
                    p.y,
                    p.pressure_or_distance,
                ]);
                out.bytes(&p.rotation.to_le_bytes())
                    .bytes(&[p.tilt, 0])
                    .floats(&[p.contact_major, p.contact_minor]);
            }
            Self::EnableHaptics { enabled } => {
                out.bytes(&[u8::from(enabled), 0]);
            }
        }
        out.finish()
    }

    fn magic(&self) -> u32 {
        match self {
            Self::Key { down: true, .. } => magic::KEY_DOWN,
            Self::Key { down: false, .. } => magic::KEY_UP,
            Self::MouseAbsolute { .. } => magic::MOUSE_ABSOLUTE,
            Self::MouseRelative { .. } => magic::MOUSE_RELATIVE,
            Self::MouseButton { down: true, .. } => magic::BUTTON_DOWN,
            Self::MouseButton { down: false, .. } => magic::BUTTON_UP,
            Self::Scroll { .. } => magic::SCROLL,
            Self::HorizontalScroll { .. } => magic::HORIZONTAL_SCROLL,
            Self::Text(_) => magic::TEXT,
            Self::Controller(_) => magic::MULTI_CONTROLLER,
            Self::ControllerArrival { .. } => magic::ARRIVAL,
            Self::ControllerTouch { .. } => magic::CONTROLLER_TOUCH,
            Self::ControllerMotion { .. } => magic::MOTION,
            Self::ControllerBattery { .. } => magic::BATTERY,
            Self::Touch(_) => magic::TOUCH,
            Self::Pen(_) => magic::PEN,
            Self::EnableHaptics { .. } => magic::HAPTICS,
        }
    }
}

/// A packet being written; the size field is filled at the end.
struct Packet(Vec<u8>);

impl Packet {
    fn new(magic: u32) -> Self {
        let mut out = Vec::with_capacity(MAX_PACKET_LEN);
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&magic.to_le_bytes());
        Self(out)
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn be(&mut self, value: i16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    fn floats(&mut self, values: &[f32]) -> &mut Self {
        for value in values {
            self.bytes(&value.to_le_bytes());
        }
        self
    }

    fn finish(mut self) -> Vec<u8> {
        let size = u32::try_from(self.0.len().saturating_sub(4)).unwrap_or(u32::MAX);
        if let Some(field) = self.0.first_chunk_mut::<4>() {
            *field = size.to_be_bytes();
        }
        self.0
    }
}
