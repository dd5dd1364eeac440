//! What comes in: the agent's messages, commands, and the sockets that they bring.
use super::{Command, Over, VideoSender, now_ns};
use crate::{
    net::{audio::AudioSender, wake::Wake},
    stream::{
        StopReason,
        key_frames::KeyFrames,
        link::{Happening, StreamLink},
    },
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, ppoll},
    sys::time::{TimeSpec, TimeValLike},
};
use punktfunk_core::audio::AudioPacketizer;
use punktfunk_dbus::channel::{
    Consumer, FrameReady, ToAgent, ToService, consumer::Event, message::FRAME_KEY,
};
use std::{
    collections::VecDeque,
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, TryRecvError},
    },
};

/// Messages looked at before packets get their turn again.
const TURN: usize = 64;
/// An agent whose socket stays full for this long is stalled.
const STALL_NS: u64 = 500_000_000;

/// The thread's ears. Waiting serves the agent, sound and commands; frames queue up for the sender.
pub(super) struct Inlet {
    consumer: Consumer,
    audio: AudioPacketizer,
    commands: Receiver<Command>,
    wake: Arc<Wake>,
    pub(super) link: Arc<StreamLink>,
    pub(super) video: Option<VideoSender>,
    audio_socket: Option<AudioSender>,
    control_up: bool,
    /// Nothing was sent yet: only a key frame may be.
    needs_key_frame: bool,
    /// Announced and waiting for their turn; the ring bounds them.
    frames: VecDeque<FrameReady>,
    key_frames: KeyFrames,
    /// Messages that the agent's socket had no room for: at most one a slot and two more.
    unsent: VecDeque<Unsent>,
    full_since_ns: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsent {
    Release(u16),
    Idr,
    Bitrate(u32),
}

impl Inlet {
    pub(super) fn new(
        consumer: Consumer,
        audio: AudioPacketizer,
        commands: Receiver<Command>,
        wake: Arc<Wake>,
        link: Arc<StreamLink>,
    ) -> Self {
        Self {
            consumer,
            audio,
            commands,
            wake,
            link,
            video: None,
            audio_socket: None,
            control_up: false,
            needs_key_frame: true,
            frames: VecDeque::new(),
            key_frames: KeyFrames::default(),
            unsent: VecDeque::new(),
            full_since_ns: None,
        }
    }

    /// The next frame to send. Frames that nobody can use yet are released and counted here.
    pub(super) fn next_frame(&mut self) -> Result<Option<FrameReady>, Over> {
        while let Some(frame) = self.frames.pop_front() {
            let key = frame.flags & FRAME_KEY != 0;
            if key {
                self.key_frames.arrived();
            }
            if self.ready() && (key || !self.needs_key_frame) {
                self.needs_key_frame = false;
                return Ok(Some(frame));
            }
            self.link
                .statistics()
                .dropped_before_ping
                .fetch_add(1, Ordering::Relaxed);
            self.release(frame.slot)?;
        }
        Ok(None)
    }

    /// The client can receive video.
    fn ready(&self) -> bool {
        self.video.is_some() && self.control_up
    }

    /// The slot was read: the agent may have it back.
    pub(super) fn release(&mut self, slot: u16) -> Result<(), Over> {
        self.tell(Unsent::Release(slot))
    }

