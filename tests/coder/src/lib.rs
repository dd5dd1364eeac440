//! What the simulated drivers write their streams with: bits, NAL units, and the arithmetic coders of H.264 and HEVC, and of AV1.

pub mod bits;
pub mod cabac;
pub mod range;
