//! The words of the channel as types. How they lie in a datagram is [`super::wire`]'s business.

use punktfunk_core::control::HdrMetadata;

/// The largest datagram, in bytes.
pub const MAX_MESSAGE: usize = 1500;
/// The largest Opus packet that fits a message.
pub const MAX_AUDIO: usize = 1488;
/// The longest text of [`ToService::Failed`] and [`ToService::State`], in bytes of UTF-8.
pub const MAX_REASON: usize = 512;

/// Flag of [`FrameReady`]: key frame.
pub const FRAME_KEY: u32 = 1;
/// Flag: first frame after a reference invalidation.
pub const FRAME_AFTER_INVALIDATION: u32 = 2;
/// Flag: the last captured picture encoded again.
pub const FRAME_REPEATED: u32 = 4;
/// Flag: intra-refresh picture.
pub const FRAME_INTRA_REFRESH: u32 = 8;
/// Every flag there is; any other bit is a violation.
pub const FRAME_FLAGS: u32 =
    FRAME_KEY | FRAME_AFTER_INVALIDATION | FRAME_REPEATED | FRAME_INTRA_REFRESH;

/// An access unit lies in `slot`.
///
/// Times are CLOCK_MONOTONIC nanoseconds. `pts_ns` is the time stamp for the wire and never runs backwards;
/// `capture_ns` is when the picture was taken (long ago for a repeated one), `encoded_ns` when the encoder was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameReady {
    pub slot: u16,
    /// From 0, one more for each frame.
    pub seq: u64,
    /// Bytes in the slot, from its start; never 0.
    pub len: u32,
    /// Bits of [`FRAME_FLAGS`].
    pub flags: u32,
    pub pts_ns: u64,
    pub capture_ns: u64,
    pub encoded_ns: u64,
}

/// Fewest and most parts of a frame that is announced in parts.
pub const PARTS: std::ops::RangeInclusive<u8> = 2..=4;

/// The bytes of `slot` up to `len` are final, and end behind a slice; more of the frame follows. Only where the stream was opened with
/// [`crate::open_stream::OpenStream::frame_parts`].
///
/// Of a frame there are at most `parts - 1` such messages, each with more bytes than the one before and the same in all other fields.
/// [`FrameReady`] ends it, with more bytes again and the same slot, number, flags and times, or [`ToService::FrameAbandoned`] does; nothing
/// of another frame comes in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FramePart {
    pub slot: u16,
    pub seq: u64,
    pub len: u32,
    /// Into how many parts the frame is cut, one of [`PARTS`]. Fewer may be announced.
    pub parts: u8,
    pub flags: u32,
    pub pts_ns: u64,
    pub capture_ns: u64,
}

/// Agent to service.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ToService {
    FrameReady(FrameReady),
    FramePart(FramePart),
    /// The frame that was announced in part, which has this number, will never be whole: its number is used up, its slot is read no
    /// further and comes back as any other.
    FrameAbandoned {
        seq: u64,
    },
    /// One Opus packet of 1 to [`MAX_AUDIO`] bytes; `seq` from 0, one more each.
    Audio {
        seq: u64,
        opus: Vec<u8>,
    },
    /// How it is with the pictures, when that changes; `reason` is a line for a person under the rules of
    /// [`ToService::Failed`], empty where the state says it all.
    State {
        state: SourceState,
        reason: String,
    },
    /// The agent cannot go on; a line for a person, at most [`MAX_REASON`] bytes. Control characters
    /// are sent as spaces and a longer text is cut.
    Failed {
        reason: String,
    },
    /// Running totals of the agent's side.
    Stats(AgentStats),
    /// What the picture is mastered for; when it changes. Counts only where the stream was opened as HDR. `enabled` is
    /// false while an HDR stream shows a picture in SDR.
    Hdr {
        enabled: bool,
        metadata: HdrMetadata,
    },
}

/// How it is with the session's pictures. In all but [`Self::Capturing`] the client may see the last picture again, or a
/// placeholder that says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// No picture was made yet.
    Starting,
    Capturing,
    /// The session is locked. Clients that may unlock it see its lock screen, others a placeholder.
    Locked,
    /// There is nothing to capture: the compositor is gone, hangs, or has no output.
    NoOutput,
    /// Another session is in front on the seat.
    Paused,
    /// The machine is going to sleep.
    Suspended,
}

impl SourceState {
    pub const ALL: [Self; 6] = [
        Self::Starting,
        Self::Capturing,
        Self::Locked,
        Self::NoOutput,
        Self::Paused,
        Self::Suspended,
    ];

    /// As it is called on D-Bus.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Capturing => "capturing",
            Self::Locked => "locked",
            Self::NoOutput => "no-output",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
        }
    }
}

/// Totals since the stream was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AgentStats {
    pub captured: u64,
    pub encoded: u64,
    pub repeated: u64,
    pub skipped_no_slot: u64,
    /// Ticks of the encode clock that passed while an earlier one was being served.
    pub missed_ticks: u64,
    /// Captured pictures of another size than the stream's, which were fitted into it.
    pub scaled: u64,
    /// Captured pictures that a newer one took the place of before they were encoded.
    pub replaced: u64,
}

/// What a client holds down, by the permission that it needs for it. At least one is set in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Mouse buttons, fingers and pens.
    pub pointer: bool,
    /// Keys.
    pub keyboard: bool,
}

impl Held {
    /// All there is.
    pub const ALL: Self = Self {
        pointer: true,
        keyboard: true,
    };

    pub fn any(self) -> bool {
        self.pointer || self.keyboard
    }
}

/// Service to agent.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ToAgent {
    /// The slot was copied out and may be written again.
    SlotFree { slot: u16 },
    /// Make the next picture a key frame. The first one comes when the client can receive: until then nothing is encoded.
    Idr,
    /// The client lost the frames with these sequence numbers (low 32 bits of `seq`, both ends included). No later picture
    /// may refer to them, nor to one that was encoded after them until now, as that may depend on them. The first picture
    /// made so carries [`FRAME_AFTER_INVALIDATION`]; an encoder that has nothing left to refer to makes a key frame instead.
    InvalidateRefs { first: u32, last: u32 },
    /// The new video budget; never 0.
    Bitrate { kbps: u32 },
    /// One event in the client's terms; the agent maps it to its session.
    Input(punktfunk_core::input::InputEvent),
    /// Release what is pressed of these, and leave the rest as it is.
    Release(Held),
    /// Release everything that is pressed.
    ReleaseAll,
    /// Whether the client may see the lock screen from now on, as [`crate::open_stream::OpenStream::lock_screen`].
    LockScreen { visible: bool },
    /// The stream is over; the service closes its end next.
    Stop,
}
