//! Streams: one actor and one media thread each.
//!
//! The service's half of a stream begins when its parameters are negotiated and ends with the client's farewell. Keys,
//! counters and sockets live here; pictures and sound come from the agent through the stream channel and nowhere else.
mod actor;
mod adaptation;
mod following;
mod histogram;
mod link;
mod media;
mod opening;
mod pacing;
mod pads;
mod permits;
mod plan;
mod recovery;
mod registry;
mod requests;
mod sharing;
mod shown;
mod statistics;
mod succession;
#[cfg(test)]
mod tests;

use crate::{
    config::Settings,
    gamepads::{Gamepads, Kernel, Maker},
    ids::{ClientId, StreamId, Uid},
    launch::Launch,
    logging::audit,
    net::{
        control::{self, ControlStream},
        udp::{Pings, Plane, Waiting},
        wake::Wake,
    },
    store::{ClientRecord, PERMISSION_VIEW},
};
use actor::Actor;
use adaptation::Adaptation;
pub use histogram::Histogram;
pub use link::StreamLink;
use media::Media;
use opening::Source;
pub use pacing::{Pacer, Schedule};
pub use permits::InputKind;
use permits::Permits;
use punktfunk_core::{audio::AudioPacketizer, sdp::StreamParams, video::Packetizer};
use punktfunk_dbus::channel::message::SourceState;
use registry::Registry;
pub use sharing::Refusal;
use shown::Shown;
pub use statistics::{Stages, Statistics};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, mpsc},
    time::Duration,
};
use succession::Succession;
use tokio::{
    sync::{mpsc::unbounded_channel, oneshot, watch},
    time::timeout,
};

/// How long a client may take until its first ping, and then the agent until the first frame.
const FIRST_LIMIT: Duration = Duration::from_secs(10);
/// How long an older stream of the same client may take to end before the new one is refused.
const REPLACE_LIMIT: Duration = Duration::from_secs(4);
/// How long the end of all streams may take.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(2);

