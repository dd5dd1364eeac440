//! An elementary stream cut into access units: H.264 and HEVC at their access unit delimiters, AV1 at its temporal
//! delimiters. For recordings of our own making only: what does not look like one is an error, not a guess.

use crate::codec::Codec;
use anyhow::{Context, Result, bail, ensure};

/// One access unit of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedUnit {
    pub bytes: Vec<u8>,
    /// A key frame with its parameter sets.
    pub key: bool,
}

/// Where each NAL unit's start code begins, and its first header byte.
pub(crate) fn nal_starts(stream: &[u8]) -> Vec<(usize, u8)> {
    let mut starts = Vec::new();
    let mut at = 0;
    while at + 3 < stream.len() {
        if stream[at..at + 3] == [0, 0, 1] {
            // The fourth byte of a long start code belongs to it.
            let begin = if at > 0 && stream[at - 1] == 0 {
                at - 1
            } else {
                at
            };
            starts.push((begin, stream[at + 3]));
            at += 3;
        } else {
            at += 1;
        }
    }
    starts
}

/// The type of a NAL unit by its first header byte.
pub(crate) fn nal_type(codec: Codec, header: u8) -> u8 {
    match codec {
        Codec::Hevc => header >> 1 & 0x3f,
        _ => header & 0x1f,
    }
}

/// One OBU: its type, and where it begins and ends. Every OBU must carry its size, as the low-overhead format has it.
pub(crate) fn obus(stream: &[u8]) -> Result<Vec<(u8, usize, usize)>> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(&header) = stream.get(at) {
        ensure!(header & 0x80 == 0, "no OBU at byte {at}");
        ensure!(header & 2 != 0, "an OBU without a size at byte {at}");
        let mut body = at + 1 + usize::from(header >> 2 & 1);
        let mut size = 0usize;
        for shift in 0.. {
            ensure!(shift < 5, "a size of more than five bytes at {at}");
            let byte = *stream.get(body).context("the stream ends within a size")?;
            size |= usize::from(byte & 0x7f) << (7 * shift);
            body += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        ensure!(body + size <= stream.len(), "the stream ends within an OBU");
        all.push((header >> 3 & 0xf, at, body + size));
        at = body + size;
    }
    Ok(all)
}

/// The access units of a whole recording; the first one must be a key frame.
pub fn access_units(codec: Codec, stream: &[u8]) -> Result<Vec<RecordedUnit>> {
    let mut cuts: Vec<(usize, bool)> = Vec::new();
    match codec {
        Codec::H264 | Codec::Hevc => {
            for (at, header) in nal_starts(stream) {
                match (codec, nal_type(codec, header)) {
                    (Codec::H264, 9) | (Codec::Hevc, 35) => cuts.push((at, false)),
                    (Codec::H264, 5) | (Codec::Hevc, 16..=21) => {
                        if let Some(last) = cuts.last_mut() {
                            last.1 = true;
                        }
                    }
                    _ => {}
                }
            }
        }
        Codec::Av1 => {
            for (kind, at, _) in obus(stream)? {
                match kind {
                    2 => cuts.push((at, false)),
                    // A sequence header: the encoder writes it with key frames only.
                    1 => {
                        if let Some(last) = cuts.last_mut() {
                            last.1 = true;
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    if cuts.first().is_none_or(|first| *first != (0, true)) {
        bail!("the recording does not begin with a delimiter and a key frame");
    }
    let ends = cuts.iter().skip(1).map(|cut| cut.0).chain([stream.len()]);
    let units = cuts.iter().zip(ends).map(|((from, key), to)| RecordedUnit {
        bytes: stream[*from..to].to_vec(),
        key: *key,
    });
    Ok(units.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annex_b_is_cut_at_its_delimiters() {
        let stream = [
            &[0, 0, 0, 1, 9, 0x10, 0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x65, 7][..],
            &[0, 0, 0, 1, 9, 0x30, 0, 0, 1, 0x41, 8],
        ]
        .concat();
        let units = access_units(Codec::H264, &stream).unwrap();
        assert_eq!(
            units
                .iter()
                .map(|u| (u.bytes.len(), u.key))
                .collect::<Vec<_>>(),
            [(17, true), (11, false)]
        );
        assert_eq!(
            units
                .iter()
                .flat_map(|u| u.bytes.clone())
                .collect::<Vec<_>>(),
            stream
        );
        assert!(access_units(Codec::H264, &stream[17..]).is_err());
    }

    #[test]
    fn obus_are_cut_at_their_temporal_delimiters() {
        let stream = [0x12, 0, 0x0a, 2, 1, 2, 0x32, 1, 9, 0x12, 0, 0x32, 2, 5, 5];
        let units = access_units(Codec::Av1, &stream).unwrap();
        assert_eq!(
            units
                .iter()
                .map(|u| (u.bytes.len(), u.key))
                .collect::<Vec<_>>(),
            [(9, true), (6, false)]
        );
        assert!(access_units(Codec::Av1, &stream[..14]).is_err());
    }
}
