//! What a key frame says of its light: bits, colours, and what the pictures are mastered for. By ITU-T H.265 (7.3.2.2, annex E,
//! D.2.28, D.2.35) and the AV1 specification (5.5, 5.8), as far as encoders of streams use them.

use super::{VideoCodec, av1, hevc};
use serde::Serialize;

const SPS: u8 = 33;
const PREFIX_SEI: u8 = 39;
const MASTERING: u32 = 137;
const CONTENT_LIGHT: u32 = 144;
/// OBUs.
const SEQUENCE_HEADER: u8 = 1;
const METADATA: u8 = 5;

/// Primaries, transfer and matrix of HDR10.
pub const HDR10: [u32; 3] = [9, 16, 9];

/// One key frame's own description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Described {
    pub bits: u32,
    /// Primaries, transfer and matrix by their numbers in H.273.
    pub colours: [u32; 3],
    pub full_range: bool,
    /// In the order and the units of the HDR message: red, green, blue and white as x and y, most and least light.
    pub mastering: Option<[u32; 10]>,
    /// Most light of a pixel and of a picture's mean, in nits.
    pub content_light: Option<[u32; 2]>,
}

impl Described {
    pub fn is_hdr(&self) -> bool {
        self.bits == 10 && self.colours == HDR10
    }
}

/// What stands in a key frame; `None` for H.264 and for what is not understood.
pub fn describe(codec: VideoCodec, access_unit: &[u8]) -> Option<Described> {
    match codec {
        VideoCodec::H264 => None,
        VideoCodec::Hevc => of_hevc(access_unit),
        VideoCodec::Av1 => of_av1(access_unit),
    }
}

fn of_hevc(stream: &[u8]) -> Option<Described> {
    let units = hevc::units(stream);
    let mut described = None;
    let (mut mastering, mut content_light) = (None, None);
    for (index, (at, kind)) in units.iter().enumerate() {
        let end = units.get(index + 1).map_or(stream.len(), |next| next.0);
        let plain = unescape(stream.get(at + 2..end)?);
        match *kind {
            SPS => described = Some(sequence(&mut Bits::new(&plain))?),
            PREFIX_SEI => messages(&plain, |kind, message| match kind {
                MASTERING => mastering = mastering_of_sei(message),
                CONTENT_LIGHT => content_light = pair(message),
                _ => {}
            }),
            _ => {}
        }
    }
    described.map(|described| Described {
        mastering,
        content_light,
        ..described
    })
}

/// A NAL unit without its emulation prevention.
fn unescape(nal: &[u8]) -> Vec<u8> {
    let mut zeros = 0;
    let mut plain = Vec::with_capacity(nal.len());
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        plain.push(byte);
    }
    plain
}

fn sequence(from: &mut Bits<'_>) -> Option<Described> {
    from.bits(4)?;
    let layers = from.bits(3)?;
    from.bits(1)?;
    profile(from, layers)?;
    from.ue()?;
    if from.ue()? == 3 {
        from.bits(1)?;
    }
    // the size
    from.ue()?;
    from.ue()?;
    if from.bits(1)? == 1 {
        (0..4).try_for_each(|_| from.ue().map(drop))?;
    }
    let bits = from.ue()? + 8;
    from.ue()?;
    let order_bits = from.ue()? + 4;
    let first = if from.bits(1)? == 1 { 0 } else { layers };
    for _ in first..=layers {
        (0..3).try_for_each(|_| from.ue().map(drop))?;
    }
    (0..6).try_for_each(|_| from.ue().map(drop))?;
    // scaling lists: not read
    if from.bits(1)? == 1 {
        return None;
    }
    from.bits(2)?;
    if from.bits(1)? == 1 {
        from.bits(8)?;
        from.ue()?;
        from.ue()?;
        from.bits(1)?;
    }
    for set in 0..from.ue()? {
        // sets that are predicted from others: not read
        if set > 0 && from.bits(1)? == 1 {
            return None;
        }
        let pictures = from.ue()? + from.ue()?;
        for _ in 0..pictures {
            from.ue()?;
            from.bits(1)?;
        }
    }
    if from.bits(1)? == 1 {
        for _ in 0..from.ue()? {
            from.bits(order_bits + 1)?;
        }
    }
    from.bits(2)?;
    let mut described = Described {
        bits,
        // not told
        colours: [2; 3],
        ..Described::default()
    };
    if from.bits(1)? == 0 {
        return Some(described);
    }
    if from.bits(1)? == 1 && from.bits(8)? == 255 {
        from.bits(32)?;
    }
    if from.bits(1)? == 1 {
        from.bits(1)?;
    }
    if from.bits(1)? == 1 {
        from.bits(3)?;
        described.full_range = from.bits(1)? == 1;
        if from.bits(1)? == 1 {
            described.colours = [from.bits(8)?, from.bits(8)?, from.bits(8)?];
        }
    }
    Some(described)
}

