//! From a producer's buffer to a BGRx picture: every number that the producer wrote is checked first.

use super::memory::Bytes;

/// The byte order of a negotiated four-byte format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// B, G, R, anything.
    Bgr,
    /// R, G, B, anything.
    Rgb,
}

/// What a chunk says about the data in its buffer; each field read once from shared memory.
#[derive(Debug, Clone, Copy)]
pub struct Chunk {
    pub offset: u32,
    pub size: u32,
    pub stride: i32,
}

/// Why a buffer is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBuffer {
    #[error("no data in it")]
    Empty,
    #[error("marked as corrupted")]
    Corrupted,
    #[error("memory of a kind that was not agreed on")]
    Kind,
    #[error("a stride of {0} bytes, too small for a line of the picture")]
    Stride(i32),
    #[error("{have} bytes of data where the picture needs {need}")]
    Short { have: usize, need: usize },
    #[error("a picture that would end at byte {end} of a buffer of {size}")]
    OutOfRange { end: usize, size: usize },
    #[error("the memory cannot be read to its end; it was truncated, or is no shared memory")]
    Unreadable,
    #[error("the GPU does not finish drawing it")]
    Unfinished,
}

/// Where a picture lies in its buffer: checked against the size of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    offset: usize,
    pub stride: usize,
    line: usize,
    lines: usize,
}

/// Padding up to this is copied with the lines, in one read.
const PADDING: usize = 4096;

/// Find a `width`×`height` picture in a buffer of `size` bytes.
///
/// # Errors
/// [`BadBuffer`]: the numbers in `chunk` do not describe a picture inside the buffer.
pub fn place(chunk: Chunk, size: usize, (width, height): (u32, u32)) -> Result<Place, BadBuffer> {
    if chunk.size == 0 || width == 0 || height == 0 {
        return Err(BadBuffer::Empty);
    }
    let line = width as usize * 4;
    // Some producers leave the stride at 0 where lines are not padded. A negative one would be a picture upside down,
    // which none of them makes.
    let stride = match usize::try_from(chunk.stride) {
        Ok(0) => line,
        Ok(stride) if stride >= line => stride,
        _ => return Err(BadBuffer::Stride(chunk.stride)),
    };
    let need = stride
        .checked_mul(height as usize - 1)
        .and_then(|bytes| bytes.checked_add(line))
        .ok_or(BadBuffer::Stride(chunk.stride))?;
    if (chunk.size as usize) < need {
        return Err(BadBuffer::Short {
            have: chunk.size as usize,
            need,
        });
    }
    let offset = chunk.offset as usize;
    match offset.checked_add(need) {
        Some(end) if end <= size => Ok(Place {
            offset,
            stride,
            line,
            lines: height as usize,
        }),
        end => Err(BadBuffer::OutOfRange {
            end: end.unwrap_or(usize::MAX),
            size,
        }),
    }
}

/// Copy the picture at `place` into `into` as BGRx, and tell the distance of its lines there. Behind the last line there is
/// no padding.
///
/// # Errors
/// [`BadBuffer::Unreadable`]; `into` is then unspecified.
pub fn copy_picture(
    memory: &impl Bytes,
    place: Place,
    order: Order,
    into: &mut Vec<u8>,
) -> Result<usize, BadBuffer> {
    let Place {
        offset,
        line,
        lines,
        ..
    } = place;
    let unreadable = |_| BadBuffer::Unreadable;
    let stride = if place.stride - line <= PADDING {
        into.resize(place.stride * (lines - 1) + line, 0);
        memory.read(offset, into).map_err(unreadable)?;
        place.stride
    } else {
        into.resize(line * lines, 0);
        for (row, bytes) in into.chunks_exact_mut(line).enumerate() {
            let at = offset + row * place.stride;
            memory.read(at, bytes).map_err(unreadable)?;
        }
        line
    };
    if order == Order::Rgb {
        for row in into.chunks_mut(stride) {
            for pixel in row[..line].chunks_exact_mut(4) {
                pixel.swap(0, 2);
            }
        }
    }
    Ok(stride)
}

