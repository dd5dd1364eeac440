//! The audio plane of the client: packets, the 4+2 repair, sound, and which tone it is.

pub mod packet;
pub mod queue;
pub mod receiver;
pub mod repair;
pub mod sound;

pub use receiver::{Plane, Settings};
pub use sound::{Heard, Statistics};
