//! Sessions on demand: a client whose owner is not logged in gets a session that the system's manager starts for that account.
//!
//! A log-in without a password, so it is off until an administrator enables it for the account: by a file in
//! `/etc/punktfunk/on-demand.d`, which polkit's rule and the unit look for as well. Nothing is done here but to ask for one unit by
//! name; polkit decides whether that is granted.
mod register;
mod unit;

use crate::{
    host::Host,
    ids::{ClientId, SessionId, StreamId, Uid},
    sessions,
};
use punktfunk_dbus::on_demand::{DIRECTORY, Keep, PERSONS, Policy};
use register::Register;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};
use zbus::Connection;

/// Sessions that are begun at a time.
const MAX_STARTING: usize = 4;
/// How often idleness is looked at while there is a session that can become idle.
const LOOK: Duration = Duration::from_secs(2);
/// When a session that could not be ended is tried again.
const AGAIN: Duration = Duration::from_secs(15);

/// Why there is no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "and no session is started for this account on demand. An administrator can enable that: sudo punktfunkctl on-demand enable {0}"
    )]
    NotEnabled(Uid),
    #[error(
        "and sessions are started on demand for people's accounts alone, not for root or those of the system"
    )]
    System,
    #[error("and {DIRECTORY}/{0} is not acceptable: {1}")]
    Policy(Uid, String),
    #[error("and the session could not be started: {0}")]
    Failed(String),
    #[error(
        "and the session that is started for it was not ready in {} s; try again in a moment (sessions.start-seconds in the configuration)",
        .0.as_secs()
    )]
    Late(Duration),
}

/// A client that is to see a session of its owner's.
#[derive(Debug, Clone)]
pub struct Wish {
    pub owner: Uid,
    pub client: ClientId,
    /// The latest number that a stream was given: what follows this wish has a higher one.
    pub latest: StreamId,
}

/// Starts and ends them.
pub struct OnDemand {
    /// None in development, where there is no manager to ask.
    connection: Option<Connection>,
    directory: PathBuf,
    starting: Semaphore,
    register: Register,
}

impl OnDemand {
    /// None are started.
    #[must_use]
    pub fn off() -> Self {
        Self::new(None)
    }

    #[must_use]
    pub fn new(connection: Option<Connection>) -> Self {
        Self {
            connection,
            directory: DIRECTORY.into(),
            starting: Semaphore::new(MAX_STARTING),
            register: Register::default(),
        }
    }

    /// Whether an administrator has enabled this account, rightly or not.
    #[must_use]
    pub fn is_enabled(&self, owner: Uid) -> bool {
        self.connection.is_some()
            && is_persons(owner)
            && !matches!(Policy::read(&self.directory, owner.0), Ok(None))
    }

    /// The desktops that this account has; one is started if it has none, and answers by then. An agent registers for it by itself.
    /// None: nobody can say.
    ///
    /// # Errors
    /// Why there is none, in words for the person at the client.
    pub async fn desktops(
        &self,
        wish: &Wish,
        limit: Duration,
    ) -> Result<Option<Vec<SessionId>>, Refusal> {
        let owner = wish.owner;
        let Some(connection) = &self.connection else {
            return Ok(None);
        };
        let policy = match self.policy(owner) {
            Ok(policy) => policy,
            // Whoever is logged in needs none.
            Err(refusal) => match look(connection, owner).await {
                Some(desktops) if desktops.is_empty() => return Err(refusal),
                desktops => return Ok(desktops),
            },
        };
        let started = async {
            // One launch of an account after the other, and none while its session is being ended.
            let door = self.register.door(owner);
            let _inside = door.lock().await;
            let Some(there) = look(connection, owner).await else {
                return Ok(None);
            };
            // What is about to come or to go answers nobody.
            if !there.is_empty() && unit::is_settled(connection, owner).await {
                // One that nobody here knows of, for whatever reason, ends by the policy like every other.
                if !self.register.touch(owner, wish.latest)
                    && unit::is_active(connection, owner).await
                {
                    self.register.note(owner, policy.keep, wish.latest);
                }
                return Ok(Some(there));
            }
            let _turn = self.starting.acquire().await;
            tracing::info!(uid = owner.0, client = %wish.client, "a session is started on demand");
            // Before it is asked for: one that comes too late for this launch is ended by the policy all the same.
            self.register.note(owner, policy.keep, wish.latest);
            unit::start(connection, owner)
                .await
                .map_err(Refusal::Failed)?;
            self.register.note(owner, policy.keep, wish.latest);
            Ok(look(connection, owner).await)
        };
        timeout(limit, started)
            .await
            .unwrap_or(Err(Refusal::Late(limit)))
    }

