//! RTSP messages as Moonlight speaks them, plain and sealed: bytes to requests, responses to bytes.
//!
//! Knows framing and syntax only. Which method is allowed when, and what it does, is the host's business.
mod request;
mod response;
mod sealed;
#[cfg(test)]
mod tests;

pub use request::{Method, Request};
pub use response::Response;
pub use sealed::{Direction, is_sealed, open, seal, sealed_len};

/// The longest message taken, sealed header included. A real ANNOUNCE has about 2.5 kB.
pub const MAX_MESSAGE: usize = 64 * 1024;
