//! The media thread of a stream: access units and sound from the agent, packets to the client.
//!
//! It never waits for a client: what cannot be sent in time is dropped and counted. Frames that come while one is being
//! paced stay in the ring, which holds the agent back; sound goes out at once.
mod channel;
mod orders;
mod perf;

use super::{
    StopReason,
    adaptation::Adaptation,
    link::{Happening, StreamLink},
    pacing::Pacer,
    recovery::Recovery,
    statistics::add,
};
use crate::net::video::{DropEvery, VideoSender};
use channel::Inlet;
use nix::{
    sys::prctl,
    time::{ClockId, clock_gettime},
};
use perf::Perf;
use punktfunk_core::{
    audio::AudioPacketizer,
    sdp::Codec,
    video::{
        AccessUnit, FrameKind, Packetizer,
        access_unit::{self, AccessUnitError},
    },
};
use punktfunk_dbus::channel::{
    Consumer, FrameReady, Ring, Violation,
    message::{FRAME_AFTER_INVALIDATION, FRAME_INTRA_REFRESH, FRAME_KEY, FRAME_REPEATED},
};
use std::{
    io,
    net::UdpSocket,
    sync::{Arc, atomic::Ordering, mpsc::Receiver},
};

use crate::net::wake::Wake;

/// Packets of one send, as many as segmentation takes of full-sized ones.
const MAX_BURST: usize = 46;
/// When the kernel's buffer is full, try again after this.
const RETRY_NS: u64 = 500_000;

/// What the thread is told.
#[derive(Debug)]
pub(super) enum Command {
    /// A socket that is connected to where the client's video goes.
    Video(UdpSocket),
    Audio(UdpSocket),
    ControlUp,
    Bitrate(u32),
    /// Whether the client may see the lock screen.
    LockScreen(bool),
    Stop,
}

/// What the thread begins with.
pub(super) struct Media {
    pub consumer: Consumer,
    pub ring: Ring,
    pub packetizer: Packetizer,
    pub codec: Codec,
    pub audio: AudioPacketizer,
    pub link: Arc<StreamLink>,
    pub commands: Receiver<Command>,
    pub wake: Arc<Wake>,
    pub recovery: Recovery,
    pub adaptation: Adaptation,
    pub fps: u32,
    pub pace_rate_mbit: u32,
    pub video_drop: u32,
    pub perf: bool,
    /// Told when the agent breaks the channel's contract.
    pub on_violation: Box<dyn FnOnce(Violation) + Send>,
}

/// Why the thread's work is over.
#[derive(Debug)]
enum Over {
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

impl Media {
    fn run(self) {
        let link = Arc::clone(&self.link);
        let on_violation = self.on_violation;
        let mut sender = FrameSender {
            packetizer: self.packetizer,
            unit: Vec::new(),
            ring: self.ring,
            codec: self.codec,
            pacer: Pacer::new(self.fps, self.pace_rate_mbit, MAX_BURST),
            drop: DropEvery::new(self.video_drop),
            perf: Perf::new(self.perf, now_ns()),
            first: true,
        };
        let mut inlet = Inlet::new(
            self.consumer,
            self.audio,
            self.commands,
            self.wake,
            Arc::clone(&link),
            self.recovery,
            self.adaptation,
        );
        let over = loop {
            if let Err(over) = sender.turn(&mut inlet) {
                break over;
            }
        };
        inlet.farewell();
        match over {
            Over::Stopped => {}
            Over::Reason(reason) => link.end(reason),
            Over::Violation(violation) => {
                link.end(StopReason::Violation(violation.code()));
                // Logs the code, drops the agent and holds its user off for a while.
                on_violation(violation);
            }
        }
    }
}

/// One frame at a time, from the ring to the socket.
struct FrameSender {
    packetizer: Packetizer,
    /// The access unit, copied out of the ring once.
    unit: Vec<u8>,
    ring: Ring,
    codec: Codec,
    pacer: Pacer,
    drop: DropEvery,
    perf: Perf,
    first: bool,
}

impl FrameSender {
    fn turn(&mut self, inlet: &mut Inlet) -> Result<(), Over> {
        self.perf.tick(inlet.link.id(), now_ns());
        match inlet.next_frame()? {
            Some(frame) => self.send(frame, inlet),
            None => inlet.wait(None),
        }
    }

