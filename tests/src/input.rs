//! Input packets of the common devices, and the scripts that produce them.

use crate::{gamepad, screen};
use anyhow::{Context, Result, bail};
use std::time::Duration;

/// A packet for control message 0x0206 and the ENet channel it travels on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub channel: u8,
    pub packet: Vec<u8>,
    /// What the next one of its kind makes obsolete may get lost.
    pub reliable: bool,
}

impl Input {
    /// Whether it is sent at all to a host with these feature flags (section 12, gating).
    pub fn is_for(&self, feature_flags: u32) -> bool {
        let magic = self.packet.get(4..8);
        let screen = [TOUCH, PEN].map(u32::to_le_bytes);
        !screen.iter().any(|kind| magic == Some(kind)) || feature_flags & 1 != 0
    }
}

/// One step of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Send(Input),
    Wait(Duration),
}

const KEYBOARD: u8 = 2;
const MOUSE: u8 = 3;
const TEXT: u8 = 6;
const SHIFT: u8 = 1;
/// The packets of a touch screen and of a pen on it.
pub(crate) const TOUCH: u32 = 0x5500_0002;
pub(crate) const PEN: u32 = 0x5500_0003;

pub(crate) fn packet(channel: u8, magic: u32, body: &[u8]) -> Input {
    let mut packet = ((4 + body.len()) as u32).to_be_bytes().to_vec();
    packet.extend(magic.to_le_bytes());
    packet.extend(body);
    Input {
        channel,
        packet,
        reliable: true,
    }
}

/// A Windows virtual key going down or up.
pub fn key(down: bool, code: u8, modifiers: u8) -> Input {
    packet(
        KEYBOARD,
        if down { 3 } else { 4 },
        &[0, code, 0x80, modifiers, 0, 0],
    )
}

/// A pointer position within `width` × `height`.
pub fn mouse_absolute(x: i16, y: i16, width: i16, height: i16) -> Input {
    let body: Vec<u8> = [x, y, 0, width - 1, height - 1]
        .iter()
        .flat_map(|v| v.to_be_bytes())
        .collect();
    packet(MOUSE, 5, &body)
}

pub fn mouse_relative(dx: i16, dy: i16) -> Input {
    packet(MOUSE, 7, &[dx.to_be_bytes(), dy.to_be_bytes()].concat())
}

/// 1 left, 2 middle, 3 right, 4 X1, 5 X2.
pub fn mouse_button(down: bool, button: u8) -> Input {
    packet(MOUSE, if down { 8 } else { 9 }, &[button])
}

/// 120 = one notch.
pub fn scroll(amount: i16) -> Input {
    packet(
        MOUSE,
        0x0a,
        &[amount.to_be_bytes(), amount.to_be_bytes(), [0, 0]].concat(),
    )
}

pub fn horizontal_scroll(amount: i16) -> Input {
    packet(MOUSE, 0x5500_0001, &amount.to_be_bytes())
}

/// One code point as UTF-8.
pub fn text(character: char) -> Input {
    packet(TEXT, 0x17, character.encode_utf8(&mut [0; 4]).as_bytes())
}

/// Sent once at the start of every stream.
pub fn enable_haptics() -> Input {
    packet(0, 0x0d, &1u16.to_le_bytes())
}

/// The virtual key of a character on a US layout, and whether shift is held for it.
fn virtual_key(character: char) -> Option<(u8, bool)> {
    Some(match character {
        'a'..='z' => (character as u8 - b'a' + 0x41, false),
        'A'..='Z' => (character as u8, true),
        '0'..='9' => (character as u8, false),
        ' ' => (0x20, false),
        '\n' => (0x0d, false),
        '\t' => (0x09, false),
        '-' => (0xbd, false),
        '_' => (0xbd, true),
        '=' => (0xbb, false),
        '+' => (0xbb, true),
        ',' => (0xbc, false),
        '.' => (0xbe, false),
        '/' => (0xbf, false),
        '?' => (0xbf, true),
        ';' => (0xba, false),
        ':' => (0xba, true),
        '!' => (0x31, true),
        _ => return None,
    })
}

