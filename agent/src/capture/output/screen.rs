//! One picture after the other: ask, wait, copy out.

use std::{sync::mpsc, time::Duration};

use wayland_client::{
    QueueHandle,
    globals::registry_queue_init,
    protocol::{
        wl_output::{Transform, WlOutput},
        wl_shm::WlShm,
    },
};
use wayland_protocols::ext::{
    image_capture_source::v1::client::{
        ext_image_capture_source_v1::ExtImageCaptureSourceV1,
        ext_output_image_capture_source_manager_v1::ExtOutputImageCaptureSourceManagerV1,
    },
    image_copy_capture::v1::client::{
        ext_image_copy_capture_frame_v1::ExtImageCopyCaptureFrameV1,
        ext_image_copy_capture_manager_v1::{ExtImageCopyCaptureManagerV1, Options},
        ext_image_copy_capture_session_v1::ExtImageCopyCaptureSessionV1,
    },
};
use wayland_protocols_wlr::screencopy::v1::client::{
    zwlr_screencopy_frame_v1::ZwlrScreencopyFrameV1,
    zwlr_screencopy_manager_v1::ZwlrScreencopyManagerV1,
};

use super::{
    OutputRequest,
    pool::{Buffer, Shape},
    state::{Outcome, State},
    turn,
};
use crate::{
    capture::{CaptureError, pace::Pace},
    clock,
    source::{Picture, PictureSlot, PixelFormat},
    wayland::{self, Wayland, WaylandEnd},
};

/// Failures in a row after which the output counts as gone; a change of its mode can make a few.
const FAILURES: u32 = 10;
const AFTER_FAILURE: Duration = Duration::from_millis(50);
/// A time stamp further from now than this is not of this clock.
const CREDIBLE_NS: u64 = 1_000_000_000;

/// The way that the compositor offers.
enum Protocol {
    ImageCopy {
        source: ExtImageCaptureSourceV1,
        session: ExtImageCopyCaptureSessionV1,
    },
    Screencopy {
        manager: ZwlrScreencopyManagerV1,
        output: WlOutput,
        cursor: bool,
    },
}

/// A picture that was asked for.
enum Frame {
    ImageCopy(ExtImageCopyCaptureFrameV1),
    Screencopy(ZwlrScreencopyFrameV1),
}

impl Drop for Frame {
    fn drop(&mut self) {
        match self {
            Self::ImageCopy(frame) => frame.destroy(),
            Self::Screencopy(frame) => frame.destroy(),
        }
    }
}

impl Drop for Protocol {
    fn drop(&mut self) {
        match self {
            Self::ImageCopy { source, session } => {
                session.destroy();
                source.destroy();
            }
            Self::Screencopy { manager, .. } => manager.destroy(),
        }
    }
}

fn failed(what: impl std::fmt::Display) -> CaptureError {
    CaptureError::Output(what.to_string())
}

impl From<WaylandEnd> for CaptureError {
    fn from(end: WaylandEnd) -> Self {
        Self::Ended(end.to_string())
    }
}

