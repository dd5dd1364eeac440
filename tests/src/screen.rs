//! The packets of fingers and pens (section 12), and the steps of a script that produce them.

use crate::input::{Input, PEN as PEN_PACKET, TOUCH as TOUCH_PACKET, packet};
use anyhow::{Context, Result, bail};

/// Their ENet channels.
const PEN_CHANNEL: u8 = 4;
const TOUCH_CHANNEL: u8 = 5;

/// What a script calls the events, in the order of their numbers.
const EVENTS: [&str; 8] = [
    "hover",
    "down",
    "up",
    "move",
    "cancel",
    "buttons",
    "leave",
    "cancel-all",
];
const HOVER: u8 = 0;
const MOVE: u8 = 3;

/// Not known to a plain touch screen: rotation and tilt.
const NO_ROTATION: u16 = 0xffff;
const NO_TILT: u8 = 0xff;

/// Hover and movement are made obsolete by the next one, everything else counts.
fn contact(mut input: Input, event: u8) -> Input {
    input.reliable = event != HOVER && event != MOVE;
    input
}

/// A finger at a place of the picture, each from 0 to 1.
pub fn touch(event: u8, pointer: u32, x: f32, y: f32) -> Input {
    let mut body = vec![event, 0];
    body.extend(NO_ROTATION.to_le_bytes());
    body.extend(pointer.to_le_bytes());
    for value in [x, y, 0.5, 0.0, 0.0] {
        body.extend(value.to_le_bytes());
    }
    contact(packet(TOUCH_CHANNEL, TOUCH_PACKET, &body), event)
}

/// A pen at a place of the picture; `buttons`: those of its barrel, by the bits 1, 2 and 4; `tool`: 1 pen, 2 eraser.
pub fn pen(event: u8, x: f32, y: f32, buttons: u8, tool: u8) -> Input {
    let mut body = vec![event, tool, buttons, 0];
    for value in [x, y, 0.5] {
        body.extend(value.to_le_bytes());
    }
    body.extend(NO_ROTATION.to_le_bytes());
    body.extend([NO_TILT, 0]);
    body.extend([0; 8]);
    contact(packet(PEN_CHANNEL, PEN_PACKET, &body), event)
}

fn event(words: &[&str]) -> Result<u8> {
    let name = words.first().context("an event is missing")?;
    match (0..).zip(EVENTS).find(|(_, known)| known == name) {
        Some((number, _)) => Ok(number),
        None => bail!("unknown event {name}; known are {}", EVENTS.join(", ")),
    }
}

fn place(words: &[&str], at: usize) -> Result<f32> {
    Ok(words.get(at).context("a place is missing")?.parse()?)
}

/// The rest of a line that begins with `touch`: `EVENT POINTER X Y`.
pub fn parse_touch(words: &[&str]) -> Result<Input> {
    let pointer = words.get(1).context("a finger's number is missing")?;
    Ok(touch(
        event(words)?,
        pointer.parse()?,
        place(words, 2)?,
        place(words, 3)?,
    ))
}

/// The rest of a line that begins with `pen`: `EVENT X Y [BUTTONS [TOOL]]`.
pub fn parse_pen(words: &[&str]) -> Result<Input> {
    let number = |at: usize, default: u8| words.get(at).map_or(Ok(default), |word| word.parse());
    Ok(pen(
        event(words)?,
        place(words, 1)?,
        place(words, 2)?,
        number(3, 0)?,
        number(4, 1)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_have_the_sizes_and_places_of_section_12() {
        let finger = touch(1, 7, 0.5, 0.25);
        assert_eq!(
            hex::encode(&finger.packet),
            "00000020020000550100ffff070000000000003f0000803e0000003f".to_owned()
                + "0000000000000000"
        );
        assert_eq!((finger.channel, finger.reliable), (5, true));
        let nib = pen(3, 0.5, 0.25, 2, 1);
        assert_eq!(
            hex::encode(&nib.packet),
            "0000002003000055030102000000003f0000803e0000003fffffff00".to_owned()
                + "0000000000000000"
        );
        assert_eq!((nib.channel, nib.reliable), (4, false));
    }

    #[test]
    fn a_host_that_does_not_ask_for_fingers_gets_none() {
        for input in [touch(1, 0, 0.0, 0.0), pen(1, 0.0, 0.0, 0, 1)] {
            assert!(input.is_for(1) && !input.is_for(2));
        }
        assert!(crate::input::scroll(120).is_for(0));
    }

    #[test]
    fn a_line_becomes_its_packet() {
        let words = |line: &'static str| line.split(' ').collect::<Vec<_>>();
        assert_eq!(
            parse_touch(&words("cancel-all 3 0 1")).unwrap(),
            touch(7, 3, 0.0, 1.0)
        );
        assert_eq!(
            parse_pen(&words("down 0.5 1")).unwrap(),
            pen(1, 0.5, 1.0, 0, 1)
        );
        assert_eq!(
            parse_pen(&words("hover 0.5 1 4 2")).unwrap(),
            pen(0, 0.5, 1.0, 4, 2)
        );
        assert!(parse_touch(&words("down 1 0.5")).is_err());
        assert!(parse_pen(&words("press 0 0")).is_err());
    }
}