    fn send(&mut self, frame: FrameReady, inlet: &mut Inlet) -> Result<(), Over> {
        let copied = self.ring.read(frame.slot, frame.len, &mut self.unit);
        inlet.release(frame.slot)?;
        copied.map_err(|error| {
            Over::Reason(StopReason::AgentFailed(format!(
                "its ring cannot be read: {error}"
            )))
        })?;
        let handed_over_ns = now_ns();

        let repeated = frame.flags & FRAME_REPEATED != 0;
        // The picture of a repeated frame is old on purpose; what the client wants to know is the host's share.
        let begin_ns = if repeated {
            frame.pts_ns
        } else {
            frame.capture_ns
        };
        let key = frame.flags & FRAME_KEY != 0;
        let room = self.packetizer.first_packet_room();
        let arranged = access_unit::arrange(self.codec, &self.unit, key, room).map_err(
            |error| match error {
                // The client's packets are to blame, not the agent.
                AccessUnitError::FirstPacketTooSmall { .. } => {
                    Over::Reason(StopReason::AgentFailed(error.to_string()))
                }
                error => Over::Violation(Violation::AccessUnit(error)),
            },
        )?;
        let (kind, percent) = inlet.leaving(&frame)?;
        let kind = arranged.kind(kind);
        self.packetizer.set_fec_percent(percent);
        let unit = AccessUnit {
            data: arranged.pieces,
            kind,
            timestamp_90k: timestamp_90k(frame.pts_ns),
            latency_100us: u16::try_from(handed_over_ns.saturating_sub(begin_ns) / 100_000)
                .unwrap_or(u16::MAX),
        };
        let statistics = Arc::clone(&inlet.link);
        let statistics = statistics.statistics();
        let datagrams = match self.packetizer.packetize(&unit) {
            Ok(datagrams) => datagrams,
            Err(error) => {
                if statistics.dropped_too_large.fetch_add(1, Ordering::Relaxed) == 0 {
                    tracing::warn!(stream = %inlet.link.id(), "a frame was dropped: {error} (further ones are only counted)");
                }
                // The next frames refer to the one that is missing now.
                inlet.link.request_key_frame();
                return Ok(());
            }
        };
        if arranged.changed {
            add(&statistics.rearranged, 1);
        }
        inlet.left(&frame, kind, datagrams.frame_index);
        match kind {
            FrameKind::Idr => add(&statistics.keyframes, 1),
            FrameKind::AfterInvalidation => add(&statistics.recovery_frames, 1),
            _ => {}
        }

        let (count, stride) = (datagrams.count(), datagrams.stride);
        let schedule = self.pacer.schedule(count, stride, now_ns());
        // After the last packet's time a full buffer may have one more interval, or the delay would build up.
        let give_up_ns = schedule.end_ns().saturating_add(self.pacer.window_ns());
        let mut sent = 0usize;
        let mut first_ns = None;
        let mut full = false;
        while sent < count {
            let now = now_ns();
            let due = schedule.due(now);
            if due > sent && !full {
                let range = sent.saturating_mul(stride)..due.saturating_mul(stride);
                let burst = datagrams.bytes.get(range).unwrap_or_default();
                // The client can move in mid-frame: the socket is the inlet's.
                let Some(video) = inlet.video.as_mut() else {
                    break;
                };
                let handed = video.send(burst, stride, &mut self.drop);
                first_ns.get_or_insert_with(now_ns);
                sent = sent.saturating_add(handed.datagrams);
                full = handed.full;
                if full {
                    statistics.send_would_block.fetch_add(1, Ordering::Relaxed);
                }
                continue;
            }
            if full && now >= give_up_ns {
                add(&statistics.dropped_would_block, count.saturating_sub(sent));
                break;
            }
            let until = if full {
                now.saturating_add(RETRY_NS)
            } else {
                schedule.next_ns(sent)
            };
            inlet.wait(Some(until))?;
            full = full && now_ns() < until;
        }

        let last_ns = now_ns();
        add(&statistics.packets_sent, sent);
        add(&statistics.bytes_sent, sent.saturating_mul(stride));
        add(&statistics.frames_sent, 1);
        if repeated {
            add(&statistics.repeated, 1);
        }
        let times = perf::Times {
            capture_ns: (!repeated).then_some(frame.capture_ns),
            encoded_ns: frame.encoded_ns,
            handed_over_ns,
            first_ns: first_ns.unwrap_or(last_ns),
            last_ns,
        };
        self.perf.frame(&statistics.stages, &times, count);
        if std::mem::take(&mut self.first) {
            inlet.link.happened(Happening::FirstFrame);
        }
        Ok(())
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

/// 90 kHz, as the wire has it: it wraps.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low 32 bits are what goes on the wire"
)]
fn timestamp_90k(pts_ns: u64) -> u32 {
    // In 1/9 of 100 µs first, so that nothing overflows for 65 000 years.
    let ticks = u128::from(pts_ns).saturating_mul(9) / 100_000;
    ticks as u32
}
