//! A frame as a row of bytes: the header in front, the access unit behind it, cut wherever a packet ends. What of the unit is not at
//! hand yet is left for a reader to put into its places.
use super::header::{self, FRAME_HEADER_LEN};
use super::packetizer::AccessUnit;

/// The bytes of a frame, handed out in slices.
pub(super) struct Payload<'a> {
    header: [u8; FRAME_HEADER_LEN],
    /// What is left of the piece that is being handed out, and the pieces behind it.
    now: &'a [u8],
    later: &'a [&'a [u8]],
    /// Bytes behind the pieces that are to be read.
    unread: usize,
    started: bool,
}

impl<'a> Payload<'a> {
    /// The frame of `unit` for packets with `room` bytes of payload; `mark` goes into the bytes that clients skip.
    pub(super) fn of(unit: &'a AccessUnit<'_>, room: usize, mark: u16) -> Self {
        Self {
            header: frame_header(unit, used(unit.len(), room), mark),
            now: &[],
            later: unit.data.as_slice(),
            unread: unit.unread,
            started: false,
        }
    }

    /// The beginning of a frame whose length is not known yet: its last packet counts as full, which only AV1 would mind.
    pub(super) fn beginning(unit: &'a AccessUnit<'_>, room: usize) -> Self {
        Self {
            header: frame_header(unit, room, 0),
            ..Self::of(unit, room, 0)
        }
    }

    /// `len` more bytes of a frame that has begun, all of them to be read.
    pub(super) fn more(len: usize) -> Self {
        Self {
            header: [0; FRAME_HEADER_LEN],
            now: &[],
            later: &[],
            unread: len,
            started: true,
        }
    }

    /// Fills `out` with the next bytes that are at hand, and zeros behind the end. Gives the place of those to be read.
    pub(super) fn fill<'o>(&mut self, out: &'o mut [u8]) -> &'o mut [u8] {
        let mut out = if self.started {
            out
        } else if let Some((head, tail)) = out.split_first_chunk_mut::<FRAME_HEADER_LEN>() {
            self.started = true;
            *head = self.header;
            tail
        } else {
            return &mut [];
        };
        while !out.is_empty() {
            if self.now.is_empty() {
                let Some((next, later)) = self.later.split_first() else {
                    break;
                };
                (self.now, self.later) = (next, later);
            }
            let (here, rest) = self.now.split_at(out.len().min(self.now.len()));
            let (body, room) = out.split_at_mut(here.len());
            body.copy_from_slice(here);
            (self.now, out) = (rest, room);
        }
        let (unread, behind) = out.split_at_mut(out.len().min(self.unread));
        self.unread = self.unread.saturating_sub(unread.len());
        behind.fill(0);
        unread
    }
}

/// Bytes that a unit of `len` bytes uses of its last packet.
fn used(len: usize, payload: usize) -> usize {
    match len.saturating_add(FRAME_HEADER_LEN).checked_rem(payload) {
        None | Some(0) => payload,
        Some(rest) => rest,
    }
}

fn frame_header(unit: &AccessUnit<'_>, used: usize, mark: u16) -> [u8; FRAME_HEADER_LEN] {
    let [l0, l1] = unit.latency_100us.to_le_bytes();
    let [u0, u1] = u16::try_from(used).unwrap_or(0).to_le_bytes();
    let [m0, m1] = mark.to_le_bytes();
    [
        header::SHORT_HEADER,
        l0,
        l1,
        unit.kind.to_wire(),
        u0,
        u1,
        m0,
        m1,
    ]
}