/// A negotiated stream, ready to be started (at ANNOUNCE).
#[derive(Clone)]
pub struct StreamSetup {
    pub launch: Arc<Launch>,
    pub params: StreamParams,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the session's agent: {0}")]
    Agent(#[from] crate::agents::AgentError),
    #[error("{0}")]
    Refused(String),
    #[error("system: {0}")]
    Io(#[from] std::io::Error),
}

impl From<punktfunk_core::Error> for StartError {
    fn from(error: punktfunk_core::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Why a stream ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    ClientLeft,
    ClientCancelled,
    ApplicationEnded,
    Replaced,
    NoPing,
    ControlLost,
    AgentLost,
    AgentFailed(String),
    /// The session that the stream was to go on with cannot.
    HandOver(String),
    Violation(&'static str),
    Administrator,
    Unpaired,
    Expired,
    Shutdown,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::ClientLeft => "the client left",
            Self::ClientCancelled => "the client ended the application",
            Self::ApplicationEnded => "the application ended",
            Self::Replaced => "the same client started another stream",
            Self::NoPing => "no ping arrived from the client",
            Self::ControlLost => "the client went silent",
            Self::AgentLost => "the session's agent is gone",
            Self::AgentFailed(reason) => return write!(f, "the session's agent failed: {reason}"),
            Self::HandOver(reason) => {
                return write!(f, "the stream cannot go on in the next session: {reason}");
            }
            Self::Violation(code) => {
                return write!(
                    f,
                    "the session's agent broke the channel's contract ({code})"
                );
            }
            Self::Administrator => "stopped by an administrator or the user",
            Self::Unpaired => "the client was unpaired",
            Self::Expired => "the client's pairing has expired",
            Self::Shutdown => "the service stops",
        };
        f.write_str(text)
    }
}

#[derive(Debug, Clone)]
pub struct StreamInfo {
    pub id: StreamId,
    pub client: ClientId,
    pub client_name: String,
    pub user: Uid,
    /// The session that is shown, or was last; empty for none of the user's.
    pub session: String,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub codec: &'static str,
    pub bitrate_kbps: u32,
    /// The video's share of the host's total, where that is less.
    pub bitrate_limit_kbps: Option<u32>,
    pub state: &'static str,
    /// How it is with the session's pictures, in the agent's word, and why.
    pub source: &'static str,
    pub source_reason: String,
    /// Live figures by name (`frames_sent`, `packets_sent`, `capture_to_encoded_p50_us`, ...).
    pub statistics: BTreeMap<&'static str, u64>,
    /// Why parity or rate were changed last; empty before the first change.
    pub last_decision: &'static str,
}

/// All streams of the host.
pub struct Streams(Arc<Registry>);

impl Streams {
    /// Bind the video, control and audio sockets and start the threads that serve them.
    ///
    /// # Errors
    /// A port that cannot be bound; the text names it.
    pub fn new(settings: impl Into<Settings>) -> std::io::Result<Self> {
        Self::with(settings, FIRST_LIMIT, Box::new(Kernel))
    }

    fn with(
        settings: impl Into<Settings>,
        patience: Duration,
        pads: Box<dyn Maker>,
    ) -> std::io::Result<Self> {
        let settings = settings.into();
        let config = settings.now();
        let control = control::spawn(&config)?;
        let pings = Pings::spawn(&config)?;
        let gamepads = Gamepads::spawn(pads, config.gamepad)?;
        Ok(Self(Arc::new(Registry::new(
            settings, pings, control, gamepads, patience,
        ))))
    }

    /// Open the agent's source, make the sockets, start the thread. The client's pings and control connection come after.
    /// `accounts` are those that have clients, and may want streams of their own.
    ///
    /// # Errors
    /// The agent's refusal, no place for another stream, or a system that gives no memory, socket or thread.
    pub async fn start(
        &self,
        setup: StreamSetup,
        accounts: &BTreeSet<Uid>,
    ) -> Result<(), StartError> {
        let (registry, config) = (&self.0, &self.0.settings.now());
        let (launch, params) = (&setup.launch, &setup.params);
        self.make_way(launch).await?;
        let place = registry.admit(launch, plan::budget(params, config), accounts)?;

        let packetizer = Packetizer::new(plan::packetizer(&setup, config))?;
        let Source {
            feed,
            endpoint,
            opened,
        } = opening::open(&setup, config, &launch.agent, |request| {
            request.bitrate_kbps = place.video_kbps();
        })
        .await?;
        let (bitrate_kbps, limit_kbps) = (place.budget.video_kbps(), place.limit_kbps);
        let adaptation = plan::adaptation(&setup, config, bitrate_kbps, limit_kbps);
        tracing::info!(
            stream = %launch.stream, client = %launch.client.name, source = %opened.source, encoder = %opened.encoder,
            width = params.width, height = params.height, fps = params.fps, codec = params.codec.name(), bitrate_kbps, limit_kbps,
            "stream opened; waiting for the client's pings"
        );

        let wake = Arc::new(Wake::new()?);
        let shown = Arc::new(Shown::new(launch.agent.clone(), endpoint));
        let (commands, received) = mpsc::channel();
        let (happenings, happened) = unbounded_channel();
        let link = StreamLink::new(
            launch.stream,
            Arc::clone(&shown),
            commands,
            Arc::clone(&wake),
            happenings,
            registry
                .control
                .outbox(params.hdr_asked.then_some(opened.hdr == Some(true))),
            Permits::new(shown, &launch.client.permissions),
        );
        let link = Arc::new(link);
        pads::attach(&registry.gamepads, &link, launch);
        let (finished, media_finished) = oneshot::channel();
        let media = Media {
            feed,
            packetizer,
            codec: params.codec,
            audio: AudioPacketizer::new(params.audio.packet_ms, plan::audio_seal(&setup)),
            link: Arc::clone(&link),
            commands: received,
            wake,
            adaptation: Adaptation::new(adaptation),
            fps: params.fps,
            pace_rate_mbit: config.pace_rate_mbit,
            video_drop: config.video_drop,
            perf: config.perf,
        };
        media::spawn(media, finished)?;
        // From here on the actor answers for everything, whatever becomes of the caller.
        let actor = Actor {
            link: Arc::clone(&link),
            registry: Arc::clone(registry),
            happenings: happened,
            media_finished,
            pings: self.expect_pings(&setup, &link),
            succession: Succession::new(&setup),
            backlog: std::collections::VecDeque::new(),
        };
        let info = info(&setup, bitrate_kbps);
        let mode = format!(
            "{}x{} at {} fps, {}, {bitrate_kbps} kbit/s",
            info.width, info.height, info.fps, info.codec
        );
        audit::stream_began(
            launch.stream,
            &info.client,
            &launch.client.name,
            info.user,
            &mode,
        );
        registry.insert(place, Arc::clone(&link), info);
        tokio::spawn(actor.run());
        let control = ControlStream {
            connect_data: launch.connect_data,
            key: launch.key.clone(),
            iv: plan::control_iv(params),
            link: Arc::clone(&link),
        };
        let expected = registry.control.expect(control).await;
        if expected.is_err() {
            link.end(StopReason::ControlLost);
        }
        Ok(expected?)
    }

    /// End the older streams of the client.
    async fn make_way(&self, launch: &Launch) -> Result<(), StartError> {
        let older = self.0.of_client(&launch.client.id);
        self.stop_client(&launch.client.id, StopReason::Replaced);
        if timeout(REPLACE_LIMIT, self.0.gone(&older)).await.is_err() {
            return Err(StartError::Refused(
                "the client's previous stream is still ending; try again".into(),
            ));
        }
        Ok(())
    }

    /// Why this client could not have a stream now; `accounts` as in [`Streams::start`].
    pub fn refusal(&self, client: &ClientRecord, accounts: &BTreeSet<Uid>) -> Option<Refusal> {
        self.0.refusal(client, accounts)
    }

    /// Share the host's bitrate anew whenever the settings change. Never returns.
    pub async fn follow_settings(&self) {
        let mut changes = self.0.settings.changes();
        loop {
            self.0.share_anew();
            // The settings are ours as well: their end is never told.
            if changes.changed().await.is_err() {
                std::future::pending().await
            }
        }
    }

    fn expect_pings(
        &self,
        setup: &StreamSetup,
        link: &Arc<StreamLink>,
    ) -> [crate::net::udp::Expectation; 2] {
        let launch = &setup.launch;
        let (video_class, audio_class) = plan::classes(&setup.params);
        let waiting = |plane, payload| Waiting {
            plane,
            payload,
            peer: launch.peer,
        };
        let (video, audio) = (Arc::clone(link), Arc::clone(link));
        [
            self.0.pings.expect(
                launch.stream,
                waiting(Plane::Video, launch.video_ping),
                video_class,
                Box::new(move |socket, client| video.video_socket(socket, client)),
            ),
            self.0.pings.expect(
                launch.stream,
                waiting(Plane::Audio, launch.audio_ping),
                audio_class,
                Box::new(move |socket, client| audio.audio_socket(socket, client)),
            ),
        ]
    }

    /// End a stream; the client is told. `false`: there is none.
    pub fn stop(&self, id: StreamId, reason: StopReason) -> bool {
        self.0.stop(id, reason)
    }

    /// End every stream of a client.
    pub fn stop_client(&self, client: &ClientId, reason: StopReason) {
        if !pads::may_return(&reason) {
            self.0.gamepads.release(client);
        }
        for id in self.0.of_client(client) {
            self.stop(id, reason.clone());
        }
    }

    /// The client's permissions were changed: running streams obey at once; without `view` they end.
    pub fn set_permissions(&self, client: &ClientId, words: &[String]) {
        if !words.iter().any(|word| word == PERMISSION_VIEW) {
            self.stop_client(client, StopReason::Administrator);
        }
        for link in self
            .0
            .of_client(client)
            .into_iter()
            .filter_map(|id| self.0.link(id))
        {
            link.set_permissions(words);
        }
    }

    /// Whether the client may watch log-in screens was changed: a stream of one ends when it may not.
    pub fn set_greeter(&self, client: &ClientId, allowed: bool) {
        let links = self.0.of_client(client).into_iter();
        for link in links.filter_map(|id| self.0.link(id)) {
            link.set_greeter(allowed);
        }
    }

    /// End every stream (clients are told) and wait for that, two seconds at most.
    pub async fn shutdown(&self) {
        let all = self.0.ids();
        for id in &all {
            self.stop(*id, StopReason::Shutdown);
        }
        if timeout(SHUTDOWN_LIMIT, self.0.gone(&all)).await.is_err() {
            tracing::warn!("some streams did not end in time");
        }
    }

    /// The clients of streams that ended since the last time, some perhaps more than once.
    pub fn take_ended(&self) -> Vec<ClientId> {
        self.0.take_ended()
    }

    pub fn list(&self) -> Vec<StreamInfo> {
        self.0.infos()
    }

    pub fn for_client(&self, client: &ClientId) -> Option<StreamInfo> {
        self.list().into_iter().find(|info| info.client == *client)
    }

    /// Ask the agent for a key frame. `false`: there is no such stream.
    pub fn request_keyframe(&self, id: StreamId) -> bool {
        self.0
            .link(id)
            .inspect(|link| link.request_key_frame())
            .is_some()
    }

    /// Change the video budget of the agent's encoder. `false`: there is no such stream.
    pub fn set_bitrate(&self, id: StreamId, kbps: u32) -> bool {
        kbps > 0 && self.0.set_bitrate(id, kbps)
    }

    /// Feature flags of the gamepads that this machine lets us make.
    pub fn gamepad_features(&self) -> u32 {
        self.0.gamepads.feature_flags()
    }

    /// Changes when a stream starts, changes state or ends (not for every figure).
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }
}

fn info(setup: &StreamSetup, bitrate_kbps: u32) -> StreamInfo {
    let (launch, params) = (&setup.launch, &setup.params);
    StreamInfo {
        id: launch.stream,
        client: launch.client.id.clone(),
        client_name: launch.client.name.clone(),
        user: launch.client.owner,
        session: launch.agent.info().session.0,
        width: params.width,
        height: params.height,
        fps: params.fps,
        codec: params.codec.name(),
        bitrate_kbps,
        bitrate_limit_kbps: None,
        state: "waiting for the client",
        source: SourceState::Starting.name(),
        source_reason: String::new(),
        statistics: BTreeMap::new(),
        last_decision: "",
    }
}