fn profile(from: &mut Bits<'_>, layers: u32) -> Option<()> {
    from.skip(88 + 8);
    let mut present = Vec::new();
    for _ in 0..layers {
        present.push((from.bits(1)?, from.bits(1)?));
    }
    if layers > 0 {
        from.skip(2 * (8 - layers as usize));
    }
    for (profile, level) in present {
        from.skip(88 * profile as usize + 8 * level as usize);
    }
    Some(())
}

/// The messages of an SEI unit.
fn messages(mut plain: &[u8], mut found: impl FnMut(u32, &[u8])) {
    // what is left then is the end of the unit
    while plain.len() > 2 {
        let mut number = || {
            let mut sum = 0;
            loop {
                let [byte, rest @ ..] = plain else {
                    return None;
                };
                plain = rest;
                sum += u32::from(*byte);
                if *byte != 255 {
                    return Some(sum);
                }
            }
        };
        let (Some(kind), Some(size)) = (number(), number()) else {
            return;
        };
        let Some((message, rest)) = plain.split_at_checked(size as usize) else {
            return;
        };
        found(kind, message);
        plain = rest;
    }
}

/// Green, blue, red, white; light in 1/10000 nit.
fn mastering_of_sei(message: &[u8]) -> Option<[u32; 10]> {
    let [gx, gy, bx, by, rx, ry, wx, wy] = places(message)?;
    let (most, least) = (long(message, 16)?, long(message, 20)?);
    Some([rx, ry, gx, gy, bx, by, wx, wy, most / 10_000, least])
}

/// Red, green, blue, white in 1/65536; light in 1/256 and 1/16384 nit.
fn mastering_of_obu(message: &[u8]) -> Option<[u32; 10]> {
    let [rx, ry, gx, gy, bx, by, wx, wy] = places(message)?.map(|place| (place * 50_000) >> 16);
    let (most, least) = (long(message, 16)? >> 8, long(message, 20)?);
    let least = (u64::from(least) * 10_000 / 16_384) as u32;
    Some([rx, ry, gx, gy, bx, by, wx, wy, most, least])
}

fn places(message: &[u8]) -> Option<[u32; 8]> {
    let mut places = [0; 8];
    for (place, bytes) in places.iter_mut().zip(message.get(..16)?.chunks_exact(2)) {
        *place = u32::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    }
    Some(places)
}

