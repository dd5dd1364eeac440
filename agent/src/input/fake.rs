//! Input through KWin's fake-input protocol: for Plasma before 6.1, which has no libei socket.
//!
//! Places are told in the compositor's whole space, so the output's place and size are needed for pointing.

use std::io::ErrorKind;

use wayland_client::{
    Connection, Dispatch, EventQueue, Proxy, QueueHandle,
    backend::WaylandError,
    delegate_noop,
    globals::{BindError, GlobalListContents, registry_queue_init},
    protocol::{
        wl_pointer::Axis,
        wl_registry::{self, WlRegistry},
    },
};
use wayland_protocols_plasma::fake_input::client::org_kde_kwin_fake_input::OrgKdeKwinFakeInput;

use super::{Action, Backend, InputError, Target};
use crate::source::detection;

/// The versions that know fingers, absolute places and keys.
const TOUCHES: u32 = 2;
const POINTS: u32 = 3;
const TYPES: u32 = 4;

/// Wheel travel of one notch, in the units of `wl_pointer.axis`.
const NOTCH: f64 = 15.0;

#[derive(Debug)]
pub struct FakeInput {
    connection: Connection,
    queue: EventQueue<Nothing>,
    device: OrgKdeKwinFakeInput,
    /// The output's first pixel and the way to its last one, in the compositor's space.
    origin: (f64, f64),
    extent: (f64, f64),
}

/// The compositor says nothing on this protocol.
#[derive(Debug)]
struct Nothing;

fn failed(error: impl std::fmt::Display) -> InputError {
    InputError::FakeInput(error.to_string())
}

impl FakeInput {
    /// Connect to the session's KWin; None where no compositor, or one without this protocol, answers.
    ///
    /// # Errors
    /// It is too old to take keys, or closes the connection.
    pub fn connect(target: &Target) -> Result<Option<Self>, InputError> {
        let Some(socket) = detection::wayland_socket() else {
            return Ok(None);
        };
        let connection = Connection::from_socket(socket).map_err(failed)?;
        let (globals, mut queue) = registry_queue_init::<Nothing>(&connection).map_err(failed)?;
        let device: OrgKdeKwinFakeInput = match globals.bind(&queue.handle(), POINTS..=TYPES, ()) {
            Ok(device) => device,
            Err(BindError::NotPresent) => return Ok(None),
            Err(BindError::UnsupportedVersion) => {
                return Err(failed("this KWin is too old to take absolute places"));
            }
        };
        if device.version() < TYPES {
            tracing::warn!("this KWin takes no keys (its fake-input protocol is version 3)");
        }
        // KWin up to 5.x asks nobody, and later ones look at the grant alone; the words are for its log.
        device.authenticate("punktfunk".to_owned(), "remote input".to_owned());
        queue.roundtrip(&mut Nothing).map_err(failed)?;
        let (x, y) = target.position.unwrap_or((0, 0));
        let (width, height) = target.size.unwrap_or((1, 1));
        let last = |pixels: u32| f64::from(pixels.saturating_sub(1));
        Ok(Some(Self {
            connection,
            queue,
            device,
            origin: (x.into(), y.into()),
            extent: (last(width), last(height)),
        }))
    }

    /// A place in the picture as one in the compositor's space.
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        place(self.origin, self.extent, (x, y))
    }

    fn scroll(&self, axis: Axis, amount: i32) {
        if amount != 0 {
            let travel = f64::from(amount) / 120.0 * NOTCH;
            self.device.axis(axis.into(), travel);
        }
    }
}

fn place(origin: (f64, f64), extent: (f64, f64), (x, y): (f64, f64)) -> (f64, f64) {
    (origin.0 + x * extent.0, origin.1 + y * extent.1)
}

impl Backend for FakeInput {
    fn apply(&mut self, action: Action) {
        let device = &self.device;
        match action {
            Action::Key { code, down } => {
                if device.version() >= TYPES {
                    device.keyboard_key(code.into(), down.into());
                }
            }
            Action::Button { code, down } => device.button(code.into(), down.into()),
            Action::Move { dx, dy } => device.pointer_motion(dx.into(), dy.into()),
            Action::MoveTo { x, y } => {
                let (x, y) = self.place(x, y);
                device.pointer_motion_absolute(x, y);
            }
            Action::Scroll { x, y } => {
                self.scroll(Axis::HorizontalScroll, x);
                self.scroll(Axis::VerticalScroll, y);
            }
            _ if device.version() < TOUCHES => {}
            Action::TouchDown { finger, x, y } => {
                let (x, y) = self.place(x, y);
                device.touch_down(finger, x, y);
                device.touch_frame();
            }
            Action::TouchMove { finger, x, y } => {
                let (x, y) = self.place(x, y);
                device.touch_motion(finger, x, y);
                device.touch_frame();
            }
            Action::TouchUp { finger } => {
                device.touch_up(finger);
                device.touch_frame();
            }
            // This takes back every finger; it is sent when a client lost track of its own.
            Action::TouchCancel { .. } => device.touch_cancel(),
        }
    }

    fn text(&mut self, _: char) -> bool {
        false
    }

    fn flush(&mut self) -> Result<(), InputError> {
        match self.connection.flush() {
            Ok(()) => {}
            Err(WaylandError::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(failed(error)),
        }
        // Nothing comes, but an end must be noticed.
        if let Some(guard) = self.connection.prepare_read() {
            match guard.read() {
                Ok(_) => {}
                Err(WaylandError::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(failed(error)),
            }
        }
        self.queue.dispatch_pending(&mut Nothing).map_err(failed)?;
        Ok(())
    }
}

impl Dispatch<WlRegistry, GlobalListContents> for Nothing {
    fn event(
        _: &mut Self,
        _: &WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
    }
}

delegate_noop!(Nothing: OrgKdeKwinFakeInput);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_picture_are_the_outputs_first_and_last_pixel() {
        let (origin, extent) = ((1280.0, 40.0), (1919.0, 1079.0));
        assert_eq!(place(origin, extent, (0.0, 0.0)), (1280.0, 40.0));
        assert_eq!(place(origin, extent, (1.0, 1.0)), (3199.0, 1119.0));
    }
}