/// The capture time of a buffer on CLOCK_MONOTONIC: the producer's stamp where it is believable, else `now_ns`.
///
/// Some producers stamp nothing (-1 or 0), and a stamp from another clock would be far from now.
pub fn capture_time(pts_ns: Option<i64>, now_ns: u64) -> u64 {
    const BELIEVABLE_NS: u64 = 1_000_000_000;
    pts_ns
        .and_then(|pts| u64::try_from(pts).ok())
        .filter(|&pts| pts <= now_ns && now_ns - pts < BELIEVABLE_NS)
        .unwrap_or(now_ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chunk(offset: u32, size: u32, stride: i32) -> Chunk {
        Chunk {
            offset,
            size,
            stride,
        }
    }

    fn copied(data: &[u8], chunk: Chunk, size: (u32, u32), order: Order) -> (usize, Vec<u8>) {
        let mut out = vec![0xaa; 99];
        let place = place(chunk, data.len(), size).unwrap();
        let stride = copy_picture(&data.to_vec(), place, order, &mut out).unwrap();
        (stride, out)
    }

    #[test]
    fn padding_is_stepped_over_and_the_offset_is_honoured() {
        // 2x2, stride 12, offset 3
        let mut data = vec![0xee; 3];
        data.extend([1, 2, 3, 4, 5, 6, 7, 8, 0xee, 0xee, 0xee, 0xee]);
        data.extend([9, 10, 11, 12, 13, 14, 15, 16]);
        let (stride, out) = copied(&data, chunk(3, 20, 12), (2, 2), Order::Bgr);
        assert_eq!((stride, out), (12, data[3..].to_vec()));
        // padding that is not worth copying
        let mut data = vec![0xee; 5000 + 8];
        data[..8].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        data[5000..].copy_from_slice(&[9, 10, 11, 12, 13, 14, 15, 16]);
        let (stride, out) = copied(&data, chunk(0, 5008, 5000), (2, 2), Order::Bgr);
        assert_eq!((stride, out), (8, (1..=16).collect::<Vec<u8>>()));
    }

    #[test]
    fn red_and_blue_change_places_where_the_producer_has_them_so() {
        let data = [1, 2, 3, 4, 9, 9, 9, 9, 5, 6, 7, 8];
        let (_, out) = copied(&data, chunk(0, 12, 8), (1, 2), Order::Rgb);
        assert_eq!(out, [3, 2, 1, 4, 9, 9, 9, 9, 7, 6, 5, 8]);
    }

    #[test]
    fn numbers_that_point_outside_the_buffer_are_refused() {
        let place = |c| place(c, 64, (4, 4)).map(|place| place.stride);
        assert_eq!(place(chunk(0, 64, 16)), Ok(16));
        assert_eq!(place(chunk(0, 64, 0)), Ok(16));
        assert_eq!(place(chunk(0, 0, 16)), Err(BadBuffer::Empty));
        assert_eq!(place(chunk(0, 64, 15)), Err(BadBuffer::Stride(15)));
        assert_eq!(place(chunk(0, 64, -16)), Err(BadBuffer::Stride(-16)));
        assert!(matches!(
            place(chunk(0, 63, 16)),
            Err(BadBuffer::Short { .. })
        ));
        for outside in [chunk(1, 64, 16), chunk(u32::MAX, 64, 16)] {
            assert!(matches!(place(outside), Err(BadBuffer::OutOfRange { .. })));
        }
        assert!(place(chunk(0, u32::MAX, i32::MAX)).is_err());
    }

    #[test]
    fn a_stamp_of_another_clock_is_replaced_by_the_arrival() {
        let now = 10_000_000_000;
        assert_eq!(capture_time(Some(9_990_000_000), now), 9_990_000_000);
        for odd in [None, Some(-1), Some(0), Some(i64::MAX), Some(5_000_000_000)] {
            assert_eq!(capture_time(odd, now), now, "{odd:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_producer_writes_the_copy_is_whole_or_refused(
            len in 0usize..4096, offset: u32, size: u32, stride: i32, width in 0u32..64, height in 0u32..64,
            small in 0u32..64, near: bool,
        ) {
            let data = vec![7; len];
            let (offset, stride) = if near { (small, (width * 4 + small) as i32) } else { (offset, stride) };
            let mut out = Vec::new();
            if let Ok(place) = place(chunk(offset, size, stride), len, (width, height)) {
                let stride = copy_picture(&data, place, Order::Rgb, &mut out).unwrap();
                let line = width as usize * 4;
                prop_assert_eq!(out.len(), stride * (height as usize - 1) + line);
            }
        }
    }
}
