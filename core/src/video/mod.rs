//! Video packets: packetiser (host), depacketiser and reassembler (client).
//!
//! One call turns an access unit into the datagrams to send, back to back in one reusable buffer of equal strides, parity
//! and sealing included, so that a sender can hand runs of them to the kernel as they lie.
use crate::{Result, crypto::Key};

/// What kind of picture an access unit is (frame type byte).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind { Predicted, Idr, IntraRefresh, AfterInvalidation }

/// One access unit to send.
pub struct AccessUnit<'a> {
    pub data: &'a [u8],
    pub kind: FrameKind,
    /// 90 kHz capture time.
    pub timestamp_90k: u32,
    /// Host processing latency in 0.1 ms, 0 = unknown.
    pub latency_100us: u16,
}

/// Settings of a [`Packetizer`]. `packet_size` is P of the wire sheet.
#[derive(Debug, Clone)]
pub struct PacketizerConfig { pub packet_size: usize, pub fec_percent: u8, pub min_parity: u8, pub max_data_per_block: usize, pub seal: Option<Key> }

/// Cuts access units into datagrams. Counters run for the life of the stream; buffers are reused.
pub struct Packetizer {}

/// The datagrams of one frame: `bytes` is `count()` datagrams of `stride` bytes each, in sending order.
pub struct Datagrams<'a> { pub bytes: &'a [u8], pub stride: usize, pub data: usize, pub parity: usize, pub frame_index: u32 }

impl Datagrams<'_> { pub fn count(&self) -> usize { todo!() } }

impl Packetizer {
    pub fn new(config: PacketizerConfig) -> Result<Self> { let _ = config; todo!() }
    /// Packetise, protect and (when configured) seal one access unit.
    pub fn packetize(&mut self, unit: &AccessUnit<'_>) -> Result<Datagrams<'_>> { let _ = unit; todo!() }
    /// Change the parity percentage from the next frame on (0 = data only).
    pub fn set_fec_percent(&mut self, percent: u8) { let _ = percent; }
}
