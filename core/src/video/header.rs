//! The fixed parts of a video packet: RTP, packet and FEC fields, and the header in front of each frame.

/// Bytes before the payload of every packet.
pub const HEADER_LEN: usize = 32;
/// Bytes by which a datagram is longer than the negotiated packet size P: the RTP part.
pub const RTP_LEN: usize = 16;
/// Bytes by which the payload is shorter than P: the packet and FEC fields.
pub const FIELDS_LEN: usize = 16;
/// Bytes in front of each access unit.
pub const FRAME_HEADER_LEN: usize = 8;
/// RTP version 2 with the extension bit, without which clients read all fields four bytes off.
pub const RTP_BYTE: u8 = 0x90;
/// Marks packets of hosts that cut frames into several FEC blocks.
pub const MULTI_FEC: u8 = 0x10;
/// First byte of the short frame header.
pub const SHORT_HEADER: u8 = 0x01;

/// Packet flags.
pub mod flags {
    /// The packet carries picture data.
    pub const PIC: u32 = 1;
    /// Last data packet of its block.
    pub const EOF: u32 = 2;
    /// First data packet of its block.
    pub const SOF: u32 = 4;
}

/// The packet flags as the byte on the wire.
pub(super) const PIC: u8 = 1;
pub(super) const EOF: u8 = 2;
pub(super) const SOF: u8 = 4;

/// What kind of picture an access unit is (frame type byte).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// Refers to earlier pictures.
    Predicted,
    /// Starts afresh, with its parameter sets in front.
    Idr,
    /// Part of a rolling refresh.
    IntraRefresh,
    /// The first picture that avoids references which a client reported as lost.
    AfterInvalidation,
}

impl FrameKind {
    /// The byte on the wire.
    pub fn to_wire(self) -> u8 {
        match self {
            Self::Predicted => 1,
            Self::Idr => 2,
            Self::IntraRefresh => 4,
            Self::AfterInvalidation => 5,
        }
    }

    /// The kind for a byte from the wire; 104 is an old spelling of [`FrameKind::AfterInvalidation`].
    pub fn from_wire(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Predicted,
            2 => Self::Idr,
            4 => Self::IntraRefresh,
            5 | 104 => Self::AfterInvalidation,
            _ => return None,
        })
    }
}

/// fecInfo: data shard count, shard index and parity percentage of a packet.
pub(super) fn fec_info(data: u32, index: u32, percent: u8) -> u32 {
    (data & 0x3FF) << 22 | (index & 0x3FF) << 12 | u32::from(percent) << 4
}
