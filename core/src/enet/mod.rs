//! ENet, the host's side of it: what a control connection needs of the protocol, for peers that connect to us.
//!
//! A [`Host`] is told what arrived and when; it answers with events and with datagrams to send. It has no clock and no
//! socket, asks for memory within the bounds below only, and keeps no state for strangers: a CONNECT must carry
//! connect data that is expected.
//!
//! ENet authenticates nothing but numbers that anybody on the way can read, and the numbers (12 bits of peer, two of
//! session) can be guessed. So a datagram from another address than the peer's is looked at for one thing only: a
//! message that the *caller* can tell to be the peer's own and new (sealed with the stream's key, not a replay). Then
//! the peer has moved, and the datagram counts; any other is dropped and changes nothing.
//!
//! Times are durations since an origin that the caller chooses; they never run backwards.

mod admission;
mod assembly;
mod channel;
pub mod framing;
mod host;
mod outgoing;
mod peer;
mod round_trip;
#[cfg(test)]
mod tests;
mod unsequenced;

pub use host::{Event, Host, PeerId, SendError};

use std::time::Duration;

/// Channels granted at most; the highest that clients use is 0x2F.
pub const MAX_CHANNELS: u8 = 48;
/// The longest datagram sent, header included. Clients are built with the same.
pub const MTU: usize = 900;
/// The longest message taken, put together from fragments.
pub const MAX_MESSAGE: usize = 4096;
/// Connections at one time, half-open ones included.
pub const MAX_PEERS: usize = 128;
/// A peer that acknowledges nothing for this long is gone.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// The smallest datagram size that a peer may ask for.
const MIN_MTU: usize = 576;
/// Fragments of one message; at the smallest MTU the longest message has eight.
const MAX_FRAGMENTS: u32 = 16;
/// How far ahead of a gap messages are kept, in sequence numbers of one channel.
const MAX_AHEAD: u16 = 512;
/// Bytes of one peer's messages that wait for a gap to close (each counts for [`OVERHEAD`] more).
const MAX_HELD: usize = 128 << 10;
/// What keeping a message costs besides its bytes.
const OVERHEAD: usize = 64;
/// Messages of ours to one peer that are not acknowledged yet.
const MAX_OUTGOING: usize = 256;
/// Acknowledgements that wait to be sent to one peer; what is beyond comes again.
const MAX_ACKS: usize = 1024;
/// Events that wait for the caller; while there are more, nothing is received.
const MAX_EVENTS: usize = 1024;
/// Connections (counted without repeats) that may be tried with one stream's connect data.
const MAX_ATTEMPTS: usize = 8;
/// How long a disconnected peer's number is kept to acknowledge a repeated good-bye.
const FAREWELL: Duration = Duration::from_secs(3);
/// A peer that says nothing is asked for a sign of life this often.
const PING: Duration = Duration::from_millis(500);
