//! A compositor's session as a source: the keeper thread that holds it open, its capture, and its input.
//!
//! Mutter and the portal differ in how a session is opened; everything after that is the same and stands here. The
//! keeper owns the session's bus connection and an async runtime of its own, so a source can be opened and dropped
//! from any plain thread. The order of the end matters: let go of what is pressed, end the capture, close the session.

mod handover;

use std::{
    os::fd::OwnedFd,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use handover::HandedOver;
pub use handover::Handover;

use super::{AudioOrigin, Injector, PictureSlot, Source, SourceError, SourceRequest};
use crate::{
    capture::{
        Capture, CaptureError, CaptureRequest, Remote,
        output::{OutputCapture, OutputRequest},
    },
    input::{self, InputHandle, Target},
    life::pulse::{Pulse, WaylandPulse},
};

/// How long closing a session may take before it is left to the bus (which closes it when the connection goes).
pub const CLOSE_LIMIT: Duration = Duration::from_millis(750);

/// How long the end of a source waits for its compositor, and how often it looks. What takes longer goes on by itself.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);
const LEAVE_STEP: Duration = Duration::from_millis(5);

/// The sources whose pictures come from the session's own compositor.
const OF_THE_SESSION: [&str; 5] = [
    super::mutter::NAME,
    super::kwin::NAME,
    super::sway::NAME,
    super::wlroots::NAME,
    super::portal::NAME,
];

/// How long the first picture may take before the compositor is given something to paint, and how often.
const FIRST_PICTURE: Duration = Duration::from_millis(400);
const NUDGES: u32 = 6;

/// Where a session's pictures are to be had.
#[derive(Debug)]
pub enum Pictures {
    /// A PipeWire node, by its global id.
    Node {
        remote: Remote,
        node: u32,
        /// Pictures of another size are of a time before the output took its mode.
        settled: Option<(u32, u32)>,
        /// The pointer is told of, and not in the pictures.
        pointer_apart: bool,
        /// See [`CaptureRequest::rate_from_limit`].
        rate_from_limit: bool,
    },
    /// An output of a wlroots compositor, captured directly.
    Output(OutputRequest),
}

/// What an opened session offers.
#[derive(Debug)]
pub struct Opened {
    pub pictures: Pictures,
    /// The compositor's socket for emulated input, where it has one.
    pub eis: Option<OwnedFd>,
    /// Which part of the compositor's space the stream shows, as far as it says.
    pub target: Target,
}

/// The thread that holds a session open; dropping it closes the session.
struct Keeper {
    close: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.close.take());
        let Some(thread) = self.thread.take() else {
            return;
        };
        let end = Instant::now() + LEAVE_LIMIT;
        while !thread.is_finished() {
            if Instant::now() > end {
                tracing::warn!(
                    "the compositor takes long to close the session; nobody waits for it"
                );
                return;
            }
            std::thread::sleep(LEAVE_STEP);
        }
        if thread.join().is_err() {
            tracing::error!("a session keeper panicked");
        }
    }
}

/// A capture of either kind.
enum Running {
    Node(Capture),
    Output(OutputCapture),
}

impl Running {
    fn start(
        pictures: Pictures,
        request: &SourceRequest,
        slot: &Arc<PictureSlot>,
    ) -> Result<Self, CaptureError> {
        let slot = Arc::clone(slot);
        Ok(match pictures {
            Pictures::Output(output) => Self::Output(OutputCapture::start(output, slot)?),
            Pictures::Node {
                remote,
                node,
                settled,
                pointer_apart,
                rate_from_limit,
            } => {
                let request = CaptureRequest {
                    remote,
                    node,
                    width: request.width,
                    height: request.height,
                    fps: request.fps,
                    settled,
                    importable: request.importable.clone(),
                    pointer_apart,
                    rate_from_limit,
                };
                Self::Node(Capture::start(request, slot)?)
            }
        })
    }

    fn size(&self) -> (u32, u32) {
        match self {
            Self::Node(capture) => capture.size(),
            Self::Output(capture) => capture.size(),
        }
    }
}

/// A running desktop source. The fields are dropped in this order.
struct Desktop {
    name: &'static str,
    input: Option<Box<dyn Injector>>,
    /// Until the drop.
    handle: Option<InputHandle>,
    capture: Option<Running>,
    slot: Arc<PictureSlot>,
    _keeper: Keeper,
}

