//! Typed, versioned, fixed-layout messages; one per datagram, at most [`MAX_MESSAGE`] bytes.

pub const MAX_MESSAGE: usize = 1500;

/// Flag of [`FrameReady`]: key frame.
pub const FRAME_KEY: u32 = 1;
/// Flag: first frame after a reference invalidation.
pub const FRAME_AFTER_INVALIDATION: u32 = 2;
/// Flag: the last captured picture encoded again.
pub const FRAME_REPEATED: u32 = 4;
/// Flag: intra-refresh picture.
pub const FRAME_INTRA_REFRESH: u32 = 8;

/// An access unit lies in `slot`. Times are CLOCK_MONOTONIC nanoseconds; `pts_ns` = capture time used on the wire, never running backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameReady { pub slot: u16, pub seq: u64, pub len: u32, pub flags: u32, pub pts_ns: u64, pub capture_ns: u64, pub encoded_ns: u64 }

/// Agent to service.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ToService {
    FrameReady(FrameReady),
    /// One Opus packet; `seq` from 0, +1 each.
    Audio { seq: u64, opus: Vec<u8> },
    /// `capturing`, `locked`, `no-output`: what the picture shows.
    State(SourceState),
    /// The agent cannot go on; text for a person, at most 512 bytes.
    Failed { reason: String },
    /// Running totals of the agent's side.
    Stats(AgentStats),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState { Starting, Capturing, Locked, NoOutput }

/// Totals since the stream was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AgentStats { pub captured: u64, pub encoded: u64, pub repeated: u64, pub skipped_no_slot: u64 }

/// Service to agent.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ToAgent {
    SlotFree { slot: u16 },
    Idr,
    InvalidateRefs { first: u32, last: u32 },
    Bitrate { kbps: u32 },
    /// One event in the client's terms; the agent maps it to its session.
    Input(punktfunk_core::input::InputEvent),
    /// Release everything that is pressed.
    ReleaseAll,
    Stop,
}
