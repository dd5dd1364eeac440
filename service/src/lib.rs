//! punktfunkd as a library: what `main` puts together and what the whole-system tests drive.
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation
)]

pub mod admission;
pub mod agents;
pub mod api;
pub mod applications;
pub mod authority;
pub mod cli;
pub mod config;
pub mod expiry;
pub mod gamepads;
pub mod host;
pub mod identity;
pub mod ids;
pub mod launch;
pub mod logging;
pub mod net;
pub mod network;
pub mod on_demand;
pub mod pairings;
pub mod privileges;
pub mod sessions;
pub mod store;
pub mod stream;
pub mod supervisor;
