//! Any ANNOUNCE body: no panic, and what is accepted is within what a host can carry.
use punktfunk_core::sdp::{Codec, Offer, parse_announce};

const ALL: [Codec; 3] = [Codec::H264, Codec::Hevc, Codec::Av1];

/// One input.
pub fn run(data: &[u8]) {
    let offer = Offer {
        hevc: true,
        av1: true,
        invalidates_refs: true,
        chroma_444: ALL.into_iter().collect(),
        ten_bit_444: ALL.into_iter().collect(),
        ten_bit: ALL.into_iter().collect(),
        hdr: ALL.into_iter().collect(),
        feature_flags: 3,
        encryption_supported: 7,
        encryption_required: 0,
    };
    if let Ok(params) = parse_announce(data, &offer, true) {
        assert!((64..=8192).contains(&params.width) && (64..=8192).contains(&params.height));
        assert!((1..=240).contains(&params.fps));
        assert!((256..=1456).contains(&params.packet_size));
        assert!((1..=32).contains(&params.slices));
    }
}