fn long(message: &[u8], at: usize) -> Option<u32> {
    let bytes = message.get(at..at + 4)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

fn pair(message: &[u8]) -> Option<[u32; 2]> {
    let both = long(message, 0)?;
    Some([both >> 16, both & 0xffff])
}

fn of_av1(stream: &[u8]) -> Option<Described> {
    let mut described = None;
    let (mut mastering, mut content_light) = (None, None);
    for unit in av1::units(stream)? {
        let payload = stream.get(unit.payload)?;
        match (unit.kind, payload) {
            (SEQUENCE_HEADER, _) => described = Some(sequence_header(&mut Bits::new(payload))?),
            (METADATA, [2, message @ ..]) => mastering = mastering_of_obu(message),
            (METADATA, [1, message @ ..]) => content_light = pair(message),
            _ => {}
        }
    }
    described.map(|described| Described {
        mastering,
        content_light,
        ..described
    })
}

fn sequence_header(from: &mut Bits<'_>) -> Option<Described> {
    let profile = from.bits(3)?;
    from.bits(1)?;
    // a reduced header, or one with timing: not read
    if from.bits(2)? != 0 {
        return None;
    }
    let delays = from.bits(1)? == 1;
    for _ in 0..=from.bits(5)? {
        from.bits(12)?;
        if from.bits(5)? > 7 {
            from.bits(1)?;
        }
        if delays && from.bits(1)? == 1 {
            from.bits(4)?;
        }
    }
    let (across, down) = (from.bits(4)? + 1, from.bits(4)? + 1);
    from.bits(across)?;
    from.bits(down)?;
    if from.bits(1)? == 1 {
        from.bits(7)?;
    }
    // superblocks, filter intra, edge filter, inter-intra, masks, warping, dual filters
    from.bits(7)?;
    let order_hint = from.bits(1)? == 1;
    if order_hint {
        from.bits(2)?;
    }
    let tools = if from.bits(1)? == 1 { 2 } else { from.bits(1)? };
    if tools > 0 && from.bits(1)? == 0 {
        from.bits(1)?;
    }
    if order_hint {
        from.bits(3)?;
    }
    from.bits(3)?;
    let bits = match (from.bits(1)?, profile) {
        (0, _) => 8,
        (_, 2) if from.bits(1)? == 1 => 12,
        _ => 10,
    };
    if profile != 1 {
        from.bits(1)?;
    }
    let colours = match from.bits(1)? {
        1 => [from.bits(8)?, from.bits(8)?, from.bits(8)?],
        _ => [2; 3],
    };
    Some(Described {
        bits,
        colours,
        full_range: from.bits(1)? == 1,
        ..Described::default()
    })
}

/// From the most significant bit down; `None` beyond the end.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn skip(&mut self, bits: usize) {
        self.at += bits;
    }

    fn bits(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }

    /// An Exp-Golomb code.
    fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bits(1)? == 0 {
            zeros += 1;
            if zeros > 20 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.bits(zeros)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_in_their_own_units() {
        let mastering = [
            8500u16, 39850, 6550, 2300, 35400, 14600, 15635, 16450, 0x98, 0x9680, 0, 1,
        ];
        let mut sei = vec![137, 24];
        sei.extend(mastering.iter().flat_map(|word| word.to_be_bytes()));
        sei.extend([144, 4, 3, 0xe8, 1, 0x90, 0x80]);
        let mut seen = Vec::new();
        messages(&sei, |kind, message| seen.push((kind, message.to_vec())));
        assert_eq!(seen.len(), 2);
        assert_eq!(
            mastering_of_sei(&seen[0].1),
            Some([35400, 14600, 8500, 39850, 6550, 2300, 15635, 16450, 1000, 1])
        );
        assert_eq!(pair(&seen[1].1), Some([1000, 400]));
        assert_eq!(mastering_of_sei(&seen[1].1), None);
        // a size beyond the end, and one that never ends
        for bytes in [&[137, 200, 1][..], &[255; 40]] {
            messages(bytes, |_, _| panic!("nothing whole is in there"));
        }
    }

    #[test]
    fn any_bytes_are_read_or_not() {
        let mut state = 7u32;
        for length in 0..400 {
            let mut bytes = vec![0, 0, 1, SPS << 1, 1];
            for _ in 0..length {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                bytes.push((state >> 24) as u8);
            }
            let _ = describe(VideoCodec::Hevc, &bytes);
            let _ = describe(VideoCodec::Av1, &bytes[5..]);
        }
    }
}
