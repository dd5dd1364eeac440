//! What the compositor is told of a client's events.

use super::*;

fn key(code: u16, down: bool, modifiers: u8) -> InputEvent {
    InputEvent::Key {
        down,
        code,
        modifiers,
        flags: 0,
    }
}

fn all(translator: &mut Translator, events: &[InputEvent]) -> Vec<Action> {
    let mut actions = Vec::new();
    for event in events {
        translator.translate(event, &mut |action| actions.push(action));
    }
    actions
}

fn down(code: u16) -> Action {
    Action::Key { code, down: true }
}

fn up(code: u16) -> Action {
    Action::Key { code, down: false }
}

#[test]
fn the_high_byte_of_a_key_code_is_ignored() {
    let mut t = Translator::default();
    assert_eq!(
        all(&mut t, &[key(0x8041, true, 0), key(0x8041, false, 0)]),
        [down(30), up(30)]
    );
}

#[test]
fn repeats_of_a_held_key_and_ups_of_a_free_one_are_dropped() {
    let mut t = Translator::default();
    let events = [
        key(0x41, false, 0),
        key(0x41, true, 0),
        key(0x41, true, 0),
        key(0x41, false, 0),
        key(0x41, false, 0),
    ];
    assert_eq!(all(&mut t, &events), [down(30), up(30)]);
}

#[test]
fn a_modifier_that_was_never_pressed_is_held_around_its_key() {
    let mut t = Translator::default();
    assert_eq!(
        all(&mut t, &[key(0x41, true, 1)]),
        [down(42), down(30), up(42)]
    );
    let mut t = Translator::default();
    assert_eq!(
        all(&mut t, &[key(0xa1, true, 1), key(0x41, true, 1)]),
        [down(54), down(30)]
    );
}

#[test]
fn what_is_held_is_released_once_and_all_of_it() {
    let mut t = Translator::default();
    all(
        &mut t,
        &[
            key(0xa0, true, 1),
            key(0x41, true, 1),
            InputEvent::MouseButton {
                down: true,
                button: 1,
            },
        ],
    );
    let mut released = Vec::new();
    t.release(Held::ALL, &mut |action| released.push(action));
    released.sort_by_key(|action| format!("{action:?}"));
    assert_eq!(
        released,
        [
            Action::Button {
                code: 0x110,
                down: false
            },
            up(30),
            up(42)
        ]
    );
    t.release(Held::ALL, &mut |action| {
        panic!("released twice: {action:?}")
    });
}

#[test]
fn absolute_positions_are_fractions_of_the_picture_and_stay_inside() {
    let at = |x, y| InputEvent::MouseAbsolute {
        x,
        y,
        ref_width: 1279,
        ref_height: 719,
    };
    let mut t = Translator::default();
    assert_eq!(
        all(&mut t, &[at(0, 719), at(-5, 2000)]),
        [
            Action::MoveTo { x: 0.0, y: 1.0 },
            Action::MoveTo { x: 0.0, y: 1.0 }
        ]
    );
    let nowhere = InputEvent::MouseAbsolute {
        x: 1,
        y: 1,
        ref_width: 0,
        ref_height: -1,
    };
    assert_eq!(all(&mut t, &[nowhere]), []);
}

#[test]
fn a_wheel_turned_away_scrolls_up() {
    let mut t = Translator::default();
    assert_eq!(
        all(
            &mut t,
            &[
                InputEvent::Scroll { amount: 120 },
                InputEvent::HorizontalScroll { amount: 60 },
                InputEvent::Scroll { amount: i16::MIN }
            ]
        ),
        [
            Action::Scroll { x: 0, y: -120 },
            Action::Scroll { x: 60, y: 0 },
            Action::Scroll { x: 0, y: 32768 }
        ]
    );
}

#[test]
fn text_is_typed_with_shift_where_it_needs_it_and_leaves_nothing_down() {
    let mut t = Translator::default();
    assert_eq!(
        all(&mut t, &[InputEvent::Text('A'), InputEvent::Text('é')]),
        [down(42), down(30), up(30), up(42)]
    );
    t.release(Held::ALL, &mut |action| panic!("left down: {action:?}"));
}

fn finger(event: u8, pointer: u32, x: f32, y: f32) -> InputEvent {
    InputEvent::Touch(Touch {
        event,
        pointer,
        x,
        y,
        pressure_or_distance: 0.5,
        contact_major: 0.0,
        contact_minor: 0.0,
        rotation: 0xFFFF,
    })
}

