//! The channel's promises, from both ends.
mod encoding;
mod hostile;
mod model;
mod parts;

use super::*;
use std::{
    os::fd::{AsFd, AsRawFd, OwnedFd},
    sync::Arc,
};

const GEOMETRY: Geometry = Geometry {
    slots: 4,
    slot_size: 4096,
};
const LIMITS: Limits = Limits {
    geometry: GEOMETRY,
    max_frame_rate: 60,
    max_audio_bytes: 400,
};
const SECOND: u64 = 1_000_000_000;

/// A channel: the service's reader and the agent's raw end.
fn channel() -> (Consumer, OwnedFd) {
    let (service, agent) = socket::pair().unwrap();
    (
        Consumer::new(Arc::new(Endpoint::new(service)), LIMITS),
        agent,
    )
}

/// A frame that keeps every rule, the `seq`-th at 60 a second.
fn frame(seq: u64, slot: u16) -> FrameReady {
    let at = SECOND + seq * SECOND / 60;
    FrameReady {
        slot,
        seq,
        len: 100,
        flags: 0,
        pts_ns: at,
        capture_ns: at,
        encoded_ns: at + 1,
    }
}

fn now(seq: u64) -> u64 {
    SECOND + seq * SECOND / 60 + 1000
}

fn send_raw(fd: &impl AsFd, bytes: &[u8]) {
    use nix::sys::socket::{MsgFlags, send};
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    send(fd.as_fd().as_raw_fd(), bytes, flags).unwrap();
}

fn say(fd: &impl AsFd, message: &ToService) {
    send_raw(fd, message.encode().unwrap().as_bytes());
}
