//! Pairing attempts that wait for a person, and the window in which they are taken.
//!
//! An attempt lives through two phases: *waiting* (stage 1 is held open until a person decides) and *underway* (stages 2
//! to 4, seconds, each over a connection of its own). Stages are correlated by (`uniqueid`, source address), which devices
//! behind one router share: they wait side by side, told apart by their certificates, and are underway one after another.
//! Success means that the client's certificate is on disk; only then does [`Pairings::accept`] answer.
mod attempt;
mod penalty;
mod state;
#[cfg(test)]
mod tests;

use crate::{
    ids::{ClientId, Uid},
    logging::{Rarely, audit},
    store::{StoreError, Terms},
};
pub use attempt::{Approval, AttemptKey, Device, PairingError, Refusal, WaitingPairing};
use punktfunk_core::pairing::{self as protocol, Certificate, HostPairing};
use state::{Decision, State, Underway, Waiting};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep, sleep_until},
};

/// Longest window that [`Pairings::open_window`] grants.
pub const MAX_WINDOW: Duration = Duration::from_secs(300);
/// Attempts that may wait for a decision at a time.
pub const MAX_WAITING: usize = 8;
/// Of these from one source (an address, or an IPv6 /64): one source cannot keep the others off the list.
pub const MAX_WAITING_EACH: usize = 3;
/// A client's next stage must come within this time (its own limit is 5 s).
const STAGE_LIMIT: Duration = Duration::from_secs(10);
/// From the PIN to the end of stage 4, and before it the turn of another device behind the same address.
const ACCEPT_LIMIT: Duration = Duration::from_secs(60);
/// How often an accepted attempt is looked at, should the client have fallen silent.
const LOOK: Duration = Duration::from_millis(500);
/// Attempts and refusals are logged at most this often: anybody on the network can cause them.
const LOG_PAUSE: Duration = Duration::from_secs(1);
const MAX_NAME: usize = 64;

/// The registry.
pub struct Pairings {
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    stage_limit: Duration,
}

impl Default for Pairings {
    fn default() -> Self {
        Self::new()
    }
}

impl Pairings {
    #[must_use]
    pub fn new() -> Self {
        Self::within(STAGE_LIMIT)
    }

    /// With another limit for the client's next stage.
    pub(crate) fn within(stage_limit: Duration) -> Self {
        Self {
            state: Mutex::default(),
            changes: watch::Sender::default(),
            stage_limit,
        }
    }

    /// Open (or extend) the window for this account; at most 300 s; answers what was granted.
    pub fn open_window(&self, by: Uid, duration: Duration) -> Duration {
        let granted = duration.min(MAX_WINDOW);
        if let Some(end) = Instant::now().checked_add(granted) {
            let mut state = self.lock();
            let current = state.windows.entry(by).or_insert(end);
            *current = end.max(*current);
        }
        self.changed();
        granted
    }

    /// Close this account's window. Attempts that wait are refused unless another account's window is open.
    pub fn close_window(&self, by: Uid) {
        self.lock().windows.remove(&by);
        self.changed();
    }

    #[must_use]
    pub fn window_open(&self) -> bool {
        self.lock().window_end(Instant::now()).is_some()
    }

    #[must_use]
    pub fn waiting(&self) -> Vec<WaitingPairing> {
        self.lock()
            .waiting
            .iter()
            .map(|waiting| waiting.info.clone())
            .collect()
    }

    /// Enter the PIN for an attempt; answers after the client proved that it knows it and the record is on disk.
    /// The attempt is used up, whatever the outcome.
    pub async fn accept(
        &self,
        id: u64,
        pin: &str,
        owner: Uid,
        name: Option<String>,
    ) -> Result<ClientId, PairingError> {
        self.accept_on(id, pin, owner, name, Terms::default()).await
    }