/// Capture until the compositor ends it; the size of the pictures goes to `started` once it is known.
pub async fn capture(
    request: &OutputRequest,
    slot: &PictureSlot,
    started: &mpsc::Sender<Result<(u32, u32), CaptureError>>,
) -> Result<(), CaptureError> {
    let connection = wayland::connect().map_err(failed)?;
    let (globals, mut queue) = registry_queue_init::<State>(&connection).map_err(failed)?;
    let handle = queue.handle();
    let mut state = State::default();
    state
        .outputs
        .bind_all(globals.registry(), &handle, globals.contents());
    queue.roundtrip(&mut state).map_err(failed)?;
    let output = state
        .outputs
        .named(&request.output)
        .ok_or_else(|| failed(format!("there is no output named {}", request.output)))?
        .proxy
        .clone();
    let shm: WlShm = globals
        .bind(&handle, 1..=1, ())
        .map_err(|_| failed("the compositor offers no shared memory"))?;

    let sources: Result<ExtOutputImageCaptureSourceManagerV1, _> = globals.bind(&handle, 1..=1, ());
    let copies: Result<ExtImageCopyCaptureManagerV1, _> = globals.bind(&handle, 1..=1, ());
    let protocol = match (sources, copies) {
        (Ok(sources), Ok(copies)) => {
            let source = sources.create_source(&output, &handle, ());
            let options = if request.cursor {
                Options::PaintCursors
            } else {
                Options::empty()
            };
            let session = copies.create_session(&source, options, &handle, ());
            Protocol::ImageCopy { source, session }
        }
        _ => Protocol::Screencopy {
            manager: globals.bind(&handle, 3..=3, ()).map_err(|_| {
                failed(
                    "the compositor offers neither ext-image-copy-capture nor wlr-screencopy version 3",
                )
            })?,
            output,
            cursor: request.cursor,
        },
    };

    let mut wayland = Wayland::new(connection, queue).map_err(failed)?;
    let mut screen = Screen {
        protocol,
        shm,
        handle,
        buffer: None,
        name: request.output.clone(),
        pace: request.fps.map(|fps| (fps, Pace::new(fps))),
        turned: Vec::new(),
    };
    let mut sequence = 0;
    let mut failures = 0;
    loop {
        match screen.picture(&mut wayland, &mut state, started).await? {
            Outcome::Ready { shown_ns } => {
                failures = 0;
                sequence += 1;
                screen.hand_over(slot, sequence, shown_ns, &state)?;
                // The next one holds all that changes meanwhile.
                tokio::time::sleep(screen.pause(&state)).await;
            }
            Outcome::Reshaped => screen.buffer = None,
            Outcome::Failed if failures < FAILURES => {
                failures += 1;
                screen.buffer = None;
                tokio::time::sleep(AFTER_FAILURE).await;
            }
            Outcome::Failed => {
                let gone = format!("no picture of the output {} can be had", request.output);
                return Err(CaptureError::Ended(gone));
            }
        }
    }
}

struct Screen {
    protocol: Protocol,
    shm: WlShm,
    handle: QueueHandle<State>,
    buffer: Option<Buffer>,
    /// Of the output.
    name: String,
    /// The rate that is wanted, and its clock.
    pace: Option<(u32, Pace)>,
    /// A picture as the device has it, of an output that is turned.
    turned: Vec<u8>,
}

/// What the runtime's timers may be late by.
const LATE: Duration = Duration::from_millis(1);

/// Whether an output of this rate (thousandths of a hertz) has to be held back. One that is hardly faster is not: a
/// picture that is asked for too late comes a whole turn of the output later.
fn outruns(refresh: u32, fps: u32) -> bool {
    refresh == 0 || u64::from(refresh) * 3 > u64::from(fps) * 4_000
}

/// Why there will be no more pictures, if that is so.
fn over(state: &State, output: &str) -> Option<CaptureError> {
    if state.outputs.named(output).is_none() {
        Some(CaptureError::Ended(format!("the output {output} is gone")))
    } else if state.unreadable {
        Some(CaptureError::Unreadable(output.to_owned()))
    } else if state.stopped {
        let ended = "the compositor ended the capture".to_owned();
        Some(CaptureError::Ended(ended))
    } else {
        None
    }
}

impl Screen {
    /// How long the next picture is not wanted yet.
    fn pause(&self, state: &State) -> Duration {
        let Some((fps, pace)) = &self.pace else {
            return Duration::ZERO;
        };
        let refresh = state.outputs.named(&self.name);
        match outruns(refresh.map_or(0, |output| output.refresh), *fps) {
            true => pace.wait(clock::now_ns()).saturating_sub(LATE),
            false => Duration::ZERO,
        }
    }

    /// How the picture in the buffer is turned: by its own word, else by its output's.
    fn transform(&self, state: &State) -> Transform {
        let output = state.outputs.named(&self.name);
        let of_output = output.map_or(Transform::Normal, |output| output.transform);
        state.transform.unwrap_or(of_output)
    }