/// Open a session with `session` on a keeper thread, then capture it and connect to its input.
///
/// `session` calls [`Handover::keep`] once the session is open and closes it after that returned.
///
/// # Errors
/// What `session` answers, and [`CaptureError`]s as [`SourceError::Failed`] or, without a PipeWire, `Unavailable`.
pub fn open<F, S>(
    name: &'static str,
    request: &SourceRequest,
    limit: Duration,
    session: F,
) -> Result<Box<dyn Source>, SourceError>
where
    F: FnOnce(Handover) -> S + Send + 'static,
    S: Future<Output = Result<(), SourceError>>,
{
    let failed = |why: String| SourceError::Failed { name, why };
    let slot = Arc::new(PictureSlot::default());
    let (handover, (answer, close)) = Handover::to(Arc::clone(&slot));
    let failure = handover.failure();
    let thread = std::thread::Builder::new()
        .name(format!("pf-{name}"))
        .spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            {
                Ok(runtime) => runtime,
                Err(error) => {
                    return failure(SourceError::Failed {
                        name,
                        why: error.to_string(),
                    });
                }
            };
            if let Err(error) = runtime.block_on(session(handover)) {
                tracing::debug!(%error, "session keeper");
                failure(error);
            }
        })
        .map_err(|error| failed(error.to_string()))?;
    let keeper = Keeper {
        close: Some(close),
        thread: Some(thread),
    };
    let opened = answer.recv_timeout(limit).unwrap_or_else(|error| {
        Err(failed(match error {
            mpsc::RecvTimeoutError::Timeout => {
                format!("the session was not opened within {} s", limit.as_secs())
            }
            mpsc::RecvTimeoutError::Disconnected => {
                "the session could not be opened, see the log".to_owned()
            }
        }))
    });
    let HandedOver {
        opened,
        reconnect,
        settling,
    } = match opened {
        Ok(opened) => opened,
        Err(error) => {
            // A dialogue may still be open: its session is closed, and nobody waits for that.
            let mut keeper = keeper;
            drop(keeper.thread.take());
            return Err(error);
        }
    };

    let capture = Running::start(opened.pictures, request, &slot).map_err(|error| match error {
        // another source may do
        CaptureError::NoPipeWire(_) | CaptureError::Unreadable(_) => SourceError::Unavailable {
            name,
            why: error.to_string(),
        },
        other => failed(other.to_string()),
    })?;

    // Only now: a virtual output, and with it the pointer's region, exists once a format is agreed.
    let (input, handle) = input::connect(
        opened.eis,
        reconnect,
        Target {
            size: opened.target.size.or(Some(capture.size())),
            ..opened.target
        },
    );
    wake(&slot, &handle);
    if let Some(settling) = settling {
        let late = || Err(failed("the session did not settle".to_owned()));
        settling.pictures_come(limit).unwrap_or_else(late)?;
    }
    Ok(Box::new(Desktop {
        name,
        input: Some(input),
        handle: Some(handle),
        capture: Some(capture),
        slot,
        _keeper: keeper,
    }))
}

/// Wait for the first picture, and move the pointer when none comes.
///
/// Compositors paint on damage only. The one picture of a still screen can be handed over before this end of the link
/// runs, and is then lost (seen in two of three sessions of sway 1.12 with xdg-desktop-portal-wlr 0.8.4).
fn wake(slot: &PictureSlot, input: &InputHandle) {
    for attempt in 0..NUDGES {
        if !input.promises() || slot.wait(FIRST_PICTURE) {
            return;
        }
        tracing::debug!(
            attempt,
            "no picture of a still screen yet, moving the pointer"
        );
        input.nudge(attempt);
    }
}

impl Source for Desktop {
    fn name(&self) -> &'static str {
        self.name
    }

    fn slot(&self) -> Arc<PictureSlot> {
        Arc::clone(&self.slot)
    }

    fn injector(&mut self) -> Option<Box<dyn Injector>> {
        self.input.take()
    }

    fn pulse(&self) -> Option<Box<dyn Pulse>> {
        // others are not the session's own compositor
        if !OF_THE_SESSION.contains(&self.name) {
            return None;
        }
        let pulse = WaylandPulse::of_session()?;
        Some(Box::new(pulse))
    }

    fn set_active(&mut self, active: bool) {
        let Some(Running::Node(capture)) = &self.capture else {
            return;
        };
        capture.set_active(active);
        if let Some(handle) = self.handle.as_ref().filter(|_| active) {
            wake(&self.slot, handle);
        }
    }

    fn comes_back(&self) -> bool {
        // what ran in a gamescope is over with it
        self.name != super::gamescope::NAME
    }

    fn audio(&self) -> AudioOrigin {
        AudioOrigin::PipeWire
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        // A key still down when its session closes can stay down for the compositor.
        if let Some(handle) = self.handle.take() {
            handle.close();
        }
        drop(self.capture.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::tests::SMALL;

    /// A dialogue that is answered after nobody waits for it any more would show a screen to nobody, beside the next one.
    #[test]
    fn a_session_that_opens_too_late_is_told_that_nobody_waits_for_it() {
        let (told, given_up) = mpsc::channel();
        let opened = open(
            "never",
            &SMALL,
            Duration::from_millis(50),
            |mut handover| async move {
                let opening = std::future::pending::<()>();
                let _ = told.send(handover.unless_given_up(opening).await);
                Ok(())
            },
        );
        let error = opened.err().expect("nothing was opened").to_string();
        assert!(error.contains("was not opened within"), "{error}");
        assert_eq!(given_up.recv_timeout(Duration::from_secs(30)), Ok(None));
    }
}
