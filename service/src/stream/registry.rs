//! Which streams there are. One lock, held for look-ups only.
use super::{
    StopReason, StreamInfo,
    link::StreamLink,
    media::{Command, now_ns},
};
use crate::{
    config::Settings,
    gamepads::Gamepads,
    ids::{ClientId, SessionId, StreamId, Uid},
    net::{control::Control, udp::Pings},
};
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
    streams: Mutex<BTreeMap<StreamId, Entry>>,
    /// Whose streams ended and nobody has asked yet; the oldest are forgotten beyond [`MAX_ENDED`].
    ended: Mutex<VecDeque<ClientId>>,
    pub(super) changed: watch::Sender<u64>,
}

struct Entry {
    link: Arc<StreamLink>,
    info: StreamInfo,
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
            streams: Mutex::default(),
            ended: Mutex::default(),
            changed: watch::Sender::new(0),
        }
    }

    /// What is known of a stream that is still there.
    pub(super) fn info(&self, stream: StreamId) -> Option<StreamInfo> {
        self.streams().get(&stream).map(|entry| entry.info.clone())
    }

    pub(super) fn insert(&self, link: Arc<StreamLink>, info: StreamInfo) {
        self.streams().insert(link.id(), Entry { link, info });
        self.note_change();
    }

    pub(super) fn remove(&self, id: StreamId) {
        let removed = self.streams().remove(&id);
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
        let changed = match self.streams().get_mut(&id) {
            Some(entry) => std::mem::replace(&mut entry.info.state, state) != state,
            None => false,
        };
        if changed {
            self.note_change();
        }
    }

    /// What the agent says of its pictures.
    pub(super) fn set_source(&self, id: StreamId, source: &'static str, reason: String) {
        let Some(changed) = self.streams().get_mut(&id).map(|entry| {
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
        if let Some(entry) = self.streams().get_mut(&id) {
            entry.info.session.clone_from(&session.0);
        }
        self.note_change();
    }

    /// What the encoder is to aim for, as set last.
    pub(super) fn bitrate_kbps(&self, id: StreamId) -> Option<u32> {
        self.streams().get(&id).map(|entry| entry.info.bitrate_kbps)
    }

    pub(super) fn len(&self) -> usize {
        self.streams().len()
    }

    pub(super) fn contains(&self, id: StreamId) -> bool {
        self.streams().contains_key(&id)
    }

    pub(super) fn of_client(&self, client: &ClientId) -> Vec<StreamId> {
        let of_client =
            |(id, entry): (&StreamId, &Entry)| (entry.info.client == *client).then_some(*id);
        self.streams().iter().filter_map(of_client).collect()
    }

    /// How many streams the clients of this account have.
    pub(super) fn of_user(&self, user: Uid) -> usize {
        let streams = self.streams();
        streams
            .values()
            .filter(|entry| entry.info.user == user)
            .count()
    }

    pub(super) fn ids(&self) -> Vec<StreamId> {
        self.streams().keys().copied().collect()
    }

    pub(super) fn link(&self, id: StreamId) -> Option<Arc<StreamLink>> {
        self.streams().get(&id).map(|entry| Arc::clone(&entry.link))
    }

    pub(super) fn stop(&self, id: StreamId, reason: StopReason) -> bool {
        let link = self.link(id);
        link.inspect(|link| link.end(reason)).is_some()
    }

    pub(super) fn set_bitrate(&self, id: StreamId, kbps: u32) -> bool {
        let link = match self.streams().get_mut(&id) {
            Some(entry) => {
                entry.info.bitrate_kbps = kbps;
                Arc::clone(&entry.link)
            }
            None => return false,
        };
        link.command(Command::Bitrate(kbps));
        self.note_change();
        true
    }

    /// With live figures.
    pub(super) fn infos(&self) -> Vec<StreamInfo> {
        let entries: Vec<_> = self
            .streams()
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

    fn streams(&self) -> MutexGuard<'_, BTreeMap<StreamId, Entry>> {
        // Every change is a single insertion, removal or assignment: a panic leaves nothing half done.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_change(&self) {
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}
