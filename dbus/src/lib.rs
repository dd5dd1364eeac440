//! The contract between punktfunk's processes: names, D-Bus interfaces, and the stream channel.
#![forbid(unsafe_code)]

pub mod applications;
pub mod channel;
pub mod encoder_speeds;
pub mod error;
pub mod gamescope;
pub mod interfaces;
pub mod names;
pub mod on_demand;
pub mod open_stream;
pub mod proxies;
pub mod session;
