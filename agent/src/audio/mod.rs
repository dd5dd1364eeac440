//! Sound: where it comes from and how it becomes Opus packets.
//!
//! One thread per stream reads one packet's worth of samples at a time and encodes it at once; a source that fails is
//! replaced by silence, so that a stream never ends for want of sound.

mod default_sink;
mod former;
mod lasting;
mod null_sink;
pub mod opus;
pub mod pipewire;
mod sound_queue;
pub mod tone;

use crate::source::{AudioOrigin, AudioSource};
use lasting::Lasting;
use tone::Tone;

pub use former::put_back_after_crash;

/// Samples a second and channel, everywhere.
pub const RATE: u32 = 48_000;

/// The sound of a stream whose pictures have this origin: `channels` interleaved, `packet_ms` a packet. Never fails: what
/// cannot be heard is silence, with a warning that says why, and is tried again.
pub fn open(
    origin: AudioOrigin,
    channels: u32,
    packet_ms: u32,
    play_on_host: bool,
) -> Box<dyn AudioSource> {
    match origin {
        AudioOrigin::Tone => Box::new(Tone::new(channels, packet_ms)),
        AudioOrigin::PipeWire => Box::new(Lasting::new(channels, packet_ms, move || {
            pipewire::open(channels, play_on_host)
        })),
    }
}
