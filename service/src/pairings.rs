//! Pairing attempts that wait for a person, and the window in which they are taken.
//!
//! An attempt is known by (`uniqueid`, source address), because its stages come over separate connections. It lives
//! through two phases: *waiting* (stage 1 is held open until a person decides) and *underway* (stages 2 to 4, seconds).
//! Success means that the client's certificate is on disk; only then does [`Pairings::accept`] answer.
mod penalty;
mod state;
#[cfg(test)]
mod tests;

use crate::{
    ids::{ClientId, Uid},
    store::StoreError,
};
use punktfunk_core::pairing::{self as protocol, Certificate, HostPairing};
use state::{Decision, State, Underway, Waiting};
use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, sleep_until, timeout},
};

/// Longest window that [`Pairings::open_window`] grants.
pub const MAX_WINDOW: Duration = Duration::from_secs(300);
/// Attempts that may wait for a decision at a time.
pub const MAX_WAITING: usize = 3;
/// A client's next stage must come within this time (its own limit is 5 s).
const STAGE_LIMIT: Duration = Duration::from_secs(10);
/// From the PIN to the end of stage 4.
const ACCEPT_LIMIT: Duration = Duration::from_secs(35);
/// Refusals are logged at most this often: anybody on the network can cause them.
const LOG_INTERVAL: Duration = Duration::from_secs(1);
const MAX_NAME: usize = 64;

/// An attempt that waits for a person's decision.
#[derive(Debug, Clone)]
pub struct WaitingPairing {
    pub id: u64,
    /// As the device calls itself; not to be trusted.
    pub name: String,
    pub address: IpAddr,
    /// unix seconds
    pub since: u64,
}

/// Why a pairing did not come about, in words for the person who approved it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PairingError {
    #[error("no pairing window is open")]
    WindowClosed,
    #[error("no such pairing attempt")]
    NoSuchAttempt,
    #[error("a PIN has four digits")]
    BadPin,
    #[error("the PIN was wrong")]
    WrongPin,
    #[error("the client gave up or took too long")]
    Expired,
    #[error("could not be stored: {0}")]
    Store(String),
}

/// Why a client's request is refused, in words for the screen of the device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("This host takes no pairings now. Run 'punktfunkctl pair' on it, then try again")]
    WindowClosed,
    #[error("Too many devices wait for their PIN. Finish or reject them with 'punktfunkctl pair'")]
    TooManyWaiting,
    #[error("A pairing from this network failed. Try again in {0} s")]
    Penalty(u64),
    #[error("The pairing was rejected on the host")]
    Rejected,
    #[error("Nobody entered the PIN in time")]
    Expired,
    #[error("No pairing is underway from here. Start again")]
    NotUnderway,
    #[error("Pairing failed: {0}")]
    Protocol(protocol::PairingError),
    #[error("The host could not store the pairing")]
    Store,
}

/// What correlates the stages of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttemptKey {
    pub unique_id: String,
    pub address: IpAddr,
}

/// A person's yes: everything that stages 2 to 4 need.
pub struct Approval {
    pub pin: String,
    owner: Uid,
    name: String,
    outcome: oneshot::Sender<Result<ClientId, PairingError>>,
}

/// The registry.
#[derive(Default)]
pub struct Pairings {
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

impl Pairings {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
        if pin.len() != 4 || !pin.bytes().all(|b| b.is_ascii_digit()) {
            return Err(PairingError::BadPin);
        }
        let (outcome, result) = oneshot::channel();
        let (decision, key) = self.take_waiting(id)?;
        let accepted = Decision::Accepted {
            pin: pin.to_owned(),
            owner,
            name,
            outcome,
        };
        if decision.send(accepted).is_err() {
            return Err(PairingError::Expired);
        }
        match timeout(ACCEPT_LIMIT, result).await {
            Ok(Ok(outcome)) => outcome,
            // The client's connection is gone, or the client fell silent.
            Ok(Err(_)) => Err(PairingError::Expired),
            Err(_) => {
                self.lock().give_up(&key);
                Err(PairingError::Expired)
            }
        }
    }

    /// Refuse an attempt; the device is told.
    pub fn reject(&self, id: u64) -> Result<(), PairingError> {
        let (decision, _) = self.take_waiting(id)?;
        // A client that left in this moment needs no answer.
        let _ = decision.send(Decision::Rejected);
        Ok(())
    }

