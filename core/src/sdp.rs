//! SDP as GameStream (mis)uses it: the DESCRIBE answer, and the client's ANNOUNCE turned into [`StreamParams`].
//!
//! An ANNOUNCE is checked here, against what was offered and what the codec can carry, before anything is allocated
//! for the stream.
mod announce;
mod describe;
mod limits;
#[cfg(test)]
mod tests;

pub use announce::{AnnounceError, parse_announce};
pub use describe::describe;
pub use limits::h264_level;

/// Agreed encryption: the control stream with 12-byte IVs.
pub const ENCRYPT_CONTROL: u32 = 1;
/// Agreed encryption: video.
pub const ENCRYPT_VIDEO: u32 = 2;
/// Agreed encryption: audio.
pub const ENCRYPT_AUDIO: u32 = 4;

/// The codec of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    H264,
    Hevc,
    Av1,
}

impl Codec {
    fn bit(self) -> u8 {
        match self {
            Self::H264 => 1,
            Self::Hevc => 2,
            Self::Av1 => 4,
        }
    }

    /// The name used on D-Bus and the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Hevc => "h265",
            Self::Av1 => "av1",
        }
    }

    /// The codec of this name, as agents call it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::H264, Self::Hevc, Self::Av1]
            .into_iter()
            .find(|codec| codec.name() == name)
    }
}

/// Some of the codecs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Codecs {
    bits: u8,
}

impl Codecs {
    pub const NONE: Self = Self { bits: 0 };

    #[must_use]
    pub fn has(self, codec: Codec) -> bool {
        self.bits & codec.bit() != 0
    }

    #[must_use]
    pub fn is_empty(self) -> bool {
        self.bits == 0
    }
}

impl FromIterator<Codec> for Codecs {
    fn from_iter<T: IntoIterator<Item = Codec>>(codecs: T) -> Self {
        let bits = codecs.into_iter().fold(0, |bits, codec| bits | codec.bit());
        Self { bits }
    }
}

/// What the host offers to one client: written into the DESCRIBE answer, and the measure for its ANNOUNCE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub hevc: bool,
    pub av1: bool,
    /// The encoder can leave lost reference frames out.
    pub invalidates_refs: bool,
    /// Codecs in which 4:4:4 chroma can be had.
    pub chroma_444: Codecs,
    /// Those in which 4:4:4 chroma can be had with 10 bits.
    pub ten_bit_444: Codecs,
    /// Codecs in which 10 bits can be had; never H.264.
    pub ten_bit: Codecs,
    /// Those of `ten_bit` in which HDR can be had: what clients are told of.
    pub hdr: Codecs,
    /// Bit 1 pen and touch events, bit 2 controller touch and motion events.
    pub feature_flags: u32,
    /// `ENCRYPT_*` bits that the client may switch on.
    pub encryption_supported: u32,
    /// `ENCRYPT_*` bits without which there is no stream.
    pub encryption_required: u32,
}

impl Offer {
    /// H.264 is always offered.
    #[must_use]
    pub fn has(&self, codec: Codec) -> bool {
        match codec {
            Codec::H264 => true,
            Codec::Hevc => self.hevc,
            Codec::Av1 => self.av1,
        }
    }
}

/// What a client asked for in ANNOUNCE, validated against the codec's limits. Sizes in pixels, rates in kbit/s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamParams {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub codec: Codec,
    /// P of the wire sheet, already reduced when video is sealed.
    pub packet_size: usize,
    /// The user's whole budget, FEC and audio included.
    pub configured_bitrate_kbps: u32,
    pub min_fec_packets: u8,
    pub slices: u8,
    pub chroma_444: bool,
    /// 10 bits: HDR where the source gives it.
    pub hdr: bool,
    /// The client asked for HDR, and is told what it gets.
    pub hdr_asked: bool,
    /// 0 = the host decides; 1 = the client's decoder copes with one reference only.
    pub max_reference_frames: u8,
    /// Refresh rate of the client's display times 100, 0 = not told. It need not have to do with `fps`.
    pub refresh_rate_x100: u32,
    /// (colourspace << 1) + full range.
    pub csc_mode: u8,
    /// Agreed encryption bits: 1 control v2, 2 video, 4 audio.
    pub encryption: u32,
    pub audio: AudioParams,
    pub sends_fec_status: bool,
    pub uses_ping_payload: bool,
    /// Non-zero = DSCP marking is allowed.
    pub qos_video: u8,
    pub qos_audio: u8,
}

impl StreamParams {
    /// Pictures a second times 100: the display's own rate where that is what `fps` rounds (59.94 for 60), so that no picture
    /// is shown twice or never every few seconds.
    #[must_use]
    pub fn fps_x100(&self) -> u32 {
        let asked = self.fps.saturating_mul(100);
        // One percent is more than any display strays from its nominal rate.
        let near = self.refresh_rate_x100.abs_diff(asked) <= self.fps;
        if near { self.refresh_rate_x100 } else { asked }
    }
}

/// The audio half of [`StreamParams`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioParams {
    pub channels: u8,
    pub channel_mask: u32,
    pub high_quality: bool,
    pub packet_ms: u8,
    pub encrypted: bool,
}
