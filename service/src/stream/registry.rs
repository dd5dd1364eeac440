//! Which streams there are. One lock, held for look-ups and for sharing.
mod room;

use super::{StopReason, StreamInfo, link::StreamLink, media::now_ns, sharing::Budget};
use crate::{
    config::Settings,
    gamepads::Gamepads,
    ids::{ClientId, SessionId, StreamId},
    net::{control::Control, udp::Pings},
};
use room::Beginning;
pub(super) use room::Place;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// More than may end before somebody looks.
const MAX_ENDED: usize = 256;

/// Everything that the streams share.
pub(super) struct Registry {
    pub(super) settings: Settings,
    pub(super) pings: Pings,
    pub(super) control: Control,
    pub(super) gamepads: Gamepads,
    /// How long a client may take to show where its video goes, and then the agent to make a first frame.
    pub(super) patience: Duration,
    state: Mutex<State>,
    /// Whose streams ended and nobody has asked yet; the oldest are forgotten beyond [`MAX_ENDED`].
    ended: Mutex<VecDeque<ClientId>>,
    pub(super) changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    running: BTreeMap<StreamId, Entry>,
    /// Those that have a place while their source is being opened.
    beginning: BTreeMap<StreamId, Beginning>,
}

struct Entry {
    link: Arc<StreamLink>,
    info: StreamInfo,
    budget: Budget,
}

impl Registry {
    pub(super) fn new(
        settings: Settings,
        pings: Pings,
        control: Control,
        gamepads: Gamepads,
        patience: Duration,
    ) -> Self {
        Self {
            patience,
            settings,
            pings,
            control,
            gamepads,
            state: Mutex::default(),
            ended: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// What is known of a stream that is still there.
    pub(super) fn info(&self, stream: StreamId) -> Option<StreamInfo> {
        self.state()
            .running
            .get(&stream)
            .map(|entry| entry.info.clone())
    }

    /// The stream runs, in the place that it was given.
    pub(super) fn insert(&self, place: Place, link: Arc<StreamLink>, info: StreamInfo) {
        let mut state = self.state();
        state.beginning.remove(&link.id());
        let info = StreamInfo {
            bitrate_limit_kbps: place.limit_kbps,
            ..info
        };
        let entry = Entry {
            info,
            budget: place.budget,
            link: Arc::clone(&link),
        };
        state.running.insert(link.id(), entry);
        // Others may have come or gone meanwhile.
        self.share(&mut state, None);
        drop(state);
        self.note_change();
    }

    pub(super) fn remove(&self, id: StreamId) {
        let mut state = self.state();
        let removed = state.running.remove(&id);
        self.share(&mut state, None);
        drop(state);
        if let Some(entry) = removed {
            let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
            if ended.len() >= MAX_ENDED {
                ended.pop_front();
            }
            ended.push_back(entry.info.client);
        }
        self.note_change();
    }

    pub(super) fn take_ended(&self) -> Vec<ClientId> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *ended).into()
    }

    pub(super) fn set_state(&self, id: StreamId, state: &'static str) {
        let changed = match self.state().running.get_mut(&id) {
            Some(entry) => std::mem::replace(&mut entry.info.state, state) != state,
            None => false,
        };
        if changed {
            self.note_change();
        }
    }

    /// What the agent says of its pictures.
    pub(super) fn set_source(&self, id: StreamId, source: &'static str, reason: String) {
        let Some(changed) = self.state().running.get_mut(&id).map(|entry| {
            let info = &mut entry.info;
            let changed = info.source != source || info.source_reason != reason;
            (info.source, info.source_reason) = (source, reason);
            changed
        }) else {
            return;
        };
        if changed {
            self.note_change();
        }
    }

    /// The stream shows this session now.
    pub(super) fn set_session(&self, id: StreamId, session: &SessionId) {
        if let Some(entry) = self.state().running.get_mut(&id) {
            entry.info.session.clone_from(&session.0);
        }
        self.note_change();
    }

    /// What the encoder may aim for: as set last, within what the host's total leaves.
    pub(super) fn bitrate_kbps(&self, id: StreamId) -> Option<u32> {
        let state = self.state();
        let info = state.running.get(&id).map(|entry| &entry.info)?;
        let limit = info.bitrate_limit_kbps.unwrap_or(info.bitrate_kbps);
        Some(info.bitrate_kbps.min(limit))
    }

    pub(super) fn contains(&self, id: StreamId) -> bool {
        self.state().running.contains_key(&id)
    }

    pub(super) fn of_client(&self, client: &ClientId) -> Vec<StreamId> {
        let of_client =
            |(id, entry): (&StreamId, &Entry)| (entry.info.client == *client).then_some(*id);
        self.state().running.iter().filter_map(of_client).collect()
    }

    pub(super) fn ids(&self) -> Vec<StreamId> {
        self.state().running.keys().copied().collect()
    }

    pub(super) fn link(&self, id: StreamId) -> Option<Arc<StreamLink>> {
        self.state()
            .running
            .get(&id)
            .map(|entry| Arc::clone(&entry.link))
    }

    pub(super) fn stop(&self, id: StreamId, reason: StopReason) -> bool {
        let link = self.link(id);
        link.inspect(|link| link.end(reason)).is_some()
    }

    /// The video's budget, set by hand.
    pub(super) fn set_bitrate(&self, id: StreamId, kbps: u32) -> bool {
        let mut state = self.state();
        match state.running.get_mut(&id) {
            Some(entry) => {
                entry.info.bitrate_kbps = kbps;
                entry.budget = entry.budget.with_video(kbps);
            }
            None => return false,
        }
        self.share(&mut state, Some(id));
        drop(state);
        self.note_change();
        true
    }

    /// With live figures.
    pub(super) fn infos(&self) -> Vec<StreamInfo> {
        let entries: Vec<_> = self
            .state()
            .running
            .values()
            .map(|entry| (entry.info.clone(), Arc::clone(&entry.link)))
            .collect();
        // The figures are worked out without the lock.
        entries
            .into_iter()
            .map(|(info, link)| StreamInfo {
                last_decision: link.statistics().last_decision(),
                statistics: link.statistics().snapshot(now_ns()),
                ..info
            })
            .collect()
    }

    /// Resolves when none of `ids` is left.
    pub(super) async fn gone(&self, ids: &[StreamId]) {
        let mut changes = self.changed.subscribe();
        while ids.iter().any(|id| self.contains(*id)) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic leaves half done is put right by the next sharing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_change(&self) {
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}
