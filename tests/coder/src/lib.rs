//! What the simulated drivers write their streams with: bits, NAL units, and the arithmetic coder of H.264 and HEVC.

pub mod bits;
pub mod cabac;
