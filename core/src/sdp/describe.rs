//! The body of the DESCRIBE answer. The client looks for substrings, so the text below is the protocol.
use super::{Offer, StreamParams};
use std::fmt::Write as _;

/// Surround layouts as the client reads them: channels, streams, coupled streams, mapping. For each channel count the
/// first line is normal quality and the second high quality. In the normal-quality lines the mapping is rotated (the
/// entry at index 3 moved to the end), because the client takes the last digit for the LFE channel there.
const SURROUND: [&str; 4] = ["642012453", "660012345", "85301245673", "88001234567"];

/// The DESCRIBE body for `offer`.
#[must_use]
pub fn describe(offer: &Offer) -> String {
    let mut body = String::with_capacity(512);
    // Writing to a String cannot fail.
    let _ = write!(
        body,
        "a=x-ss-general.featureFlags:{}\na=x-ss-general.encryptionSupported:{}\na=x-ss-general.encryptionRequested:{}\n",
        offer.feature_flags,
        offer.encryption_supported,
        // Control encryption is always asked for: without it the old scheme with repeating IVs would be used.
        (offer.encryption_required | super::ENCRYPT_CONTROL) & offer.encryption_supported,
    );
    if offer.invalidates_refs {
        body.push_str("a=x-nv-video[0].refPicInvalidation:1\n");
    }
    if offer.hevc {
        // A marker only; the parameter sets come in the stream.
        body.push_str("sprop-parameter-sets=AAAAAU\n");
    }
    if offer.av1 {
        body.push_str("a=rtpmap:98 AV1/90000\n");
    }
    for layout in SURROUND {
        let _ = writeln!(body, "a=fmtp:97 surround-params={layout}");
    }
    body
}

impl StreamParams {
    /// The streams and coupled streams of the Opus multistream encoder that the client decodes with (mapping: identity).
    #[must_use]
    pub fn opus_layout(&self) -> (u8, u8) {
        match (self.audio.channels, self.audio.high_quality) {
            (6, false) => (4, 2),
            (6, true) => (6, 0),
            (8, false) => (5, 3),
            (8, true) => (8, 0),
            _ => (1, 1),
        }
    }
}
