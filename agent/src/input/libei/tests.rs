//! Against a compositor's side of the protocol (reis has one), over a socket pair.

use std::{os::unix::net::UnixStream, thread::JoinHandle};

use reis::{
    PendingRequestResult,
    eis::{self, device::DeviceType},
    handshake::EisHandshaker,
    request::{Connection, DeviceCapability as Capability, EisRequest, EisRequestConverter, Seat},
};

use super::*;

/// The outputs of the pretended compositor: mapping id, x, y, width, height.
const OUTPUTS: [(&str, [u32; 4]); 2] = [
    ("left", [0, 0, 1920, 1080]),
    ("right", [1920, 0, 1280, 720]),
];

/// The one of gamescope.
const WORLD: [(&str, [u32; 4]); 1] = [("Mr. Worldwide", [0, 0, 0x7fff_ffff, 0x7fff_ffff])];

/// A name and a place.
type Output = (&'static str, [u32; 4]);

/// Offers a keyboard, a pointer and a place to point at, and answers what it was told when its client has gone.
fn compositor(socket: UnixStream, outputs: &'static [Output]) -> JoinHandle<Vec<EisRequest>> {
    std::thread::spawn(move || {
        let context = eis::Context::new(socket).unwrap();
        let mut handshaker = EisHandshaker::new(&context, 1);
        let mut converter: Option<EisRequestConverter> = None;
        let mut heard = Vec::new();
        loop {
            let mut fds = [PollFd::new(context.as_fd(), PollFlags::POLLIN)];
            nix::poll::poll(&mut fds, PollTimeout::NONE).unwrap();
            if context.read().is_err() {
                return heard;
            }
            while let Some(message) = context.pending_request() {
                let PendingRequestResult::Request(request) = message else {
                    panic!("not a request");
                };
                match &mut converter {
                    Some(converter) => converter.handle_request(request).unwrap(),
                    None => {
                        if let Some(greeting) = handshaker.handle_request(request).unwrap() {
                            let greeted = EisRequestConverter::new(&context, greeting, 1);
                            offer_seat(greeted.handle());
                            converter = Some(greeted);
                        }
                    }
                }
            }
            let Some(converter) = &mut converter else {
                continue;
            };
            while let Some(request) = converter.next_request() {
                if let EisRequest::Bind(bind) = &request {
                    offer_devices(&bind.seat, outputs);
                }
                heard.push(request);
            }
            let _ = converter.handle().flush();
        }
    })
}

fn offer_seat(connection: &Connection) {
    let everything = Capability::Keyboard
        | Capability::Pointer
        | Capability::PointerAbsolute
        | Capability::Button
        | Capability::Scroll
        | Capability::Touch;
    let _ = connection.add_seat(Some("seat"), everything);
    connection.flush().unwrap();
}

fn offer_devices(seat: &Seat, outputs: &[Output]) {
    let keyboard = seat.add_device(
        Some("keys"),
        DeviceType::Virtual,
        Capability::Keyboard.into(),
        |_| {},
    );
    let pointer = seat.add_device(
        Some("mouse"),
        DeviceType::Virtual,
        Capability::Pointer | Capability::Button | Capability::Scroll,
        |_| {},
    );
    let place = seat.add_device(
        Some("tablet"),
        DeviceType::Virtual,
        Capability::PointerAbsolute.into(),
        |device| {
            for (name, [x, y, width, height]) in outputs {
                device.device().region_mapping_id(name);
                device.device().region(*x, *y, *width, *height, 1.0);
            }
        },
    );
    let screen = seat.add_device(
        Some("screen"),
        DeviceType::Virtual,
        Capability::Touch.into(),
        |device| {
            for (name, [x, y, width, height]) in outputs {
                device.device().region_mapping_id(name);
                device.device().region(*x, *y, *width, *height, 1.0);
            }
        },
    );
    for device in [screen, keyboard, pointer, place] {
        device.resumed();
    }
}

/// What the compositor hears of `actions`, without binding, frames and the like.
fn told(target: Target, actions: &[Action]) -> Vec<String> {
    told_on(&OUTPUTS, target, actions)
}

fn told_on(outputs: &'static [Output], target: Target, actions: &[Action]) -> Vec<String> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let compositor = compositor(theirs, outputs);
    let mut libei = Libei::connect(ours.into(), target).unwrap();
    for action in actions {
        libei.apply(*action);
    }
    libei.flush().unwrap();
    drop(libei);
    compositor
        .join()
        .unwrap()
        .into_iter()
        .filter_map(|request| match request {
            EisRequest::KeyboardKey(key) => Some(format!("key {} {:?}", key.key, key.state)),
            EisRequest::Button(button) => {
                Some(format!("button {:#x} {:?}", button.button, button.state))
            }
            EisRequest::PointerMotion(motion) => Some(format!("by {} {}", motion.dx, motion.dy)),
            EisRequest::PointerMotionAbsolute(at) => {
                Some(format!("at {} {}", at.dx_absolute, at.dy_absolute))
            }
            EisRequest::ScrollDiscrete(scroll) => Some(format!(
                "notches {} {}",
                scroll.discrete_dx, scroll.discrete_dy
            )),
            EisRequest::ScrollDelta(scroll) => Some(format!("scroll {} {}", scroll.dx, scroll.dy)),
            EisRequest::TouchDown(touch) => {
                Some(format!("down {} {} {}", touch.touch_id, touch.x, touch.y))
            }
            EisRequest::TouchMotion(touch) => {
                Some(format!("move {} {} {}", touch.touch_id, touch.x, touch.y))
            }
            EisRequest::TouchUp(touch) => Some(format!("up {}", touch.touch_id)),
            EisRequest::TouchCancel(touch) => Some(format!("cancel {}", touch.touch_id)),
            _ => None,
        })
        .collect()
}

#[test]
fn keys_buttons_motion_and_scrolling_reach_the_compositor_in_order() {
    let actions = [
        Action::Key {
            code: 30,
            down: true,
        },
        Action::Key {
            code: 30,
            down: false,
        },
        Action::Button {
            code: 0x110,
            down: true,
        },
        Action::Move { dx: 3.0, dy: -2.0 },
        Action::Scroll { x: 0, y: -240 },
        Action::Scroll { x: 60, y: 0 },
    ];
    assert_eq!(
        told(Target::default(), &actions),
        [
            "key 30 Press",
            "key 30 Released",
            "button 0x110 Press",
            "by 3 -2",
            "notches 0 -240",
            "scroll 5 0"
        ]
    );
}

#[test]
fn a_place_is_on_the_streams_own_output_to_its_last_pixel() {
    let corners = [
        Action::MoveTo { x: 0.0, y: 0.0 },
        Action::MoveTo { x: 1.0, y: 1.0 },
    ];
    let named = Target {
        mapping_id: Some("right".to_owned()),
        ..Target::default()
    };
    assert_eq!(told(named, &corners), ["at 1920 0", "at 3199 719"]);
    let sized = Target {
        mapping_id: Some("unknown".to_owned()),
        size: Some((1280, 720)),
        ..Target::default()
    };
    assert_eq!(told(sized, &corners), ["at 1920 0", "at 3199 719"]);
    assert_eq!(
        told(Target::default(), &corners),
        ["at 0 0", "at 1919 1079"]
    );
}

#[test]
fn an_output_that_was_moved_is_pointed_at_where_it_is_now() {
    let place = crate::input::LivePlace::default();
    let at = |x, width, height| crate::input::Place {
        position: (x, 0),
        size: (width, height),
    };
    place.set(at(1920, 1280, 720));
    let target = Target {
        place: place.clone(),
        // where it was when the stream began
        position: Some((1920, 0)),
        size: Some((1280, 720)),
        ..Target::default()
    };
    let (ours, theirs) = UnixStream::pair().unwrap();
    let compositor = compositor(theirs, &OUTPUTS);
    let mut libei = Libei::connect(ours.into(), target).unwrap();
    let corner = Action::MoveTo { x: 0.0, y: 0.0 };
    libei.apply(corner);
    place.set(at(0, 1280, 720));
    libei.apply(corner);
    libei.flush().unwrap();
    drop(libei);
    let heard = compositor.join().unwrap();
    let places: Vec<f32> = heard
        .into_iter()
        .filter_map(|request| match request {
            EisRequest::PointerMotionAbsolute(at) => Some(at.dx_absolute),
            _ => None,
        })
        .collect();
    assert_eq!(places, [1920.0, 0.0]);
}

#[test]
fn a_region_as_large_as_numbers_get_is_none_and_the_picture_counts() {
    let target = Target {
        size: Some((1280, 720)),
        wheel_in_120ths: true,
        ..Target::default()
    };
    let actions = [
        Action::MoveTo { x: 1.0, y: 0.0 },
        Action::Scroll { x: 0, y: 60 },
    ];
    // A turn in pixels would be one in notches for gamescope.
    assert_eq!(
        told_on(&WORLD, target, &actions),
        ["at 1279 0", "notches 0 60"]
    );
}

#[test]
fn fingers_touch_the_streams_own_output_and_a_cancelled_touch_is_no_tap() {
    let actions = [
        Action::TouchDown {
            finger: 4,
            x: 0.0,
            y: 1.0,
        },
        Action::TouchDown {
            finger: 5,
            x: 1.0,
            y: 1.0,
        },
        Action::TouchMove {
            finger: 4,
            x: 1.0,
            y: 0.0,
        },
        Action::TouchUp { finger: 4 },
        Action::TouchCancel { finger: 5 },
    ];
    let right = Target {
        mapping_id: Some("right".to_owned()),
        ..Target::default()
    };
    assert_eq!(
        told(right, &actions),
        [
            "down 4 1920 719",
            "down 5 3199 719",
            "move 4 3199 0",
            "up 4",
            "cancel 5"
        ]
    );
}

#[test]
fn a_compositor_that_hangs_up_is_an_error_and_no_panic() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    drop(theirs);
    assert!(Libei::connect(ours.into(), Target::default()).is_err());
}

#[test]
fn a_socket_that_speaks_something_else_is_refused() {
    use std::io::Write;
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(&[0xff; 4096]).unwrap();
    drop(theirs);
    assert!(Libei::connect(ours.into(), Target::default()).is_err());
}
