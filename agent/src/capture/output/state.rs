//! What the compositor says about an output's capture, in either protocol.

use wayland_client::{
    Connection, Dispatch, QueueHandle, WEnum, delegate_noop,
    globals::GlobalListContents,
    protocol::{
        wl_buffer::WlBuffer,
        wl_output::{self, Transform, WlOutput},
        wl_registry::{self, WlRegistry},
        wl_shm::{Format, WlShm},
        wl_shm_pool::WlShmPool,
    },
};
use wayland_protocols::ext::{
    image_capture_source::v1::client::{
        ext_image_capture_source_v1::ExtImageCaptureSourceV1,
        ext_output_image_capture_source_manager_v1::ExtOutputImageCaptureSourceManagerV1,
    },
    image_copy_capture::v1::client::{
        ext_image_copy_capture_frame_v1::{self, ExtImageCopyCaptureFrameV1, FailureReason},
        ext_image_copy_capture_manager_v1::ExtImageCopyCaptureManagerV1,
        ext_image_copy_capture_session_v1::{self, ExtImageCopyCaptureSessionV1},
    },
};
use wayland_protocols_wlr::screencopy::v1::client::{
    zwlr_screencopy_frame_v1::{self, Flags, ZwlrScreencopyFrameV1},
    zwlr_screencopy_manager_v1::ZwlrScreencopyManagerV1,
};

use super::pool::{FORMATS, Shape};
use crate::wayland::Outputs;

/// How a requested picture came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the buffer; when it was shown, CLOCK_MONOTONIC nanoseconds, if that was said.
    Ready {
        shown_ns: Option<u64>,
    },
    /// The shape is another one now.
    Reshaped,
    Failed,
}

/// Width, height and bytes a line, where each format has its own.
type Lines = (u32, u32, u32);

#[derive(Default)]
pub struct State {
    pub outputs: Outputs,
    /// The shape being described, and the one that was described completely.
    width: u32,
    height: u32,
    formats: Vec<(Format, Option<Lines>)>,
    pub shape: Option<Shape>,
    pub outcome: Option<Outcome>,
    shown_ns: Option<u64>,
    /// How the picture is turned, where that is said of each.
    pub transform: Option<Transform>,
    /// The picture's first line lies last.
    pub upside_down: bool,
    /// The compositor ended the capture.
    pub stopped: bool,
    /// It offers pictures in no format that can be read.
    pub unreadable: bool,
}

impl State {
    /// Forget the last picture's outcome, before the next is asked for.
    pub fn expect_picture(&mut self) {
        self.outcome = None;
        self.shown_ns = None;
        self.transform = None;
        self.upside_down = false;
    }

    /// Forget the shape, where it is described anew for every picture.
    pub fn expect_shape(&mut self) {
        self.shape = None;
        self.formats.clear();
    }

    /// All was said: choose a format.
    fn described(&mut self) {
        let offered = std::mem::take(&mut self.formats);
        self.shape = FORMATS.iter().find_map(|wanted| {
            let (format, own) = offered.iter().find(|(format, _)| format == wanted)?;
            let (width, height, stride) =
                own.unwrap_or((self.width, self.height, self.width.saturating_mul(4)));
            Some(Shape {
                width,
                height,
                stride,
                format: *format,
            })
        });
        if self.shape.is_none() {
            tracing::warn!(?offered, "no format of shared memory that can be taken");
            self.unreadable = true;
        }
    }

    fn time(&mut self, high: u32, low: u32, nanoseconds: u32) {
        let seconds = (u64::from(high) << 32) | u64::from(low);
        self.shown_ns = seconds
            .checked_mul(1_000_000_000)
            .and_then(|ns| ns.checked_add(u64::from(nanoseconds)));
    }
}

impl Dispatch<ExtImageCopyCaptureSessionV1, ()> for State {
    fn event(
        state: &mut Self,
        _: &ExtImageCopyCaptureSessionV1,
        event: ext_image_copy_capture_session_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        use ext_image_copy_capture_session_v1::Event;
        match event {
            Event::BufferSize { width, height } => (state.width, state.height) = (width, height),
            Event::ShmFormat {
                format: WEnum::Value(format),
            } => state.formats.push((format, None)),
            Event::Done => state.described(),
            Event::Stopped => state.stopped = true,
            _ => {}
        }
    }
}

impl Dispatch<ExtImageCopyCaptureFrameV1, ()> for State {
    fn event(
        state: &mut Self,
        _: &ExtImageCopyCaptureFrameV1,
        event: ext_image_copy_capture_frame_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        use ext_image_copy_capture_frame_v1::Event;
        match event {
            Event::PresentationTime {
                tv_sec_hi,
                tv_sec_lo,
                tv_nsec,
            } => state.time(tv_sec_hi, tv_sec_lo, tv_nsec),
            Event::Transform {
                transform: WEnum::Value(transform),
            } => state.transform = Some(transform),
            Event::Ready => {
                state.outcome = Some(Outcome::Ready {
                    shown_ns: state.shown_ns,
                });
            }
            Event::Failed { reason } => {
                state.outcome = Some(match reason {
                    WEnum::Value(FailureReason::BufferConstraints) => Outcome::Reshaped,
                    _ => Outcome::Failed,
                });
            }
            _ => {}
        }
    }
}

impl Dispatch<ZwlrScreencopyFrameV1, ()> for State {
    fn event(
        state: &mut Self,
        _: &ZwlrScreencopyFrameV1,
        event: zwlr_screencopy_frame_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        use zwlr_screencopy_frame_v1::Event;
        match event {
            Event::Buffer {
                format: WEnum::Value(format),
                width,
                height,
                stride,
            } => state.formats.push((format, Some((width, height, stride)))),
            Event::BufferDone => state.described(),
            Event::Flags {
                flags: WEnum::Value(flags),
            } => state.upside_down = flags.contains(Flags::YInvert),
            Event::Ready {
                tv_sec_hi,
                tv_sec_lo,
                tv_nsec,
            } => {
                state.time(tv_sec_hi, tv_sec_lo, tv_nsec);
                state.outcome = Some(Outcome::Ready {
                    shown_ns: state.shown_ns,
                });
            }
            Event::Failed => state.outcome = Some(Outcome::Failed),
            _ => {}
        }
    }
}

impl Dispatch<WlRegistry, GlobalListContents> for State {
    fn event(
        state: &mut Self,
        registry: &WlRegistry,
        event: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        handle: &QueueHandle<Self>,
    ) {
        state.outputs.registry_event(registry, event, handle);
    }
}

impl Dispatch<WlOutput, ()> for State {
    fn event(
        state: &mut Self,
        output: &WlOutput,
        event: wl_output::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        state.outputs.output_event(output, event);
    }
}

delegate_noop!(State: ignore WlShm);
delegate_noop!(State: ignore WlBuffer);
delegate_noop!(State: WlShmPool);
delegate_noop!(State: ExtImageCaptureSourceV1);
delegate_noop!(State: ExtOutputImageCaptureSourceManagerV1);
delegate_noop!(State: ExtImageCopyCaptureManagerV1);
delegate_noop!(State: ZwlrScreencopyManagerV1);
