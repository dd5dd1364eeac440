//! A desktop at work: text that scrolls, a window that is dragged about, a video of 640 by 360 (the busy test pattern), and a pointer.

use crate::page::{pattern, sheet};
use punktfunk_agent::source::{Painter, Picture};

/// Of the desktop behind the windows, as BGRx.
const BACKGROUND: [u8; 4] = [96, 64, 40, 255];
/// The window that scrolls, its place and its size, in the size that all of this is made for.
const EDITOR: (usize, usize, usize, usize) = (60, 60, 900, 960);
const VIDEO: (usize, usize, usize, usize) = (1120, 60, 640, 360);
/// The dragged window's size, and the corner from which it goes.
const DRAGGED: (usize, usize) = (500, 320);
const FROM: (usize, usize) = (1000, 440);
/// How far it goes, and how far with each picture.
const WAY: (usize, usize) = (396, 300);
const SPEED: (usize, usize) = (6, 4);
/// Lines that the text scrolls with each picture.
const SCROLL: usize = 2;
const POINTER: usize = 24;
/// The size that it is made for.
pub const SIZE: (u32, u32) = (1920, 1080);

pub struct Desktop {
    video: Box<dyn Painter>,
    shown: Picture,
    /// The same sheet twice, one under the other.
    text: Vec<u8>,
    window: Vec<u8>,
    number: usize,
}

impl Desktop {
    pub fn new(fps: u32) -> Self {
        let (_, _, width, height) = EDITOR;
        Self {
            video: pattern("synthetic", (VIDEO.2 as u32, VIDEO.3 as u32), fps),
            shown: Picture::default(),
            text: sheet(width, height).repeat(2),
            window: sheet(DRAGGED.0, DRAGGED.1),
            number: 0,
        }
    }
}

/// There and back again.
fn swing(number: usize, speed: usize, way: usize) -> usize {
    let at = number * speed % (way * 2);
    at.min(way * 2 - at)
}

/// Copy lines of this width, one behind the other, to a place of the picture.
fn put(picture: &mut Picture, (left, top): (usize, usize), width: usize, lines: &[u8]) {
    let stride = picture.stride;
    for (y, line) in lines.chunks_exact(width * 4).enumerate() {
        let at = (top + y) * stride + left * 4;
        picture.data[at..at + line.len()].copy_from_slice(line);
    }
}

impl Painter for Desktop {
    fn paint(&mut self, picture: &mut Picture, now_ns: u64) {
        self.video.paint(&mut self.shown, now_ns);
        (picture.width, picture.height) = SIZE;
        (picture.stride, picture.format) = (SIZE.0 as usize * 4, self.shown.format);
        picture.data.clear();
        (picture.data).extend(BACKGROUND.repeat((SIZE.0 * SIZE.1) as usize));
        let (left, top, width, height) = EDITOR;
        let line = width * 4;
        let from = self.number * SCROLL % height * line;
        put(
            picture,
            (left, top),
            width,
            &self.text[from..from + height * line],
        );
        put(picture, (VIDEO.0, VIDEO.1), VIDEO.2, &self.shown.data);
        let at = (
            FROM.0 + swing(self.number, SPEED.0, WAY.0),
            FROM.1 + swing(self.number, SPEED.1, WAY.1),
        );
        put(picture, at, DRAGGED.0, &self.window);
        // a triangle on the window's title
        for y in 0..POINTER {
            let row = [255; 4].repeat(y / 2 + 1);
            put(
                picture,
                (at.0 + DRAGGED.0 / 2, at.1 + 8 + y),
                y / 2 + 1,
                &row,
            );
        }
        self.number += 1;
    }

    fn skip(&mut self) {
        self.video.skip();
        self.number += 1;
    }
}
