use super::{layout, *};
use crate::gamepads::kind::PadKind;
use evdev::{AbsoluteAxisCode as Axis, EventType, KeyCode};
use punktfunk_core::input::{ControllerState, buttons as b};
use std::{
    os::fd::AsFd,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Events that were emitted, one list for each report; and what programs are to ask.
#[derive(Default)]
struct Log {
    reports: Vec<Vec<(EventType, u16, i32)>>,
    asks: Vec<Asked>,
}

struct FakeNode(Arc<Mutex<Log>>, std::fs::File);

impl Node for FakeNode {
    fn emit(&mut self, events: &[InputEvent]) -> io::Result<()> {
        let report = events
            .iter()
            .map(|event| (event.event_type(), event.code(), event.value()));
        self.0.lock().unwrap().reports.push(report.collect());
        Ok(())
    }
    fn asked(&mut self) -> io::Result<Vec<Asked>> {
        Ok(std::mem::take(&mut self.0.lock().unwrap().asks))
    }
    fn fd(&self) -> BorrowedFd<'_> {
        self.1.as_fd()
    }
}

fn pad(kind: PadKind, supported: u32) -> (EvdevPad<FakeNode>, Arc<Mutex<Log>>) {
    let log = Arc::default();
    let node = FakeNode(Arc::clone(&log), std::fs::File::open("/dev/null").unwrap());
    (EvdevPad::new(layout(kind, supported), node), log)
}

fn show(pad: &mut EvdevPad<FakeNode>, controls: ControllerState) {
    let state = PadState {
        controls,
        ..PadState::default()
    };
    pad.show(&state, Instant::now()).unwrap();
}

fn key(code: KeyCode, value: i32) -> (EventType, u16, i32) {
    (EventType::KEY, code.0, value)
}

fn axis(code: Axis, value: i32) -> (EventType, u16, i32) {
    (EventType::ABSOLUTE, code.0, value)
}

#[test]
fn an_xbox_pad_reports_what_changed_and_only_that() {
    let (mut pad, log) = pad(PadKind::Xbox, 0);
    show(&mut pad, ControllerState::default());
    let pressed = ControllerState {
        buttons: b::A | b::X | b::UP | b::LEFT | b::PADDLE1,
        left_trigger: 200,
        left_stick: (100, i16::MIN),
        right_stick: (0, 300),
        ..ControllerState::default()
    };
    show(&mut pad, pressed);
    show(&mut pad, pressed);
    show(
        &mut pad,
        ControllerState {
            buttons: b::X | b::UP | b::DOWN,
            ..pressed
        },
    );
    let log = log.lock().unwrap();
    let first = vec![
        key(KeyCode::BTN_SOUTH, 1),
        key(KeyCode::BTN_NORTH, 1),
        axis(Axis::ABS_X, 100),
        axis(Axis::ABS_Y, 32767),
        axis(Axis::ABS_RY, -300),
        axis(Axis::ABS_Z, 200),
        axis(Axis::ABS_HAT0X, -1),
        axis(Axis::ABS_HAT0Y, -1),
    ];
    let second = vec![
        key(KeyCode::BTN_SOUTH, 0),
        axis(Axis::ABS_HAT0X, 0),
        axis(Axis::ABS_HAT0Y, 0),
    ];
    assert_eq!(log.reports, [first, second]);
}

#[test]
fn every_button_of_the_wire_has_a_place_on_the_pads_that_have_it() {
    let all = [
        b::START,
        b::BACK,
        b::LEFT_STICK,
        b::RIGHT_STICK,
        b::LEFT_SHOULDER,
        b::RIGHT_SHOULDER,
        b::GUIDE,
        b::A,
        b::B,
        b::X,
        b::Y,
        b::PADDLE1,
        b::PADDLE2,
        b::PADDLE3,
        b::PADDLE4,
        b::MISC,
    ];
    let (mut xbox, log) = pad(PadKind::Xbox, u32::MAX);
    let mut seen = std::collections::BTreeSet::new();
    for bit in all {
        let state = ControllerState {
            buttons: bit,
            ..ControllerState::default()
        };
        show(&mut xbox, state);
        show(&mut xbox, ControllerState::default());
        let reports = std::mem::take(&mut log.lock().unwrap().reports);
        assert_eq!(reports.len(), 2, "{bit:#x}");
        assert!(seen.insert(reports[0][0].1), "{bit:#x}");
    }
}

#[test]
fn a_switch_pad_keeps_places_and_has_buttons_for_triggers() {
    let (mut pad, log) = pad(PadKind::Switch, 0);
    let pressed = ControllerState {
        buttons: b::X | b::MISC,
        right_trigger: 1,
        ..ControllerState::default()
    };
    show(&mut pad, pressed);
    let expected = vec![
        key(KeyCode::BTN_WEST, 1),
        key(KeyCode::BTN_TR2, 1),
        key(KeyCode::BTN_Z, 1),
    ];
    assert_eq!(log.lock().unwrap().reports, [expected]);
}

#[test]
fn an_uploaded_effect_becomes_rumble_and_its_end_a_stop() {
    let (mut pad, log) = pad(PadKind::Xbox, 0);
    let now = Instant::now();
    let effect = Effect {
        strong: 0x4000,
        weak: 0x2000,
        length: Duration::from_millis(250),
        delay: Duration::ZERO,
    };
    let ask = |asks: &[Asked]| log.lock().unwrap().asks.extend_from_slice(asks);
    ask(&[
        Asked::Upload { id: 0, effect },
        Asked::Play { id: 0, count: 1 },
    ]);
    assert_eq!(pad.serve(now).unwrap().rumble, Some((0x4000, 0x2000)));
    assert_eq!(pad.serve(now).unwrap(), Wishes::default());
    let end = pad.due(now).unwrap();
    assert_eq!(end, now + Duration::from_millis(250));
    assert_eq!(pad.serve(end).unwrap().rumble, Some((0, 0)));
    assert_eq!(pad.due(end), None);
    ask(&[Asked::Play { id: 0, count: 1 }, Asked::Gain(0x8000)]);
    assert_eq!(pad.serve(end).unwrap().rumble, Some((0x2000, 0x1000)));
    // What a program leaves behind when it dies is erased by the kernel.
    ask(&[Asked::Erase { id: 0 }]);
    assert_eq!(pad.serve(end).unwrap().rumble, Some((0, 0)));
}