    /// Wait until `until_ns` at the latest, and serve what came.
    pub(super) fn wait(&mut self, until_ns: Option<u64>) -> Result<(), Over> {
        let channel = if self.unsent.is_empty() {
            PollFlags::POLLIN
        } else {
            PollFlags::POLLIN | PollFlags::POLLOUT
        };
        let deadline_ns = match (until_ns, self.full_since_ns) {
            (until, Some(since)) => Some(
                until
                    .unwrap_or(u64::MAX)
                    .min(since.saturating_add(STALL_NS)),
            ),
            (until, None) => until,
        };
        let timeout = deadline_ns.map(|deadline| {
            let left = deadline.saturating_sub(now_ns());
            TimeSpec::nanoseconds(i64::try_from(left).unwrap_or(i64::MAX))
        });
        let endpoint = Arc::clone(self.consumer.endpoint());
        let wake = Arc::clone(&self.wake);
        let mut fds = [
            PollFd::new(endpoint.as_fd(), channel),
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
        self.catch_up()
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
                Ok(Command::Bitrate(kbps)) => self.tell(Unsent::Bitrate(kbps))?,
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return Err(Over::Stopped),
                Err(TryRecvError::Empty) => break,
            }
        }
        // Before the client is ready nobody could use one, and then one is asked for anyway.
        let wanted = self.link.key_frame_wanted.swap(false, Ordering::AcqRel) && self.ready();
        if wanted && self.key_frames.request(now_ns()) {
            self.ask_for_key_frame()?;
        }
        Ok(())
    }

    /// If the client has just become ready, the stream begins with a key frame.
    fn begin(&mut self, was_ready: bool) -> Result<(), Over> {
        if self.ready() && !was_ready && self.key_frames.request(now_ns()) {
            self.ask_for_key_frame()?;
        }
        Ok(())
    }

    fn ask_for_key_frame(&mut self) -> Result<(), Over> {
        self.link
            .statistics()
            .idr_asked
            .fetch_add(1, Ordering::Relaxed);
        self.tell(Unsent::Idr)
    }

    fn listen(&mut self) -> Result<(), Over> {
        for _ in 0..TURN {
            match self.consumer.receive(now_ns()).map_err(Over::Violation)? {
                Event::Message(message) => self.heard(message)?,
                Event::Empty => return Ok(()),
                Event::Closed => return Err(Over::Reason(StopReason::AgentLost)),
            }
        }
        Ok(())
    }

    fn heard(&mut self, message: ToService) -> Result<(), Over> {
        match message {
            ToService::FrameReady(frame) => self.frames.push_back(frame),
            ToService::Audio { opus, .. } => self.play(&opus),
            ToService::State(state) => self.link.happened(Happening::Source(state)),
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

    fn tell(&mut self, message: Unsent) -> Result<(), Over> {
        if let Unsent::Idr | Unsent::Bitrate(_) = message {
            self.unsent
                .retain(|old| std::mem::discriminant(old) != std::mem::discriminant(&message));
        }
        self.unsent.push_back(message);
        self.catch_up()
    }

    /// Send what waits, as far as the agent's socket has room.
    fn catch_up(&mut self) -> Result<(), Over> {
        while let Some(message) = self.unsent.front() {
            let endpoint = self.consumer.endpoint();
            let taken = match *message {
                Unsent::Release(slot) => self.consumer.release(slot).map_err(Over::Violation)?,
                // An agent that is gone is noticed by the next receive.
                Unsent::Idr => endpoint.send_to_agent(&ToAgent::Idr).unwrap_or(true),
                Unsent::Bitrate(kbps) => endpoint
                    .send_to_agent(&ToAgent::Bitrate { kbps })
                    .unwrap_or(true),
            };
            if !taken {
                let now = now_ns();
                let since = *self.full_since_ns.get_or_insert(now);
                if now.saturating_sub(since) >= STALL_NS {
                    let text = "it does not read its channel".to_owned();
                    return Err(Over::Reason(StopReason::AgentFailed(text)));
                }
                return Ok(());
            }
            self.unsent.pop_front();
            self.full_since_ns = None;
        }
        Ok(())
    }

    /// The stream is over: nothing stays pressed, and the agent may free its source. If this does not fit any more, the
    /// closed channel says the same.
    pub(super) fn farewell(&self) {
        let endpoint = self.consumer.endpoint();
        let _ = endpoint.send_to_agent(&ToAgent::ReleaseAll);
        let _ = endpoint.send_to_agent(&ToAgent::Stop);
    }
}
