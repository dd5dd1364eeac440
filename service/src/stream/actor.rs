//! The life of one stream: wait for the client, watch over it, end it in order.
use super::{
    StopReason,
    link::{Happening, StreamLink},
    media::Command,
    pads,
    registry::Registry,
};
use crate::{agents::AgentHandle, ids::StreamId, logging::audit, net::udp::Expectation};
use punktfunk_core::control::termination;
use punktfunk_dbus::channel::message::SourceState;
use std::{sync::Arc, time::Duration};
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
    pub agent: AgentHandle,
    pub happenings: UnboundedReceiver<Happening>,
    pub media_finished: oneshot::Receiver<()>,
    /// Pings are looked for as long as these live.
    pub pings: [Expectation; 2],
}

#[derive(Default)]
struct Seen {
    video: bool,
    control: bool,
    frame: bool,
    source: Option<SourceState>,
}

impl Seen {
    fn state(&self) -> &'static str {
        match (self.video && self.control, self.frame, self.source) {
            (false, ..) => "waiting for the client",
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
            let happening = tokio::select! {
                biased;
                happening = self.happenings.recv() => happening,
                () = self.agent.gone() => return self.last_word().unwrap_or(StopReason::AgentLost),
                () = sleep_until(deadline), if !seen.frame => return late(&seen, stream, self.registry.patience),
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
                    seen.frame = true;
                    tracing::info!(%stream, "the first frame was sent");
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

    /// A better reason than "gone", if the media thread has just given one.
    fn last_word(&mut self) -> Option<StopReason> {
        while let Ok(happening) = self.happenings.try_recv() {
            if let Happening::End(reason) = happening {
                return Some(reason);
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
        StopReason::AgentFailed(_) | StopReason::Violation(_) => {
            Some(termination::FRAME_CONVERSION)
        }
        _ => Some(termination::NORMAL),
    }
}

fn from_now(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or(now)
}
