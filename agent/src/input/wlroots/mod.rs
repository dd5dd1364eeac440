//! Input through the wlroots protocols (sway and its kin, whose portal offers no emulated input): a virtual keyboard
//! and a virtual pointer on the session's own Wayland socket. Both exist from the start of the stream.

mod keyboards;

use std::{io::ErrorKind, time::Instant};

use wayland_client::{
    Connection, Dispatch, EventQueue, Proxy, QueueHandle,
    backend::WaylandError,
    delegate_noop,
    globals::{GlobalListContents, registry_queue_init},
    protocol::{
        wl_output::{self, Transform, WlOutput},
        wl_pointer::{Axis, AxisSource, ButtonState},
        wl_registry::{self, WlRegistry},
        wl_seat::WlSeat,
    },
};
use wayland_protocols_misc::zwp_virtual_keyboard_v1::client::{
    zwp_virtual_keyboard_manager_v1::ZwpVirtualKeyboardManagerV1,
    zwp_virtual_keyboard_v1::ZwpVirtualKeyboardV1,
};
use wayland_protocols_wlr::virtual_pointer::v1::client::{
    zwlr_virtual_pointer_manager_v1::ZwlrVirtualPointerManagerV1,
    zwlr_virtual_pointer_v1::ZwlrVirtualPointerV1,
};

use super::{Action, Backend, InputError, Target, Text, layout::Layout, seat};
use crate::wayland;
use keyboards::{Keyboard, TextKeyboard};

/// The grid that absolute positions are told in.
const EXTENT: u32 = 65_535;

/// Wheel travel of one notch, in the units of `wl_pointer.axis`.
const NOTCH: f64 = 15.0;

pub struct Wlroots {
    connection: Connection,
    queue: EventQueue<Outputs>,
    outputs: Outputs,
    keyboard: Keyboard,
    pointer: ZwlrVirtualPointerV1,
    /// The output that absolute positions are told of.
    shown: Option<WlOutput>,
    /// A second keyboard, for what the layout has not.
    text: TextKeyboard,
    /// What of a wheel's turn is no whole notch yet, in 120ths: right and down.
    rest: [i32; 2],
    began: Instant,
}

/// The outputs of the session and where they lie.
#[derive(Default)]
struct Outputs(Vec<Output>);

struct Output {
    proxy: WlOutput,
    /// Said from version 4 on.
    name: Option<String>,
    /// Compositors built on wlroots say (0, 0) of each, whatever their layout is.
    position: (i32, i32),
    size: (u32, u32),
    /// How its pictures are turned for its device.
    transform: Transform,
}

fn failed(error: impl std::fmt::Display) -> InputError {
    InputError::Wlroots(error.to_string())
}

impl Wlroots {
    /// Connect to the session's compositor and make the two devices.
    pub fn connect(target: Target) -> Result<Self, InputError> {
        let connection = wayland::connect().map_err(failed)?;
        // before there is a keyboard of ours on the seat
        let layout = seat::layout(&connection).or_else(Layout::of_system);
        let (globals, mut queue) = registry_queue_init::<Outputs>(&connection).map_err(failed)?;
        let handle = queue.handle();
        let missing = |what: &str| {
            let what = what.to_owned();
            move |_| failed(format!("the compositor offers no {what}"))
        };
        let seat: WlSeat = globals
            .bind(&handle, 1..=7, ())
            .map_err(missing("wl_seat"))?;
        let keyboards: ZwpVirtualKeyboardManagerV1 = globals
            .bind(&handle, 1..=1, ())
            .map_err(missing("zwp_virtual_keyboard_manager_v1"))?;
        let pointers: ZwlrVirtualPointerManagerV1 = globals
            .bind(&handle, 1..=2, ())
            .map_err(missing("zwlr_virtual_pointer_manager_v1"))?;

        let mut outputs = Outputs::default();
        globals.contents().with_list(|list| {
            for global in list {
                if global.interface == WlOutput::interface().name {
                    outputs.0.push(Output {
                        proxy: globals.registry().bind(
                            global.name,
                            global.version.min(4),
                            &handle,
                            (),
                        ),
                        name: None,
                        position: (0, 0),
                        size: (0, 0),
                        transform: Transform::Normal,
                    });
                }
            }
        });
        queue.roundtrip(&mut outputs).map_err(failed)?;

        let shown = outputs.showing(&target).cloned();
        let shown = shown.filter(|_| pointers.version() >= 2);
        let pointer = match &shown {
            Some(output) => {
                pointers.create_virtual_pointer_with_output(Some(&seat), Some(output), &handle, ())
            }
            None => pointers.create_virtual_pointer(Some(&seat), &handle, ()),
        };
        let keyboard = keyboards.create_virtual_keyboard(&seat, &handle, ());
        let keyboard = Keyboard::new(keyboard, layout).map_err(failed)?;
        let text = keyboards.create_virtual_keyboard(&seat, &handle, ());
        let text = TextKeyboard::new(text).map_err(failed)?;
        // Also finds out whether the compositor allows these devices at all.
        queue.roundtrip(&mut outputs).map_err(failed)?;
        Ok(Self {
            connection,
            queue,
            outputs,
            keyboard,
            pointer,
            shown,
            text,
            rest: [0; 2],
            began: Instant::now(),
        })
    }

