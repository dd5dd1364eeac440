//! AV1: open bitstream units with their sizes. The walk touches headers alone, a few for each temporal unit.
use super::{AccessUnitError, Arranged, pieces::Pieces};

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;
/// More OBUs than any temporal unit of one picture has (128 tile groups and what stands around them).
const MAX_OBUS: usize = 256;

/// One OBU: its type and its payload, or the front of it.
struct Obu<'a> {
    kind: u8,
    payload: &'a [u8],
}

/// What is left of a unit: the bytes at hand and the number of those behind them.
struct Rest<'a> {
    at_hand: &'a [u8],
    behind: usize,
}

/// Takes the first OBU off `rest`. `None`: what is at hand does not tell how long it is.
fn take<'a>(rest: &mut Rest<'a>) -> Result<Option<Obu<'a>>, AccessUnitError> {
    match take_whole(rest) {
        Err(AccessUnitError::BrokenObu) if rest.behind > 0 => Ok(None),
        other => other.map(Some),
    }
}

fn take_whole<'a>(rest: &mut Rest<'a>) -> Result<Obu<'a>, AccessUnitError> {
    let broken = AccessUnitError::BrokenObu;
    let (&header, mut body) = rest.at_hand.split_first().ok_or(broken)?;
    // The forbidden bit; the reserved one is for decoders to ignore.
    if header & 0x80 != 0 {
        return Err(broken);
    }
    if header & 0x04 != 0 {
        body = body.get(1..).ok_or(broken)?;
    }
    if header & 0x02 == 0 {
        return Err(AccessUnitError::ObuWithoutSize);
    }
    let mut size = 0_u64;
    for place in 0..8_u32 {
        let (&byte, behind) = body.split_first().ok_or(broken)?;
        body = behind;
        size |= u64::from(byte & 0x7f) << place.saturating_mul(7);
        if byte & 0x80 == 0 {
            let size = usize::try_from(size).map_err(|_| broken)?;
            // It may go on behind what is at hand, and the next one begin there.
            let here = size.min(body.len());
            if here == 0 && size > 0 {
                return Err(broken);
            }
            let (payload, next) = body.split_at_checked(here).ok_or(broken)?;
            let behind = rest.behind.checked_sub(size.saturating_sub(here));
            *rest = Rest {
                at_hand: next,
                behind: behind.ok_or(broken)?,
            };
            return Ok(Obu {
                kind: header >> 3 & 0xf,
                payload,
            });
        }
    }
    Err(broken)
}

/// Whether a frame header is that of a shown or hidden key frame. A repeated picture (show_existing_frame) is none: it needs what
/// came before.
fn is_key(header: &[u8]) -> bool {
    // show_existing_frame, then two bits of frame_type, of which 0 is a key frame.
    header.first().is_some_and(|byte| byte & 0xe0 == 0)
}

/// See [`super::arrange_front`].
pub(super) fn arrange(
    front: &[u8],
    len: usize,
    called_key: bool,
) -> Result<Option<Arranged<'_>>, AccessUnitError> {
    let mut rest = Rest {
        at_hand: front,
        behind: len.saturating_sub(front.len()),
    };
    let (mut sequence, mut picture) = (false, None);
    for place in 0..MAX_OBUS {
        if rest.at_hand.is_empty() {
            break;
        }
        let Some(obu) = take(&mut rest)? else {
            return Ok(None);
        };
        match obu.kind {
            TEMPORAL_DELIMITER if place > 0 => return Err(AccessUnitError::SeveralUnits),
            SEQUENCE_HEADER if picture.is_none() => sequence = true,
            FRAME_HEADER | FRAME if picture.is_none() => picture = Some(is_key(obu.payload)),
            _ => {}
        }
    }
    if !rest.at_hand.is_empty() {
        return Err(AccessUnitError::TooManyElements);
    }
    if rest.behind > 0 {
        return Ok(None);
    }
    let key = picture.ok_or(AccessUnitError::NoPicture)?;
    if called_key && !key {
        return Err(AccessUnitError::NotAKeyFrame);
    }
    if called_key && !sequence {
        return Err(AccessUnitError::NoParameterSets);
    }
    Ok(Some(Arranged {
        pieces: Pieces::whole(front),
        // A key frame without its sequence header helps nobody who starts with it.
        key: key && sequence,
        changed: false,
    }))
}
