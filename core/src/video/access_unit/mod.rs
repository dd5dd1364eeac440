//! What GameStream clients want of an access unit, for H.264, HEVC and AV1: key frames that are recognisable within the first
//! packet, nothing in front of predicted frames that clients drop, one whole temporal unit of AV1.
//!
//! [`arrange`] looks at what stands in front of the first slice, never at picture data, and answers with pieces of the unit in
//! the order in which to send them: one piece, the unit as it is, wherever nothing must change. Parameter sets and slices are
//! never edited. What cannot be sent is an error: encoders that make such units have a fault which no reordering mends.
mod annex_b;
mod obu;
mod pieces;
#[cfg(test)]
mod tests;

use super::FrameKind;
use crate::sdp::Codec;
pub use pieces::{MAX_PIECES, Pieces};

/// Why no client could use an access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AccessUnitError {
    #[error("it does not begin with a start code")]
    NoStartCode,
    #[error("it holds no slice")]
    NoPicture,
    #[error("it is called a key frame and holds none")]
    NotAKeyFrame,
    #[error("the key frame comes without its parameter sets")]
    NoParameterSets,
    #[error("it holds more elements in front of its picture than any encoder writes")]
    TooManyElements,
    #[error("its OBUs do not add up to the unit")]
    BrokenObu,
    #[error("an OBU comes without its size")]
    ObuWithoutSize,
    #[error("it holds more than one temporal unit")]
    SeveralUnits,
    #[error("its parameter sets do not fit into one packet of the client's size ({room} bytes)")]
    FirstPacketTooSmall { room: usize },
}

/// An access unit in sending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arranged<'a> {
    pub pieces: Pieces<'a>,
    /// The bitstream says that it is a key frame: the type on the wire has to say so as well.
    pub key: bool,
    /// Something was put in another order or left out.
    pub changed: bool,
}

impl Arranged<'_> {
    /// The type for the frame header: what the encoder called it, unless the bitstream knows better. An answer to lost
    /// references stays one: a client that waits for it goes on with either.
    #[must_use]
    pub fn kind(&self, called: FrameKind) -> FrameKind {
        match called {
            FrameKind::AfterInvalidation => called,
            _ if self.key => FrameKind::Idr,
            _ => called,
        }
    }
}

/// Put `unit` in order for a client whose first packet holds `room` bytes of it. `key`: the encoder calls it a key frame.
///
/// # Errors
/// The first rule that cannot be kept.
pub fn arrange(
    codec: Codec,
    unit: &[u8],
    key: bool,
    room: usize,
) -> Result<Arranged<'_>, AccessUnitError> {
    let whole = arrange_front(codec, unit, unit.len(), key, room)?;
    // A whole unit tells all there is.
    whole.ok_or(AccessUnitError::NoPicture)
}

/// As [`arrange`], from the first bytes of a unit of `len` bytes: where they tell what [`arrange`] would say, the answer's last piece
/// ends with them and goes on with the bytes that follow them. `None`: they do not tell, it takes the whole unit.
///
/// # Errors
/// As [`arrange`].
pub fn arrange_front(
    codec: Codec,
    front: &[u8],
    len: usize,
    key: bool,
    room: usize,
) -> Result<Option<Arranged<'_>>, AccessUnitError> {
    let syntax = match codec {
        Codec::H264 => annex_b::Syntax::H264,
        Codec::Hevc => annex_b::Syntax::Hevc,
        Codec::Av1 => return obu::arrange(front, len, key),
    };
    match annex_b::arrange(syntax, front, key, room) {
        // What is behind may hold it.
        Err(AccessUnitError::NoPicture | AccessUnitError::NoStartCode) if front.len() < len => {
            Ok(None)
        }
        answer => answer.map(Some),
    }
}
