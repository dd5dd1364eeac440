//! A stream's video socket: runs of equal datagrams to one client, by the cheapest way that its path allows.
//!
//! It never waits: what the kernel does not take is the caller's to try again or to drop.
mod drop_every;
mod sender;

pub use drop_every::DropEvery;
pub use sender::{Handed, VideoSender, Way};
