//! Video packets: packetiser (host), depacketiser and reassembler (client).
//!
//! One call turns an access unit into the datagrams to send, back to back in one reusable buffer of equal strides, parity
//! and sealing included, so that a sender can hand runs of them to the kernel as they lie.
mod header;
mod packetizer;
mod plan;
mod seal;

pub use header::{FRAME_HEADER_LEN, FrameKind, HEADER_LEN, flags};
pub use packetizer::{AccessUnit, Datagrams, Packetizer, PacketizerConfig};
pub use plan::{MAX_BLOCKS, MAX_UNPROTECTED_SHARDS, max_frame_len};
pub use seal::{PacketSeal, SEAL_LEN};
