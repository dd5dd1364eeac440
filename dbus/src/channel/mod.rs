//! The stream channel: a sealed memfd ring for access units and a SOCK_SEQPACKET pair for everything else.
//!
//! The service makes both and reads the agent's words as those of a stranger: any breach of the contract is a
//! [`Violation`], after which the channel is closed and never repaired. Nothing here maps memory: the service
//! copies an announced slot once with `pread`, and the agent's mapping lives in the agent.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

pub mod budget;
pub mod consumer;
pub mod message;
pub mod producer;
pub mod ring;
pub mod socket;
pub mod violation;
pub mod wire;

pub use consumer::{Consumer, Event, Limits};
pub use message::{FramePart, FrameReady, ToAgent, ToService};
pub use producer::Producer;
pub use ring::{Geometry, Ring};
pub use socket::{Endpoint, Received};
pub use violation::Violation;
pub use wire::{DecodeError, EncodeError};

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the tests make up their own small numbers"
)]
mod tests;
