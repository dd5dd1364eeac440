//! The beginning of a frame: what it is, and in what order it has to be sent.
use super::{Over, profile};
use crate::stream::StopReason;
use punktfunk_core::{
    sdp::Codec,
    video::access_unit::{self, AccessUnitError, Arranged},
};
use punktfunk_dbus::channel::{FrameReady, Ring, Violation, message::FRAME_KEY};
use std::io::{self, IoSliceMut};

/// Bytes of a frame that are looked at before the rest is read into its places: as far as encoders have their parameter sets, and more.
const FRONT: u32 = 4096;
/// The client's decoder was made for the first picture; another session's encoder has to be of the same kind.
pub(super) fn same_profile(
    profile: &mut Option<u8>,
    codec: Codec,
    unit: &[u8],
) -> Result<(), Over> {
    let Some(now) = profile::of(codec, unit) else {
        return Ok(());
    };
    match *profile.get_or_insert(now) {
        first if first == now => Ok(()),
        first => Err(Over::Reason(StopReason::HandOver(format!(
            "its encoder makes {} of profile {now}, the stream began with profile {first}",
            codec.name()
        )))),
    }
}

/// The beginning of a frame, in sending order.
pub(super) struct Front<'a> {
    pub arranged: Arranged<'a>,
    /// As it was read.
    pub bytes: &'a [u8],
    /// Bytes read so far, and those that follow the last piece and were not read.
    pub read: usize,
    pub unread: usize,
}

/// Read as much of the frame, or of its first part, to `unit` as tells in what order it is to be sent.
pub(super) fn front<'a>(
    unit: &'a mut Vec<u8>,
    ring: &Ring,
    codec: Codec,
    room: usize,
    frame: &FrameReady,
) -> Result<Front<'a>, Over> {
    let key = frame.flags & FRAME_KEY != 0;
    let size = |len: u32| usize::try_from(len).unwrap_or(usize::MAX);
    let (len, front) = (size(frame.len), size(frame.len.min(FRONT)));
    let read = |unit: &mut Vec<u8>, from: usize, to: usize| {
        unit.resize(to, 0);
        let place = unit.get_mut(from..to).unwrap_or_default();
        ring.read_into(frame.slot, from, &mut [IoSliceMut::new(place)])
    };
    read(unit, 0, front).map_err(unreadable)?;
    let told = access_unit::arrange_front(codec, unit, len, key, room);
    if told.map_err(unusable)?.is_none() {
        read(unit, front, len).map_err(unreadable)?;
    }
    let unit: &[u8] = unit;
    let read = unit.len();
    let arranged = access_unit::arrange_front(codec, unit, len, key, room).map_err(unusable)?;
    Ok(Front {
        // A whole unit tells all there is.
        arranged: arranged.ok_or(unusable(AccessUnitError::NoPicture))?,
        bytes: unit,
        read,
        unread: len.saturating_sub(read),
    })
}

pub(super) fn unreadable(error: io::Error) -> Over {
    Over::Reason(StopReason::AgentFailed(format!(
        "its ring cannot be read: {error}"
    )))
}

fn unusable(error: AccessUnitError) -> Over {
    match error {
        // The client's packets are to blame, not the agent.
        AccessUnitError::FirstPacketTooSmall { .. } => {
            Over::Reason(StopReason::AgentFailed(error.to_string()))
        }
        error => Over::Violation(Violation::AccessUnit(error)),
    }
}
