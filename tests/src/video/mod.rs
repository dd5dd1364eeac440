//! The video plane of the client: packets, FEC blocks, frames, key-frame discipline, pictures.

pub mod av1;
pub mod bitstream;
pub mod block;
pub mod change;
pub mod colour;
pub mod counter;
pub mod decoder;
pub mod frame;
pub mod gate;
pub mod h264;
pub mod hevc;
pub mod ledger;
pub mod mark;
pub mod opening;
pub mod packet;
pub mod range;
pub mod reassembly;
pub mod receiver;
pub mod statistics;

pub use bitstream::VideoCodec;
pub use decoder::{Decoded, Decoder};
pub use frame::Frame;
pub use reassembly::Reassembly;
pub use statistics::Statistics;
