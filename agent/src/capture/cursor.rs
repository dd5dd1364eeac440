//! The pointer, where the compositor only tells where it is and what it looks like: drawn into the picture here.

use std::io;

use pipewire::spa::sys;

use super::memory::{Bytes, number};

/// The largest side of a pointer's bitmap.
pub const MAX_SIDE: u32 = 512;

/// Bytes of `spa_meta_cursor` and `spa_meta_bitmap`.
const CURSOR: usize = size_of::<sys::spa_meta_cursor>();
const BITMAP: usize = size_of::<sys::spa_meta_bitmap>();
const PIXEL: usize = 4;

/// Bytes that the metadata of a pointer of the largest size takes, and of one that most desktops have.
pub const fn meta_size(side: u32) -> usize {
    CURSOR + BITMAP + side as usize * side as usize * PIXEL
}

/// What is known of the pointer.
#[derive(Debug, Default)]
pub struct Cursor {
    /// Where its hot spot is on the picture; None: it is hidden or elsewhere.
    at: Option<(i32, i32)>,
    hotspot: (i32, i32),
    size: (u32, u32),
    /// B, G, R, alpha; the colours already multiplied with it.
    pixels: Vec<u8>,
}

impl Cursor {
    /// Follow what a buffer's metadata say. True: the pointer looks different from before, or is somewhere else.
    ///
    /// # Errors
    /// Metadata that contradict themselves; the pointer is then what it was.
    pub fn follow(&mut self, meta: &impl Bytes) -> io::Result<bool> {
        let mut fixed = [0; CURSOR];
        meta.read(0, &mut fixed)?;
        let word = |index: usize| {
            let bytes = fixed.get(index * 4..index * 4 + 4);
            bytes.map_or(0, |bytes| {
                u32::from_ne_bytes(bytes.try_into().unwrap_or_default())
            })
        };
        let signed = |index| word(index).cast_signed();
        // id, flags, position (x, y), hotspot (x, y), bitmap_offset
        if word(0) == 0 {
            return Ok(self.at.take().is_some());
        }
        let at = (signed(2), signed(3));
        let mut changed = false;
        if word(6) != 0 {
            self.look(meta, word(6) as usize, (signed(4), signed(5)))?;
            changed = true;
        }
        changed |= self.at.replace(at) != Some(at);
        Ok(changed)
    }