    /// Milliseconds since the start; they may wrap.
    fn now(&self) -> u32 {
        self.began.elapsed().as_millis() as u32
    }

    /// The travel as it is, and a notch to programs that count them whenever one is complete.
    fn scroll(&mut self, axis: Axis, amount: i32) {
        if amount == 0 {
            return;
        }
        let rest = &mut self.rest[usize::from(axis == Axis::VerticalScroll)];
        let notches = turn(rest, amount);
        let (now, travel) = (self.now(), f64::from(amount) / 120.0 * NOTCH);
        self.pointer.axis_source(AxisSource::Wheel);
        if notches == 0 {
            self.pointer.axis(now, axis, travel);
        } else {
            self.pointer.axis_discrete(now, axis, travel, notches);
        }
    }
}

/// The whole notches that a turn by `amount` 120ths completes; what is left over stays in `rest`.
fn turn(rest: &mut i32, amount: i32) -> i32 {
    // who turns back begins anew
    if rest.signum() == -amount.signum() {
        *rest = 0;
    }
    *rest = rest.saturating_add(amount);
    let notches = *rest / 120;
    *rest %= 120;
    notches
}

impl Backend for Wlroots {
    fn apply(&mut self, action: Action) {
        let now = self.now();
        match action {
            Action::Key { code, down } => {
                self.keyboard.key(code, down, now);
                return;
            }
            Action::Button { code, down } => {
                let state = if down {
                    ButtonState::Pressed
                } else {
                    ButtonState::Released
                };
                self.pointer.button(now, code.into(), state);
            }
            Action::Move { dx, dy } => self.pointer.motion(now, dx.into(), dy.into()),
            Action::MoveTo { x, y } => {
                let (x, y) = on_device(self.outputs.transform(self.shown.as_ref()), x, y);
                let on_grid = |fraction: f64| (fraction * f64::from(EXTENT)) as u32;
                self.pointer
                    .motion_absolute(now, on_grid(x), on_grid(y), EXTENT, EXTENT);
            }
            Action::Scroll { x, y } => {
                self.scroll(Axis::HorizontalScroll, x);
                self.scroll(Axis::VerticalScroll, y);
            }
            // There is no virtual touch screen in these protocols, and so none is offered.
            Action::TouchDown { .. }
            | Action::TouchMove { .. }
            | Action::TouchUp { .. }
            | Action::TouchCancel { .. } => return,
        }
        self.pointer.frame();
    }

    fn text(&mut self, character: char) -> Text {
        // Nobody tells a virtual keyboard which of its layouts is in force: then the second one types, which has but one.
        let layout = self.keyboard.layout();
        let sure = layout.is_none_or(|layout| layout.agrees(character));
        let keys = Text::keys(layout, character, 0);
        if (sure && !matches!(keys, Text::Impossible)) || character.is_control() {
            return keys;
        }
        match self.text.press(character, self.now()) {
            Ok(()) => Text::Done,
            Err(_) => Text::Impossible,
        }
    }

