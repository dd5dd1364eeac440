//! Sound: where it comes from and how it becomes Opus packets.
pub mod pipewire;
