//! The whole way of a frame from agent to service, between two threads that sleep in between, as they do between two frames: from the
//! first byte written to the last byte copied out. Wall time. The references are what a socket alone can do, the frame as one datagram, and
//! a library for shared memory.
//!
//! They take turns, so that all see the same machine. We and the socket wait by poll, as a thread does that has other descriptors as well.
use super::{
    iceoryx,
    ratio::Table,
    ring::{Agent, FRAME, now_ns, plain_pair, take, wait},
};
use nix::sys::socket::{MsgFlags, recv, send};
use std::{os::fd::AsRawFd, thread, time::Duration};

/// Frames of one turn, of which the first are not counted (memory is touched for the first time then), and turns of each.
const FRAMES: u32 = 66;
const FIRST: usize = 6;
const TURNS: usize = 5;

pub fn run(table: &mut Table) {
    for rate in [60, 120, 240] {
        let what = format!("hand-over of 100 KiB at {rate} Hz, p50 (wall)");
        if !table.wants(&what) {
            continue;
        }
        let interval = Duration::from_secs(1) / rate;
        let (mut ours, mut theirs, mut library) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TURNS {
            ours.extend(through_the_ring(interval));
            theirs.extend(through_the_socket(interval));
            library.extend(iceoryx::hand_over(FRAMES, interval).into_iter().skip(FIRST));
        }
        for latencies in [&mut ours, &mut theirs, &mut library] {
            latencies.sort_unstable();
        }
        let at = |sorted: &[u64], percent: usize| {
            Duration::from_nanos(sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)])
        };
        for (percent, at_most) in [(50, 0.8), (99, 1.0)] {
            let what = format!("hand-over of 100 KiB at {rate} Hz, p{percent} (wall)");
            let (a, b) = (at(&ours, percent), at(&theirs, percent));
            let got = table.line(&what, a, "SEQPACKET, 1 datagram", b);
            table.aim(&what, at_most, Some(got));
            table.line(&what, a, "iceoryx2", at(&library, percent));
        }
    }
}

fn through_the_ring(interval: Duration) -> Vec<u64> {
    let (mut agent, ring, mut consumer) = Agent::and_service();
    let ear = agent.hear_apart();
    let producer = thread::spawn(move || {
        let frame = vec![7; FRAME];
        for _ in 0..FRAMES {
            agent.hand_over(&frame);
            thread::sleep(interval);
        }
    });
    let mut into = Vec::new();
    let latencies = (0..FRAMES).map(|_| {
        let (began_ns, read_ns) = take(&ring, &mut consumer, &mut into);
        read_ns - began_ns
    });
    let latencies = latencies.skip(FIRST).collect();
    producer.join().expect("the producer");
    drop(consumer);
    ear.join().expect("the agent's ear");
    latencies
}

fn through_the_socket(interval: Duration) -> Vec<u64> {
    let (service, agent) = plain_pair();
    let producer = thread::spawn(move || {
        let mut frame = vec![7; FRAME];
        for _ in 0..FRAMES {
            frame[..8].copy_from_slice(&now_ns().to_le_bytes());
            send(agent.as_raw_fd(), &frame, MsgFlags::empty()).expect("send");
            thread::sleep(interval);
        }
    });
    let mut into = vec![0; FRAME];
    let latencies = (0..FRAMES).map(|_| {
        wait(&service);
        let len = recv(service.as_raw_fd(), &mut into, MsgFlags::empty()).expect("recv");
        assert_eq!(len, FRAME);
        let began: [u8; 8] = into[..8].try_into().expect("eight bytes");
        now_ns() - u64::from_le_bytes(began)
    });
    let latencies = latencies.skip(FIRST).collect();
    producer.join().expect("the producer");
    latencies
}
