//! One picture after the other: ask, wait, copy out.

use std::{sync::mpsc, time::Duration};

use wayland_client::{
    Connection, QueueHandle,
    globals::registry_queue_init,
    protocol::{wl_output::WlOutput, wl_shm::WlShm},
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
};
use crate::{
    capture::CaptureError,
    clock,
    source::{Picture, PictureSlot, PixelFormat, detection},
    wayland::{Wayland, WaylandEnd},
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
    let socket = detection::wayland_socket()
        .ok_or_else(|| failed("no Wayland socket answers in the runtime directory"))?;
    let connection = Connection::from_socket(socket).map_err(failed)?;
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
    };
    let mut sequence = 0;
    let mut failures = 0;
    loop {
        match screen.picture(&mut wayland, &mut state, started).await? {
            Outcome::Ready { shown_ns } => {
                failures = 0;
                sequence += 1;
                screen.hand_over(slot, sequence, shown_ns)?;
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
}

impl Screen {
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
        let stopped = || CaptureError::Ended("the compositor ended the capture".to_owned());
        let shape = wayland
            .until(state, |state| match (state.shape, state.outcome) {
                _ if state.stopped => Some(Err(stopped())),
                (Some(shape), _) => Some(Ok(Ok(shape))),
                // An output that is disabled has no pictures to describe.
                (None, Some(outcome)) => Some(Ok(Err(outcome))),
                (None, None) => None,
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
        let _ = started.send(Ok((shape.width, shape.height)));
        wayland
            .until(state, |state| match state.outcome {
                _ if state.stopped => Some(Err(stopped())),
                outcome => outcome.map(Ok),
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
        &self,
        slot: &PictureSlot,
        sequence: u64,
        shown_ns: Option<u64>,
    ) -> Result<(), CaptureError> {
        let Some(buffer) = &self.buffer else {
            return Ok(());
        };
        let mut data = slot.buffer();
        buffer.read(&mut data).map_err(failed)?;
        let now = clock::now_ns();
        let capture_ns = shown_ns
            .filter(|shown| *shown <= now && now - shown < CREDIBLE_NS)
            .unwrap_or(now);
        let Shape { width, height, .. } = buffer.shape;
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
