//! The PipeWire consumer that all compositor sources share: one node in, pictures into a [`PictureSlot`] out.
//!
//! The exception is [`output`]: wlroots compositors, asked directly.
//!
//! It owns one thread and one connection to PipeWire, and never knows which compositor made the node. Pictures come in GPU
//! memory where the stream's encoder imports that ([`Importable`]), else in shared memory, which is copied at the client's
//! pace. The producer is the user's own compositor, yet nothing that it writes into a buffer is used before it is checked
//! against the negotiated format and the size of the buffer, and no memory of its is ever mapped here.

mod buffer;
mod consumer;
mod cursor;
mod format;
mod link;
mod memory;
pub mod output;
mod pace;
mod pool;
mod thread;

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::source::{Importable, PictureSlot};
use thread::Note;

/// The longest side of a picture that is accepted.
pub const MAX_SIDE: u32 = 8192;

/// How long pictures of an output's first mode are waited out; then they are better than none.
const SETTLE_LIMIT: Duration = Duration::from_secs(3);

/// How long [`Capture::start`] waits in all for the producer to agree on a format.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Which PipeWire to talk to.
#[derive(Debug)]
pub enum Remote {
    /// The user's own daemon (`pipewire-0` in the runtime directory).
    Daemon,
    /// The restricted connection that a portal opened.
    Portal(OwnedFd),
}

/// What to capture.
#[derive(Debug)]
pub struct CaptureRequest {
    pub remote: Remote,
    /// Global id of the producer's node.
    pub node: u32,
    /// The size wanted; a producer with a fixed size keeps its own.
    pub width: u32,
    pub height: u32,
    /// Pictures a second that the client shows.
    pub fps: u32,
    /// Until the producer's pictures have this size they are not taken, for some seconds; None takes all.
    pub settled: Option<(u32, u32)>,
    /// What may stay in GPU memory.
    pub importable: Importable,
    /// The producer tells of the pointer instead of drawing it: it is drawn here.
    pub pointer_apart: bool,
    /// The producer takes the limit that it is offered for the refresh rate of the output that it makes (Mutter). The output stands once a
    /// format is agreed; then the limit is lifted, because of pictures at the rate of the limit two in five come too early for it.
    pub rate_from_limit: bool,
}

/// Why nothing is captured, or no longer.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CaptureError {
    #[error(
        "PipeWire does not answer ({0}); is it running in this session? (systemctl --user start pipewire wireplumber)"
    )]
    NoPipeWire(String),
    #[error("the connection to PipeWire was lost: {0}")]
    ConnectionLost(String),
    #[error(
        "PipeWire could not link the compositor's node {node}: {why}; is the session manager running? (systemctl --user status wireplumber)"
    )]
    NotLinked { node: u32, why: String },
    #[error(
        "the compositor's node {0} never agreed on a picture format; it may offer GPU memory of a layout only that this machine's encoder cannot import (punktfunkctl doctor names the encoder)"
    )]
    NoFormat(u32),
    #[error(
        "the compositor negotiated a picture of {0}x{1}, over the limit of {MAX_SIDE}x{MAX_SIDE}"
    )]
    TooLarge(u32, u32),
    #[error("the compositor ended its stream: {0}")]
    Ended(String),
    #[error(
        "the compositor copies the output {0} in no format of 8 bits a colour; set it to 8 bits, or choose the source \"portal\""
    )]
    Unreadable(String),
    #[error("the output cannot be captured: {0}")]
    Output(String),
    #[error("the capture thread could not be started: {0}")]
    Thread(String),
}

/// A running capture; dropping it ends the thread and lets go of the node.
///
/// What ends it early is reported through [`PictureSlot::fail`].
pub struct Capture {
    stop: Arc<AtomicBool>,
    wake: pipewire::channel::Sender<Note>,
    thread: Option<JoinHandle<()>>,
    size: (u32, u32),
}

impl Capture {
    /// Connect to the node and wait until a format is agreed; pictures then arrive in `slot`.
    ///
    /// Blocks up to 20 s: the first link of a fresh session can miss the session manager, so it is tried again.
    ///
    /// # Errors
    /// [`CaptureError`], each with what to do.
    pub fn start(request: CaptureRequest, slot: Arc<PictureSlot>) -> Result<Self, CaptureError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (wake, notes) = pipewire::channel::channel();
        let notes = (wake.clone(), notes);
        let (started, answer) = mpsc::channel();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("pf-capture".into())
            .spawn(move || thread::run(request, &slot, &stopped, notes, &started))
            .map_err(|error| CaptureError::Thread(error.to_string()))?;
        let mut capture = Self {
            stop,
            wake,
            thread: Some(thread),
            size: (0, 0),
        };
        capture.size = answer
            .recv_timeout(START_LIMIT)
            .unwrap_or_else(|_| Err(CaptureError::Thread("it gave no answer in time".into())))?;
        Ok(capture)
    }

    /// Whether the producer is to make pictures; from the start it is.
    pub fn set_active(&self, active: bool) {
        let _ = self.wake.send(Note::Active(active));
    }

    /// Width and height that the producer agreed to at the start; later pictures may differ and carry their own.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.wake.send(Note::Wake);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the capture thread panicked");
        }
    }
}
