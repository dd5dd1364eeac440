//! The life of one stream: wait for the client, watch over it, end it in order.
use super::{
    StopReason,
    link::{Happening, StreamLink},
    media::Command,
    opening::Source,
    pads,
    registry::Registry,
    statistics::add,
    succession::{Event, Succession},
};
use crate::{agents::AgentHandle, ids::StreamId, logging::audit, net::udp::Expectation};
use punktfunk_core::control::{HdrMetadata, HostMessage, termination};
use punktfunk_dbus::channel::message::SourceState;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc::UnboundedReceiver, oneshot},
    time::{Instant, sleep_until, timeout},
};

/// How long the media thread may take to end.
const THREAD_END: Duration = Duration::from_secs(1);
/// How long the client may take to acknowledge the end.
const FAREWELL: Duration = Duration::from_secs(3);

pub(super) struct Actor {
    pub link: Arc<StreamLink>,
    pub registry: Arc<Registry>,
    pub happenings: UnboundedReceiver<Happening>,
    pub media_finished: oneshot::Receiver<()>,
    /// Pings are looked for as long as these live.
    pub pings: [Expectation; 2],
    pub succession: Succession,
    /// Looked at out of turn and not served yet.
    pub backlog: VecDeque<Happening>,
}

#[derive(Default)]
struct Seen {
    video: bool,
    control: bool,
    frame: bool,
    source: Option<SourceState>,
    /// No session is shown now.
    held: bool,
}

impl Seen {
    fn state(&self) -> &'static str {
        match (self.video && self.control, self.frame, self.source) {
            (false, ..) => "waiting for the client",
            (true, ..) if self.held => "held",
            (true, false, _) => "waiting for a picture",
            (true, true, Some(SourceState::Locked)) => "locked",
            (true, true, Some(SourceState::NoOutput)) => "no output",
            (true, true, Some(SourceState::Paused)) => "paused",
            (true, true, Some(SourceState::Suspended)) => "suspended",
            (true, true, Some(SourceState::Starting | SourceState::Capturing) | None) => {
                "streaming"
            }
        }
    }
}

impl Actor {
    pub(super) async fn run(mut self) {
        let reason = self.watch().await;
        self.end(reason).await;
    }

    /// Until there is a reason to end.
    async fn watch(&mut self) -> StopReason {
        let stream = self.link.id();
        let mut seen = Seen::default();
        let mut deadline = from_now(self.registry.patience);
        loop {
            let (agent, held) = (self.link.shown().latest().get(), self.succession.is_held());
            let happening = if let Some(early) = self.backlog.pop_front() {
                Some(early)
            } else {
                tokio::select! {
                    biased;
                    happening = self.happenings.recv() => happening,
                    event = self.succession.event() => {
                        if let Some(reason) = self.succeed(event, &mut seen) {
                            return reason;
                        }
                        self.registry.set_state(stream, seen.state());
                        continue;
                    }
                    () = agent.gone(), if !held => Some(Happening::SourceLost),
                    () = sleep_until(deadline), if !seen.frame => return late(&seen, stream, self.registry.patience),
                }
            };
            let was_ready = seen.video && seen.control;
            match happening {
                // The link is ours as well: it cannot be closed.
                None => return StopReason::Shutdown,
                Some(Happening::End(reason)) => return reason,
                Some(Happening::VideoPing(client)) => {
                    if !std::mem::replace(&mut seen.video, true) {
                        tracing::info!(%stream, address = %client, "the client's first video ping");
                    } else {
                        tracing::info!(%stream, address = %client, "the client moved; video follows");
                    }
                }
                Some(Happening::AudioPing(client)) => {
                    tracing::debug!(%stream, %client, "audio goes to the client")
                }
                Some(Happening::ControlUp) => seen.control = true,
                Some(Happening::FirstFrame) => {
                    if !std::mem::replace(&mut seen.frame, true) {
                        tracing::info!(%stream, "the first frame was sent");
                    }
                    if let Some(gap) = self.succession.first_frame() {
                        tracing::info!(%stream, gap_ms = gap.as_millis(), "the client sees a session again");
                    }
                }
                Some(Happening::SourceLost) => {
                    if let Some(reason) = self.hold(&mut seen) {
                        return reason;
                    }
                }
                Some(Happening::Greeter(allowed)) => {
                    self.succession.set_greeter(allowed);
                    if !allowed && agent.info().greeter {
                        return StopReason::Administrator;
                    }
                }
                Some(Happening::Source(state, reason)) => {
                    tracing::info!(%stream, state = state.name(), reason, "the session's pictures");
                    seen.source = Some(state);
                    self.registry.set_source(stream, state.name(), reason);
                }
            }
            if seen.video && seen.control && !was_ready {
                deadline = from_now(self.registry.patience);
            }
            self.registry.set_state(stream, seen.state());
        }
    }

