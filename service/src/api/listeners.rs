//! Connections that asked for the objects and therefore hear of changes.
use crate::ids::Uid;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};
use zbus::names::OwnedUniqueName;

const ALTOGETHER: usize = 64;
const PER_UID: usize = 8;

#[derive(Default)]
pub(super) struct Listeners(Mutex<BTreeMap<OwnedUniqueName, Uid>>);

impl Listeners {
    /// Tell this connection of changes from now on, until it leaves. Beyond the bounds it can still ask.
    pub(super) fn add(&self, name: &OwnedUniqueName, uid: Uid) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_uid = listeners.values().filter(|other| **other == uid).count();
        if listeners.len() < ALTOGETHER && of_uid < PER_UID {
            listeners.insert(name.clone(), uid);
        }
    }

    pub(super) fn forget(&self, name: &OwnedUniqueName) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.remove(name);
    }

    pub(super) fn list(&self) -> Vec<(OwnedUniqueName, Uid)> {
        let listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listeners
            .iter()
            .map(|(name, uid)| (name.clone(), *uid))
            .collect()
    }
}
