//! Stable codes for breaches of the channel's contract.
use super::wire::DecodeError;
use punktfunk_core::video::access_unit::AccessUnitError;

/// A breach; [`Violation::code`] is stable and goes to the log. The numbers are the agent's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    #[error("a datagram that is no message: {0}")]
    Malformed(DecodeError),
    #[error("a datagram longer than any message")]
    Oversize,
    #[error("layout version {0}: agent and service come from different packages")]
    Version(u16),
    #[error("unknown kind of message {0:#06x}")]
    Kind(u16),
    #[error("slot {slot} announced in a ring of {slots}")]
    SlotOutOfRange { slot: u16, slots: u16 },
    #[error("slot {0} announced again before it was released")]
    SlotAnnouncedTwice(u16),
    #[error("frame {got} announced where {expected} was due")]
    FrameSequence { expected: u64, got: u64 },
    #[error("a frame of {len} bytes in slots of {slot_size}")]
    FrameLength { len: u32, slot_size: u32 },
    #[error("unknown frame flags {0:#x}")]
    FrameFlags(u32),
    #[error("the frame's time stamp runs backwards ({last_ns} ns, then {pts_ns} ns)")]
    TimeBackwards { last_ns: u64, pts_ns: u64 },
    #[error("the frame's times contradict each other or lie in the future")]
    TimeOrder,
    #[error("more frames than the stream's rate")]
    FrameRate,
    #[error("audio packet {got} where {expected} was due")]
    AudioSequence { expected: u64, got: u64 },
    #[error("an audio packet of {len} bytes where {max} are allowed")]
    AudioLength { len: usize, max: usize },
    #[error("more audio packets than real time has")]
    AudioRate,
    #[error("a text that is no UTF-8, too long or contains control characters")]
    Text,
    #[error("more status messages than anybody could read")]
    MessageRate,
    /// Found when the frame is sent, not when it is announced: the bytes are read once.
    #[error("an access unit that no client can use: {0}")]
    AccessUnit(AccessUnitError),
    #[error(
        "frame {0} is announced in parts that contradict each other, or ends as none that has begun"
    )]
    FrameParts(u64),
}

impl Violation {
    /// The code for logs and for scripts; a number is never given a second meaning.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed(_) => "PF-V01",
            Self::Oversize => "PF-V02",
            Self::Version(_) => "PF-V03",
            Self::Kind(_) => "PF-V04",
            Self::SlotOutOfRange { .. } => "PF-V05",
            Self::SlotAnnouncedTwice(_) => "PF-V06",
            Self::FrameSequence { .. } => "PF-V07",
            Self::FrameLength { .. } => "PF-V08",
            Self::FrameFlags(_) => "PF-V09",
            Self::TimeBackwards { .. } => "PF-V10",
            Self::TimeOrder => "PF-V11",
            Self::FrameRate => "PF-V12",
            Self::AudioSequence { .. } => "PF-V13",
            Self::AudioLength { .. } => "PF-V14",
            Self::AudioRate => "PF-V15",
            Self::Text => "PF-V16",
            Self::MessageRate => "PF-V17",
            Self::AccessUnit(_) => "PF-V18",
            Self::FrameParts(_) => "PF-V19",
        }
    }
}

impl From<DecodeError> for Violation {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Oversize => Self::Oversize,
            DecodeError::Version(version) => Self::Version(version),
            DecodeError::Kind(kind) => Self::Kind(kind),
            DecodeError::Text => Self::Text,
            DecodeError::Length | DecodeError::Value | DecodeError::Input => Self::Malformed(error),
        }
    }
}
