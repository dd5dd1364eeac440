//! The media thread of a stream: access units and sound from the agent, packets to the client.
//!
//! It never waits for a client: of a frame whose time is over the rest is dropped and counted, and the agent is asked at once for what
//! restarts the picture. Frames that come while one is being paced stay in the ring, which holds the agent back; sound goes out at once.
//!
//! A frame's bytes are copied once, from the ring to their places in the datagrams; headers, parity and seals are made around them, and
//! the kernel takes runs of datagrams as they lie there. Nothing is allocated for a frame once the buffers have their size.
mod channel;
mod feed;
mod orders;
mod perf;
mod profile;

use super::{
    StopReason,
    adaptation::Adaptation,
    link::{Happening, StreamLink},
    pacing::Pacer,
    statistics::add,
};
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
    video::{
        AccessUnit, FrameKind, Packetizer,
        access_unit::{self, AccessUnitError, Arranged},
    },
};
use punktfunk_dbus::channel::{
    FrameReady, Ring, Violation,
    message::{FRAME_AFTER_INVALIDATION, FRAME_INTRA_REFRESH, FRAME_KEY, FRAME_REPEATED},
};
use std::{
    io::{self, IoSliceMut},
    net::UdpSocket,
    sync::{Arc, atomic::Ordering, mpsc::Receiver},
};

use crate::net::wake::Wake;

/// Packets of one send, as many as segmentation takes of full-sized ones.
const MAX_BURST: usize = 46;
/// Bytes of a frame that are looked at before the rest is read into its places: as far as encoders have their parameter sets, and more.
const FRONT: u32 = 4096;
/// When the kernel's buffer is full, try again after this.
const RETRY_NS: u64 = 500_000;

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

/// One frame at a time, from the ring to the socket.
struct FrameSender {
    packetizer: Packetizer,
    /// The front of the access unit, or where that does not tell enough the whole.
    unit: Vec<u8>,
    codec: Codec,
    /// Of the first key frame: what the client's decoder was made for.
    profile: Option<u8>,
    pacer: Pacer,
    drop: DropEvery,
    perf: Perf,
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
        let taken_ns = now_ns();
        let repeated = frame.flags & FRAME_REPEATED != 0;
        // The picture of a repeated frame is old on purpose; what the client wants to know is the host's share.
        let begin_ns = if repeated {
            frame.pts_ns
        } else {
            frame.capture_ns
        };
        let (kind, percent) = inlet.leaving(&frame)?;
        let room = self.packetizer.first_packet_room();
        let Some(ring) = inlet.ring() else {
            return Ok(());
        };
        let front = front(&mut self.unit, ring, self.codec, room, &frame)?;
        if frame.flags & FRAME_KEY != 0 {
            same_profile(&mut self.profile, self.codec, front.bytes)?;
        }
        let arranged = front.arranged;
        let kind = arranged.kind(kind);
        self.packetizer.set_fec_percent(percent);
        let unit = AccessUnit {
            data: arranged.pieces,
            unread: front.unread,
            kind,
            timestamp_90k: timestamp_90k(frame.pts_ns),
            latency_100us: u16::try_from(taken_ns.saturating_sub(begin_ns) / 100_000)
                .unwrap_or(u16::MAX),
        };
        let statistics = Arc::clone(&inlet.link);
        let statistics = statistics.statistics();
        let mut at = front.read;
        let made = self.packetizer.packetize_reading(&unit, |places| {
            let from = at;
            at = places
                .iter()
                .fold(at, |at, place| at.saturating_add(place.len()));
            ring.read_into(frame.slot, from, places)
        });
        inlet.release(frame.slot)?;
        let datagrams = match made {
            Ok(datagrams) => datagrams,
            Err(punktfunk_core::Error::Transport(error)) => return Err(unreadable(error)),
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
        // Asked now: the next session's may be on their way before this one has left.
        let first = inlet.first_of_feed();
        match kind {
            FrameKind::Idr => add(&statistics.keyframes, 1),
            FrameKind::AfterInvalidation => add(&statistics.recovery_frames, 1),
            _ => {}
        }

        let (count, stride) = (datagrams.count(), datagrams.stride);
        let schedule = (self.pacer).schedule(count, stride, inlet.loss_permille(), now_ns());
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
                add(&statistics.lost_on_this_side, handed.lost);
                full = handed.full;
                if full {
                    statistics.send_would_block.fetch_add(1, Ordering::Relaxed);
                }
                continue;
            }
            if full && now >= give_up_ns {
                let unsent = count.saturating_sub(sent);
                add(&statistics.dropped_would_block, unsent);
                if unsent > datagrams.spare {
                    inlet.unsent(datagrams.frame_index)?;
                }
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
            handed_over_ns: taken_ns,
            first_ns: first_ns.unwrap_or(last_ns),
            last_ns,
        };
        self.perf.frame(&statistics.stages, &times, count);
        if first {
            inlet.link.happened(Happening::FirstFrame);
        }
        Ok(())
    }
}

/// The client's decoder was made for the first picture; another session's encoder has to be of the same kind.
fn same_profile(profile: &mut Option<u8>, codec: Codec, unit: &[u8]) -> Result<(), Over> {
    let Some(now) = profile::of(codec, unit) else {
        return Ok(());
    };
    match *profile.get_or_insert(now) {
        first if first == now => Ok(()),
        first => Err(Over::Reason(StopReason::HandOver(format!(
            "its encoder makes {} of profile {now}, the stream began with profile {first}",
            codec.name()
        )))),
    }
}

/// The beginning of a frame, in sending order.
struct Front<'a> {
    arranged: Arranged<'a>,
    /// As it was read.
    bytes: &'a [u8],
    /// Bytes read so far, and those that follow the last piece and were not read.
    read: usize,
    unread: usize,
}

/// Read as much of the frame to `unit` as tells in what order it is to be sent.
fn front<'a>(
    unit: &'a mut Vec<u8>,
    ring: &Ring,
    codec: Codec,
    room: usize,
    frame: &FrameReady,
) -> Result<Front<'a>, Over> {
    let key = frame.flags & FRAME_KEY != 0;
    let size = |len: u32| usize::try_from(len).unwrap_or(usize::MAX);
    let (len, front) = (size(frame.len), size(frame.len.min(FRONT)));
    let read = |unit: &mut Vec<u8>, from: usize, to: usize| {
        unit.resize(to, 0);
        let place = unit.get_mut(from..to).unwrap_or_default();
        ring.read_into(frame.slot, from, &mut [IoSliceMut::new(place)])
    };
    read(unit, 0, front).map_err(unreadable)?;
    let told = access_unit::arrange_front(codec, unit, len, key, room);
    if told.map_err(unusable)?.is_none() {
        read(unit, front, len).map_err(unreadable)?;
    }
    let unit: &[u8] = unit;
    let read = unit.len();
    let arranged = access_unit::arrange_front(codec, unit, len, key, room).map_err(unusable)?;
    Ok(Front {
        // A whole unit tells all there is.
        arranged: arranged.ok_or(unusable(AccessUnitError::NoPicture))?,
        bytes: unit,
        read,
        unread: len.saturating_sub(read),
    })
}

fn unreadable(error: io::Error) -> Over {
    Over::Reason(StopReason::AgentFailed(format!(
        "its ring cannot be read: {error}"
    )))
}

fn unusable(error: AccessUnitError) -> Over {
    match error {
        // The client's packets are to blame, not the agent.
        AccessUnitError::FirstPacketTooSmall { .. } => {
            Over::Reason(StopReason::AgentFailed(error.to_string()))
        }
        error => Over::Violation(Violation::AccessUnit(error)),
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