    /// Take the bitmap at `start` of the metadata.
    fn look(&mut self, meta: &impl Bytes, start: usize, hotspot: (i32, i32)) -> io::Result<()> {
        let odd = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        if start < CURSOR {
            return Err(odd("its bitmap lies over its head"));
        }
        let word = |index: usize| number(meta, start.saturating_add(index * 4));
        // format, size (width, height), stride, offset
        let (format, width, height) = (word(0)?, word(1)?, word(2)?);
        let (stride, offset) = (word(3)?.cast_signed(), word(4)? as usize);
        if format == 0 {
            return Ok(());
        }
        if offset == 0 || width == 0 || height == 0 {
            self.pixels.clear();
            self.size = (0, 0);
            return Ok(());
        }
        let swap: [usize; PIXEL] = match format {
            sys::SPA_VIDEO_FORMAT_BGRA => [0, 1, 2, 3],
            sys::SPA_VIDEO_FORMAT_RGBA => [2, 1, 0, 3],
            sys::SPA_VIDEO_FORMAT_ARGB => [3, 2, 1, 0],
            sys::SPA_VIDEO_FORMAT_ABGR => [1, 2, 3, 0],
            _ => return Err(odd("its bitmap has an unknown format")),
        };
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(odd("its bitmap is too large"));
        }
        let line = width as usize * PIXEL;
        let stride = match usize::try_from(stride) {
            Ok(0) => line,
            Ok(stride) if stride >= line => stride,
            _ => return Err(odd("the lines of its bitmap overlap")),
        };
        let first = (offset >= BITMAP)
            .then(|| start.checked_add(offset))
            .flatten()
            .ok_or_else(|| odd("its pixels lie over their head"))?;
        let end = stride
            .checked_mul(height as usize - 1)
            .and_then(|bytes| bytes.checked_add(first))
            .and_then(|bytes| bytes.checked_add(line));
        if end.is_none_or(|end| end > meta.size()) {
            return Err(odd("its bitmap does not fit"));
        }
        let mut pixels = vec![0; line * height as usize];
        for (row, into) in pixels.chunks_exact_mut(line).enumerate() {
            meta.read(first + row * stride, into)?;
        }
        if swap != [0, 1, 2, 3] {
            for pixel in pixels.chunks_exact_mut(PIXEL) {
                let old = [pixel[0], pixel[1], pixel[2], pixel[3]];
                for (to, from) in pixel.iter_mut().zip(swap) {
                    *to = old[from];
                }
            }
        }
        (self.pixels, self.size, self.hotspot) = (pixels, (width, height), hotspot);
        Ok(())
    }

    /// Draw it into a BGRx picture of that size; what lies outside is left out.
    pub fn draw(&self, picture: &mut [u8], (width, height): (u32, u32), stride: usize) {
        let Some((x, y)) = self.at else { return };
        let left = i64::from(x) - i64::from(self.hotspot.0);
        let top = i64::from(y) - i64::from(self.hotspot.1);
        // of the bitmap, what falls onto the picture
        let seen = |start: i64, size: u32, limit: u32| {
            let from = (-start).clamp(0, size.into());
            let to = (i64::from(limit) - start).clamp(from, size.into());
            (from as usize, to as usize)
        };
        let (columns, rows) = (
            seen(left, self.size.0, width),
            seen(top, self.size.1, height),
        );
        if columns.0 == columns.1 {
            return;
        }
        let line = self.size.0 as usize * PIXEL;
        for row in rows.0..rows.1 {
            // not negative: the visible part was cut out above
            let at =
                (top + row as i64) as usize * stride + (left + columns.0 as i64) as usize * PIXEL;
            let from = &self.pixels[row * line + columns.0 * PIXEL..row * line + columns.1 * PIXEL];
            let Some(onto) = picture.get_mut(at..at + from.len()) else {
                return;
            };
            for (under, over) in onto.chunks_exact_mut(PIXEL).zip(from.chunks_exact(PIXEL)) {
                let through = 255 - u32::from(over[3]);
                for (below, above) in under.iter_mut().zip(over).take(3) {
                    let mixed = u32::from(*above) + (u32::from(*below) * through + 127) / 255;
                    *below = mixed.min(255) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn meta(words: &[u32], pixels: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        bytes.extend(pixels);
        bytes
    }

    /// A pointer of 2×2 at (x, y) with its hot spot at (1, 1).
    fn pointer(x: i32, y: i32, format: u32, pixels: &[u8]) -> Vec<u8> {
        meta(
            &[
                1,
                0,
                x.cast_unsigned(),
                y.cast_unsigned(),
                1,
                1,
                28,
                format,
                2,
                2,
                8,
                20,
            ],
            pixels,
        )
    }

    const HALF: [u8; 16] = [
        100, 0, 0, 128, 0, 100, 0, 128, // premultiplied blue, green
        0, 0, 100, 128, 0, 0, 0, 255, // red, black
    ];

    fn drawn(cursor: &Cursor) -> Vec<u8> {
        let mut picture = vec![200; 4 * 4 * 4];
        cursor.draw(&mut picture, (4, 4), 16);
        picture
    }

    fn at(picture: &[u8], x: usize, y: usize) -> [u8; 3] {
        let start = y * 16 + x * 4;
        [picture[start], picture[start + 1], picture[start + 2]]
    }

    #[test]
    fn colours_are_premultiplied_and_the_hot_spot_is_where_the_pointer_is() {
        let mut cursor = Cursor::default();
        let format = sys::SPA_VIDEO_FORMAT_BGRA;
        assert!(cursor.follow(&pointer(2, 2, format, &HALF)).unwrap());
        let picture = drawn(&cursor);
        // 100 + 200 * 127 / 255
        assert_eq!(at(&picture, 1, 1), [200, 100, 100]);
        assert_eq!(at(&picture, 2, 1), [100, 200, 100]);
        assert_eq!(at(&picture, 1, 2), [100, 100, 200]);
        assert_eq!(at(&picture, 2, 2), [0, 0, 0]);
        assert_eq!(at(&picture, 0, 0), [200; 3]);
        assert_eq!(at(&picture, 3, 3), [200; 3]);
    }

    #[test]
    fn every_order_of_bytes_is_the_same_pointer() {
        let orders = [
            (sys::SPA_VIDEO_FORMAT_RGBA, [3, 2, 1, 255]),
            (sys::SPA_VIDEO_FORMAT_ARGB, [255, 3, 2, 1]),
            (sys::SPA_VIDEO_FORMAT_ABGR, [255, 1, 2, 3]),
            (sys::SPA_VIDEO_FORMAT_BGRA, [1, 2, 3, 255]),
        ];
        for (format, pixel) in orders {
            let mut cursor = Cursor::default();
            cursor
                .follow(&pointer(1, 1, format, &pixel.repeat(4)))
                .unwrap();
            assert_eq!(at(&drawn(&cursor), 0, 0), [1, 2, 3], "{format}");
        }
    }

    #[test]
    fn it_moves_without_a_bitmap_hides_and_comes_back() {
        let mut cursor = Cursor::default();
        let format = sys::SPA_VIDEO_FORMAT_BGRA;
        cursor.follow(&pointer(2, 2, format, &HALF)).unwrap();
        let moved = meta(&[1, 0, 4, 4, 0, 0, 0], &[]);
        assert!(cursor.follow(&moved).unwrap());
        assert!(!cursor.follow(&moved).unwrap(), "it stays where it is");
        // only its first pixel is on the picture
        let picture = drawn(&cursor);
        assert_eq!(at(&picture, 3, 3), [200, 100, 100]);
        assert_eq!(at(&picture, 2, 2), [200; 3]);
        assert!(cursor.follow(&meta(&[0; 7], &[])).unwrap());
        assert_eq!(drawn(&cursor), [200; 64]);
        assert!(!cursor.follow(&meta(&[0; 7], &[])).unwrap());
        let back = meta(&[1, 0, (-3_i32).cast_unsigned(), 2, 0, 0, 0], &[]);
        assert!(cursor.follow(&back).unwrap());
        assert_eq!(drawn(&cursor), [200; 64], "left of the picture");
        // an invisible bitmap
        cursor
            .follow(&meta(&[1, 0, 2, 2, 0, 0, 28, format, 0, 0, 0, 0], &[]))
            .unwrap();
        assert_eq!(drawn(&cursor), [200; 64]);
    }

    #[test]
    fn bitmaps_that_contradict_themselves_leave_the_pointer_as_it_was() {
        let mut cursor = Cursor::default();
        let format = sys::SPA_VIDEO_FORMAT_BGRA;
        cursor.follow(&pointer(2, 2, format, &HALF)).unwrap();
        let before = drawn(&cursor);
        for words in [
            [1, 0, 2, 2, 1, 1, 4, format, 2, 2, 8, 20],
            [1, 0, 2, 2, 1, 1, u32::MAX, format, 2, 2, 8, 20],
            [1, 0, 2, 2, 1, 1, 28, 999, 2, 2, 8, 20],
            [1, 0, 2, 2, 1, 1, 28, format, 100_000, 100_000, 0, 20],
            [1, 0, 2, 2, 1, 1, 28, format, 2, 3, 8, 20],
            [1, 0, 2, 2, 1, 1, 28, format, 2, 2, 7, 20],
            [1, 0, 2, 2, 1, 1, 28, format, 2, 2, u32::MAX, 20],
            [1, 0, 2, 2, 1, 1, 28, format, 2, 2, 8, 19],
            [1, 0, 2, 2, 1, 1, 28, format, 2, 2, 8, u32::MAX],
        ] {
            assert!(cursor.follow(&meta(&words, &HALF)).is_err(), "{words:?}");
            assert_eq!(drawn(&cursor), before);
        }
        assert!(cursor.follow(&vec![0; 27]).is_err());
    }

    proptest! {
        #[test]
        fn whatever_the_metadata_say_nothing_outside_is_read_or_drawn(
            words in proptest::collection::vec(prop_oneof![0u32..40, any::<u32>()], 12), len in 0usize..400,
        ) {
            let mut cursor = Cursor::default();
            let _ = cursor.follow(&meta(&words, &vec![9; len]));
            let mut picture = vec![0; 16 * 16 * 4];
            cursor.draw(&mut picture, (16, 16), 64);
        }
    }
}
