//! What a double does wrong, for tests of what the service does then.

use crate::{orders::Orders, stream::now_ns};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{MsgFlags, send},
};
use punktfunk_dbus::channel::{Endpoint, Geometry, ToService, message::FrameReady};
use std::os::fd::{AsFd, AsRawFd};

/// What an agent does wrong after some frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Behaviour {
    #[default]
    Honest,
    /// Announces a slot that the ring does not have.
    SlotOutOfRange { after: u64 },
    /// Announces more bytes than a slot holds.
    LengthBeyondSlot { after: u64 },
    /// Sends bytes that are no message.
    Garbage { after: u64 },
    /// Neither sends nor reads any more, but stays.
    Stalls { after: u64 },
    /// Says that it cannot go on.
    Fails { after: u64 },
}

impl Behaviour {
    /// Do it, if it is time; true when the stream is over for this agent.
    pub(crate) fn act(
        self,
        frames: u64,
        channel: &Endpoint,
        geometry: Geometry,
        orders: &Orders,
    ) -> bool {
        match self {
            Self::SlotOutOfRange { after } if frames == after => {
                let _ = channel.send_to_service(&lie(frames, geometry.slots, 100));
            }
            Self::LengthBeyondSlot { after } if frames == after => {
                let _ = channel.send_to_service(&lie(frames, 0, geometry.slot_size + 1));
            }
            Self::Garbage { after } if frames == after => {
                let _ = send(
                    channel.as_fd().as_raw_fd(),
                    &[0xff; 64],
                    MsgFlags::MSG_DONTWAIT,
                );
            }
            Self::Fails { after } if frames == after => {
                let _ = channel.send_to_service(&ToService::Failed {
                    reason: "the picture tube is cracked".into(),
                });
            }
            Self::Stalls { after } if frames >= after => {
                orders.stalled();
                until_hung_up(channel);
                return true;
            }
            _ => {}
        }
        false
    }
}

fn lie(seq: u64, slot: u16, len: u32) -> ToService {
    let now = now_ns();
    ToService::FrameReady(FrameReady {
        slot,
        seq,
        len,
        flags: 0,
        pts_ns: now,
        capture_ns: now,
        encoded_ns: now,
    })
}

/// Until the service hangs up; nothing is read.
fn until_hung_up(channel: &Endpoint) {
    let hung_up = |fds: &[PollFd]| {
        fds[0]
            .revents()
            .is_some_and(|events| events.intersects(PollFlags::POLLHUP | PollFlags::POLLERR))
    };
    let mut fds = [PollFd::new(channel.as_fd(), PollFlags::empty())];
    while !hung_up(&fds) {
        let _ = poll(&mut fds, PollTimeout::from(100u8));
    }
}
