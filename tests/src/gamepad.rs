//! A controller's packets (section 12), and the steps of a script that produce them.

use crate::input::{Input, Step, packet};
use anyhow::{Context, Result, bail};

/// The ENet channel of controller `number`'s events.
fn events(number: u8) -> u8 {
    0x10 + number
}

/// Comes before the first state. `kind`: 1 Xbox, 2 PlayStation, 3 Nintendo.
pub fn arrival(number: u8, kind: u8, capabilities: u16, buttons: u32) -> Input {
    let mut body = vec![number, kind];
    body.extend(capabilities.to_le_bytes());
    body.extend(buttons.to_le_bytes());
    packet(events(number), 0x5500_0004, &body)
}

/// Buttons, triggers and sticks; the controller is gone where `mask` lacks its bit.
pub fn state(number: u8, mask: u16, buttons: u32, triggers: [u8; 2], sticks: [i16; 4]) -> Input {
    let mut body = Vec::new();
    let mut word = |value: u16| body.extend(value.to_le_bytes());
    word(0x1a);
    word(number.into());
    word(mask);
    word(0x14);
    word(buttons as u16);
    word(u16::from_le_bytes(triggers));
    sticks.iter().for_each(|axis| word(*axis as u16));
    word(0x9c);
    word((buttons >> 16) as u16);
    word(0x55);
    packet(events(number), 0x0c, &body)
}

/// A finger on the touchpad; `event`: 1 down, 2 up, 3 move.
pub fn touch(number: u8, event: u8, pointer: u32, x: f32, y: f32) -> Input {
    let mut body = vec![number, event, 0, 0];
    body.extend(pointer.to_le_bytes());
    for value in [x, y, 1.0] {
        body.extend(value.to_le_bytes());
    }
    packet(events(number), 0x5500_0005, &body)
}

/// `sensor`: 1 accelerometer (m/s²), 2 gyroscope (degrees per second).
pub fn motion(number: u8, sensor: u8, values: [f32; 3]) -> Input {
    let mut body = vec![number, sensor, 0, 0];
    body.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    packet(0x20 + number, 0x5500_0006, &body)
}

/// `state`: 2 discharging, 3 charging, 5 full.
pub fn battery(number: u8, state: u8, percent: u8) -> Input {
    packet(events(number), 0x5500_0007, &[number, state, percent, 0])
}

/// The rest of a line that begins with `pad`: `N arrive KIND CAPABILITIES`, `N hold BUTTONS [LT RT LX LY RX RY]`, `N gone`,
/// `N touch EVENT POINTER X Y`, `N motion SENSOR X Y Z`, `N battery STATE PERCENT`. Whole numbers may be hexadecimal.
pub fn parse(words: &[&str]) -> Result<Vec<Step>> {
    let word = |at: usize| words.get(at).copied().context("a word is missing");
    let whole = |at: usize| -> Result<i64> {
        let word = word(at)?;
        Ok(match word.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16)?,
            None => word.parse()?,
        })
    };
    let real = |at: usize| -> Result<f32> { Ok(word(at)?.parse()?) };
    let number = u8::try_from(whole(0)?)?;
    if number > 15 {
        bail!("controllers are 0 to 15");
    }
    let mask = 1 << number;
    let input = match word(1)? {
        "arrive" => arrival(
            number,
            u8::try_from(whole(2)?)?,
            u16::try_from(whole(3)?)?,
            0xffff,
        ),
        "hold" => {
            let (mut triggers, mut sticks) = ([0; 2], [0; 4]);
            if words.len() > 3 {
                triggers = [u8::try_from(whole(3)?)?, u8::try_from(whole(4)?)?];
                for (at, axis) in sticks.iter_mut().enumerate() {
                    *axis = i16::try_from(whole(5 + at)?)?;
                }
            }
            state(number, mask, u32::try_from(whole(2)?)?, triggers, sticks)
        }
        "gone" => state(number, 0, 0, [0; 2], [0; 4]),
        "touch" => touch(
            number,
            u8::try_from(whole(2)?)?,
            u32::try_from(whole(3)?)?,
            real(4)?,
            real(5)?,
        ),
        "motion" => motion(
            number,
            u8::try_from(whole(2)?)?,
            [real(3)?, real(4)?, real(5)?],
        ),
        "battery" => battery(number, u8::try_from(whole(2)?)?, u8::try_from(whole(3)?)?),
        other => bail!("unknown: {other}; known are arrive, hold, gone, touch, motion, battery"),
    };
    Ok(vec![Step::Send(input)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_have_the_sizes_and_places_of_section_12() {
        let size = |input: &Input| u32::from_be_bytes(input.packet[..4].try_into().unwrap());
        let held = state(2, 4, 0x21_1000, [1, 2], [3, -4, 5, -6]);
        assert_eq!(
            hex::encode(&held.packet),
            "0000001e0c0000001a000200040014000010010203".to_owned() + "00fcff0500faff9c0021005500"
        );
        assert_eq!((size(&held), held.channel), (30, 0x12));
        assert_eq!(size(&arrival(0, 2, 0xff, 0)), 12);
        assert_eq!(size(&touch(0, 1, 7, 0.5, 0.5)), 24);
        let moved = motion(3, 2, [0.0; 3]);
        assert_eq!((size(&moved), moved.channel), (20, 0x23));
        assert_eq!(size(&battery(0, 2, 40)), 8);
    }

    #[test]
    fn a_line_becomes_its_packet() {
        let one = |line: &str| parse(&line.split(' ').collect::<Vec<_>>());
        let sent = |line: &str| match one(line).unwrap().pop() {
            Some(Step::Send(input)) => input,
            other => panic!("{other:?}"),
        };
        assert_eq!(sent("1 hold 0x1000"), state(1, 2, 0x1000, [0; 2], [0; 4]));
        assert_eq!(
            sent("0 hold 0 1 2 3 -4 5 -6"),
            state(0, 1, 0, [1, 2], [3, -4, 5, -6])
        );
        assert_eq!(sent("1 gone"), state(1, 0, 0, [0; 2], [0; 4]));
        assert_eq!(sent("0 touch 1 9 0.5 1"), touch(0, 1, 9, 0.5, 1.0));
        assert!(one("16 gone").is_err());
        assert!(one("0 dance").is_err());
    }
}
