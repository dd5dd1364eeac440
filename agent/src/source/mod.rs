//! Where pictures come from. Every source fills one newest-wins slot; the encode thread takes from it at its own clock.
use std::sync::{Arc, Condvar, Mutex};

/// One captured picture, BGRx, `stride` bytes a line. `capture_ns` is CLOCK_MONOTONIC.
#[derive(Debug, Clone)]
pub struct Picture { pub width: u32, pub height: u32, pub stride: usize, pub data: Vec<u8>, pub capture_ns: u64, pub sequence: u64 }

/// What a source is asked for.
#[derive(Debug, Clone)]
pub struct SourceRequest { pub width: u32, pub height: u32, pub fps: u32, pub cursor: bool }

/// One deep, newest wins; counts what it replaced. Buffers are recycled through it.
#[derive(Default)]
pub struct PictureSlot { inner: Mutex<SlotState>, arrived: Condvar }
#[derive(Default)]
pub struct SlotState { pub newest: Option<Picture>, pub spare: Vec<Vec<u8>>, pub replaced: u64, pub captured: u64, pub failed: Option<String> }
impl PictureSlot { pub fn state(&self) -> std::sync::MutexGuard<'_, SlotState> { self.inner.lock().unwrap_or_else(|e| e.into_inner()) } pub fn notify(&self) { self.arrived.notify_all() } }

/// A running source; dropping it ends the capture and removes the virtual output.
pub trait Source: Send {
    fn name(&self) -> &'static str;
    fn slot(&self) -> Arc<PictureSlot>;
    /// The injector that belongs to this source's session; None when the session takes no input here.
    fn injector(&mut self) -> Option<Box<dyn Injector>> { None }
    /// The sound that belongs to the source.
    fn audio(&self) -> AudioOrigin;
}

/// Where the sound of a stream comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioOrigin { /// a test tone with the synthetic source
    Tone, /// a PipeWire sink of the session
    PipeWire }

/// Puts a client's events into the session. Called from the channel thread; must not block for long.
pub trait Injector: Send {
    fn inject(&mut self, event: &punktfunk_core::input::InputEvent);
    /// Let go of everything that is pressed.
    fn release_all(&mut self);
}

/// Interleaved f32 samples at 48 kHz, one call = one packet's worth. Blocks until that much has been heard (or its time has passed: silence).
pub trait AudioSource: Send {
    fn read(&mut self, samples: &mut [f32]) -> Result<(), String>;
}
