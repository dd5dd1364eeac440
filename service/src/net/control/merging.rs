//! Which two events in a row are as good as one.
use punktfunk_core::input::InputEvent;

/// Touch, pen and controller-touch events that only move.
const HOVER: u8 = 0;
const MOVE: u8 = 3;

/// Take `next` into `last` if both are motion of the same thing and nothing is lost by it.
pub(super) fn merge(last: &mut InputEvent, next: &InputEvent) -> bool {
    use InputEvent as E;
    let replaced = match (&mut *last, next) {
        (
            E::MouseRelative { dx, dy },
            E::MouseRelative {
                dx: more_x,
                dy: more_y,
            },
        ) => {
            let (Some(x), Some(y)) = (dx.checked_add(*more_x), dy.checked_add(*more_y)) else {
                return false;
            };
            (*dx, *dy) = (x, y);
            return true;
        }
        (E::Scroll { amount }, E::Scroll { amount: more })
        | (E::HorizontalScroll { amount }, E::HorizontalScroll { amount: more }) => {
            let Some(sum) = amount.checked_add(*more) else {
                return false;
            };
            *amount = sum;
            return true;
        }
        (E::MouseAbsolute { .. }, E::MouseAbsolute { .. }) => true,
        (E::Controller(old), E::Controller(new)) => {
            (old.controller, old.active_mask, old.buttons)
                == (new.controller, new.active_mask, new.buttons)
        }
        (
            E::ControllerMotion {
                controller, sensor, ..
            },
            E::ControllerMotion {
                controller: of,
                sensor: by,
                ..
            },
        ) => controller == of && sensor == by,
        (E::Touch(old), E::Touch(new)) => {
            only_moves(old.event, new.event) && old.pointer == new.pointer
        }
        (E::Pen(old), E::Pen(new)) => {
            only_moves(old.event, new.event) && (old.tool, old.buttons) == (new.tool, new.buttons)
        }
        (
            E::ControllerTouch {
                controller,
                event,
                touchpad,
                pointer,
                ..
            },
            E::ControllerTouch {
                controller: of,
                event: then,
                touchpad: on,
                pointer: by,
                ..
            },
        ) => only_moves(*event, *then) && (*controller, *touchpad, *pointer) == (*of, *on, *by),
        _ => false,
    };
    if replaced {
        *last = next.clone();
    }
    replaced
}

fn only_moves(old: u8, new: u8) -> bool {
    old == new && (old == MOVE || old == HOVER)
}
