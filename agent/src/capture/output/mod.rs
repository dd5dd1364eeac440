//! Direct capture of one output of a wlroots compositor, without PipeWire and without a portal: through
//! `ext-image-copy-capture` where it is offered (sway 1.11 and later), else `wlr-screencopy`.
//!
//! It owns one thread and one Wayland connection; pictures come in shared memory. The compositor keeps a request until
//! something on the output has changed, so a still screen costs nothing.

mod pool;
mod screen;
mod state;
mod turn;

use std::{
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::oneshot;

use super::CaptureError;
use crate::source::PictureSlot;

/// How long the compositor may take to describe the output's pictures.
const START_LIMIT: Duration = Duration::from_secs(5);

/// What to capture.
#[derive(Debug, Clone)]
pub struct OutputRequest {
    /// The output's name, as the compositor gives it.
    pub output: String,
    /// Whether the pointer is drawn into the pictures.
    pub cursor: bool,
    /// The rate that is wanted of an output which has one of its own; None where the output was made for it.
    pub fps: Option<u32>,
}

/// A running capture; dropping it ends the thread.
///
/// What ends it early is reported through [`PictureSlot::fail`].
pub struct OutputCapture {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    size: (u32, u32),
}

impl OutputCapture {
    /// Connect to the session's compositor and wait until the pictures' shape is known; they then arrive in `slot`.
    ///
    /// # Errors
    /// [`CaptureError::Output`] with what the compositor lacks.
    pub fn start(request: OutputRequest, slot: Arc<PictureSlot>) -> Result<Self, CaptureError> {
        let (stop, stopped) = oneshot::channel();
        let (started, answer) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("pf-capture".into())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                let result = match runtime {
                    Ok(runtime) => runtime.block_on(async {
                        tokio::select! {
                            result = screen::capture(&request, &slot, &started) => result,
                            _ = stopped => Ok(()),
                        }
                    }),
                    Err(error) => Err(CaptureError::Thread(error.to_string())),
                };
                if let Err(error) = result {
                    slot.fail(error.to_string());
                    let _ = started.send(Err(error));
                }
            })
            .map_err(|error| CaptureError::Thread(error.to_string()))?;
        let mut capture = Self {
            stop: Some(stop),
            thread: Some(thread),
            size: (0, 0),
        };
        capture.size = answer.recv_timeout(START_LIMIT).unwrap_or_else(|_| {
            Err(CaptureError::Output(
                "the compositor did not describe the output's pictures in time".to_owned(),
            ))
        })?;
        Ok(capture)
    }

    /// Width and height at the start; later pictures may differ and carry their own.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }
}

impl Drop for OutputCapture {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the capture thread panicked");
        }
    }
}