    /// Changes when a window opens or closes and when an attempt comes or goes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Stage 1: list the attempt and wait for a decision, as long as a window is open. A newer attempt with the same
    /// key replaces the older one. Dropping the future (the client hung up) removes the attempt.
    pub async fn await_decision(&self, key: AttemptKey, name: &str) -> Result<Approval, Refusal> {
        let (decision, mut decided) = oneshot::channel();
        let name = tidy_name(name);
        let id = self.enlist(key, &name, decision)?;
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
                    Ok(Decision::Accepted { pin, owner, name: given, outcome }) => {
                        let name = given.map_or(name, |given| tidy_name(&given));
                        Ok(Approval { pin, owner, name, outcome })
                    }
                    Ok(Decision::Rejected) => Err(Refusal::Rejected),
                    Err(_) => Err(Refusal::Expired),
                },
                _ = changes.changed() => {}
                () = sleep_until(end) => {}
            }
        }
    }

    /// End of stage 1: the attempt goes on with this machine.
    pub fn begin(&self, key: AttemptKey, machine: HostPairing, approval: Approval) {
        let deadline = stage_deadline();
        self.lock().underway.insert(
            key,
            Underway {
                machine,
                approval,
                deadline,
            },
        );
    }

    /// Stages 2 and 3. Any error ends the attempt.
    pub fn advance<T>(
        &self,
        key: &AttemptKey,
        stage: impl FnOnce(&mut HostPairing) -> Result<T, protocol::PairingError>,
    ) -> Result<T, Refusal> {
        let mut attempt = self.take_underway(key)?;
        match stage(&mut attempt.machine) {
            Ok(answer) => {
                attempt.deadline = stage_deadline();
                self.lock().underway.insert(key.clone(), attempt);
                Ok(answer)
            }
            Err(error) => Err(self.fail(key, attempt, error)),
        }
    }

    /// Stage 4: check the proof, store the certificate, tell the one who approved. The attempt ends here.
    pub fn finish(
        &self,
        key: &AttemptKey,
        secret: &str,
        store: impl FnOnce(&str, &Certificate, Uid) -> Result<ClientId, StoreError>,
    ) -> Result<ClientId, Refusal> {
        let mut attempt = self.take_underway(key)?;
        let certificate = match attempt.machine.secret(secret) {
            Ok(certificate) => certificate,
            Err(error) => return Err(self.fail(key, attempt, error)),
        };
        let Approval {
            owner,
            name,
            outcome,
            ..
        } = attempt.approval;
        let stored = store(&name, &certificate, owner);
        self.lock().penalties.forgive(key.address);
        let (answer, result) = match stored {
            Ok(id) => {
                tracing::info!(client = %id, name, owner = %owner, "paired");
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
        result
    }

    /// The client gave up (`/unpair`): forget its attempt.
    pub fn abort(&self, key: &AttemptKey) {
        let mut state = self.lock();
        state.waiting.retain(|waiting| waiting.key != *key);
        state.give_up(key);
        drop(state);
        self.changed();
    }

    fn enlist(
        &self,
        key: AttemptKey,
        name: &str,
        decision: oneshot::Sender<Decision>,
    ) -> Result<u64, Refusal> {
        let now = Instant::now();
        let mut state = self.lock();
        state.purge(now);
        let refusal = state.refusal(&key, now);
        if let Some(refusal) = refusal {
            if state.may_log(now) {
                tracing::info!(address = %key.address, name, "a pairing was refused: {refusal}");
            }
            return Err(refusal);
        }
        state.waiting.retain(|waiting| waiting.key != key);
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
            decision,
        });
        drop(state);
        tracing::info!(%address, name, "a device waits for its PIN: enter it with 'punktfunkctl pair'");
        self.changed();
        Ok(id)
    }

    fn take_waiting(
        &self,
        id: u64,
    ) -> Result<(oneshot::Sender<Decision>, AttemptKey), PairingError> {
        let mut state = self.lock();
        let at = state
            .waiting
            .iter()
            .position(|waiting| waiting.info.id == id)
            .ok_or(PairingError::NoSuchAttempt)?;
        let waiting = state.waiting.swap_remove(at);
        drop(state);
        self.changed();
        Ok((waiting.decision, waiting.key))
    }

    fn take_underway(&self, key: &AttemptKey) -> Result<Underway, Refusal> {
        let mut state = self.lock();
        state.purge(Instant::now());
        state.underway.remove(key).ok_or(Refusal::NotUnderway)
    }

    fn fail(&self, key: &AttemptKey, attempt: Underway, error: protocol::PairingError) -> Refusal {
        tracing::warn!(address = %key.address, "a pairing failed: {error}");
        self.lock().punish(key, attempt, PairingError::WrongPin);
        Refusal::Protocol(error)
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

fn stage_deadline() -> Instant {
    let now = Instant::now();
    now.checked_add(STAGE_LIMIT).unwrap_or(now)
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
