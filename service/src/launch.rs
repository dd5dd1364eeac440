//! Launches: what `/launch` and `/resume` promised and RTSP then takes up.
//!
//! One launch per client at a time. A launch that RTSP does not take up within ten seconds is forgotten; the app that
//! it started stays running, so that the client can resume.
mod kept;
mod negotiation;
mod offer;
mod running;
#[cfg(test)]
mod tests;

use crate::{
    agents::AgentHandle,
    ids::{ClientId, StreamId},
    store::ClientRecord,
};
use kept::Kept;
pub use negotiation::Negotiation;
pub use offer::{codec_mask, hdr_codecs, offer_for};
use punktfunk_core::{
    crypto::Key,
    rtsp::{self, Direction},
};
use ring::rand::{SecureRandom, SystemRandom};
pub use running::RunningApp;
use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// A launch that no RTSP request used for so long is forgotten.
pub const UNUSED_LIMIT: Duration = Duration::from_secs(10);
/// Once its stream was started only PLAY is still to come.
const STARTED_LIMIT: Duration = Duration::from_secs(60);

/// One accepted launch. Shared by RTSP (negotiation) and the stream (media).
pub struct Launch {
    pub stream: StreamId,
    pub client: ClientRecord,
    pub agent: AgentHandle,
    pub app: u32,
    pub key: Key,
    /// `rikeyid` as sent (signed).
    pub key_id: i32,
    pub peer: IpAddr,
    pub local: IpAddr,
    pub play_on_host: bool,
    /// 16 ASCII characters each, fresh for every launch.
    pub video_ping: [u8; 16],
    pub audio_ping: [u8; 16],
    /// ENet connect data, fresh for every launch.
    pub connect_data: u32,
}

/// What a client's request decides about its launch.
pub struct LaunchRequest {
    pub client: ClientRecord,
    pub agent: AgentHandle,
    pub app: u32,
    pub key: Key,
    pub key_id: i32,
    pub peer: IpAddr,
    pub local: IpAddr,
    pub play_on_host: bool,
    /// RTSP will be sealed with `key`; plain requests are then refused.
    pub sealed: bool,
}

/// The system gave no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandom;

/// Why a plain RTSP request belongs to no launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    #[error("no launch waits for RTSP from this address")]
    Unknown,
    #[error(
        "launches of several clients wait for plain RTSP from this address; one at a time works, and sealed RTSP always"
    )]
    Ambiguous,
    #[error("the launch from this address demands sealed RTSP")]
    Sealed,
}

#[derive(Default)]
struct State {
    /// What each client has running, with or without a stream.
    apps: HashMap<ClientId, RunningApp>,
    pending: Vec<Arc<Negotiation>>,
    /// What the last service knew, until the agent of that session is back.
    before: BTreeMap<ClientId, Kept>,
    /// As it was written last.
    saved: kept::All,
    directory: Option<PathBuf>,
}

/// The registry.
#[derive(Default)]
pub struct Launches {
    state: Mutex<State>,
    last_stream: AtomicU64,
    /// Counts all sealed RTSP replies of the process: a key that comes twice still never sees a nonce twice.
    last_sequence: AtomicU32,
}

impl Launches {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// As kept in this directory by the last service, and for the next one.
    #[must_use]
    pub fn kept_in(directory: &Path) -> Self {
        let state = State {
            before: kept::load(directory),
            directory: Some(directory.to_owned()),
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            ..Self::default()
        }
    }

    /// The latest number that a stream was given.
    pub fn latest_stream(&self) -> StreamId {
        StreamId(self.last_stream.load(Ordering::Relaxed))
    }

    /// Record a launch; an older one of the same client is forgotten. Its stream, if any, is the caller's to stop.
    pub fn create(&self, request: LaunchRequest) -> Result<Arc<Launch>, NoRandom> {
        let LaunchRequest {
            client,
            agent,
            app,
            key,
            key_id,
            peer,
            local,
            play_on_host,
            sealed,
        } = request;
        let stream = StreamId(
            self.last_stream
                .fetch_add(1, Ordering::Relaxed)
                .saturating_add(1),
        );
        let mut state = self.lock();
        let launch = Arc::new(Launch {
            stream,
            agent,
            app,
            key,
            key_id,
            peer,
            local,
            play_on_host,
            video_ping: ping_payload()?,
            audio_ping: ping_payload()?,
            connect_data: state.fresh_connect_data()?,
            client,
        });
        state
            .pending
            .retain(|other| other.launch().client.id != launch.client.id);
        let running = state.now_running(&launch);
        state.apps.insert(launch.client.id.clone(), running);
        state.before.remove(&launch.client.id);
        state.save();
        state
            .pending
            .push(Arc::new(Negotiation::new(Arc::clone(&launch), sealed)));
        Ok(launch)
    }

