//! Bytes of a client to [`InputEvent`].
use super::{ControllerKind, ControllerState, InputEvent, MotionSensor, Pen, Touch, magic};
use crate::{Error, Result};

fn malformed(why: &'static str) -> Error {
    Error::Malformed {
        what: "input packet",
        why,
    }
}

/// Decodes one packet (size field included). The packet must be exactly as long as its kind says.
///
/// # Errors
/// [`Error::Malformed`] for a wrong size, an unknown magic, a controller above 15, a number that is not finite, or text
/// that is not one character. The stream can go on after any of them.
pub fn decode(bytes: &[u8]) -> Result<InputEvent> {
    let (size, rest) = bytes
        .split_first_chunk::<4>()
        .ok_or(malformed("shorter than its size field"))?;
    if usize::try_from(u32::from_be_bytes(*size)).ok() != Some(rest.len()) {
        return Err(malformed("the size field does not match the length"));
    }
    let (magic, body) = rest
        .split_first_chunk::<4>()
        .ok_or(malformed("shorter than its header"))?;
    let magic = u32::from_le_bytes(*magic);
    match magic {
        magic::TEXT => text(body),
        magic::KEY_DOWN | magic::KEY_UP => {
            let [flags, c0, _c1, modifiers, _, _] = *sized(body)?;
            Ok(InputEvent::Key {
                down: magic == magic::KEY_DOWN,
                code: u16::from(c0),
                modifiers,
                flags,
            })
        }
        magic::MOUSE_ABSOLUTE => {
            let [x0, x1, y0, y1, _, _, w0, w1, h0, h1] = *sized(body)?;
            Ok(InputEvent::MouseAbsolute {
                x: i16::from_be_bytes([x0, x1]),
                y: i16::from_be_bytes([y0, y1]),
                ref_width: i16::from_be_bytes([w0, w1]),
                ref_height: i16::from_be_bytes([h0, h1]),
            })
        }
        magic::MOUSE_RELATIVE => {
            let [x0, x1, y0, y1] = *sized(body)?;
            Ok(InputEvent::MouseRelative {
                dx: i16::from_be_bytes([x0, x1]),
                dy: i16::from_be_bytes([y0, y1]),
            })
        }
        magic::BUTTON_DOWN | magic::BUTTON_UP => match *sized(body)? {
            [button @ 1..=5] => Ok(InputEvent::MouseButton {
                down: magic == magic::BUTTON_DOWN,
                button,
            }),
            _ => Err(malformed("mouse buttons are 1 to 5")),
        },
        magic::SCROLL => {
            let [a0, a1, _, _, _, _] = *sized(body)?;
            Ok(InputEvent::Scroll {
                amount: i16::from_be_bytes([a0, a1]),
            })
        }
        magic::HORIZONTAL_SCROLL => Ok(InputEvent::HorizontalScroll {
            amount: i16::from_be_bytes(*sized(body)?),
        }),
        magic::HAPTICS => Ok(InputEvent::EnableHaptics {
            enabled: *sized(body)? != [0, 0],
        }),
        magic::MULTI_CONTROLLER => controller_state(sized(body)?),
        magic::ARRIVAL => {
            let [controller, kind, c0, c1, b0, b1, b2, b3] = *sized(body)?;
            Ok(InputEvent::ControllerArrival {
                controller: pad(controller)?,
                kind: match kind {
                    1 => ControllerKind::Xbox,
                    2 => ControllerKind::PlayStation,
                    3 => ControllerKind::Nintendo,
                    4 => ControllerKind::Steam,
                    _ => ControllerKind::Unknown,
                },
                capabilities: u16::from_le_bytes([c0, c1]),
                buttons: u32::from_le_bytes([b0, b1, b2, b3]),
            })
        }
        magic::CONTROLLER_TOUCH => {
            let mut fields = Fields(sized::<20>(body)?);
            let [controller, event, _, touchpad] = fields.take()?;
            let pointer = u32::from_le_bytes(fields.take()?);
            let (x, y, pressure) = (fields.float()?, fields.float()?, fields.float()?);
            Ok(InputEvent::ControllerTouch {
                controller: pad(controller)?,
                event,
                touchpad,
                pointer,
                x,
                y,
                pressure,
            })
        }
        magic::MOTION => {
            let mut fields = Fields(sized::<16>(body)?);
            let [controller, sensor, _, _] = fields.take()?;
            let sensor = match sensor {
                1 => MotionSensor::Accelerometer,
                2 => MotionSensor::Gyroscope,
                _ => return Err(malformed("unknown motion sensor")),
            };
            let (x, y, z) = (fields.float()?, fields.float()?, fields.float()?);
            Ok(InputEvent::ControllerMotion {
                controller: pad(controller)?,
                sensor,
                x,
                y,
                z,
            })
        }
        magic::BATTERY => {
            let [controller, state, percent, _] = *sized(body)?;
            Ok(InputEvent::ControllerBattery {
                controller: pad(controller)?,
                state,
                percent,
            })
        }
        magic::TOUCH => touch(sized(body)?),
        magic::PEN => pen(sized(body)?),
        _ => Err(malformed("unknown kind of packet")),
    }
}

