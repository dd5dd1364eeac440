//! What the registry remembers: open windows, attempts that wait, attempts that are underway, penalties.
use super::{
    Approval, AttemptKey, Device, MAX_WAITING, MAX_WAITING_EACH, PairingError, Refusal,
    WaitingPairing, penalty::Penalties,
};
use crate::{
    ids::{ClientId, Uid},
    network::source_of,
};
use punktfunk_core::pairing::HostPairing;
use std::collections::HashMap;
use tokio::{sync::oneshot, time::Instant};

pub(super) struct Waiting {
    pub(super) info: WaitingPairing,
    pub(super) key: AttemptKey,
    pub(super) device: Device,
    pub(super) decision: oneshot::Sender<Decision>,
}

impl Waiting {
    pub(super) fn is(&self, key: &AttemptKey, device: Device) -> bool {
        self.key == *key && self.device == device
    }
}

pub(super) enum Decision {
    Accepted {
        pin: String,
        owner: Uid,
        name: Option<String>,
        terms: crate::store::Terms,
        outcome: oneshot::Sender<Result<ClientId, PairingError>>,
    },
    Rejected,
}

pub(super) struct Underway {
    pub(super) machine: HostPairing,
    pub(super) approval: Approval,
    pub(super) deadline: Instant,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) windows: HashMap<Uid, Instant>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) underway: HashMap<AttemptKey, Underway>,
    pub(super) penalties: Penalties,
    pub(super) last_id: u64,
}

impl State {
    /// When the last window closes; `None` when none is open.
    pub(super) fn window_end(&mut self, now: Instant) -> Option<Instant> {
        self.windows.retain(|_, end| *end > now);
        self.windows.values().max().copied()
    }

    pub(super) fn refusal(&mut self, key: &AttemptKey, now: Instant) -> Option<Refusal> {
        if self.window_end(now).is_none() {
            return Some(Refusal::WindowClosed);
        }
        if let Some(left) = self.penalties.left(key.address, now) {
            return Some(Refusal::Penalty(left.as_secs().saturating_add(1)));
        }
        let near = source_of(key.address);
        let from_here = self
            .waiting
            .iter()
            .filter(|waiting| source_of(waiting.key.address) == near)
            .count();
        if from_here >= MAX_WAITING_EACH || self.waiting.len() >= MAX_WAITING {
            return Some(Refusal::TooManyWaiting);
        }
        // Last: refused attempts do not count.
        let pause = self.penalties.start(key.address, now)?;
        Some(Refusal::Penalty(pause.as_secs().saturating_add(1)))
    }

    pub(super) fn purge(&mut self, now: Instant) {
        let late: Vec<AttemptKey> = self
            .underway
            .iter()
            .filter(|(_, attempt)| attempt.deadline <= now)
            .map(|(key, _)| key.clone())
            .collect();
        for key in &late {
            self.give_up(key, None);
        }
    }

    /// The client (if given: this one) stopped in the middle; answers whether there was an attempt. A client that has seen
    /// the host's proof stopped because the PIN did not match.
    pub(super) fn give_up(&mut self, key: &AttemptKey, device: Option<Device>) -> bool {
        let underway = self.underway.get(key);
        if underway.is_none_or(|one| device.is_some_and(|device| one.approval.device != device)) {
            return false;
        }
        if let Some(attempt) = self.underway.remove(key) {
            if attempt.machine.client_has_checked_pin() {
                self.punish(key, attempt, PairingError::WrongPin);
            } else {
                let _ = attempt.approval.outcome.send(Err(PairingError::Expired));
            }
        }
        true
    }

    pub(super) fn punish(&mut self, key: &AttemptKey, attempt: Underway, outcome: PairingError) {
        self.penalties.add(key.address, Instant::now());
        let _ = attempt.approval.outcome.send(Err(outcome));
    }
}
