//! The test pattern: pictures that move, and that carry their own number so that a receiver can prove what it saw.
//!
//! It has no clock: the encode thread asks for the next picture, so the numbers run 1, 2, 3 … over exactly the pictures
//! that were encoded. `synthetic` repaints everything and looks like a busy desktop; `synthetic-fast` changes only the
//! number and a small box. `synthetic` also comes in HDR, as another pattern with known light.

pub mod counter;
mod hdr;
mod pattern;

pub use hdr::MASTERING;

use super::{
    AudioOrigin, Painter, Picture, PictureSlot, PixelFormat, Source, SourceError, SourceRequest,
};
use hdr::HdrPattern;
use pattern::Pattern;
use std::sync::Arc;

/// The pattern that repaints everything.
pub const NAME: &str = "synthetic";
/// The pattern that changes next to nothing.
pub const NAME_FAST: &str = "synthetic-fast";

/// Pixels on either side that the pattern paints at most; the encoder's own limit is lower.
const MAX_SIDE: u32 = 8192;

/// Bytes of a BGRx pixel.
const PIXEL: usize = 4;

/// A synthetic source, not yet painting.
pub struct Synthetic {
    name: &'static str,
    slot: Arc<PictureSlot>,
    painter: Option<Box<PatternPainter>>,
}

impl Synthetic {
    /// A pattern of the request's size; `fast` for the one that barely changes.
    ///
    /// # Errors
    /// [`SourceError::Failed`] when the size cannot carry the picture number.
    pub fn new(request: &SourceRequest, fast: bool) -> Result<Self, SourceError> {
        let name = if fast { NAME_FAST } else { NAME };
        let (width, height) = (request.width as usize, request.height as usize);
        let fits = request.width <= MAX_SIDE
            && request.height <= MAX_SIDE
            && counter::height(width).is_some_and(|needed| needed <= height);
        if !fits {
            return Err(SourceError::Failed {
                name,
                why: format!(
                    "a picture of {width}x{height} cannot carry the picture number, which takes 40 blocks of 16x16 \
                     pixels, and no side may exceed {MAX_SIDE}"
                ),
            });
        }
        Ok(Self {
            name,
            slot: Arc::default(),
            painter: Some(Box::new(PatternPainter {
                shows: match (fast, request.hdr) {
                    (true, _) => Shows::Still(Pattern::new(width, height)),
                    (false, false) => Shows::Moving(Pattern::new(width, height)),
                    (false, true) => Shows::Hdr(HdrPattern::new(width, height)),
                },
                number: 0,
                painted: 0,
            })),
        })
    }
}

impl Source for Synthetic {
    fn name(&self) -> &'static str {
        self.name
    }

    fn slot(&self) -> Arc<PictureSlot> {
        Arc::clone(&self.slot)
    }

    fn painter(&mut self) -> Option<Box<dyn Painter>> {
        self.painter
            .take()
            .map(|painter| painter as Box<dyn Painter>)
    }

    fn audio(&self) -> AudioOrigin {
        AudioOrigin::Tone
    }
}

enum Shows {
    Moving(Pattern),
    Still(Pattern),
    Hdr(HdrPattern),
}

struct PatternPainter {
    shows: Shows,
    /// Of the last picture, painted or skipped; the first one is 1.
    number: u32,
    /// Of the last painted one.
    painted: u32,
}

impl Painter for PatternPainter {
    fn paint(&mut self, picture: &mut Picture, now_ns: u64) {
        let (width, height) = match &self.shows {
            Shows::Moving(pattern) | Shows::Still(pattern) => (pattern.width(), pattern.height()),
            Shows::Hdr(pattern) => (pattern.width(), pattern.height()),
        };
        let continues = picture.sequence == u64::from(self.painted)
            && picture.data.len() == width * height * PIXEL
            && self.painted > 0;
        self.number = self.number.wrapping_add(1);
        self.painted = self.number;
        picture.data.resize(width * height * PIXEL, 0);
        match &mut self.shows {
            Shows::Moving(pattern) => pattern.paint_moving(&mut picture.data, self.number),
            Shows::Still(pattern) => {
                pattern.paint_still(&mut picture.data, self.number, !continues);
            }
            Shows::Hdr(pattern) => pattern.paint(&mut picture.data, self.number),
        }
        picture.format = if matches!(self.shows, Shows::Hdr(_)) {
            PixelFormat::Rgb10Pq
        } else {
            counter::paint(&mut picture.data, width, self.number, [0; 4], [255; 4]);
            PixelFormat::Bgrx
        };
        picture.width = width as u32;
        picture.height = height as u32;
        picture.stride = width * PIXEL;
        picture.capture_ns = now_ns;
        picture.sequence = u64::from(self.number);
    }

