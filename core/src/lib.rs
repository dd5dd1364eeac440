//! The GameStream wire, from both sides, without sockets, clocks or async.
//!
//! Everything that arrives from outside is hostile: each parser is bounded before it allocates and answers with [`Error`].
// The kernels of `fec` alone are allowed it.
#![deny(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]
// Tests calculate freely: an overflow there is a failed test.
#![cfg_attr(
    test,
    allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

pub mod audio;
pub mod config;
pub mod control;
pub mod crypto;
pub mod enet;
pub mod error;
pub mod fec;
pub mod input;
pub mod pairing;
pub mod rtsp;
pub mod sdp;
pub mod session;
pub mod transport;
pub mod video;

pub use config::{Config, FecField, Role};
pub use error::{Error, Result};
pub use session::{Frame, Session, SessionStats};
pub use video::flags::{EOF as FLAG_EOF, PIC as FLAG_PIC, SOF as FLAG_SOF};
