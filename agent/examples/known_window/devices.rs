//! What the window is told of keys, pointer, wheel and fingers: one line for each event.

use wayland_client::{
    Connection, Dispatch, QueueHandle, WEnum, delegate_noop,
    protocol::{
        wl_keyboard::{self, WlKeyboard},
        wl_pointer::{self, WlPointer},
        wl_seat::{self, Capability, WlSeat},
        wl_touch::{self, WlTouch},
    },
};
use wayland_protocols::wp::relative_pointer::zv1::client::{
    zwp_relative_pointer_manager_v1::ZwpRelativePointerManagerV1,
    zwp_relative_pointer_v1::{self, ZwpRelativePointerV1},
};

use crate::window::State;

#[derive(Default)]
pub struct Devices {
    /// Those of the seat that are listened to.
    heard: Option<Capability>,
    relative: Option<ZwpRelativePointerManagerV1>,
}

impl Devices {
    pub fn of(relative: Option<ZwpRelativePointerManagerV1>) -> Self {
        Self {
            heard: None,
            relative,
        }
    }
}

impl Dispatch<WlSeat, ()> for State {
    fn event(
        state: &mut Self,
        seat: &WlSeat,
        event: wl_seat::Event,
        (): &(),
        _: &Connection,
        handle: &QueueHandle<Self>,
    ) {
        let wl_seat::Event::Capabilities {
            capabilities: WEnum::Value(can),
        } = event
        else {
            return;
        };
        let devices = &mut state.devices;
        let new = can.difference(devices.heard.unwrap_or(Capability::empty()));
        if new.contains(Capability::Keyboard) {
            seat.get_keyboard(handle, ());
        }
        if new.contains(Capability::Pointer) {
            let pointer = seat.get_pointer(handle, ());
            if let Some(relative) = &devices.relative {
                relative.get_relative_pointer(&pointer, handle, ());
            }
        }
        if new.contains(Capability::Touch) {
            seat.get_touch(handle, ());
            println!("screen");
        }
        devices.heard = Some(can);
    }
}

fn number<T: Into<u32>>(value: WEnum<T>) -> u32 {
    match value {
        WEnum::Value(value) => value.into(),
        WEnum::Unknown(value) => value,
    }
}

impl Dispatch<WlKeyboard, ()> for State {
    fn event(
        _: &mut Self,
        _: &WlKeyboard,
        event: wl_keyboard::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            wl_keyboard::Event::Enter { .. } => println!("focus"),
            wl_keyboard::Event::Key { key, state, .. } => println!("key {key} {}", number(state)),
            _ => {}
        }
    }
}

impl Dispatch<WlPointer, ()> for State {
    fn event(
        _: &mut Self,
        pointer: &WlPointer,
        event: wl_pointer::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            wl_pointer::Event::Enter {
                serial,
                surface_x,
                surface_y,
                ..
            } => {
                // The pointer's picture would hide the pattern.
                pointer.set_cursor(serial, None, 0, 0);
                println!("enter {surface_x:.0} {surface_y:.0}");
            }
            wl_pointer::Event::Motion {
                surface_x,
                surface_y,
                ..
            } => println!("motion {surface_x:.0} {surface_y:.0}"),
            wl_pointer::Event::Button { button, state, .. } => {
                println!("button {button} {}", number(state));
            }
            wl_pointer::Event::Axis { axis, value, .. } => {
                println!("axis {} {value:.0}", number(axis));
                println!("travel {} {value:.3}", number(axis));
            }
            wl_pointer::Event::AxisValue120 { axis, value120 } => {
                println!("notch {} {value120}", number(axis));
            }
            wl_pointer::Event::AxisDiscrete { axis, discrete } => {
                println!("notch {} {}", number(axis), discrete * 120);
            }
            _ => {}
        }
    }
}

impl Dispatch<ZwpRelativePointerV1, ()> for State {
    fn event(
        _: &mut Self,
        _: &ZwpRelativePointerV1,
        event: zwp_relative_pointer_v1::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        if let zwp_relative_pointer_v1::Event::RelativeMotion {
            dx,
            dy,
            dx_unaccel,
            dy_unaccel,
            ..
        } = event
        {
            println!("relative {dx:.3} {dy:.3} {dx_unaccel:.3} {dy_unaccel:.3}");
        }
    }
}

impl Dispatch<WlTouch, ()> for State {
    fn event(
        _: &mut Self,
        _: &WlTouch,
        event: wl_touch::Event,
        (): &(),
        _: &Connection,
        _: &QueueHandle<Self>,
    ) {
        match event {
            wl_touch::Event::Down { id, x, y, .. } => println!("finger {id} down {x:.0} {y:.0}"),
            wl_touch::Event::Motion { id, x, y, .. } => println!("finger {id} move {x:.0} {y:.0}"),
            wl_touch::Event::Up { id, .. } => println!("finger {id} up"),
            wl_touch::Event::Cancel => println!("finger cancel"),
            _ => {}
        }
    }
}

delegate_noop!(State: ZwpRelativePointerManagerV1);