/// The steps that type a text: keys where the US layout has one, else UTF-8 text.
pub fn type_text(characters: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for character in characters.chars() {
        let Some((code, shifted)) = virtual_key(character) else {
            // Clients wait for outstanding key events before text.
            steps.extend([
                Step::Wait(Duration::from_millis(50)),
                Step::Send(text(character)),
            ]);
            continue;
        };
        let modifiers = if shifted { SHIFT } else { 0 };
        if shifted {
            steps.push(Step::Send(key(true, 0x10, SHIFT)));
        }
        steps.extend([
            Step::Send(key(true, code, modifiers)),
            Step::Wait(Duration::from_millis(10)),
            Step::Send(key(false, code, modifiers)),
        ]);
        if shifted {
            steps.push(Step::Send(key(false, 0x10, 0)));
        }
        steps.push(Step::Wait(Duration::from_millis(10)));
    }
    steps
}

/// A script, one step a line: `wait MS`, `key down|up VK`, `type TEXT`, `text TEXT`, `move DX DY`, `abs X Y WIDTH HEIGHT`,
/// `button down|up N`, `scroll N`, `hscroll N`, `touch ...` and `pen ...` ([`screen`]), `pad ...` ([`gamepad::parse`]). `#` starts a comment.
pub fn parse_script(script: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for (number, line) in script.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        steps.extend(parse_line(line).with_context(|| format!("line {}: {line:?}", number + 1))?);
    }
    Ok(steps)
}

fn parse_line(line: &str) -> Result<Vec<Step>> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let words: Vec<&str> = rest.split_whitespace().collect();
    let number = |at: usize| -> Result<i16> {
        let word = words.get(at).context("a number is missing")?;
        let value = match word.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16)?,
            None => word.parse()?,
        };
        Ok(i16::try_from(value)?)
    };
    let down = || match words.first() {
        Some(&"down") => Ok(true),
        Some(&"up") => Ok(false),
        _ => bail!("expected down or up"),
    };
    let one = |input| Ok(vec![Step::Send(input)]);
    match verb {
        "wait" => Ok(vec![Step::Wait(Duration::from_millis(u64::try_from(
            number(0)?,
        )?))]),
        "key" => one(key(down()?, u8::try_from(number(1)?)?, 0)),
        "type" => Ok(type_text(rest)),
        "text" => Ok(rest.chars().map(|c| Step::Send(text(c))).collect()),
        "move" => one(mouse_relative(number(0)?, number(1)?)),
        "abs" => one(mouse_absolute(
            number(0)?,
            number(1)?,
            number(2)?,
            number(3)?,
        )),
        "button" => one(mouse_button(down()?, u8::try_from(number(1)?)?)),
        "scroll" => one(scroll(number(0)?)),
        "hscroll" => one(horizontal_scroll(number(0)?)),
        "touch" => one(screen::parse_touch(&words)?),
        "pen" => one(screen::parse_pen(&words)?),
        "pad" => gamepad::parse(&words),
        _ => bail!(
            "unknown step; known are wait, key, type, text, move, abs, button, scroll, hscroll, touch, pen, pad"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_have_the_sizes_and_byte_orders_of_section_12() {
        assert_eq!(
            hex::encode(mouse_relative(10, -3).packet),
            "0000000807000000000afffd"
        );
        assert_eq!(
            hex::encode(key(true, 0x41, 1).packet),
            "0000000a0300000000418001".to_owned() + "0000"
        );
        let size = |input: Input| u32::from_be_bytes(input.packet[..4].try_into().unwrap());
        assert_eq!(size(mouse_absolute(1, 2, 3, 4)), 14);
        assert_eq!(size(mouse_button(true, 1)), 5);
        assert_eq!(size(scroll(120)), 10);
        assert_eq!(size(horizontal_scroll(120)), 6);
        assert_eq!(size(enable_haptics()), 6);
        assert_eq!(size(text('é')), 4 + 2);
    }

    #[test]
    fn scripts_are_read_line_by_line_and_faults_name_the_line() {
        let steps =
            parse_script("# a click\nabs 5 6 1280 720\n\nbutton down 1\nwait 20\nbutton up 1\n")
                .unwrap();
        assert_eq!(steps.len(), 4);
        assert_eq!(steps[2], Step::Wait(Duration::from_millis(20)));
        assert!(
            format!(
                "{:#}",
                parse_script("wait 1\nbutton sideways 1").unwrap_err()
            )
            .starts_with("line 2")
        );
        assert_eq!(type_text("aé").len(), 4 + 2);
    }
}
