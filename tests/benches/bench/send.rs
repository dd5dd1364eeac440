//! Handing the datagrams of a frame to the kernel: by segmentation offload and one by one, against `sendmmsg`.
//!
//! The receiver never reads: what its buffer does not hold the kernel drops, which costs every way the same.
use super::ratio::{Clock, Table};
use punktfunk_service::net::video::{DropEvery, VideoSender, Way};
use std::{hint::black_box, net::UdpSocket};

/// A sealed datagram of the usual packet size.
const STRIDE: usize = 1392 + 16;
/// A frame of about 20 Mbit/s at 60 fps, and a large one.
const FRAMES: [usize; 2] = [36, 360];

pub fn run(table: &mut Table) {
    for datagrams in FRAMES {
        let what = format!("send {datagrams} datagrams, GSO");
        row(table, &what, datagrams, Way::Segments);
        let what = format!("send {datagrams} datagrams, one by one");
        row(table, &what, datagrams, Way::Single);
    }
}

fn row(table: &mut Table, what: &str, datagrams: usize, way: Way) {
    if !table.wants(what) {
        return;
    }
    let receiver = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let frame = vec![7u8; datagrams * STRIDE];
    let mut sender = connected(&receiver, way);
    let mut reference = connected(&receiver, Way::Batches);
    table.row(
        Clock::Cpu,
        what,
        || send(&mut sender, &frame),
        "sendmmsg",
        || send(&mut reference, &frame),
    );
    assert_eq!(sender.way(), way, "the kernel refused this way");
}

fn connected(receiver: &UdpSocket, way: Way) -> VideoSender {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let address = receiver.local_addr().expect("it is bound");
    socket.connect(address).expect("the receiver is there");
    VideoSender::by(socket, way)
}

fn send(sender: &mut VideoSender, frame: &[u8]) {
    let handed = black_box(sender.send(frame, STRIDE, &mut DropEvery::new(0)));
    assert!(!handed.full, "the send buffer is too small for the bench");
}
