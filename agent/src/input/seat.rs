//! The layout of the session's own keyboard, as its seat tells every program.

use wayland_client::{
    Connection, Dispatch, QueueHandle, WEnum,
    globals::{GlobalListContents, registry_queue_init},
    protocol::{
        wl_keyboard::{self, KeymapFormat, WlKeyboard},
        wl_registry::{self, WlRegistry},
        wl_seat::{self, WlSeat},
    },
};

use super::layout::Layout;

#[derive(Default)]
struct Seat {
    has_keyboard: bool,
    layout: Option<Layout>,
}

/// None where the seat has no keyboard, or one whose keymap cannot be read.
pub fn layout(connection: &Connection) -> Option<Layout> {
    let (globals, mut queue) = registry_queue_init::<Seat>(connection).ok()?;
    let handle = queue.handle();
    let seat: WlSeat = globals.bind(&handle, 1..=5, ()).ok()?;
    let mut state = Seat::default();
    queue.roundtrip(&mut state).ok()?;
    if state.has_keyboard {
        let keyboard = seat.get_keyboard(&handle, ());
        queue.roundtrip(&mut state).ok()?;
        // known from version 3 on
        if wayland_client::Proxy::version(&keyboard) >= 3 {
            keyboard.release();
        }
    }
    if wayland_client::Proxy::version(&seat) >= 5 {
        seat.release();
    }
    let _ = connection.flush();
    state.layout
}

impl Dispatch<WlSeat, ()> for Seat {
    fn event(
        state: &mut Self,
        _: &WlSeat,
        event: wl_seat::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_seat::Event::Capabilities { capabilities } = event {
            state.has_keyboard = capabilities
                .into_result()
                .is_ok_and(|all| all.contains(wl_seat::Capability::Keyboard));
        }
    }
}

impl Dispatch<WlKeyboard, ()> for Seat {
    fn event(
        state: &mut Self,
        _: &WlKeyboard,
        event: wl_keyboard::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let wl_keyboard::Event::Keymap {
            format: WEnum::Value(KeymapFormat::XkbV1),
            fd,
            size,
        } = event
        {
            state.layout = Layout::of_file(fd, size);
        }
    }
}

impl Dispatch<WlRegistry, GlobalListContents> for Seat {
    fn event(
        _: &mut Self,
        _: &WlRegistry,
        _: wl_registry::Event,
        _: &GlobalListContents,
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        // one look is taken
    }
}
