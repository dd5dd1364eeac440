//! The options of `Agent1.OpenStream` and of `Host1.RegisterAgent`, as dictionaries (a{sv}).
use zbus::zvariant::{DeserializeDict, SerializeDict, Type};

/// What the service asks an agent to produce. Sizes in pixels, rates in kbit/s, `codec` = `h264`, `h265` or `av1`.
#[derive(Debug, Clone, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "a{sv}")]
pub struct OpenStream {
    pub stream: u64,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub codec: String,
    /// Video budget alone: FEC and audio already taken off.
    pub bitrate_kbps: u32,
    pub slots: u32,
    pub slot_size: u32,
    pub audio_channels: u32,
    pub audio_packet_ms: u32,
    pub audio_bitrate_kbps: u32,
    /// Surround: every channel is an Opus stream of its own. Stereo: only the rate tells.
    pub audio_high_quality: bool,
    /// `auto`, `synthetic`, `synthetic-fast`, `mutter`, `kwin-virtual`, `sway`, `wlroots`, `gamescope`, `portal`.
    pub source: String,
    /// `auto` or the compositor's name.
    pub compositor: String,
    /// 1 = the client also wants the sound played on the host.
    pub play_on_host: bool,
    /// (colourspace << 1) + full range, as in ANNOUNCE.
    pub csc_mode: u32,
    pub slices: u32,
    /// The application to start once the source is up; 0 = none, just what is there.
    pub app: u32,
    /// Pictures a second times 100: what `fps` rounds, 5994 for 60.
    pub fps_x100: u32,
    /// 10 bits, and HDR10 where the source gives it: BT.2020 with the transfer of ST 2084, in `csc_mode`'s range. Otherwise SDR in
    /// the colours of `csc_mode`.
    pub hdr: bool,
    /// 4:4:4 chroma instead of 4:2:0.
    pub chroma_444: bool,
    /// Most reference frames that the client's decoder copes with, 0 = the encoder decides.
    pub max_reference_frames: u32,
    /// The client may see the lock screen, and the session while it is locked; missing = no.
    pub lock_screen: Option<bool>,
    /// What becomes of the session's other outputs: `extend` (nothing), `primary`, `exclusive`; missing = `extend`.
    pub outputs: Option<String>,
    /// Frames may be announced in parts ([`crate::channel::FramePart`]); missing = no, whole ones only.
    pub frame_parts: Option<bool>,
}

/// What the agent answers: the encoder and source it took.
#[derive(Debug, Clone, PartialEq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "a{sv}")]
pub struct OpenedStream {
    pub encoder: String,
    pub source: String,
    /// The encoder obeys `InvalidateRefs`; missing = no.
    pub invalidates_refs: Option<bool>,
    /// The pictures are HDR10; missing = no.
    pub hdr: Option<bool>,
}

/// What an agent says of itself when it registers.
#[derive(Debug, Clone, PartialEq, Default, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "a{sv}")]
pub struct AgentOffer {
    pub version: String,
    pub compositor: String,
    /// Encoders by name, best first, for instance `openh264`.
    pub encoders: Vec<String>,
    /// Codecs that hold the client's rate here: `h264`, ...
    pub codecs: Vec<String>,
    /// Those of `codecs` that can be had with 10 bits; missing = none.
    pub hdr: Option<Vec<String>>,
    /// Sources, as in [`OpenStream::source`], that give HDR: with them the codecs of `hdr` are HDR10; missing = none.
    pub hdr_sources: Option<Vec<String>>,
    /// Those of `codecs` that can be had with 4:4:4 chroma; missing = none.
    pub chroma_444: Option<Vec<String>>,
    /// Those of `hdr` that can be had with 4:4:4 chroma at once; missing = none.
    pub hdr_chroma_444: Option<Vec<String>>,
    /// The encoders of every codec offered obey `InvalidateRefs`; missing = no.
    pub invalidates_refs: Option<bool>,
    /// Fingers reach the session as fingers; missing = no.
    pub touch: Option<bool>,
    /// The session that this object served until now and serves no more.
    pub replaces: Option<String>,
}
