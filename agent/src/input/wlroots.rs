//! Input through the wlroots protocols (sway and its kin, whose portal offers no emulated input): a virtual keyboard
//! and a virtual pointer on the session's own Wayland socket. Both exist from the start of the stream.

use std::{
    fs::File,
    io::{ErrorKind, Write},
    os::fd::AsFd,
    time::Instant,
};

use nix::sys::memfd::{MFdFlags, memfd_create};
use wayland_client::{
    Connection, Dispatch, EventQueue, Proxy, QueueHandle,
    backend::WaylandError,
    delegate_noop,
    globals::{GlobalListContents, registry_queue_init},
    protocol::{
        wl_keyboard::KeymapFormat,
        wl_output::{self, WlOutput},
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

use super::{
    Action, Backend, InputError, Target,
    xkb_modifiers::{KEYMAP, Modifiers},
};
use crate::source::detection;

/// The grid that absolute positions are told in.
const EXTENT: u32 = 65_535;

/// Wheel travel of one notch, in the units of `wl_pointer.axis`.
const NOTCH: f64 = 15.0;

pub struct Wlroots {
    connection: Connection,
    queue: EventQueue<Outputs>,
    outputs: Outputs,
    keyboard: ZwpVirtualKeyboardV1,
    pointer: ZwlrVirtualPointerV1,
    modifiers: Modifiers,
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
}

fn failed(error: impl std::fmt::Display) -> InputError {
    InputError::Wlroots(error.to_string())
}

impl Wlroots {
    /// Connect to the session's compositor and make the two devices.
    pub fn connect(target: Target) -> Result<Self, InputError> {
        let socket = detection::wayland_socket()
            .ok_or_else(|| failed("no Wayland socket in the runtime directory"))?;
        let connection = Connection::from_socket(socket).map_err(failed)?;
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
                    });
                }
            }
        });
        queue.roundtrip(&mut outputs).map_err(failed)?;

        let pointer = match outputs.showing(&target) {
            Some(output) if pointers.version() >= 2 => {
                pointers.create_virtual_pointer_with_output(Some(&seat), Some(output), &handle, ())
            }
            _ => pointers.create_virtual_pointer(Some(&seat), &handle, ()),
        };
        let keyboard = keyboards.create_virtual_keyboard(&seat, &handle, ());
        let keymap = keymap_file().map_err(failed)?;
        keyboard.keymap(
            KeymapFormat::XkbV1.into(),
            keymap.as_fd(),
            KEYMAP.len() as u32 + 1,
        );
        // Also finds out whether the compositor allows these devices at all.
        queue.roundtrip(&mut outputs).map_err(failed)?;
        Ok(Self {
            connection,
            queue,
            outputs,
            keyboard,
            pointer,
            modifiers: Modifiers::default(),
            began: Instant::now(),
        })
    }

    /// Milliseconds since the start; they may wrap.
    fn now(&self) -> u32 {
        self.began.elapsed().as_millis() as u32
    }

    fn scroll(&self, axis: Axis, amount: i32) {
        if amount == 0 {
            return;
        }
        let travel = f64::from(amount) / 120.0 * NOTCH;
        self.pointer.axis_source(AxisSource::Wheel);
        if amount % 120 == 0 {
            self.pointer
                .axis_discrete(self.now(), axis, travel, amount / 120);
        } else {
            self.pointer.axis(self.now(), axis, travel);
        }
    }
}

impl Backend for Wlroots {
    fn apply(&mut self, action: Action) {
        let now = self.now();
        match action {
            Action::Key { code, down } => {
                self.keyboard.key(now, code.into(), down.into());
                if self.modifiers.follow(code, down) {
                    self.keyboard.modifiers(
                        self.modifiers.depressed(),
                        0,
                        self.modifiers.locked,
                        0,
                    );
                }
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

    fn text(&mut self, _: char) -> bool {
        false
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
        let _ = self.connection.flush();
    }
}

impl Outputs {
    /// The output that a stream shows: by name, else by place and size, else by size, else the only one; None = all of
    /// the space.
    fn showing(&self, target: &Target) -> Option<&WlOutput> {
        let sized = |output: &&Output| target.size == Some(output.size);
        let placed = |output: &&Output| target.position == Some(output.position);
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
}

fn keymap_file() -> std::io::Result<File> {
    let mut file = File::from(memfd_create(c"keymap", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(KEYMAP.as_bytes())?;
    file.write_all(&[0])?;
    Ok(file)
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
            wl_output::Event::Geometry { x, y, .. } => output.position = (x, y),
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
