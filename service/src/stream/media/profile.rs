//! The profile that a key frame's parameter sets name: what a decoder is made for.
use punktfunk_core::sdp::Codec;

/// Parameter sets lead an access unit; what is looked at is bounded.
const MOST: usize = 512;

/// The profile's number, where there is a sequence's header in front.
pub(super) fn of(codec: Codec, unit: &[u8]) -> Option<u8> {
    let head = unit.get(..unit.len().min(MOST))?;
    match codec {
        // A sequence parameter set: one byte of header, then the profile.
        Codec::H264 => units(head).find_map(|nal| {
            let is_sps = nal.first()? & 0x1f == 7;
            is_sps.then(|| nal.get(1).copied()).flatten()
        }),
        // Two bytes of header, one of ids, then space and tier above the profile.
        Codec::Hevc => units(head).find_map(|nal| {
            let is_sps = (nal.first()? >> 1) & 0x3f == 33;
            is_sps.then(|| nal.get(3).map(|byte| byte & 0x1f)).flatten()
        }),
        Codec::Av1 => sequence_header(head).map(|byte| byte >> 5),
    }
}

/// What follows each start code.
fn units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .windows(3)
        .enumerate()
        .filter(|(_, window)| *window == [0, 0, 1])
        .filter_map(|(at, _)| bytes.get(at.saturating_add(3)..))
}

/// The first byte of AV1's sequence header, behind a temporal delimiter if there is one.
fn sequence_header(bytes: &[u8]) -> Option<u8> {
    let mut rest = bytes;
    for _ in 0..4 {
        let header = *rest.first()?;
        let (kind, extended, sized) = ((header >> 3) & 0xf, header & 4 != 0, header & 2 != 0);
        rest = rest.get(if extended { 2 } else { 1 }..)?;
        let mut size = 0usize;
        if sized {
            let mut shift = 0u32;
            loop {
                let byte = *rest.first()?;
                rest = rest.get(1..)?;
                size |= usize::from(byte & 0x7f).checked_shl(shift)?;
                shift = shift.checked_add(7).filter(|shift| *shift < 35)?;
                if byte & 0x80 == 0 {
                    break;
                }
            }
        }
        if kind == 1 {
            return rest.first().copied();
        }
        rest = rest.get(size..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_is_read_from_each_codecs_header() {
        let h264 = [0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x67, 100, 0, 31];
        assert_eq!(of(Codec::H264, &h264), Some(100));
        let hevc = [0, 0, 1, 0x40, 1, 0, 0, 0, 1, 0x42, 1, 1, 0x22, 0x60];
        assert_eq!(of(Codec::Hevc, &hevc), Some(2));
        let av1 = [0x12, 0, 0x0a, 2, 0x20, 0];
        assert_eq!(of(Codec::Av1, &av1), Some(1));
        for codec in [Codec::H264, Codec::Hevc, Codec::Av1] {
            for cut in 0..4 {
                assert_eq!(of(codec, h264.get(..cut).unwrap()), None);
            }
        }
    }
}
