//! Handing the datagrams of a frame to the kernel, against other ways of doing it; and what smaller bursts cost.
//!
//! The receiver never reads: what its buffer does not hold the kernel drops, which costs every way the same.
use super::ratio::{Clock, Table};
use nix::sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg};
use punktfunk_service::net::video::{DropEvery, VideoSender, Way};
use quinn_udp::{Transmit, UdpSocketState};
use std::{hint::black_box, io::IoSlice, net::UdpSocket, os::fd::AsRawFd};

/// A sealed datagram of the usual packet size.
const STRIDE: usize = 1392 + 16 + 32;
/// A frame of about 20 Mbit/s at 60 fps, and a large one.
const FRAMES: [usize; 2] = [36, 360];
/// What one send takes of these.
const SEGMENTS: usize = 45;

pub fn run(table: &mut Table) {
    for datagrams in FRAMES {
        frame(table, datagrams);
    }
    for burst in [1, 2, 4, 8, 12, 16, 24, 32] {
        burst_of(table, burst);
    }
}

fn frame(table: &mut Table, datagrams: usize) {
    let what = format!("send {datagrams} datagrams");
    if !table.wants(&what) {
        return;
    }
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let frame = vec![7u8; datagrams * STRIDE];
    let mut ours = VideoSender::new(connected(&receiver));
    let mut plain = VideoSender::by(connected(&receiver), Way::Batches);
    let mut work = || send(&mut ours, &frame);
    let to_sendmmsg = table.row(Clock::Cpu, &what, &mut work, "sendmmsg", || {
        send(&mut plain, &frame);
    });
    let socket = connected(&receiver);
    let to_raw = table.row(
        Clock::Cpu,
        &what,
        &mut work,
        "raw sendmsg, UDP_SEGMENT",
        || {
            for chunk in frame.chunks(SEGMENTS * STRIDE) {
                let segment = STRIDE as u16;
                let control = [ControlMessage::UdpGsoSegments(&segment)];
                let slices = [IoSlice::new(black_box(chunk))];
                let fd = socket.as_raw_fd();
                sendmsg::<SockaddrStorage>(fd, &slices, &control, MsgFlags::MSG_DONTWAIT, None)
                    .expect("room");
            }
        },
    );
    let socket = connected(&receiver);
    let state = UdpSocketState::new((&socket).into()).expect("a state");
    let most = state.max_gso_segments().clamp(1, SEGMENTS);
    let destination = receiver.local_addr().expect("it is bound");
    table.row(Clock::Cpu, &what, &mut work, "quinn-udp", || {
        for chunk in frame.chunks(most * STRIDE) {
            let transmit = Transmit {
                destination,
                ecn: None,
                contents: black_box(chunk),
                segment_size: Some(STRIDE),
                src_ip: None,
            };
            state.send((&socket).into(), &transmit).expect("room");
        }
    });
    let aim = format!("send {datagrams} datagrams against sendmmsg");
    table.aim(&aim, 0.40, to_sendmmsg.map(|row| row.0));
    let aim = format!("send {datagrams} datagrams against raw segmentation offload");
    table.aim(&aim, 1.15, to_raw.map(|row| row.0));
    assert_eq!(ours.way(), Way::Segments, "the kernel refused this way");
}

/// The same datagrams in bursts: what pacing costs.
fn burst_of(table: &mut Table, burst: usize) {
    let what = format!("send 96 datagrams in bursts of {burst}");
    if !table.wants(&what) {
        return;
    }
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let frame = vec![7u8; 96 * STRIDE];
    let mut ours = VideoSender::new(connected(&receiver));
    let mut whole = VideoSender::new(connected(&receiver));
    table.row(
        Clock::Cpu,
        &what,
        || {
            for part in frame.chunks(burst * STRIDE) {
                send(&mut ours, part);
            }
        },
        "as few bursts as the kernel takes",
        || send(&mut whole, &frame),
    );
}

fn connected(receiver: &UdpSocket) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = receiver.local_addr().expect("it is bound");
    socket.connect(address).expect("the receiver is there");
    socket
}

fn send(sender: &mut VideoSender, frame: &[u8]) {
    let handed = black_box(sender.send(frame, STRIDE, &mut DropEvery::new(0)));
    assert!(!handed.full, "the send buffer is too small for the bench");
}
