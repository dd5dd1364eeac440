//! Input packets (payload of control message 0x0206) as typed values, both ways.
use crate::Result;

/// One input event of a client, in the client's terms (Windows key codes, packet coordinates).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum InputEvent {
    Key { down: bool, code: u16, modifiers: u8, flags: u8 },
    MouseAbsolute { x: i16, y: i16, ref_width: i16, ref_height: i16 },
    MouseRelative { dx: i16, dy: i16 },
    MouseButton { down: bool, button: u8 },
    Scroll { amount: i16 },
    HorizontalScroll { amount: i16 },
    Text(char),
    // controllers, touch, pen, motion, battery: the owner adds them
}

/// Decode one packet (size field included).
pub fn decode(bytes: &[u8]) -> Result<InputEvent> { let _ = bytes; todo!() }

impl InputEvent {
    /// The packet as a client sends it (size field included).
    pub fn encode(&self) -> Vec<u8> { todo!() }
}
