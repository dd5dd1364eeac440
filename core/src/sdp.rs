//! SDP as GameStream (mis)uses it: the DESCRIBE answer, and the client's ANNOUNCE turned into [`StreamParams`].

/// The codec of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec { H264, Hevc, Av1 }

impl Codec {
    /// The name used on D-Bus and the command line.
    pub fn name(self) -> &'static str { match self { Self::H264 => "h264", Self::Hevc => "h265", Self::Av1 => "av1" } }
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
    pub hdr: bool,
    pub single_reference: bool,
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

/// The audio half of [`StreamParams`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioParams { pub channels: u8, pub channel_mask: u32, pub high_quality: bool, pub packet_ms: u8, pub encrypted: bool }
