//! A desktop-like picture: a page of dense text that stands still, and in a ninth of it, in the middle, the busy test pattern. The
//! picture's number stays on top.

use punktfunk_agent::source::{
    self, Importable, Outputs, Painter, Picture, SourceRequest, gamescope::Inside,
};

/// Of the page, as BGRx.
const PAPER: [u8; 4] = [250, 250, 250, 255];
const INK: [u8; 4] = [30, 30, 30, 255];
/// A letter's cell, and the dots that may be ink in it.
const CELL: (usize, usize) = (9, 18);
const DOTS: (usize, usize) = (6, 10);
/// Lines that the number takes.
const TOP: usize = 16;

pub struct Page {
    pattern: Box<dyn Painter>,
    busy: Picture,
    paper: Vec<u8>,
}

/// One of the agent's test patterns.
pub fn pattern(name: &str, (width, height): (u32, u32), fps: u32) -> Box<dyn Painter> {
    let request = SourceRequest {
        width,
        height,
        fps,
        cursor: false,
        importable: Importable::NOTHING,
        inside: Inside::Whatever,
        outputs: Outputs::Extend,
        monitor: Default::default(),
        hdr: false,
    };
    let mut source = source::open(name, &request).expect("a pattern");
    source.painter().expect("a painter")
}

/// A sheet of dense text, as BGRx.
pub fn sheet(width: usize, height: usize) -> Vec<u8> {
    let mut paper = PAPER.repeat(width * height);
    for line in 0..height / CELL.1 {
        for letter in 0..width / CELL.0 {
            let shape = scrambled((line * 4099 + letter) as u32);
            // spaces between words, and a left margin
            if shape.is_multiple_of(6) || letter < 2 {
                continue;
            }
            for dot in 0..DOTS.0 * DOTS.1 {
                // strokes of two pixels
                let (x, y) = (dot % DOTS.0, dot / DOTS.0);
                if scrambled(shape ^ (x / 2 * 31 + y / 2) as u32) % 5 < 2 {
                    let at = (line * CELL.1 + 4 + y) * width + letter * CELL.0 + 1 + x;
                    paper[at * 4..at * 4 + 4].copy_from_slice(&INK);
                }
            }
        }
    }
    paper
}

impl Page {
    pub fn new(size: (u32, u32), fps: u32) -> Self {
        let (width, height) = (size.0 as usize, size.1 as usize);
        let paper = sheet(width, height);
        Self {
            pattern: pattern("synthetic", size, fps),
            busy: Picture::default(),
            paper,
        }
    }
}

impl Painter for Page {
    fn paint(&mut self, picture: &mut Picture, now_ns: u64) {
        self.pattern.paint(&mut self.busy, now_ns);
        let (width, height) = (self.busy.width as usize, self.busy.height as usize);
        (picture.width, picture.height) = (self.busy.width, self.busy.height);
        (picture.stride, picture.format) = (self.busy.stride, self.busy.format);
        picture.data.clear();
        picture.data.extend_from_slice(&self.paper);
        let line = width * 4;
        picture.data[..TOP * line].copy_from_slice(&self.busy.data[..TOP * line]);
        let (left, wide) = (width / 3 * 4, width / 3 * 4);
        for y in height / 3..height / 3 * 2 {
            let at = y * line + left;
            picture.data[at..at + wide].copy_from_slice(&self.busy.data[at..at + wide]);
        }
    }

    fn skip(&mut self) {
        self.pattern.skip();
    }
}

fn scrambled(value: u32) -> u32 {
    let value = (value ^ value >> 16).wrapping_mul(0x85eb_ca6b);
    let value = (value ^ value >> 13).wrapping_mul(0xc2b2_ae35);
    value ^ value >> 16
}
