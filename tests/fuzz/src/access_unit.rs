//! Any bytes as an access unit of each codec: no panic, nothing invented, and what was put in order stays so.
use punktfunk_core::{
    sdp::Codec,
    video::{FrameKind, access_unit::arrange},
};

/// One input: codec, whether the encoder calls it a key frame, room in the first packet, then the unit.
pub fn run(data: &[u8]) {
    let Some(([how, low, high], unit)) = data.split_first_chunk::<3>() else {
        return;
    };
    let codec = [Codec::H264, Codec::Hevc, Codec::Av1][usize::from(how & 3) % 3];
    let key = how & 4 != 0;
    let room = usize::from(u16::from_le_bytes([*low, *high]) % 1500);
    let Ok(arranged) = arrange(codec, unit, key, room) else {
        return;
    };
    let pieces = arranged.pieces.as_slice();
    let whole = pieces.concat();
    assert!(!whole.is_empty() && whole.len() <= unit.len());
    assert_eq!(whole.len(), arranged.pieces.len());
    // Every piece is one of the unit's own, and none comes twice.
    let start = unit.as_ptr() as usize;
    let mut places: Vec<_> = pieces
        .iter()
        .filter(|piece| !piece.is_empty())
        .map(|piece| (piece.as_ptr() as usize - start, piece.len()))
        .collect();
    places.sort_unstable();
    let mut end = 0;
    for (at, len) in places {
        assert!(at >= end && at + len <= unit.len());
        end = at + len;
    }
    assert!(arranged.changed || whole == unit);
    assert!(arranged.key || !key, "a key frame is one or is refused");
    if arranged.key {
        assert_eq!(arranged.kind(FrameKind::Predicted), FrameKind::Idr);
    }
    let again = arrange(codec, &whole, arranged.key, room).expect("in order already");
    assert_eq!(again.pieces.as_slice().concat(), whole);
    assert_eq!(again.key, arranged.key);
}