    /// What the administrator has said about this account.
    fn policy(&self, owner: Uid) -> Result<Policy, Refusal> {
        if !is_persons(owner) {
            return Err(Refusal::System);
        }
        match Policy::read(&self.directory, owner.0) {
            Ok(Some(policy)) => policy.map_err(|why| Refusal::Policy(owner, why)),
            Ok(None) => Err(Refusal::NotEnabled(owner)),
            Err(error) => Err(Refusal::Policy(owner, error.to_string())),
        }
    }

    /// How long a session that runs is kept; that of an account which is enabled no more, until its stream ends. None: what was said
    /// last holds, because what is said now makes no sense. A slip in a file ends nobody's work.
    fn keep(&self, owner: Uid) -> Option<Keep> {
        match self.policy(owner) {
            Ok(policy) => Some(policy.keep),
            Err(Refusal::NotEnabled(_) | Refusal::System) => Some(Keep::Stream),
            Err(refusal) => {
                tracing::debug!(uid = owner.0, "a session on demand runs on, {refusal}");
                None
            }
        }
    }

    /// Whether the manager has said which sessions run that an earlier service started.
    async fn know_earlier(&self, connection: &Connection) -> bool {
        match unit::running(connection).await {
            Ok(uids) => {
                for uid in uids {
                    let keep = self.keep(uid).unwrap_or_default();
                    self.register.note_unless_known(uid, keep);
                }
                true
            }
            Err(error) => {
                tracing::debug!(%error, "the manager does not say which sessions it started on demand");
                false
            }
        }
    }

    /// End those that nobody has used for as long as the policy says.
    async fn end_idle(&self, connection: &Connection, host: &Host) {
        let busy = || -> Vec<(Uid, StreamId)> {
            let streams = host.streams.list();
            streams
                .iter()
                .map(|stream| (stream.user, stream.id))
                .collect()
        };
        for uid in self.register.all() {
            if let Some(keep) = self.keep(uid) {
                self.register.set_keep(uid, keep);
            }
        }
        for uid in self.register.idle(&busy(), Instant::now()) {
            let door = self.register.door(uid);
            // A launch is under way.
            let Ok(_inside) = door.try_lock() else {
                continue;
            };
            // It may have ended with success since it was looked.
            if !self.register.idle(&busy(), Instant::now()).contains(&uid) {
                continue;
            }
            tracing::info!(
                uid = uid.0,
                "nobody uses the session that was started on demand; it ends"
            );
            match unit::stop(connection, uid).await {
                Ok(()) => self.register.forget(uid),
                Err(error) => {
                    tracing::warn!(uid = uid.0, %error, "a session on demand could not be ended; it is tried again");
                    self.register.postpone(uid, Instant::now(), AGAIN);
                }
            }
        }
    }
}

async fn look(connection: &Connection, owner: Uid) -> Option<Vec<SessionId>> {
    match sessions::desktops(connection, owner).await {
        Ok(desktops) => Some(desktops),
        Err(error) => {
            tracing::warn!(uid = owner.0, %error, "whether this user is logged in is not known");
            None
        }
    }
}

fn is_persons(uid: Uid) -> bool {
    PERSONS.contains(&uid.0)
}

/// End sessions by the policy; returns only when the service is torn down.
pub async fn watch(host: Arc<Host>) {
    let on_demand = &host.on_demand;
    let Some(connection) = &on_demand.connection else {
        return std::future::pending().await;
    };
    // What an earlier service had started goes on, and ends by the same rules. A manager that is busy is asked again.
    let mut earlier_known = false;
    let mut changes = host.streams.changes();
    loop {
        if !earlier_known {
            earlier_known = on_demand.know_earlier(connection).await;
        }
        let some = on_demand.register.is_used() || !earlier_known;
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = on_demand.register.noted() => {}
            () = sleep(LOOK), if some => {}
        }
        on_demand.end_idle(connection, &host).await;
    }
}
