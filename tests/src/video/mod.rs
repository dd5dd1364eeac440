//! The video plane of the client: packets, FEC blocks, frames, key-frame discipline, pictures.

pub mod block;
pub mod change;
pub mod counter;
pub mod decoder;
pub mod frame;
pub mod gate;
pub mod h264;
pub mod ledger;
pub mod opening;
pub mod packet;
pub mod reassembly;
pub mod receiver;
pub mod statistics;

pub use decoder::{Decoded, Decoder};
pub use frame::Frame;
pub use reassembly::Reassembly;
pub use statistics::Statistics;
