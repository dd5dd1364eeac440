//! Video packets: packetiser (host), depacketiser and reassembler (client).
//!
//! One call turns an access unit into the datagrams to send, back to back in one reusable buffer of equal strides, parity
//! and sealing included, so that a sender can hand runs of them to the kernel as they lie.
pub mod access_unit;
mod assembly;
mod block;
#[cfg(test)]
mod carry_tests;
#[cfg(test)]
mod counter_tests;
mod header;
mod packet;
mod packetizer;
#[cfg(test)]
mod parts_tests;
mod payload;
mod plan;
#[cfg(test)]
mod reading_tests;
mod reassembler;
mod seal;
#[cfg(test)]
mod tests;

pub use assembly::ReceivedFrame;
pub use header::{FRAME_HEADER_LEN, FrameKind, HEADER_LEN, flags};
pub use packet::Packet;
pub use packetizer::{AccessUnit, Begun, Carried, Datagrams, Packetizer, PacketizerConfig};
pub use plan::{MAX_BLOCKS, MAX_UNPROTECTED_SHARDS, max_frame_len};
pub use reassembler::{Outcome, Reassembler, ReassemblerConfig, ReceiveStats};
pub use seal::{PacketOpener, PacketSeal, SEAL_LEN};
