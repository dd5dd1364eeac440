//! Compositors hand over an output's picture as its device has it; on a monitor that stands on its side that is not how
//! its user sees it.

use wayland_client::protocol::wl_output::Transform;

/// Whether width and height change places.
fn on_its_side(transform: Transform) -> bool {
    matches!(
        transform,
        Transform::_90 | Transform::_270 | Transform::Flipped90 | Transform::Flipped270
    )
}

/// Width and height as the user sees them.
pub fn upright_size(transform: Transform, (width, height): (u32, u32)) -> (u32, u32) {
    if on_its_side(transform) {
        (height, width)
    } else {
        (width, height)
    }
}

/// Turn a picture of tight lines, four bytes a pixel, as its user sees it.
pub fn upright(
    transform: Transform,
    picture: &[u8],
    (width, height): (u32, u32),
    into: &mut Vec<u8>,
) {
    let (w, h) = (width as isize, height as isize);
    let last = w * h - 1;
    // The place of the first pixel, and how far it is from one to the next and from one line to the next.
    let (first, next, line) = match transform {
        Transform::_90 => (last - w + 1, -w, 1),
        Transform::_180 => (last, -1, -w),
        Transform::_270 => (w - 1, w, -1),
        Transform::Flipped => (w - 1, -1, w),
        Transform::Flipped90 => (0, w, 1),
        Transform::Flipped180 => (last - w + 1, 1, -w),
        Transform::Flipped270 => (last, -w, -1),
        _ => (0, 1, w),
    };
    let (wide, high) = upright_size(transform, (width, height));
    let (pixels, _) = picture.as_chunks::<4>();
    into.clear();
    into.reserve(picture.len());
    for row in 0..high as isize {
        for column in 0..wide as isize {
            let at = first + column * next + row * line;
            let pixel = usize::try_from(at).ok().and_then(|at| pixels.get(at));
            into.extend_from_slice(pixel.unwrap_or(&[0; 4]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turn three columns and two lines, numbered from 1.
    fn turned(transform: Transform) -> Vec<u8> {
        let picture: Vec<u8> = (1..=6).flat_map(|number| [number; 4]).collect();
        let mut into = vec![9; 3];
        upright(transform, &picture, (3, 2), &mut into);
        into.chunks(4).map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn what_was_turned_for_the_device_is_turned_back() {
        // The protocol counts against the clock, so back is with it.
        assert_eq!(turned(Transform::Normal), [1, 2, 3, 4, 5, 6]);
        assert_eq!(turned(Transform::_90), [4, 1, 5, 2, 6, 3]);
        assert_eq!(turned(Transform::_180), [6, 5, 4, 3, 2, 1]);
        assert_eq!(turned(Transform::_270), [3, 6, 2, 5, 1, 4]);
        assert_eq!(turned(Transform::Flipped), [3, 2, 1, 6, 5, 4]);
        assert_eq!(turned(Transform::Flipped90), [1, 4, 2, 5, 3, 6]);
        assert_eq!(turned(Transform::Flipped180), [4, 5, 6, 1, 2, 3]);
        assert_eq!(turned(Transform::Flipped270), [6, 3, 5, 2, 4, 1]);
    }

    #[test]
    fn a_monitor_on_its_side_is_higher_than_wide() {
        assert_eq!(upright_size(Transform::_270, (1920, 1080)), (1080, 1920));
        assert_eq!(
            upright_size(Transform::Flipped180, (1920, 1080)),
            (1920, 1080)
        );
    }
}