    /// What is shown is gone: the client keeps its last picture until there is another, for a while.
    fn hold(&mut self, seen: &mut Seen) -> Option<StopReason> {
        let (stream, limit) = (self.link.id(), self.registry.settings.now().hold);
        if self.succession.is_held() {
            return None;
        }
        // What broke the contract, or failed for good, is not waited for.
        if let Some(reason) = self.last_word() {
            return Some(reason);
        }
        if limit.is_zero() {
            return Some(StopReason::AgentLost);
        }
        tracing::info!(%stream, limit_s = limit.as_secs(), "the session's agent is gone; the stream waits for another");
        self.succession.hold(limit);
        self.link.shown().hold();
        self.link.command(Command::NoFeed);
        (seen.held, seen.source) = (true, None);
        let why = "the session or its agent is gone; the stream waits for another of its user";
        self.registry.set_source(stream, "none", why.into());
        self.seek()
    }

    fn seek(&mut self) -> Option<StopReason> {
        let stream = self.link.id();
        let shown = self.link.shown().latest().get().info();
        let lock_screen = self.link.lock_screen();
        let bitrate_kbps = self.registry.bitrate_kbps(stream);
        let changes = move |request: &mut punktfunk_dbus::open_stream::OpenStream| {
            request.lock_screen = Some(lock_screen);
            if let Some(kbps) = bitrate_kbps {
                request.bitrate_kbps = kbps;
            }
        };
        self.succession
            .seek(&shown, &self.registry.settings.now(), changes)
    }

    /// The next step of a hand-over; a reason to end the stream instead.
    fn succeed(&mut self, event: Event, seen: &mut Seen) -> Option<StopReason> {
        match event {
            Event::Look => self.seek(),
            Event::TooLate => Some(self.succession.too_late()),
            Event::Opened(agent, source) => {
                self.show(agent, *source);
                (seen.held, seen.source) = (false, None);
                None
            }
        }
    }

    fn show(&mut self, agent: AgentHandle, source: Source) {
        let (stream, info) = (self.link.id(), agent.info());
        tracing::info!(
            %stream, session = %info.session, greeter = info.greeter, source = %source.opened.source,
            encoder = %source.opened.encoder, "the stream is handed over"
        );
        self.succession.handed_over();
        // Input first: none of it that is meant for the old session may reach the new one.
        self.link.shown().show(agent, source.endpoint);
        // Before anything that the new agent says: with HDR it says what the pictures are mastered for.
        if source.opened.hdr != Some(true) {
            self.link.tell(HostMessage::Hdr {
                enabled: false,
                metadata: HdrMetadata::default(),
            });
        }
        self.link.command(Command::Feed(Box::new(source.feed)));
        add(&self.link.statistics().hand_overs, 1);
        let starting = SourceState::Starting.name();
        self.registry.set_source(stream, starting, String::new());
        self.registry.set_session(stream, &info.session);
    }

    /// A better reason than "gone", if the media thread has just given one.
    fn last_word(&mut self) -> Option<StopReason> {
        while let Ok(happening) = self.happenings.try_recv() {
            match happening {
                Happening::End(reason) => return Some(reason),
                other => self.backlog.push_back(other),
            }
        }
        None
    }

    async fn end(self, reason: StopReason) {
        let stream = self.link.id();
        self.registry.set_state(stream, "ending");
        if let Some(info) = self.registry.info(stream) {
            audit::stream_ended(stream, &info.client, info.user, &reason);
        }
        drop(self.pings);
        pads::detach(&self.link, &reason);
        self.link.command(Command::Stop);
        let told = self.registry.control.end(stream, termination_of(&reason));
        if timeout(THREAD_END, self.media_finished).await.is_err() {
            tracing::warn!(%stream, "the media thread does not end");
        }
        // An error is the same as an answer: the connection is gone.
        let _ = timeout(FAREWELL, told).await;
        self.registry.remove(stream);
    }
}

fn late(seen: &Seen, stream: StreamId, patience: Duration) -> StopReason {
    let seconds = patience.as_secs();
    if !seen.video {
        tracing::warn!(
            %stream,
            "no ping arrived on the video port within {seconds} s: is UDP blocked between the client and this host?"
        );
        StopReason::NoPing
    } else if !seen.control {
        tracing::warn!(%stream, "the client sent video pings but did not connect to the control port within {seconds} s");
        StopReason::ControlLost
    } else {
        tracing::warn!(%stream, "no frame was produced within {seconds} s: the agent's source or encoder is stuck");
        StopReason::AgentFailed("it produced no frame".into())
    }
}

/// What the client is told. Nothing where it is gone already.
fn termination_of(reason: &StopReason) -> Option<u32> {
    match reason {
        StopReason::ClientLeft | StopReason::ControlLost => None,
        StopReason::AgentFailed(_) | StopReason::HandOver(_) | StopReason::Violation(_) => {
            Some(termination::FRAME_CONVERSION)
        }
        _ => Some(termination::NORMAL),
    }
}

fn from_now(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or(now)
}