    /// Forget the client's app and launch, and answer what it had running. Its stream and the app, if any, are the
    /// caller's to stop.
    pub fn cancel(&self, client: &ClientId) -> Option<RunningApp> {
        let mut state = self.lock();
        state
            .pending
            .retain(|other| other.launch().client.id != *client);
        state.before.remove(client);
        let was = state.apps.remove(client);
        state.save();
        was
    }

    /// RTSP is through with this launch: its stream needs no more of it. Later requests fit no launch.
    pub fn finish(&self, launch: &Launch) {
        self.lock()
            .pending
            .retain(|other| other.launch().stream != launch.stream);
    }

    /// Whether this is still the client's latest launch, neither cancelled nor replaced.
    #[must_use]
    pub fn is_current(&self, launch: &Launch) -> bool {
        self.lock()
            .pending
            .iter()
            .any(|other| other.launch().stream == launch.stream)
    }

    /// Find the launch whose key opens this block: the launch and the plaintext. `None` also for a replayed block.
    #[must_use]
    pub fn open(&self, block: &[u8]) -> Option<(Arc<Negotiation>, Vec<u8>)> {
        let candidates: Vec<_> = self
            .live()
            .into_iter()
            .filter(|negotiation| negotiation.is_sealed())
            .collect();
        candidates.into_iter().find_map(|negotiation| {
            let key = &negotiation.launch().key;
            let (sequence, plain) = rtsp::open(key, Direction::ClientToHost, block).ok()?;
            negotiation
                .take_sequence(sequence)
                .then_some((negotiation, plain))
        })
    }

    /// Find the one launch that a plain request from this address can mean. `session` is what the request calls its
    /// session, from the first SETUP on: it tells the clients behind one address apart.
    pub fn by_source(
        &self,
        source: IpAddr,
        session: Option<&str>,
    ) -> Result<Arc<Negotiation>, SourceError> {
        let mut here: Vec<_> = self
            .live()
            .into_iter()
            .filter(|negotiation| negotiation.launch().peer == source)
            .collect();
        let any = !here.is_empty();
        here.retain(|negotiation| !negotiation.is_sealed());
        if here
            .iter()
            .any(|negotiation| Some(negotiation.session()) == session)
        {
            here.retain(|negotiation| Some(negotiation.session()) == session);
        }
        match (here.pop(), here.is_empty()) {
            (Some(only), true) => {
                only.touch();
                Ok(only)
            }
            (Some(_), false) => Err(SourceError::Ambiguous),
            (None, _) if any => Err(SourceError::Sealed),
            (None, _) => Err(SourceError::Unknown),
        }
    }

    /// The sequence number of the next sealed reply.
    #[must_use]
    pub fn next_sequence(&self) -> u32 {
        self.last_sequence
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_add(1)
    }

    /// The launches that have not expired.
    fn live(&self) -> Vec<Arc<Negotiation>> {
        self.expire(Instant::now());
        self.lock().pending.clone()
    }

    fn expire(&self, now: Instant) {
        let mut state = self.lock();
        let is_over = |negotiation: &Arc<Negotiation>| {
            let limit = if negotiation.started() {
                STARTED_LIMIT
            } else {
                UNUSED_LIMIT
            };
            negotiation.unused_since(now, limit)
        };
        let (over, live) = std::mem::take(&mut state.pending)
            .into_iter()
            .partition(is_over);
        state.pending = live;
        let over: Vec<Arc<Negotiation>> = over;
        for negotiation in over {
            state.unused(negotiation.launch());
        }
        state.save();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Never 0, which is what clients without the extension send, and never that of another launch.
    fn fresh_connect_data(&self) -> Result<u32, NoRandom> {
        loop {
            let data = u32::from_ne_bytes(random()?);
            if data != 0
                && !self
                    .pending
                    .iter()
                    .any(|other| other.launch().connect_data == data)
            {
                return Ok(data);
            }
        }
    }
}

fn ping_payload() -> Result<[u8; 16], NoRandom> {
    let mut payload = [0; 16];
    hex::encode_to_slice(random::<8>()?, &mut payload).map_err(|_| NoRandom)?;
    Ok(payload)
}

fn random<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}
