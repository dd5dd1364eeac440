//! H.264 and HEVC: NAL units behind start codes. Only types are looked at, so that emulation prevention plays no part.
use super::{AccessUnitError, Arranged, pieces::Pieces};

/// Bytes of the first slice, start code included, that have to lie in the first packet.
const SLICE_HEAD: usize = 5;
/// Most NAL units in front of the first slice.
const MAX_LEADING: usize = 20;

/// Which of the two syntaxes a NAL unit's header has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    H264,
    Hevc,
}

/// What a NAL unit is, as far as order goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Delimiter,
    /// VPS, SPS (and its extensions), PPS: by the order in which they have to come.
    ParameterSet(u8),
    /// Supplemental information: HDR metadata first, then the rest, then what encoders say of themselves.
    Information(u8),
    Slice {
        key: bool,
    },
    /// Belongs directly in front of the slice.
    SlicePrefix,
    /// Filler, ends of sequences, what nobody has defined.
    Other,
}

/// One NAL unit with its start code.
#[derive(Clone, Copy)]
struct Nal<'a> {
    bytes: &'a [u8],
    role: Role,
}

impl Syntax {
    fn role(self, nal: &[u8]) -> Role {
        // Behind the start code; the payload type of an SEI message follows a header of one or two bytes.
        let code = start_code(nal).unwrap_or(0);
        let Some(header) = nal.get(code).copied() else {
            return Role::Other;
        };
        match self {
            Self::H264 => match header & 0x1f {
                1..=4 => Role::Slice { key: false },
                5 => Role::Slice { key: true },
                6 => Role::Information(information(nal.get(code.saturating_add(1)))),
                7 => Role::ParameterSet(1),
                13 | 15 => Role::ParameterSet(2),
                8 => Role::ParameterSet(3),
                9 => Role::Delimiter,
                14 | 20 => Role::SlicePrefix,
                _ => Role::Other,
            },
            Self::Hevc => match header >> 1 & 0x3f {
                16..=21 => Role::Slice { key: true },
                0..=31 => Role::Slice { key: false },
                32 => Role::ParameterSet(0),
                33 => Role::ParameterSet(1),
                34 => Role::ParameterSet(3),
                35 => Role::Delimiter,
                39 => Role::Information(information(nal.get(code.saturating_add(2)))),
                _ => Role::Other,
            },
        }
    }

    /// The parameter sets without which no decoder starts.
    fn needed(self) -> &'static [u8] {
        match self {
            Self::H264 => &[1, 3],
            Self::Hevc => &[0, 1, 3],
        }
    }
}

/// How early an SEI message should come by its payload type: mastering display, content light level and alternative transfer first;
/// user data, in which encoders tell their settings, last.
fn information(payload_type: Option<&u8>) -> u8 {
    match payload_type {
        Some(137 | 144 | 147) => 0,
        Some(4 | 5) => 2,
        _ => 1,
    }
}

/// The length of the start code at the front.
fn start_code(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0, 0, 1, ..] => Some(3),
        [0, 0, 0, 1, ..] => Some(4),
        _ => None,
    }
}

/// Where the next NAL unit begins behind `from`: the offset of its start code, its leading zero included.
fn next_start(unit: &[u8], from: usize) -> Option<usize> {
    let rest = unit.get(from..)?;
    let at = rest.windows(3).position(|window| window == [0, 0, 1])?;
    let zero = at > 0 && rest.get(at.wrapping_sub(1)) == Some(&0);
    from.checked_add(at.saturating_sub(usize::from(zero)))
}

/// What stands in front of the first slice, and everything from there on.
struct Split<'a> {
    leading: [Nal<'a>; MAX_LEADING],
    count: usize,
    picture: &'a [u8],
    picture_at: usize,
    /// Bytes in front of the slice itself, if it stays where it is.
    before_slice: usize,
    key: bool,
}

impl<'a> Split<'a> {
    fn of(syntax: Syntax, unit: &'a [u8]) -> Result<Self, AccessUnitError> {
        let empty = Nal {
            bytes: &[],
            role: Role::Other,
        };
        let (mut leading, mut count) = ([empty; MAX_LEADING], 0usize);
        let mut at = 0usize;
        let mut prefixed = None;
        let mut code = start_code(unit).ok_or(AccessUnitError::NoStartCode)?;
        loop {
            let rest = unit.get(at..).unwrap_or_default();
            let role = syntax.role(rest);
            match role {
                Role::Slice { key } => {
                    let from = prefixed.unwrap_or(at);
                    return Ok(Self {
                        leading,
                        count,
                        picture: unit.get(from..).unwrap_or_default(),
                        picture_at: from,
                        before_slice: at,
                        key,
                    });
                }
                Role::SlicePrefix => {
                    prefixed.get_or_insert(at);
                }
                _ => prefixed = None,
            }
            let next =
                next_start(unit, at.saturating_add(code)).ok_or(AccessUnitError::NoPicture)?;
            let bytes = unit.get(at..next).unwrap_or_default();
            if role != Role::SlicePrefix {
                *leading
                    .get_mut(count)
                    .ok_or(AccessUnitError::TooManyElements)? = Nal { bytes, role };
                count = count.saturating_add(1);
            }
            at = next;
            code = start_code(unit.get(at..).unwrap_or_default()).unwrap_or(3);
        }
    }