    fn flush(&mut self) -> Result<(), InputError> {
        match self.connection.flush() {
            Ok(()) => {}
            Err(WaylandError::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(failed(error)),
        }
        // The compositor says little here (outputs that change), but what it says must be read, and an end be noticed.
        if let Some(guard) = self.connection.prepare_read() {
            match guard.read() {
                Ok(_) => {}
                Err(WaylandError::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(failed(error)),
            }
        }
        self.queue
            .dispatch_pending(&mut self.outputs)
            .map_err(failed)?;
        Ok(())
    }
}

impl Drop for Wlroots {
    fn drop(&mut self) {
        self.pointer.destroy();
        self.keyboard.destroy();
        self.text.destroy();
        let _ = self.connection.flush();
    }
}

impl Outputs {
    /// The output that a stream shows: by name, else by place and size, else by size, else the only one; None = all of
    /// the space.
    fn showing(&self, target: &Target) -> Option<&WlOutput> {
        let sized = |output: &&Output| target.size == Some(output.size);
        let placed = |output: &&Output| target.corner() == Some(output.position);
        let named = |output: &&Output| target.output.is_some() && target.output == output.name;
        let found = self
            .0
            .iter()
            .find(named)
            .or_else(|| {
                let mut all = self.0.iter();
                all.find(|output| placed(output) && sized(output))
            })
            .or_else(|| self.0.iter().find(sized))
            .or(match &self.0[..] {
                [only] => Some(only),
                _ => None,
            })?;
        Some(&found.proxy)
    }

    fn transform(&self, shown: Option<&WlOutput>) -> Transform {
        let output = self.0.iter().find(|output| Some(&output.proxy) == shown);
        output.map_or(Transform::Normal, |output| output.transform)
    }
}

/// Where a place of the picture has to be told of an output that is turned: wlroots takes an absolute position for one on
/// the output's device (a touch screen is turned with it), and turns it.
fn on_device(transform: Transform, x: f64, y: f64) -> (f64, f64) {
    match transform {
        Transform::_90 => (y, 1.0 - x),
        Transform::_180 => (1.0 - x, 1.0 - y),
        Transform::_270 => (1.0 - y, x),
        Transform::Flipped => (1.0 - x, y),
        Transform::Flipped90 => (y, x),
        Transform::Flipped180 => (x, 1.0 - y),
        Transform::Flipped270 => (1.0 - y, 1.0 - x),
        _ => (x, y),
    }
}

impl Dispatch<WlOutput, ()> for Outputs {
    fn event(
        outputs: &mut Self,
        proxy: &WlOutput,
        event: wl_output::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        let Some(output) = outputs.0.iter_mut().find(|output| output.proxy == *proxy) else {
            return;
        };
        match event {
            wl_output::Event::Geometry {
                x, y, transform, ..
            } => {
                output.position = (x, y);
                output.transform = transform.into_result().unwrap_or(Transform::Normal);
            }
            wl_output::Event::Name { name } => output.name = Some(name),
            wl_output::Event::Mode {
                flags,
                width,
                height,
                ..
            } if flags
                .into_result()
                .is_ok_and(|flags| flags.contains(wl_output::Mode::Current)) =>
            {
                output.size = (
                    u32::try_from(width).unwrap_or(0),
                    u32::try_from(height).unwrap_or(0),
                );
            }
            _ => {}
        }
    }
}

impl Dispatch<WlRegistry, GlobalListContents> for Outputs {
    fn event(
        _: &mut Self,
        _: &WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        // Outputs that come later are none of this stream's.
    }
}

delegate_noop!(Outputs: ignore WlSeat);
delegate_noop!(Outputs: ZwpVirtualKeyboardManagerV1);
delegate_noop!(Outputs: ZwpVirtualKeyboardV1);
delegate_noop!(Outputs: ZwlrVirtualPointerManagerV1);
delegate_noop!(Outputs: ZwlrVirtualPointerV1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_corner_that_a_client_points_at_is_the_same_one_of_a_turned_device() {
        // Of a picture whose left upper corner lies elsewhere on the device: which corner of the device that is.
        for (transform, corner) in [
            (Transform::Normal, (0.0, 0.0)),
            (Transform::_90, (0.0, 1.0)),
            (Transform::_180, (1.0, 1.0)),
            (Transform::_270, (1.0, 0.0)),
            (Transform::Flipped, (1.0, 0.0)),
            (Transform::Flipped90, (0.0, 0.0)),
            (Transform::Flipped180, (0.0, 1.0)),
            (Transform::Flipped270, (1.0, 1.0)),
        ] {
            assert_eq!(on_device(transform, 0.0, 0.0), corner, "{transform:?}");
        }
        assert_eq!(on_device(Transform::_90, 0.25, 0.875), (0.875, 0.75));
        assert_eq!(on_device(Transform::_270, 0.25, 0.875), (0.125, 0.25));
        assert_eq!(on_device(Transform::Flipped90, 0.25, 0.875), (0.875, 0.25));
    }

    #[test]
    fn parts_of_a_notch_add_up_to_one_and_turning_back_begins_anew() {
        let mut rest = 0;
        let turned: Vec<i32> = [60, 30, 30, 120, -60, -60, 60, 60, 240, 10]
            .into_iter()
            .map(|amount| turn(&mut rest, amount))
            .collect();
        assert_eq!(turned, [0, 0, 1, 1, 0, -1, 0, 1, 2, 0]);
        assert_eq!(rest, 10);
    }
}
