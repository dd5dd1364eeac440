//! A headless GameStream client, as strict as the clients in the field.
//!
//! It is written from the wire description alone and shares no code with the host, so that the two can disagree: whatever
//! the host does against the description is recorded as a [`breach::Breach`]. It never repairs, guesses or forgives.
//! The program `punktfunk-testclient` and the end-to-end tests are built from these parts.

pub mod announce;
pub mod audio;
pub mod breach;
pub mod client;
pub mod control;
pub mod crypto;
pub mod envelope;
pub mod gamepad;
pub mod http;
pub mod identity;
pub mod impairment;
pub mod input;
pub mod nvhttp;
pub mod pairing;
pub mod pings;
pub mod report;
pub mod rtsp;
pub mod screen;
pub mod streaming;
pub mod tls;
mod uplink;
pub mod video;

pub use breach::Breaches;
pub use client::{Client, HostAddress, Options};
pub use identity::Identity;
pub use report::Report;
pub use streaming::{Ending, Running};
