//! How far RTSP has come with one launch.
use super::Launch;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// The RTSP side of a launch.
pub struct Negotiation {
    launch: Arc<Launch>,
    sealed: bool,
    /// The value of the `Session` header.
    session: String,
    progress: Mutex<Progress>,
}

struct Progress {
    last_used: Instant,
    /// Highest sequence number of the client; each may be used once, in rising order.
    last_sequence: Option<u32>,
    low_quality_stereo: bool,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Negotiating,
    /// The agent is being asked; takes seconds.
    Starting,
    Started,
}

impl Negotiation {
    pub(super) fn new(launch: Arc<Launch>, sealed: bool) -> Self {
        let session = format!("{:016X}", launch.stream.0);
        let progress = Mutex::new(Progress {
            last_used: Instant::now(),
            last_sequence: None,
            low_quality_stereo: false,
            stage: Stage::Negotiating,
        });
        Self {
            launch,
            sealed,
            session,
            progress,
        }
    }

    #[must_use]
    pub fn launch(&self) -> &Arc<Launch> {
        &self.launch
    }

    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.sealed
    }

    #[must_use]
    pub fn session(&self) -> &str {
        &self.session
    }

    /// What the `Host` header of a request says about stereo: `0.0.0.0` asks for low quality.
    pub fn note_host(&self, host: &str) {
        if host.contains("0.0.0.0") {
            self.lock().low_quality_stereo = true;
        }
    }

    #[must_use]
    pub fn stereo_high_quality(&self) -> bool {
        !self.lock().low_quality_stereo
    }

    /// Take the right to start the stream; `false` when somebody has it already.
    #[must_use]
    pub fn begin_start(&self) -> bool {
        let mut progress = self.lock();
        let first = progress.stage == Stage::Negotiating;
        if first {
            progress.stage = Stage::Starting;
        }
        first
    }

    /// The start is over; after a failure the client may announce again.
    pub fn end_start(&self, success: bool) {
        let mut progress = self.lock();
        progress.stage = if success {
            Stage::Started
        } else {
            Stage::Negotiating
        };
        progress.last_used = Instant::now();
    }

    #[must_use]
    pub fn started(&self) -> bool {
        self.lock().stage == Stage::Started
    }

    pub(super) fn touch(&self) {
        self.lock().last_used = Instant::now();
    }

    /// Note a sealed request; `false` when its number was seen before (a replay).
    pub(super) fn take_sequence(&self, sequence: u32) -> bool {
        let mut progress = self.lock();
        let fresh = progress.last_sequence.is_none_or(|last| sequence > last);
        if fresh {
            progress.last_sequence = Some(sequence);
            progress.last_used = Instant::now();
        }
        fresh
    }

    pub(super) fn unused_since(&self, now: Instant, limit: Duration) -> bool {
        let progress = self.lock();
        progress.stage != Stage::Starting
            && now.saturating_duration_since(progress.last_used) >= limit
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
