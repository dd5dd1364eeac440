//! From a producer's buffer to a tight BGRx picture: every number that the producer wrote is checked first.

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
    #[error("a stride of {0} bytes, too small for a line of the picture")]
    Stride(i32),
    #[error("{have} bytes of data where the picture needs {need}")]
    Short { have: usize, need: usize },
    #[error("a picture that would end at byte {end} of a buffer of {size}")]
    OutOfRange { end: usize, size: usize },
}

/// Copy a `width`×`height` picture out of `data` into `into`, line after line without padding, as BGRx.
///
/// # Errors
/// [`BadBuffer`]: the numbers in `chunk` do not describe a picture inside `data`; `into` is then unspecified.
pub fn copy_picture(
    data: &[u8],
    chunk: Chunk,
    (width, height): (u32, u32),
    order: Order,
    into: &mut Vec<u8>,
) -> Result<(), BadBuffer> {
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
    let picture = offset
        .checked_add(need)
        .and_then(|end| data.get(offset..end))
        .ok_or(BadBuffer::OutOfRange {
            end: offset.saturating_add(need),
            size: data.len(),
        })?;
    into.clear();
    into.reserve(line * height as usize);
    match order {
        Order::Bgr if stride == line => into.extend_from_slice(picture),
        Order::Bgr => {
            for row in picture.chunks(stride) {
                into.extend_from_slice(&row[..line]);
            }
        }
        Order::Rgb => {
            for row in picture.chunks(stride) {
                into.extend(
                    row[..line]
                        .chunks_exact(4)
                        .flat_map(|p| [p[2], p[1], p[0], p[3]]),
                );
            }
        }
    }
    Ok(())
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

    #[test]
    fn padding_is_left_out_and_the_offset_is_honoured() {
        // 2x2, stride 12, offset 3
        let mut data = vec![0xee; 3];
        data.extend([1, 2, 3, 4, 5, 6, 7, 8, 0xee, 0xee, 0xee, 0xee]);
        data.extend([9, 10, 11, 12, 13, 14, 15, 16]);
        let mut out = vec![0xaa; 99];
        copy_picture(&data, chunk(3, 20, 12), (2, 2), Order::Bgr, &mut out).unwrap();
        assert_eq!(out, (1..=16).collect::<Vec<u8>>());
    }

    #[test]
    fn red_and_blue_change_places_where_the_producer_has_them_so() {
        let mut out = Vec::new();
        copy_picture(&[1, 2, 3, 4], chunk(0, 4, 4), (1, 1), Order::Rgb, &mut out).unwrap();
        assert_eq!(out, [3, 2, 1, 4]);
    }

    #[test]
    fn numbers_that_point_outside_the_buffer_are_refused() {
        let data = [0; 64];
        let mut out = Vec::new();
        let mut copy = |c| copy_picture(&data, c, (4, 4), Order::Bgr, &mut out);
        assert_eq!(copy(chunk(0, 64, 16)), Ok(()));
        assert_eq!(copy(chunk(0, 64, 0)), Ok(()));
        assert_eq!(copy(chunk(0, 0, 16)), Err(BadBuffer::Empty));
        assert_eq!(copy(chunk(0, 64, 15)), Err(BadBuffer::Stride(15)));
        assert_eq!(copy(chunk(0, 64, -16)), Err(BadBuffer::Stride(-16)));
        assert!(matches!(
            copy(chunk(0, 63, 16)),
            Err(BadBuffer::Short { .. })
        ));
        assert!(matches!(
            copy(chunk(1, 64, 16)),
            Err(BadBuffer::OutOfRange { .. })
        ));
        assert!(matches!(
            copy(chunk(u32::MAX, 64, 16)),
            Err(BadBuffer::OutOfRange { .. })
        ));
        assert!(copy(chunk(0, u32::MAX, i32::MAX)).is_err());
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
            if copy_picture(&data, chunk(offset, size, stride), (width, height), Order::Rgb, &mut out).is_ok() {
                prop_assert_eq!(out.len(), width as usize * height as usize * 4);
            }
        }
    }
}
