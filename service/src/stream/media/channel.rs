//! What comes in: the agent's messages, commands, and the sockets that they bring.
mod answers;
mod frames;

use super::{
    Command, Feed, Over, VideoSender,
    incoming::Frames,
    kind, now_ns,
    orders::{Message, Orders},
};
use crate::{
    net::{audio::AudioSender, wake::Wake},
    stream::{
        StopReason,
        adaptation::{Adaptation, Totals},
        link::{Happening, StreamLink},
        recovery::{Order, Restart},
        statistics::{Statistics, add},
    },
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, ppoll},
    sys::time::{TimeSpec, TimeValLike},
};
use punktfunk_core::{audio::AudioPacketizer, control::HostMessage, video::FrameKind};
use punktfunk_dbus::channel::{FrameReady, Ring, ToAgent, ToService, Violation, consumer::Event};
use std::{
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, TryRecvError},
    },
};

/// Messages looked at before packets get their turn again.
const TURN: usize = 64;

/// The thread's ears. Waiting serves the agent, sound and commands; frames queue up for the sender.
pub(super) struct Inlet {
    /// Nothing while the stream waits for another session.
    feed: Option<Feed>,
    /// Nothing of the feed was sent yet.
    first: bool,
    audio: AudioPacketizer,
    commands: Receiver<Command>,
    wake: Arc<Wake>,
    pub(super) link: Arc<StreamLink>,
    pub(super) video: Option<VideoSender>,
    audio_socket: Option<AudioSender>,
    control_up: bool,
    /// Nothing was sent yet: only a key frame may be.
    needs_key_frame: bool,
    frames: Frames,
    adaptation: Adaptation,
    orders: Orders,
}

impl Inlet {
    pub(super) fn new(
        feed: Feed,
        audio: AudioPacketizer,
        commands: Receiver<Command>,
        wake: Arc<Wake>,
        link: Arc<StreamLink>,
        adaptation: Adaptation,
    ) -> Self {
        Self {
            feed: Some(feed),
            first: true,
            audio,
            commands,
            wake,
            link,
            video: None,
            audio_socket: None,
            control_up: false,
            needs_key_frame: true,
            frames: Frames::default(),
            adaptation,
            orders: Orders::default(),
        }
    }

    /// Where announced frames lie; none once their session is gone.
    pub(super) fn ring(&self) -> Option<&Ring> {
        self.feed.as_ref().map(|feed| &feed.ring)
    }

    /// Whether the frame that has just been sent is the first of its session.
    pub(super) fn first_of_feed(&mut self) -> bool {
        std::mem::take(&mut self.first)
    }

    /// That one never left in full: the next one that can be used is a key frame again.
    pub(super) fn still_first(&mut self) {
        self.first = true;
        self.needs_key_frame = true;
    }

    /// Drop the agent for what it did.
    pub(super) fn accuse(self, violation: Violation) {
        if let Some(feed) = self.feed {
            (feed.on_violation)(violation);
        }
    }

    /// The client can receive video.
    fn ready(&self) -> bool {
        self.video.is_some() && self.control_up
    }

    /// The slot was read: the agent may have it back.
    pub(super) fn release(&mut self, slot: u16) -> Result<(), Over> {
        self.tell(Message::Release(slot))
    }

    /// What the client lost lately, packets of a thousand.
    pub(super) fn loss_permille(&self) -> u32 {
        self.adaptation.loss_permille()
    }

    /// The kind of a frame that is about to leave, as it is to go on the wire, and the parity that it gets.
    pub(super) fn leaving(&mut self, frame: &FrameReady) -> Result<(FrameKind, u8), Over> {
        let now = now_ns();
        if self.adaptation.due(now) {
            self.adapt(now)?;
        }
        let kind = match kind(frame.flags) {
            // A client that waits would go on with this one, but it does not avoid what that client lost.
            kind @ FrameKind::AfterInvalidation if !self.restarts(restart(kind)) => {
                FrameKind::Predicted
            }
            kind => kind,
        };
        Ok((kind, self.adaptation.percent()))
    }

    fn restarts(&self, restart: Option<Restart>) -> bool {
        let recovery = self.feed.as_ref().map(|feed| &feed.recovery);
        recovery.is_some_and(|recovery| recovery.restarts(restart))
    }

    /// It leaves, as `index`.
    pub(super) fn left(&mut self, frame: &FrameReady, kind: FrameKind, index: u32) {
        let sequence = u32::try_from(frame.seq & u64::from(u32::MAX)).unwrap_or(0);
        if let Some(feed) = &mut self.feed {
            feed.recovery.sent(index, sequence, restart(kind), now_ns());
        }
    }

