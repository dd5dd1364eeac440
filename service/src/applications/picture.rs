//! Pictures of applications: whether an agent's answer is one, and what is shown where there is none.
use punktfunk_dbus::applications::{MAX_PICTURE, MAX_PICTURE_SIDE};

const MAGIC: &[u8; 8] = b"\x89PNG\r\n\x1a\n";
/// The length and the name of the first chunk.
const HEADER: &[u8; 8] = b"\0\0\0\x0dIHDR";
/// The last chunk, which is always the same.
const END: &[u8; 12] = b"\0\0\0\0IEND\xae\x42\x60\x82";

/// Shown where no agent answers.
#[must_use]
pub fn placeholder() -> &'static [u8] {
    include_bytes!("placeholder.png")
}

/// Whether clients may be given this: a PNG from its magic to its end, within the bounds of size.
pub(super) fn is_acceptable(bytes: &[u8]) -> bool {
    let head = bytes
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.strip_prefix(HEADER))
        .and_then(|rest| rest.first_chunk::<8>());
    let Some(&[a, b, c, d, e, f, g, h]) = head else {
        return false;
    };
    let sides = [
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([e, f, g, h]),
    ];
    bytes.len() <= MAX_PICTURE
        && bytes.ends_with(END)
        && sides
            .iter()
            .all(|side| (1..=MAX_PICTURE_SIDE).contains(side))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_png_of_a_sane_size_is_passed_on() {
        let good = placeholder();
        assert!(is_acceptable(good));
        assert!(!is_acceptable(b""));
        assert!(!is_acceptable(&good[..good.len() - 1]));
        assert!(!is_acceptable(&[good, &[0; 1]].concat()));
        assert!(!is_acceptable(b"\xff\xd8\xff\xe0 a JPEG"));
        let wide = |width: u32| {
            let mut png = good.to_vec();
            png[16..20].copy_from_slice(&width.to_be_bytes());
            png
        };
        assert!(is_acceptable(&wide(MAX_PICTURE_SIDE)));
        assert!(!is_acceptable(&wide(0)) && !is_acceptable(&wide(MAX_PICTURE_SIDE + 1)));
        let heavy = [&good[..33], &vec![0; MAX_PICTURE], &good[33..]].concat();
        assert!(!is_acceptable(&heavy));
    }
}
