//! Sound: where it comes from and how it becomes Opus packets.
mod default_sink;
pub mod pipewire;
mod sound_queue;
