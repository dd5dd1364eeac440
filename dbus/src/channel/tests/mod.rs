//! The channel's promises, from both ends.
mod announcing;
mod encoding;
mod hostile;
mod model;
mod parts;

use super::*;
use std::{
    os::fd::{AsFd, AsRawFd, BorrowedFd},
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
fn channel() -> (Consumer, End) {
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

fn say(agent: &End, message: &ToService) {
    let message = message.encode().unwrap();
    match ToService::decode(message.as_bytes()) {
        Ok(frame) if frame.is_of_a_frame() => write_raw(agent, &pipe::record(&message).unwrap()),
        _ => send_raw(agent, message.as_bytes()),
    }
}

fn write_raw(agent: &End, bytes: &[u8]) {
    assert_eq!(nix::unistd::write(&agent.frames, bytes), Ok(bytes.len()));
}

impl AsFd for End {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
