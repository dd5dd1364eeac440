//! Which connection holds which account's pairing window open.
use crate::ids::Uid;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use zbus::names::OwnedUniqueName;

#[derive(Default)]
pub(super) struct Windows(Mutex<HashMap<Uid, (OwnedUniqueName, Instant)>>);

impl Windows {
    /// This connection opened its account's window, or began its time anew.
    pub(super) fn opened(&self, uid: Uid, by: OwnedUniqueName, granted: Duration) {
        let now = Instant::now();
        let until = now.checked_add(granted).unwrap_or(now);
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|_, (_, until)| *until > now);
        windows.insert(uid, (by, until));
    }

    pub(super) fn closed(&self, uid: Uid) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.remove(&uid);
    }

    /// Whether the account holds a window open: it was authorised to pair when it opened it.
    pub(super) fn held_by(&self, uid: Uid) -> bool {
        let windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows
            .get(&uid)
            .is_some_and(|(_, until)| *until > Instant::now())
    }

    /// The connection is gone: the account whose window went with it.
    pub(super) fn opener_left(&self, name: &OwnedUniqueName) -> Option<Uid> {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = windows
            .iter()
            .find_map(|(uid, (by, _))| (by == name).then_some(*uid))?;
        windows.remove(&uid);
        Some(uid)
    }
}