fn sized<const N: usize>(body: &[u8]) -> Result<&[u8; N]> {
    body.try_into()
        .map_err(|_| malformed("wrong size for its kind"))
}

fn pad(controller: u8) -> Result<u8> {
    if controller < 16 {
        Ok(controller)
    } else {
        Err(malformed("controllers are 0 to 15"))
    }
}

fn text(body: &[u8]) -> Result<InputEvent> {
    if body.is_empty() || body.len() > 4 {
        return Err(malformed("text is one to four bytes"));
    }
    let mut chars = std::str::from_utf8(body)
        .map_err(|_| malformed("text is not UTF-8"))?
        .chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(InputEvent::Text(c)),
        _ => Err(malformed("text is exactly one character")),
    }
}

fn controller_state(body: &[u8; 26]) -> Result<InputEvent> {
    let mut fields = Fields(body);
    let header = u16::from_le_bytes(fields.take()?);
    let controller = u16::from_le_bytes(fields.take()?);
    let active_mask = u16::from_le_bytes(fields.take()?);
    let middle = u16::from_le_bytes(fields.take()?);
    let [b0, b1, left_trigger, right_trigger] = fields.take()?;
    let mut axis = || fields.take().map(i16::from_le_bytes);
    let (left_stick, right_stick) = ((axis()?, axis()?), (axis()?, axis()?));
    let tail = u16::from_le_bytes(fields.take()?);
    let [b2, b3] = fields.take()?;
    // The fixed words carry nothing; only their place is checked by the size.
    let _ = (header, middle, tail);
    Ok(InputEvent::Controller(ControllerState {
        controller: pad(u8::try_from(controller).unwrap_or(u8::MAX))?,
        active_mask,
        buttons: u32::from_le_bytes([b0, b1, b2, b3]),
        left_trigger,
        right_trigger,
        left_stick,
        right_stick,
    }))
}

fn touch(body: &[u8; 28]) -> Result<InputEvent> {
    let mut fields = Fields(body);
    let [event, _, r0, r1] = fields.take()?;
    Ok(InputEvent::Touch(Touch {
        event,
        rotation: u16::from_le_bytes([r0, r1]),
        pointer: u32::from_le_bytes(fields.take()?),
        x: fields.float()?,
        y: fields.float()?,
        pressure_or_distance: fields.float()?,
        contact_major: fields.float()?,
        contact_minor: fields.float()?,
    }))
}

fn pen(body: &[u8; 28]) -> Result<InputEvent> {
    let mut fields = Fields(body);
    let [event, tool, buttons, _] = fields.take()?;
    let (x, y, pressure_or_distance) = (fields.float()?, fields.float()?, fields.float()?);
    let [r0, r1, tilt, _] = fields.take()?;
    Ok(InputEvent::Pen(Pen {
        event,
        tool,
        buttons,
        x,
        y,
        pressure_or_distance,
        rotation: u16::from_le_bytes([r0, r1]),
        tilt,
        contact_major: fields.float()?,
        contact_minor: fields.float()?,
    }))
}

/// Reads little-endian fields one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(malformed("wrong size for its kind"))?;
        self.0 = rest;
        Ok(*head)
    }

    /// A number that is NaN or infinite would poison every later calculation, so it is refused here.
    fn float(&mut self) -> Result<f32> {
        let value = f32::from_le_bytes(self.take()?);
        if value.is_finite() {
            Ok(value)
        } else {
            Err(malformed("a coordinate is not a finite number"))
        }
    }
}