fn pen(event: u8, buttons: u8, x: f32) -> InputEvent {
    InputEvent::Pen(Pen {
        event,
        tool: 1,
        buttons,
        x,
        y: 0.5,
        pressure_or_distance: 0.5,
        rotation: 0xFFFF,
        tilt: 0xFF,
        contact_major: 0.0,
        contact_minor: 0.0,
    })
}

#[test]
fn fingers_go_down_move_and_lift_each_for_itself() {
    let mut t = Translator::default();
    let events = [
        finger(0, 7, 0.1, 0.1),
        finger(3, 7, 0.1, 0.1),
        finger(1, 7, 0.25, 0.5),
        finger(1, 9, 2.0, -1.0),
        finger(3, 7, 0.5, 0.5),
        finger(2, 7, 0.5, 0.5),
        finger(2, 7, 0.5, 0.5),
        finger(4, 9, 0.0, 0.0),
    ];
    assert_eq!(
        all(&mut t, &events),
        [
            Action::TouchDown {
                finger: 7,
                x: 0.25,
                y: 0.5
            },
            Action::TouchDown {
                finger: 9,
                x: 1.0,
                y: 0.0
            },
            Action::TouchMove {
                finger: 7,
                x: 0.5,
                y: 0.5
            },
            Action::TouchUp { finger: 7 },
            Action::TouchCancel { finger: 9 },
        ]
    );
}

#[test]
fn fingers_are_bounded_and_all_of_them_can_be_called_off() {
    let mut t = Translator::default();
    let many: Vec<_> = (0..100).map(|n| finger(1, n, 0.5, 0.5)).collect();
    assert_eq!(all(&mut t, &many).len(), MAX_FINGERS);
    assert_eq!(all(&mut t, &[finger(7, 0, 0.0, 0.0)]).len(), MAX_FINGERS);
    assert_eq!(all(&mut t, &[finger(2, 0, 0.0, 0.0)]), []);
}

#[test]
fn a_pen_points_and_its_tip_and_barrel_are_buttons() {
    let mut t = Translator::default();
    let at = |x| Action::MoveTo { x, y: 0.5 };
    let button = |code, down| Action::Button { code, down };
    assert_eq!(
        all(
            &mut t,
            &[
                pen(0, 0, 0.25),
                pen(1, 0, 0.5),
                pen(5, 1, 0.0),
                pen(3, 1, 0.75),
                pen(2, 0, 0.75)
            ]
        ),
        [
            at(0.25),
            at(0.5),
            button(LEFT, true),
            button(RIGHT, true),
            at(0.75),
            at(0.75),
            button(RIGHT, false),
            button(LEFT, false)
        ]
    );
    all(&mut t, &[pen(1, 2, 0.5)]);
    assert_eq!(
        all(&mut t, &[pen(6, 2, 0.5)]),
        [button(LEFT, false), button(MIDDLE, false)]
    );
}

#[test]
fn only_what_a_permission_was_for_is_let_go() {
    let mut t = Translator::default();
    let left = InputEvent::MouseButton {
        down: true,
        button: 1,
    };
    all(&mut t, &[key(0x41, true, 0), left, finger(1, 3, 0.5, 0.5)]);
    let mut released = Vec::new();
    let pointer = Held {
        pointer: true,
        keyboard: false,
    };
    t.release(pointer, &mut |action| released.push(action));
    assert_eq!(
        released,
        [
            Action::Button {
                code: LEFT,
                down: false
            },
            Action::TouchCancel { finger: 3 }
        ]
    );
    released.clear();
    t.release(Held::ALL, &mut |action| released.push(action));
    assert_eq!(released, [up(30)]);
}

#[test]
fn a_stroke_holds_what_it_needs_and_is_not_held_already() {
    let at = Stroke {
        code: 16,
        shift: false,
        level3: true,
    };
    let mut translator = Translator::default();
    let mut done = Vec::new();
    translator.stroke(at, &mut |action| done.push(action));
    assert_eq!(done, [down(100), down(16), up(16), up(100)]);
    let capital = Stroke {
        shift: true,
        level3: false,
        ..at
    };
    let held = all(&mut translator, &[key(0xa1, true, 0)]);
    assert_eq!(held, [down(54)]);
    done.clear();
    translator.stroke(capital, &mut |action| done.push(action));
    assert_eq!(done, [down(16), up(16)], "right shift is held");
}