    fn leading(&self) -> &[Nal<'a>] {
        self.leading.get(..self.count).unwrap_or_default()
    }

    fn has(&self, order: u8) -> bool {
        let wanted = Role::ParameterSet(order);
        self.leading().iter().any(|nal| nal.role == wanted)
    }

    /// The unit begins as clients want it: in front of the first parameter set only what they skip, and the first is the right one.
    fn begins_well(&self, first: u8) -> bool {
        let skipped = |role| matches!(role, Role::Delimiter | Role::Information(_));
        let mut roles = self.leading().iter().map(|nal| nal.role);
        roles.find(|role| !skipped(*role)) == Some(Role::ParameterSet(first))
    }
}

pub(super) fn arrange(
    syntax: Syntax,
    unit: &[u8],
    called_key: bool,
    room: usize,
) -> Result<Arranged<'_>, AccessUnitError> {
    let split = Split::of(syntax, unit)?;
    if called_key && !split.key {
        return Err(AccessUnitError::NotAKeyFrame);
    }
    let as_it_is = Arranged {
        pieces: Pieces::whole(unit),
        key: split.key,
        changed: false,
    };
    if !split.key {
        let bare = |nal: &Nal<'_>| !matches!(nal.role, Role::ParameterSet(_));
        return if split.leading().iter().all(bare) {
            Ok(as_it_is)
        } else {
            without_parameter_sets(&split)
        };
    }
    let needed = syntax.needed();
    if !needed.iter().all(|order| split.has(*order)) {
        return Err(AccessUnitError::NoParameterSets);
    }
    let recognisable = split.before_slice.saturating_add(SLICE_HEAD) <= room;
    if recognisable
        && needed
            .first()
            .is_some_and(|first| split.begins_well(*first))
    {
        return Ok(as_it_is);
    }
    key_frame(&split, room)
}

/// Clients silently drop a predicted frame that they find parameter sets in front of.
fn without_parameter_sets<'a>(split: &Split<'a>) -> Result<Arranged<'a>, AccessUnitError> {
    let mut pieces = Pieces::none();
    let kept = split
        .leading()
        .iter()
        .filter(|nal| !matches!(nal.role, Role::ParameterSet(_)))
        .map(|nal| nal.bytes);
    for piece in kept.chain([split.picture]) {
        fits(pieces.push(piece))?;
    }
    Ok(Arranged {
        pieces,
        key: false,
        changed: true,
    })
}

/// Delimiter, parameter sets in their order, as much information as leaves the slice in the first packet, the picture.
fn key_frame<'a>(split: &Split<'a>, room: usize) -> Result<Arranged<'a>, AccessUnitError> {
    let mut pieces = Pieces::none();
    let of = |role: Role| {
        let all = split.leading().iter();
        all.filter(move |nal| nal.role == role).map(|nal| nal.bytes)
    };
    // A second delimiter would begin another unit.
    for piece in of(Role::Delimiter).take(1) {
        fits(pieces.push(piece))?;
    }
    for order in 0..=3 {
        for piece in of(Role::ParameterSet(order)) {
            fits(pieces.push(piece))?;
        }
    }
    // What belongs in front of the slice comes with the picture.
    let head = split.before_slice.saturating_sub(split.picture_at);
    let mut used = pieces.len().saturating_add(head).saturating_add(SLICE_HEAD);
    if used > room {
        return Err(AccessUnitError::FirstPacketTooSmall { room });
    }
    for order in 0..=2 {
        for piece in of(Role::Information(order)) {
            let with = used.saturating_add(piece.len());
            if with <= room && pieces.as_slice().len() < super::MAX_PIECES.saturating_sub(1) {
                used = with;
                fits(pieces.push(piece))?;
            }
        }
    }
    fits(pieces.push(split.picture))?;
    Ok(Arranged {
        pieces,
        key: true,
        changed: true,
    })
}

fn fits(fits: bool) -> Result<(), AccessUnitError> {
    if fits {
        Ok(())
    } else {
        Err(AccessUnitError::TooManyElements)
    }
}