    fn adapt(&mut self, now: u64) -> Result<(), Over> {
        let link = Arc::clone(&self.link);
        let statistics = link.statistics();
        let decision = self.adaptation.step(totals(statistics), now);
        statistics.decided(&decision, &self.adaptation, now);
        if let Some(change) = decision.rate {
            tracing::debug!(
                stream = %link.id(), reason = change.reason.as_str(), parity_percent = self.adaptation.percent(),
                video_kbps = self.adaptation.video_kbps(), "the rate was {}", if change.up { "raised" } else { "cut" }
            );
        }
        match decision.video_kbps {
            Some(kbps) => self.tell(Message::Bitrate(kbps)),
            None => Ok(()),
        }
    }

    /// Wait until `until_ns` at the latest, and serve what came.
    pub(super) fn wait(&mut self, until_ns: Option<u64>) -> Result<(), Over> {
        let channel = if self.orders.is_empty() {
            PollFlags::POLLIN
        } else {
            PollFlags::POLLIN | PollFlags::POLLOUT
        };
        let due_ns = self.feed.as_ref().and_then(|feed| feed.recovery.due_ns());
        let waits = [until_ns, self.orders.stalled_ns(), due_ns];
        let deadline_ns = waits.into_iter().flatten().min();
        let timeout = deadline_ns.map(|deadline| {
            let left = deadline.saturating_sub(now_ns());
            TimeSpec::nanoseconds(i64::try_from(left).unwrap_or(i64::MAX))
        });
        let endpoint = self
            .feed
            .as_ref()
            .map(|feed| Arc::clone(feed.consumer.endpoint()));
        let wake = Arc::clone(&self.wake);
        let mut fds = [
            match &endpoint {
                Some(endpoint) => PollFd::new(endpoint.as_fd(), channel),
                None => PollFd::new(wake.as_fd(), PollFlags::empty()),
            },
            PollFd::new(wake.as_fd(), PollFlags::POLLIN),
        ];
        match ppoll(&mut fds, timeout, None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => {
                return Err(Over::Reason(StopReason::AgentFailed(format!(
                    "waiting for it: {error}"
                ))));
            }
        }
        let [channel, woken] = fds.map(|fd| fd.any().unwrap_or(true));
        if woken {
            self.wake.clear();
            self.obey()?;
        }
        if channel {
            self.listen()?;
        }
        let order = self
            .feed
            .as_mut()
            .and_then(|feed| feed.recovery.due(now_ns()));
        if let Some(order) = order {
            self.order(order)?;
        }
        match &mut self.feed {
            Some(feed) => self.orders.catch_up(&mut feed.consumer),
            None => Ok(()),
        }
    }

    /// Nothing more comes from this session: the client keeps its last picture.
    fn lost(&mut self) {
        self.feed = None;
        self.first = false;
        self.needs_key_frame = true;
        self.frames.clear();
        self.orders.forget();
    }

    /// Another session's pictures and sound from here on, beginning with a key frame.
    fn replace(&mut self, feed: Feed) -> Result<(), Over> {
        // An agent that lives on frees its source and lets go of what is pressed.
        self.farewell();
        self.lost();
        let (asked_kbps, kbps) = (feed.video_kbps, self.adaptation.video_kbps());
        self.feed = Some(feed);
        self.first = true;
        // Whatever the client reported is about another session's pictures.
        self.link.requests.take_key_frame();
        self.link.requests.take_lost();
        if kbps != asked_kbps {
            self.tell(Message::Bitrate(kbps))?;
        }
        self.begin(false)
    }

