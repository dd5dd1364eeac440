//! Who has a place, and how much of the host's bitrate: the decisions of [`sharing`](super::super::sharing), carried out.
use super::{Registry, State};
use crate::{
    ids::{ClientId, StreamId, Uid},
    launch::Launch,
    store::ClientRecord,
    stream::{
        StartError,
        media::Command,
        sharing::{self, Budget, Places, Refusal},
    },
};
use std::{collections::BTreeSet, sync::Arc};

/// A stream that has a place and does not run yet.
pub(super) struct Beginning {
    client: ClientId,
    user: Uid,
    budget: Budget,
    limit_kbps: Option<u32>,
}

/// A stream's place while it begins; given back when dropped, unless the stream runs by then.
pub(in crate::stream) struct Place {
    registry: Arc<Registry>,
    stream: StreamId,
    pub(in crate::stream) budget: Budget,
    /// What the host's total leaves for its video now, where that is less than the budget.
    pub(in crate::stream) limit_kbps: Option<u32>,
}

impl Place {
    /// What the encoder begins with.
    pub(in crate::stream) fn video_kbps(&self) -> u32 {
        self.limit_kbps.unwrap_or(self.budget.video_kbps())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.registry.state();
        if state.beginning.remove(&self.stream).is_some() {
            self.registry.share(&mut state, None);
            drop(state);
            self.registry.note_change();
        }
    }
}

impl State {
    /// Whose the streams are that run or begin, those of one client left out.
    fn users(&self, without: Option<&ClientId>) -> Vec<Uid> {
        let running = self.running.values().map(|entry| &entry.info);
        let running = running.map(|info| (&info.client, info.user));
        let beginning = self.beginning.values();
        let beginning = beginning.map(|beginning| (&beginning.client, beginning.user));
        running
            .chain(beginning)
            .filter(|(client, _)| Some(*client) != without)
            .map(|(_, user)| user)
            .collect()
    }
}

impl Registry {
    /// Why this client could not have a stream now. The one that it has is not counted: a new one replaces it.
    pub(in crate::stream) fn refusal(
        &self,
        client: &ClientRecord,
        accounts: &BTreeSet<Uid>,
    ) -> Option<Refusal> {
        let taken = self.state().users(Some(&client.id));
        Places::of(&self.settings.now()).refusal(client.owner, &taken, accounts)
    }

    /// A place for the stream of this launch, and its share: the others make room at once.
    ///
    /// # Errors
    /// There is no place, or the stream has one already.
    pub(in crate::stream) fn admit(
        self: &Arc<Self>,
        launch: &Launch,
        budget: Budget,
        accounts: &BTreeSet<Uid>,
    ) -> Result<Place, StartError> {
        let (stream, user) = (launch.stream, launch.client.owner);
        let mut state = self.state();
        if state.running.contains_key(&stream) || state.beginning.contains_key(&stream) {
            return Err(StartError::Refused(
                "this stream was started already".into(),
            ));
        }
        let places = Places::of(&self.settings.now());
        if let Some(refusal) = places.refusal(user, &state.users(None), accounts) {
            return Err(StartError::Refused(refusal.to_string()));
        }
        let beginning = Beginning {
            client: launch.client.id.clone(),
            user,
            budget,
            limit_kbps: None,
        };
        state.beginning.insert(stream, beginning);
        self.share(&mut state, None);
        let given = state.beginning.get(&stream);
        let limit_kbps = given.and_then(|beginning| beginning.limit_kbps);
        drop(state);
        self.note_change();
        Ok(Place {
            registry: Arc::clone(self),
            stream,
            budget,
            limit_kbps,
        })
    }

    /// The settings may have changed.
    pub(in crate::stream) fn share_anew(&self) {
        self.share(&mut self.state(), None);
        self.note_change();
    }

    /// Share the host's total among all streams, and tell those for whom something changes, and the one whose budget was just
    /// set by hand. Within the lock, so that older shares are never told after newer ones.
    pub(super) fn share(&self, state: &mut State, by_hand: Option<StreamId>) {
        let total_kbps = self.settings.now().max_total_kbps();
        let State { running, beginning } = state;
        let of_running = running
            .values()
            .map(|entry| (entry.info.user, entry.budget));
        let of_beginning = beginning.values();
        let of_beginning = of_beginning.map(|beginning| (beginning.user, beginning.budget));
        let streams: Vec<_> = of_running.chain(of_beginning).collect();
        let mut limits = sharing::limits(total_kbps, &streams).into_iter();
        for ((id, entry), limit_kbps) in running.iter_mut().zip(limits.by_ref()) {
            let info = &mut entry.info;
            let before = std::mem::replace(&mut info.bitrate_limit_kbps, limit_kbps);
            let by_hand = (by_hand == Some(*id)).then_some(info.bitrate_kbps);
            if by_hand.is_some() || before != limit_kbps {
                entry.link.command(Command::Bitrate {
                    by_hand,
                    limit_kbps,
                });
            }
        }
        for (beginning, limit_kbps) in beginning.values_mut().zip(limits) {
            beginning.limit_kbps = limit_kbps;
        }
    }
}
