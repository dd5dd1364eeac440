//! What the host can give to a client: from the owner's agent and what the policy asks on the client's network.
use crate::{agents::AgentInfo, config::Encryption};
use punktfunk_core::sdp::{Codec, Codecs, ENCRYPT_AUDIO, ENCRYPT_CONTROL, ENCRYPT_VIDEO, Offer};

/// Feature flag: fingers and pens are taken as such. Without it clients turn them into pointer events themselves.
/// What gamepads can do is added by the streams, which know what this machine lets them make.
const PEN_AND_TOUCH: u32 = 1;

const ALL: u32 = ENCRYPT_CONTROL | ENCRYPT_VIDEO | ENCRYPT_AUDIO;

/// The offer to a client whose owner's agent is `agent`, which is going to be asked for the source `source`. Without an agent
/// only H.264 is sure.
#[must_use]
pub fn offer_for(agent: Option<&AgentInfo>, encryption: Encryption, source: &str) -> Offer {
    let has = |codec: Codec| {
        agent.is_some_and(|agent| agent.codecs.iter().any(|name| name == codec.name()))
    };
    let (encryption_supported, encryption_required) = match encryption {
        // The control stream is never plain in this protocol; off means no more than the protocol demands. Its first
        // encryption repeats its IVs: only a host that says so takes it (the key `legacy-control`).
        Encryption::Off => (ENCRYPT_CONTROL, ENCRYPT_CONTROL),
        Encryption::Offered => (ALL, ENCRYPT_CONTROL),
        Encryption::Required => (ALL, ALL),
    };
    Offer {
        hevc: has(Codec::Hevc),
        av1: has(Codec::Av1),
        invalidates_refs: agent.is_some_and(|agent| agent.invalidates_refs),
        chroma_444: agent.map(|agent| agent.chroma_444).unwrap_or_default(),
        ten_bit_444: agent.map(|agent| agent.hdr_chroma_444).unwrap_or_default(),
        // H.264 with 10 bits is not in the protocol.
        ten_bit: agent.map(|agent| agent.hdr).unwrap_or_default(),
        hdr: hdr_codecs(agent, source),
        feature_flags: if agent.is_some_and(|agent| agent.touch) {
            PEN_AND_TOUCH
        } else {
            0
        },
        encryption_supported,
        encryption_required,
    }
}

/// The codecs in which pictures of `source` are HDR: ten bits of an SDR desktop are none.
#[must_use]
pub fn hdr_codecs(agent: Option<&AgentInfo>, source: &str) -> Codecs {
    agent
        .filter(|agent| agent.hdr_sources.iter().any(|name| name == source))
        .map(|agent| agent.hdr)
        .unwrap_or_default()
}

/// `ServerCodecModeSupport` of an offer.
#[must_use]
pub fn codec_mask(offer: &Offer) -> u32 {
    use Codec::{Av1, H264, Hevc};
    let deep = |codec| offer.has(codec) && offer.hdr.has(codec);
    let full = |codec| offer.has(codec) && offer.chroma_444.has(codec);
    let both = |codec| full(codec) && deep(codec) && offer.ten_bit_444.has(codec);
    let bits = [
        (true, 0x1_u32),
        (offer.hevc, 0x100),
        (deep(Hevc), 0x200),
        (offer.av1, 0x1_0000),
        (deep(Av1), 0x2_0000),
        (full(H264), 0x4_0000),
        (full(Hevc), 0x8_0000),
        (both(Hevc), 0x10_0000),
        (full(Av1), 0x20_0000),
        (both(Av1), 0x40_0000),
    ];
    bits.into_iter()
        .filter(|(on, _)| *on)
        .fold(0, |mask, (_, bit)| mask | bit)
}
