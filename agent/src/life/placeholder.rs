//! The picture that is shown instead of the desktop: dark, still, and one line that says why.

use crate::{glyphs, source::Picture};

/// What a placeholder says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    Locked,
    Paused,
    Asleep,
    Waiting,
}

impl Message {
    fn text(self) -> &'static str {
        match self {
            Self::Locked => "Session locked",
            Self::Paused => "Switched to another session",
            Self::Asleep => "Going to sleep",
            Self::Waiting => "Waiting for the desktop...",
        }
    }
}

/// B, G, R, x.
const DARK: [u8; 4] = [40, 32, 28, 255];
const LIGHT: [u8; 4] = [225, 225, 225, 255];
/// Dots of a letter, and from one letter to the next.
const GLYPH: (usize, usize) = (5, 7);
const STEP: usize = 6;

/// Paint it into `picture`, whose buffer is reused.
pub fn draw(message: Message, size: (u32, u32), now_ns: u64, picture: &mut Picture) {
    let (width, height) = (size.0 as usize, size.1 as usize);
    picture.width = size.0;
    picture.height = size.1;
    picture.stride = width * DARK.len();
    picture.capture_ns = now_ns;
    picture.data.clear();
    picture.data.resize(picture.stride * height, 0);
    for pixel in picture.data.chunks_exact_mut(DARK.len()) {
        pixel.copy_from_slice(&DARK);
    }
    let text = message.text();
    let columns = text.chars().count() * STEP - 1;
    // two thirds of the width, and never more than an eighth of the height
    let dot = (width * 2 / 3 / columns).min(height / 8 / GLYPH.1).max(1);
    let left = width.saturating_sub(columns * dot) / 2;
    let top = height.saturating_sub(GLYPH.1 * dot) / 2;
    for (index, character) in text.chars().enumerate() {
        let Some(glyph) = glyphs::of(character) else {
            continue;
        };
        for (row, bits) in glyph.into_iter().enumerate() {
            for column in (0..GLYPH.0).filter(|column| bits & (0b10000 >> column) != 0) {
                let x = left + (index * STEP + column) * dot;
                square(picture, (x, top + row * dot), dot);
            }
        }
    }
}

fn square(picture: &mut Picture, (x, y): (usize, usize), side: usize) {
    for line in y..y + side {
        let start = line * picture.stride + x * LIGHT.len();
        let end = (start + side * LIGHT.len()).min((line + 1) * picture.stride);
        if let Some(pixels) = picture.data.get_mut(start..end) {
            for pixel in pixels.chunks_exact_mut(LIGHT.len()) {
                pixel.copy_from_slice(&LIGHT);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Message; 4] = [
        Message::Locked,
        Message::Paused,
        Message::Asleep,
        Message::Waiting,
    ];

    #[test]
    fn every_message_can_be_written_and_differs_from_the_others() {
        let mut drawn: Vec<Vec<u8>> = Vec::new();
        for message in ALL {
            for character in message.text().chars().filter(|c| *c != ' ') {
                assert!(glyphs::of(character).is_some(), "no letter {character}");
            }
            let mut picture = Picture::default();
            draw(message, (1280, 720), 7, &mut picture);
            let light = picture.data.chunks(4).filter(|p| *p == LIGHT).count();
            // enough to be read from a sofa, and a dark picture all the same
            assert!((5000..100_000).contains(&light), "{light} light pixels");
            assert!(!drawn.contains(&picture.data));
            assert_eq!(picture.capture_ns, 7);
            drawn.push(picture.data);
        }
    }

    #[test]
    fn the_text_lies_in_the_middle_and_inside_of_every_size() {
        for (width, height) in [(32, 32), (320, 200), (1366, 768), (720, 1280), (3840, 2160)] {
            for message in ALL {
                let mut picture = Picture::default();
                draw(message, (width, height), 0, &mut picture);
                assert_eq!(picture.data.len(), (width * height * 4) as usize);
                let corner = [&picture.data[..4], &picture.data[picture.data.len() - 4..]];
                assert_eq!(corner, [DARK, DARK]);
            }
        }
    }
}