    /// Ask for one picture and wait for it.
    async fn picture(
        &mut self,
        wayland: &mut Wayland<State>,
        state: &mut State,
        started: &mpsc::Sender<Result<(u32, u32), CaptureError>>,
    ) -> Result<Outcome, CaptureError> {
        let frame = match &self.protocol {
            Protocol::ImageCopy { session, .. } => {
                Frame::ImageCopy(session.create_frame(&self.handle, ()))
            }
            Protocol::Screencopy {
                manager,
                output,
                cursor,
            } => {
                state.expect_shape();
                let frame = manager.capture_output((*cursor).into(), output, &self.handle, ());
                Frame::Screencopy(frame)
            }
        };
        state.expect_picture();
        let name = self.name.clone();
        let shape = wayland
            .until(state, |state| {
                match (over(state, &name), state.shape, state.outcome) {
                    (Some(end), ..) => Some(Err(end)),
                    (_, Some(shape), _) => Some(Ok(Ok(shape))),
                    // An output that is disabled has no pictures to describe.
                    (_, None, Some(outcome)) => Some(Ok(Err(outcome))),
                    (_, None, None) => None,
                }
            })
            .await??;
        let shape = match shape {
            Ok(shape) => shape,
            Err(outcome) => return Ok(outcome),
        };
        let buffer = self.buffer(shape)?;
        let (width, height) = (shape.width as i32, shape.height as i32);
        match &frame {
            Frame::ImageCopy(frame) => {
                frame.attach_buffer(&buffer.proxy);
                frame.damage_buffer(0, 0, width, height);
                frame.capture();
            }
            Frame::Screencopy(frame) => frame.copy_with_damage(&buffer.proxy),
        }
        let size = turn::upright_size(self.transform(state), (shape.width, shape.height));
        let _ = started.send(Ok(size));
        wayland
            .until(state, |state| match over(state, &name) {
                Some(end) => Some(Err(end)),
                None => state.outcome.map(Ok),
            })
            .await?
    }

    /// A buffer of this shape: the last one, if it still fits.
    fn buffer(&mut self, shape: Shape) -> Result<&Buffer, CaptureError> {
        if !shape.is_sane() {
            return Err(CaptureError::TooLarge(shape.width, shape.height));
        }
        if self
            .buffer
            .as_ref()
            .is_none_or(|buffer| buffer.shape != shape)
        {
            self.buffer = None;
        }
        match &mut self.buffer {
            Some(buffer) => Ok(buffer),
            none => {
                let buffer = Buffer::new(&self.shm, shape, &self.handle).map_err(failed)?;
                Ok(none.insert(buffer))
            }
        }
    }

    /// The picture in the buffer, to whoever encodes.
    fn hand_over(
        &mut self,
        slot: &PictureSlot,
        sequence: u64,
        shown_ns: Option<u64>,
        state: &State,
    ) -> Result<(), CaptureError> {
        let transform = self.transform(state);
        let Some(buffer) = &self.buffer else {
            return Ok(());
        };
        let Shape { width, height, .. } = buffer.shape;
        let mut data = slot.buffer();
        if transform == Transform::Normal {
            buffer.read(&mut data, state.upside_down).map_err(failed)?;
        } else {
            let turned = &mut self.turned;
            buffer.read(turned, state.upside_down).map_err(failed)?;
            turn::upright(transform, turned, (width, height), &mut data);
        }
        let (width, height) = turn::upright_size(transform, (width, height));
        let now = clock::now_ns();
        let capture_ns = shown_ns
            .filter(|shown| *shown <= now && now - shown < CREDIBLE_NS)
            .unwrap_or(now);
        if let Some((_, pace)) = &mut self.pace {
            pace.taken(capture_ns);
        }
        slot.put(Picture {
            width,
            height,
            stride: width as usize * 4,
            data,
            format: PixelFormat::Bgrx,
            dmabuf: None,
            capture_ns,
            sequence,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_output_that_is_much_faster_than_the_client_is_held_back() {
        assert!(outruns(144_000, 60));
        assert!(outruns(120_000, 60));
        assert!(!outruns(75_000, 60));
        assert!(!outruns(59_940, 60));
        assert!(!outruns(144_000, 120));
        assert!(outruns(60_000, 30));
        // of unknown rate
        assert!(outruns(0, 60));
    }
}
