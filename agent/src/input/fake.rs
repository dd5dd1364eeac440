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

use super::{
    Action, Backend, InputError, LivePlace, Place, Target, Text, in_force::InForce, layout::Layout,
    seat,
};
use crate::wayland::{self, ConnectError};

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
    place: LivePlace,
    /// Of the picture, for an output whose place is not known.
    size: (u32, u32),
    layout: Option<Layout>,
    /// Which of its groups types.
    in_force: InForce,
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
        let connection = match wayland::connect() {
            Ok(connection) => connection,
            Err(ConnectError::NoSocket) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
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
        let layout = seat::layout(&connection);
        Ok(Some(Self {
            connection,
            queue,
            device,
            place: target.place.clone(),
            size: target.size.unwrap_or((1, 1)),
            layout,
            in_force: InForce::follow(),
        }))
    }

    /// A place in the picture as one in the compositor's space, where the output is now.
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let unknown = Place {
            position: (0, 0),
            size: self.size,
        };
        place(self.place.get().unwrap_or(unknown), (x, y))
    }

    fn scroll(&self, axis: Axis, amount: i32) {
        if amount != 0 {
            let travel = f64::from(amount) / 120.0 * NOTCH;
            self.device.axis(axis.into(), travel);
        }
    }
}

/// The last pixel of the picture is the last one of the output.
fn place(output: Place, (x, y): (f64, f64)) -> (f64, f64) {
    let along = |start: i32, length: u32, fraction: f64| {
        f64::from(start) + fraction * f64::from(length.saturating_sub(1))
    };
    (
        along(output.position.0, output.size.0, x),
        along(output.position.1, output.size.1, y),
    )
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

    fn text(&mut self, character: char) -> Text {
        Text::keys(
            self.layout.as_ref(),
            character,
            self.in_force.group().unwrap_or(0),
        )
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
        let output = Place {
            position: (1280, 40),
            size: (1920, 1080),
        };
        assert_eq!(place(output, (0.0, 0.0)), (1280.0, 40.0));
        assert_eq!(place(output, (1.0, 1.0)), (3199.0, 1119.0));
    }
}
