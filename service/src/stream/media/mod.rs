//! The media thread of a stream: access units and sound from the agent, packets to the client.
//!
//! It never waits for a client: of a frame whose time is over the rest is dropped and counted, and the agent is asked at once for what
//! restarts the picture. Frames that come while one is being paced stay in the ring, which holds the agent back; sound goes out at once.
//!
//! A frame that the agent announces in parts leaves in parts, each as soon as it is known, if it is large enough to gain by it. One that
//! has begun is finished before any other; where its end never comes, that is answered as a loss.
//!
//! A frame's bytes are copied once, from the ring to their places in the datagrams; headers, parity and seals are made around them, and
//! the kernel takes runs of datagrams as they lie there. Nothing is allocated for a frame once the buffers have their size.
mod channel;
mod feed;
mod front;
mod incoming;
mod leaving;
mod orders;
mod perf;
mod profile;
mod sender;

use super::{StopReason, adaptation::Adaptation, link::StreamLink, pacing::Pacer};
use crate::net::video::{DropEvery, VideoSender};
use channel::Inlet;
pub(super) use feed::Feed;
use nix::{
    sys::prctl,
    time::{ClockId, clock_gettime},
};
use perf::Perf;
use punktfunk_core::{
    audio::AudioPacketizer,
    sdp::Codec,
    video::{FrameKind, Packetizer},
};
use punktfunk_dbus::channel::{
    Violation,
    message::{FRAME_AFTER_INVALIDATION, FRAME_INTRA_REFRESH, FRAME_KEY},
};
use sender::FrameSender;
use std::{
    io,
    net::UdpSocket,
    sync::{Arc, mpsc::Receiver},
};

use crate::net::wake::Wake;

/// Packets of one send, as many as segmentation takes of full-sized ones.
const MAX_BURST: usize = 46;
/// What the thread is told.
#[derive(Debug)]
pub(super) enum Command {
    /// A socket that is connected to where the client's video goes.
    Video(UdpSocket),
    Audio(UdpSocket),
    ControlUp,
    /// What the encoder's rate may be: set by hand just now, and the stream's share of the host's total.
    Bitrate {
        by_hand: Option<u32>,
        limit_kbps: Option<u32>,
    },
    /// Whether the client may see the lock screen.
    LockScreen(bool),
    /// The pictures and the sound of another session, from now on.
    Feed(Box<Feed>),
    /// Nothing comes from this session any more.
    NoFeed,
    Stop,
}

/// What the thread begins with.
pub(super) struct Media {
    pub feed: Feed,
    pub packetizer: Packetizer,
    pub codec: Codec,
    pub audio: AudioPacketizer,
    pub link: Arc<StreamLink>,
    pub commands: Receiver<Command>,
    pub wake: Arc<Wake>,
    pub adaptation: Adaptation,
    pub fps: u32,
    pub pace_rate_mbit: u32,
    pub video_drop: u32,
    pub perf: bool,
}

/// Why the thread's work is over.
#[derive(Debug)]
pub(super) enum Over {
    /// Told to stop.
    Stopped,
    Reason(StopReason),
    Violation(Violation),
}

/// Nanoseconds of CLOCK_MONOTONIC.
pub(super) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(std::time::Duration::from);
    now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// Start the thread. Its last act is dropping `finished`.
pub(super) fn spawn(media: Media, finished: tokio::sync::oneshot::Sender<()>) -> io::Result<()> {
    let name = format!("media-{}", media.link.id());
    std::thread::Builder::new().name(name).spawn(move || {
        // Wake-ups of the pacer are late by the slack; the default is 50 µs.
        if let Err(error) = prctl::set_timerslack(1) {
            tracing::debug!("timer slack stays as it is: {error}");
        }
        media.run();
        drop(finished);
    })?;
    Ok(())
}

/// The thread's work, turn by turn.
pub(super) struct Work {
    sender: FrameSender,
    inlet: Inlet,
}

impl Work {
    /// Send the next frame, or wait for one.
    pub(super) fn turn(&mut self) -> Result<(), Over> {
        self.sender.turn(&mut self.inlet)
    }
}

impl Media {
    fn run(self) {
        let link = Arc::clone(&self.link);
        let mut work = self.begin();
        let over = loop {
            if let Err(over) = work.turn() {
                break over;
            }
        };
        work.inlet.farewell();
        match over {
            Over::Stopped => {}
            Over::Reason(reason) => link.end(reason),
            Over::Violation(violation) => {
                link.end(StopReason::Violation(violation.code()));
                // Logs the code, drops the agent and holds its user off for a while.
                work.inlet.accuse(violation);
            }
        }
    }

    pub(super) fn begin(self) -> Work {
        let sender = FrameSender {
            packetizer: self.packetizer,
            unit: Vec::new(),
            codec: self.codec,
            profile: None,
            pacer: Pacer::new(self.fps, self.pace_rate_mbit, MAX_BURST),
            drop: DropEvery::new(self.video_drop),
            perf: Perf::new(self.perf, now_ns()),
            whole: false,
        };
        let inlet = Inlet::new(
            self.feed,
            self.audio,
            self.commands,
            self.wake,
            self.link,
            self.adaptation,
        );
        Work { sender, inlet }
    }
}

fn kind(flags: u32) -> FrameKind {
    if flags & FRAME_KEY != 0 {
        FrameKind::Idr
    } else if flags & FRAME_AFTER_INVALIDATION != 0 {
        FrameKind::AfterInvalidation
    } else if flags & FRAME_INTRA_REFRESH != 0 {
        FrameKind::IntraRefresh
    } else {
        FrameKind::Predicted
    }
}