    fn skip(&mut self) {
        self.number = self.number.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Importable, Outputs};

    fn request(width: u32, height: u32) -> SourceRequest {
        SourceRequest {
            width,
            height,
            fps: 60,
            cursor: false,
            importable: Importable::NOTHING,
            inside: Default::default(),
            outputs: Outputs::Extend,
            monitor: Default::default(),
            hdr: false,
        }
    }

    /// The luma that a picture's blue channel stands for is enough to read black and white.
    fn number(picture: &Picture) -> Option<u32> {
        let luma: Vec<u8> = picture.data.iter().copied().step_by(PIXEL).collect();
        counter::read(&luma, picture.width as usize, picture.width as usize)
    }

    #[test]
    fn pictures_are_numbered_from_one_without_gaps() {
        for (name, fast) in [(NAME, false), (NAME_FAST, true)] {
            for (width, height) in [(1280, 720), (640, 480), (320, 240), (200, 300)] {
                let mut source = Synthetic::new(&request(width, height), fast).unwrap();
                assert_eq!(source.name(), name);
                let mut painter = source.painter().unwrap();
                let mut picture = Picture::default();
                for expected in 1..=70 {
                    painter.paint(&mut picture, 1000 + u64::from(expected));
                    assert_eq!(number(&picture), Some(expected), "{name} {width}x{height}");
                    assert_eq!(picture.sequence, u64::from(expected));
                }
            }
        }
    }

    #[test]
    fn a_skipped_picture_leaves_a_gap_in_the_numbers() {
        for fast in [false, true] {
            let mut painter = Synthetic::new(&request(640, 360), fast)
                .unwrap()
                .painter()
                .unwrap();
            let mut picture = Picture::default();
            painter.paint(&mut picture, 0);
            painter.skip();
            painter.paint(&mut picture, 0);
            assert_eq!(number(&picture), Some(3));
        }
    }

    #[test]
    fn every_picture_differs_from_the_one_before_below_the_number() {
        for fast in [false, true] {
            let mut painter = Synthetic::new(&request(640, 360), fast)
                .unwrap()
                .painter()
                .unwrap();
            let mut picture = Picture::default();
            painter.paint(&mut picture, 0);
            for _ in 0..50 {
                let before = picture.data.clone();
                painter.paint(&mut picture, 0);
                let below = 640 * 16 * PIXEL;
                assert_ne!(before[below..], picture.data[below..]);
            }
        }
    }

    #[test]
    fn two_runs_paint_the_same_pictures() {
        for fast in [false, true] {
            let run = |pictures: usize| {
                let mut painter = Synthetic::new(&request(640, 360), fast)
                    .unwrap()
                    .painter()
                    .unwrap();
                let mut picture = Picture::default();
                for _ in 0..pictures {
                    painter.paint(&mut picture, 0);
                }
                picture.data
            };
            assert_eq!(run(33), run(33));
        }
    }

    #[test]
    fn the_fast_pattern_recovers_from_a_foreign_buffer() {
        let mut painter = Synthetic::new(&request(640, 360), true)
            .unwrap()
            .painter()
            .unwrap();
        let mut kept = Picture::default();
        painter.paint(&mut kept, 0);
        let mut foreign = Picture::default();
        painter.paint(&mut foreign, 0);
        let mut reference = Synthetic::new(&request(640, 360), true)
            .unwrap()
            .painter()
            .unwrap();
        let mut expected = Picture::default();
        reference.paint(&mut expected, 0);
        reference.paint(&mut expected, 0);
        assert_eq!(foreign.data, expected.data);
    }

    #[test]
    fn a_picture_too_small_for_its_number_is_refused() {
        for (width, height) in [(8, 8), (15, 4000), (640, 15), (32, 100), (9000, 720)] {
            assert!(Synthetic::new(&request(width, height), false).is_err());
        }
    }
}
