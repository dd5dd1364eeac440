//! The stream channel: a sealed memfd ring for access units and a SOCK_SEQPACKET pair for everything else.
//!
//! The service makes both and reads the agent's words as those of a stranger: any breach of the contract is a
//! [`Violation`], after which the channel is closed and never repaired.
pub mod consumer;
pub mod message;
pub mod ring;
pub mod socket;
pub mod violation;

pub use consumer::Consumer;
pub use message::{FrameReady, ToAgent, ToService};
pub use ring::{Geometry, Ring};
pub use socket::Endpoint;
pub use violation::Violation;
