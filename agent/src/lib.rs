//! punktfunk-agent as a library: what `main` puts together and what tests drive.
//!
//! The agent captures, encodes and injects, without privilege, in one user's session. It opens no network socket and
//! decides nothing about who may watch: that is the service's part.

pub mod apps;
pub mod audio;
pub mod bus;
pub mod cadence;
pub mod capture;
pub mod cli;
pub mod clock;
pub mod convert;
pub mod encode;
mod glyphs;
pub mod input;
pub mod life;
pub mod logging;
pub mod notices;
pub mod on_demand;
pub mod pipeline;
pub mod privileges;
mod processes;
pub mod source;
pub mod spike;
pub mod stream;
mod wayland;