    fn obey(&mut self) -> Result<(), Over> {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Video(socket)) => {
                    let was_ready = self.ready();
                    self.video = Some(VideoSender::new(socket));
                    self.begin(was_ready)?;
                }
                Ok(Command::Audio(socket)) => self.audio_socket = Some(AudioSender::new(socket)),
                Ok(Command::ControlUp) => {
                    let was_ready = self.ready();
                    self.control_up = true;
                    self.begin(was_ready)?;
                }
                Ok(Command::Bitrate {
                    by_hand,
                    limit_kbps,
                }) => self.set_bitrate(by_hand, limit_kbps)?,
                Ok(Command::LockScreen(visible)) => self.tell(Message::LockScreen(visible))?,
                Ok(Command::Feed(feed)) => self.replace(*feed)?,
                Ok(Command::NoFeed) => {
                    self.farewell();
                    self.lost();
                }
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return Err(Over::Stopped),
                Err(TryRecvError::Empty) => break,
            }
        }
        self.answer_requests()
    }

    fn set_bitrate(&mut self, by_hand: Option<u32>, limit: Option<u32>) -> Result<(), Over> {
        let now = now_ns();
        let statistics = self.link.statistics();
        let told = match by_hand {
            Some(kbps) => {
                let kbps = self.adaptation.set_by_hand(kbps, limit, now);
                statistics.set_by_hand(&self.adaptation, now);
                Some(kbps)
            }
            None => {
                let decision = self.adaptation.limit(limit);
                statistics.decided(&decision, &self.adaptation, now);
                decision.video_kbps
            }
        };
        match told {
            Some(kbps) => self.tell(Message::Bitrate(kbps)),
            None => Ok(()),
        }
    }

    /// If the client has just become ready, the stream begins with a key frame.
    fn begin(&mut self, was_ready: bool) -> Result<(), Over> {
        if self.ready() && !was_ready {
            let order = self.feed.as_mut().map(|feed| feed.recovery.begin(now_ns()));
            if let Some(order) = order {
                self.order(order)?;
            }
        }
        Ok(())
    }

    fn order(&mut self, order: Order) -> Result<(), Over> {
        match order {
            Order::Idr => {
                add(&self.link.statistics().idr_asked, 1);
                self.tell(Message::Idr)
            }
            Order::Invalidate { first, last } => self.tell(Message::Invalidate { first, last }),
        }
    }

    fn listen(&mut self) -> Result<(), Over> {
        for _ in 0..TURN {
            let Some(feed) = &mut self.feed else {
                return Ok(());
            };
            let event = feed.consumer.receive(now_ns());
            match event.map_err(Over::Violation)? {
                Event::Message(message) => self.heard(message)?,
                Event::Empty => return Ok(()),
                Event::Closed => {
                    self.lost();
                    self.link.happened(Happening::SourceLost);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn heard(&mut self, message: ToService) -> Result<(), Over> {
        match message {
            ToService::FrameReady(frame) => self.frames.whole(frame),
            ToService::FramePart(part) => self.frames.part(&part),
            ToService::FrameAbandoned { seq } => self.frames.abandoned(seq),
            ToService::Audio { opus, .. } => self.play(&opus),
            ToService::State { state, reason } => {
                self.link.happened(Happening::Source(state, reason));
            }
            ToService::Hdr { enabled, metadata } => {
                self.link.tell(HostMessage::Hdr { enabled, metadata })
            }
            ToService::Failed { reason } => {
                return Err(Over::Reason(StopReason::AgentFailed(reason)));
            }
            ToService::Stats(totals) => {
                let statistics = self.link.statistics();
                statistics
                    .agent_captured
                    .store(totals.captured, Ordering::Relaxed);
                statistics
                    .agent_encoded
                    .store(totals.encoded, Ordering::Relaxed);
                statistics
                    .agent_repeated
                    .store(totals.repeated, Ordering::Relaxed);
                statistics
                    .agent_skipped_no_slot
                    .store(totals.skipped_no_slot, Ordering::Relaxed);
                statistics
                    .agent_missed_ticks
                    .store(totals.missed_ticks, Ordering::Relaxed);
                statistics
                    .agent_scaled
                    .store(totals.scaled, Ordering::Relaxed);
                statistics
                    .agent_replaced
                    .store(totals.replaced, Ordering::Relaxed);
            }
            // What a newer agent says beyond this is for a newer service.
            _ => {}
        }
        Ok(())
    }

    /// Sound leaves at once, whatever video is doing. Before the client's first ping it goes nowhere.
    fn play(&mut self, opus: &[u8]) {
        let Some(socket) = &self.audio_socket else {
            return;
        };
        if !self.link.may_hear() {
            return;
        }
        let statistics = self.link.statistics();
        match self.audio.packetize(opus) {
            Ok(datagrams) => {
                for datagram in datagrams {
                    let counter = if socket.send(datagram) {
                        &statistics.audio_packets_sent
                    } else {
                        &statistics.audio_dropped
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err(error) => {
                statistics.audio_dropped.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(stream = %self.link.id(), "an audio packet was dropped: {error}");
            }
        }
    }

    fn tell(&mut self, message: Message) -> Result<(), Over> {
        match &mut self.feed {
            Some(feed) => self.orders.tell(message, &mut feed.consumer),
            None => Ok(()),
        }
    }

    /// The stream is over: nothing stays pressed, and the agent may free its source. If this does not fit any more, the
    /// closed channel says the same.
    pub(super) fn farewell(&self) {
        if let Some(feed) = &self.feed {
            let endpoint = feed.consumer.endpoint();
            let _ = endpoint.send_to_agent(&ToAgent::ReleaseAll);
            let _ = endpoint.send_to_agent(&ToAgent::Stop);
        }
    }
}

fn restart(kind: FrameKind) -> Option<Restart> {
    match kind {
        FrameKind::Idr => Some(Restart::Key),
        FrameKind::AfterInvalidation => Some(Restart::AfterInvalidation),
        _ => None,
    }
}

fn totals(statistics: &Statistics) -> Totals {
    let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    Totals {
        blocks_sent: read(&statistics.blocks_sent),
        packets_sent: read(&statistics.packets_sent),
        reported: read(&statistics.fec_packets_reported),
        lost: read(&statistics.fec_packets_lost),
        blocks_repaired: read(&statistics.fec_blocks_repaired),
        blocks_lost: read(&statistics.fec_blocks_lost),
        requests: read(&statistics.idr_requests).saturating_add(read(&statistics.rfi_requests)),
        unsent: read(&statistics.dropped_would_block),
    }
}
