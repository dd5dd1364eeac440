//! Sound from a PipeWire sink of the session.
use crate::source::AudioSource;

/// Make (or share) the session's streaming sink and record its monitor: `channels` interleaved at 48 kHz. With
/// `play_on_host` the sound is heard on the host as well. Dropping the answer ends it.
///
/// # Errors
/// Text for a person: what is missing and what to do.
pub fn open(channels: u32, play_on_host: bool) -> Result<Box<dyn AudioSource>, String> {
    let _ = (channels, play_on_host);
    Err("this build has no PipeWire sound yet".to_owned())
}