    /// As [`Pairings::accept`], on these terms.
    pub async fn accept_on(
        &self,
        id: u64,
        pin: &str,
        owner: Uid,
        name: Option<String>,
        terms: Terms,
    ) -> Result<ClientId, PairingError> {
        if pin.len() != 4 || !pin.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PairingError::BadPin);
        }
        let (outcome, mut result) = oneshot::channel();
        let waiting = self.take_waiting(id)?;
        let accepted = Decision::Accepted {
            pin: pin.to_owned(),
            owner,
            name,
            terms,
            outcome,
        };
        if waiting.decision.send(accepted).is_err() {
            return Err(PairingError::Expired);
        }
        let now = Instant::now();
        let end = now.checked_add(ACCEPT_LIMIT).unwrap_or(now);
        loop {
            tokio::select! {
                biased;
                // An error: the client's connection is gone.
                outcome = &mut result => return outcome.unwrap_or(Err(PairingError::Expired)),
                () = sleep(LOOK) => {}
            }
            let mut state = self.lock();
            state.purge(Instant::now());
            if Instant::now() >= end {
                state.give_up(&waiting.key, Some(waiting.device));
                return Err(PairingError::Expired);
            }
        }
    }

    /// Refuse an attempt; the device is told.
    pub fn reject(&self, id: u64) -> Result<(), PairingError> {
        let waiting = self.take_waiting(id)?;
        // A client that left in this moment needs no answer.
        let _ = waiting.decision.send(Decision::Rejected);
        Ok(())
    }

    /// Changes when a window opens or closes and when an attempt comes or goes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Stage 1: list the attempt and wait for a decision, as long as a window is open. A newer attempt of the same device
    /// replaces the older one. Dropping the future (the client hung up) removes the attempt.
    pub async fn await_decision(
        &self,
        key: AttemptKey,
        device: Device,
        name: &str,
    ) -> Result<Approval, Refusal> {
        let (decision, mut decided) = oneshot::channel();
        let name = tidy_name(name);
        let id = self.enlist(key, device, &name, decision)?;
        let _unlist = Unlist { pairings: self, id };
        let mut changes = self.changes.subscribe();
        loop {
            let end = self
                .lock()
                .window_end(Instant::now())
                .ok_or(Refusal::Expired)?;
            tokio::select! {
                biased;
                decision = &mut decided => return match decision {
                    Ok(Decision::Accepted { pin, owner, name: given, terms, outcome }) => {
                        let name = given.map_or(name, |given| tidy_name(&given));
                        Ok(Approval { pin, device, owner, name, terms, outcome })
                    }
                    Ok(Decision::Rejected) => Err(Refusal::Rejected),
                    Err(_) => Err(Refusal::Expired),
                },
                _ = changes.changed() => {}
                () = sleep_until(end) => {}
            }
        }
    }

    /// End of stage 1: the attempt goes on with this machine, once no other device is underway with the same key.
    pub async fn begin(&self, key: AttemptKey, machine: HostPairing, approval: Approval) {
        let mut changes = self.changes.subscribe();
        loop {
            let until = {
                let mut state = self.lock();
                state.purge(Instant::now());
                match state.underway.get(&key) {
                    Some(other) => other.deadline,
                    None => {
                        let deadline = self.stage_deadline();
                        let underway = Underway {
                            machine,
                            approval,
                            deadline,
                        };
                        state.underway.insert(key, underway);
                        return;
                    }
                }
            };
            tokio::select! {
                _ = changes.changed() => {}
                () = sleep_until(until) => {}
            }
        }
    }

    /// Stages 2 and 3. Any error ends the attempt.
    pub fn advance<T>(
        &self,
        key: &AttemptKey,
        stage: impl FnOnce(&mut HostPairing) -> Result<T, protocol::PairingError>,
    ) -> Result<T, Refusal> {
        let mut state = self.lock();
        state.purge(Instant::now());
        // Not taken out in the meantime: another device would take the place.
        let attempt = state.underway.get_mut(key).ok_or(Refusal::NotUnderway)?;
        match stage(&mut attempt.machine) {
            Ok(answer) => {
                attempt.deadline = self.stage_deadline();
                Ok(answer)
            }
            Err(error) => {
                let attempt = state.underway.remove(key);
                drop(state);
                Err(self.fail(key, attempt, error))
            }
        }
    }

    /// Stage 4: check the proof, store the certificate, tell the one who approved. The attempt ends here.
    pub fn finish(
        &self,
        key: &AttemptKey,
        secret: &str,
        store: impl FnOnce(&str, &Certificate, Uid, Terms) -> Result<ClientId, StoreError>,
    ) -> Result<ClientId, Refusal> {
        let mut attempt = self.take_underway(key)?;
        let certificate = match attempt.machine.secret(secret) {
            Ok(certificate) => certificate,
            Err(error) => return Err(self.fail(key, Some(attempt), error)),
        };
        let Approval {
            owner,
            name,
            terms,
            outcome,
            ..
        } = attempt.approval;
        let stored = store(&name, &certificate, owner, terms);
        self.lock().penalties.forgive(key.address, Instant::now());
        let (answer, result) = match stored {
            Ok(id) => {
                audit::paired(&id, &name, owner);
                (Ok(id.clone()), Ok(id))
            }
            Err(error) => {
                tracing::error!("a pairing could not be stored: {error}");
                (
                    Err(PairingError::Store(error.to_string())),
                    Err(Refusal::Store),
                )
            }
        };
        // Nobody listens any more: the client is paired all the same.
        let _ = outcome.send(answer);
        self.changed();
        result
    }

    /// A client gave up (`/unpair`): forget the attempt that is underway with this key, else the one that waits. Of
    /// several that wait nobody can say which is meant; a device that gives up closes its connection as well.
    pub fn abort(&self, key: &AttemptKey) {
        let mut state = self.lock();
        if !state.give_up(key, None)
            && state.waiting.iter().filter(|one| one.key == *key).count() == 1
        {
            state.waiting.retain(|waiting| waiting.key != *key);
        }
        drop(state);
        self.changed();
    }

    fn enlist(
        &self,
        key: AttemptKey,
        device: Device,
        name: &str,
        decision: oneshot::Sender<Decision>,
    ) -> Result<u64, Refusal> {
        static REFUSED: Rarely = Rarely::new(LOG_PAUSE);
        static ENLISTED: Rarely = Rarely::new(LOG_PAUSE);
        let now = Instant::now();
        let mut state = self.lock();
        state.purge(now);
        // What the device began before is over.
        state.give_up(&key, Some(device));
        let before = state.waiting.len();
        state.waiting.retain(|waiting| !waiting.is(&key, device));
        if let Some(refusal) = state.refusal(&key, now) {
            let replaced = state.waiting.len() != before;
            drop(state);
            if replaced {
                self.changed();
            }
            if REFUSED.now() {
                tracing::info!(address = %key.address, name, "a pairing was refused: {refusal}");
            }
            return Err(refusal);
        }
        state.last_id = state.last_id.saturating_add(1);
        let id = state.last_id;
        let address = key.address;
        let info = WaitingPairing {
            id,
            name: name.to_owned(),
            address,
            since: unix_now(),
        };
        state.waiting.push(Waiting {
            info,
            key,
            device,
            decision,
        });
        drop(state);
        if ENLISTED.now() {
            tracing::info!(%address, name, "a device waits for its PIN: enter it with 'punktfunkctl pair'");
        }
        self.changed();
        Ok(id)
    }

    fn take_waiting(&self, id: u64) -> Result<Waiting, PairingError> {
        let mut state = self.lock();
        let at = state
            .waiting
            .iter()
            .position(|waiting| waiting.info.id == id)
            .ok_or(PairingError::NoSuchAttempt)?;
        let waiting = state.waiting.swap_remove(at);
        drop(state);
        self.changed();
        Ok(waiting)
    }

    fn take_underway(&self, key: &AttemptKey) -> Result<Underway, Refusal> {
        let mut state = self.lock();
        state.purge(Instant::now());
        state.underway.remove(key).ok_or(Refusal::NotUnderway)
    }

    fn fail(
        &self,
        key: &AttemptKey,
        attempt: Option<Underway>,
        error: protocol::PairingError,
    ) -> Refusal {
        audit::pairing_failed(key.address, &error);
        if let Some(attempt) = attempt {
            self.lock().punish(key, attempt, PairingError::WrongPin);
        }
        self.changed();
        Refusal::Protocol(error)
    }

    fn stage_deadline(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.stage_limit).unwrap_or(now)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Takes an attempt off the list when its request ends, however it ends.
struct Unlist<'a> {
    pairings: &'a Pairings,
    id: u64,
}

impl Drop for Unlist<'_> {
    fn drop(&mut self) {
        let mut state = self.pairings.lock();
        let before = state.waiting.len();
        state.waiting.retain(|waiting| waiting.info.id != self.id);
        let gone = state.waiting.len() != before;
        drop(state);
        if gone {
            self.pairings.changed();
        }
    }
}

/// A name fit for a list and a log line: no control characters, not endless, never empty.
fn tidy_name(name: &str) -> String {
    let tidy: String = name
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME)
        .collect();
    match tidy.trim() {
        "" => "unnamed device".to_owned(),
        name => name.to_owned(),
    }
}

fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
