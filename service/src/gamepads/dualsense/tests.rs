//! A DualSense before a kernel that is played by the test, on a socket that keeps messages apart as /dev/uhid does.
use super::*;
use crate::{
    gamepads::feedback::Triggers,
    ids::{StreamId, Uid},
};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::{
    fs::File,
    io::{Read, Write},
};

struct FakeKernel(File);

impl FakeKernel {
    fn read(&mut self) -> (u32, Vec<u8>) {
        let mut event = vec![0; 8192];
        let size = self.0.read(&mut event).unwrap();
        event.truncate(size);
        let kind = u32::from_ne_bytes(*event.first_chunk().unwrap());
        (kind, event.split_off(4))
    }

    fn ask(&mut self, kind: u32, body: &[u8]) {
        let mut event = kind.to_ne_bytes().to_vec();
        event.extend_from_slice(body);
        event.resize(4380, 0);
        self.0.write_all(&event).unwrap();
    }
}

fn pair() -> (DualSense, FakeKernel, Instant) {
    let (ours, theirs) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_NONBLOCK,
    )
    .unwrap();
    let now = Instant::now();
    let identity = Identity {
        owner: Uid(1000),
        stream: StreamId(3),
        pad: 2,
        serial: 0x0001_0203,
    };
    let pad = DualSense::new(Uhid::over(File::from(ours)), &identity, now).unwrap();
    (pad, FakeKernel(File::from(theirs)), now)
}

#[test]
fn the_kernel_learns_whose_pad_it_is_and_which_reports_it_has() {
    let (_pad, mut kernel, _) = pair();
    let (kind, body) = kernel.read();
    assert_eq!(kind, 11);
    let text = |at: usize| {
        let field = &body[at..];
        let end = field.iter().position(|byte| *byte == 0).unwrap();
        std::str::from_utf8(&field[..end]).unwrap()
    };
    assert!(text(0).contains("DualSense"));
    assert_eq!(text(128), "punktfunk/1000/3/2");
    assert_eq!(text(192), "02:70:66:01:02:03");
    assert_eq!(
        body[256..258],
        u16::try_from(descriptor::DESCRIPTOR.len())
            .unwrap()
            .to_ne_bytes()
    );
    assert_eq!(body[258..260], [3, 0]);
    assert_eq!(body[260..264], 0x054C_u32.to_ne_bytes());
    assert_eq!(body[264..268], 0x0CE6_u32.to_ne_bytes());
    assert_eq!(&body[276..], descriptor::DESCRIPTOR);
}

#[test]
fn the_driver_is_answered_and_what_it_does_not_know_refused() {
    let (mut pad, mut kernel, now) = pair();
    kernel.read();
    kernel.ask(9, &[7, 0, 0, 0, 0x09, 0]);
    kernel.ask(9, &[8, 0, 0, 0, 0x77, 0]);
    kernel.ask(13, &[9, 0, 0, 0, 0x77, 0, 1, 0, 0x77]);
    assert_eq!(pad.serve(now).unwrap(), Wishes::default());
    let (kind, body) = kernel.read();
    assert_eq!((kind, &body[..8]), (10, &[7, 0, 0, 0, 0, 0, 20, 0][..]));
    // Locally administered, with the serial number in it.
    assert_eq!(body[8..15], [0x09, 0x03, 0x02, 0x01, 0x66, 0x70, 0x02]);
    let (kind, body) = kernel.read();
    assert_eq!((kind, &body[..]), (10, &[8, 0, 0, 0, 5, 0, 0, 0][..]));
    let (kind, body) = kernel.read();
    assert_eq!((kind, &body[..]), (14, &[9, 0, 0, 0, 5, 0][..]));
}

#[test]
fn what_programs_write_becomes_wishes_the_latest_of_each() {
    let (mut pad, mut kernel, now) = pair();
    kernel.read();
    let mut body = vec![0; 4096];
    let mut write = |edit: &dyn Fn(&mut [u8])| {
        body.fill(0);
        body[0] = 2;
        edit(&mut body);
        let mut event = body.clone();
        event.extend_from_slice(&[48, 0, 1]);
        kernel.ask(6, &event);
    };
    write(&|r| (r[1], r[3], r[4]) = (3, 1, 2));
    write(&|r| (r[2], r[45]) = (4, 200));
    write(&|r| (r[1], r[22]) = (8, 0x21));
    write(&|r| (r[1], r[11]) = (4, 0x26));
    write(&|r| (r[1], r[3], r[4]) = (3, 0, 0));
    let wishes = pad.serve(now).unwrap();
    assert_eq!(wishes.rumble, Some((0, 0)));
    assert_eq!(wishes.light, Some([200, 0, 0]));
    let Some(Triggers {
        left: Some(left),
        right: Some(right),
    }) = wishes.triggers
    else {
        panic!("{wishes:?}")
    };
    assert_eq!((left.kind, right.kind), (0x21, 0x26));
}

#[test]
fn the_state_is_told_until_the_driver_must_have_heard_it() {
    let (mut pad, mut kernel, start) = pair();
    kernel.read();
    let mut state = PadState::default();
    state.controls.left_trigger = 77;
    pad.show(&state, start).unwrap();
    let mut now = start;
    let mut told = 0;
    while let Some(at) = pad.due(now) {
        now = at;
        pad.serve(now).unwrap();
        let (kind, body) = kernel.read();
        assert_eq!((kind, body[..2].to_vec(), body[7]), (12, vec![64, 0], 77));
        told += 1;
    }
    assert!(told > 10 && now - start >= SETTLING, "{told}");
    drop(pad);
    kernel.read();
    assert_eq!(kernel.read().0, 1, "it goes with its owner");
}
