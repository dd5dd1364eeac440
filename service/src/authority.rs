//! Who may do what on the bus: the only place that asks polkit.
//!
//! A table maps each method to an action; what the table does not know is refused. The subject is always the bus name of
//! the sender, and a person is asked only if the message allows it. Without polkit everything that needs it is refused.
mod polkit;
mod rules;

pub use rules::{RULES, Rule, rule};

use crate::{ids::Uid, logging::audit};
use polkit::{Polkit, Verdict};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use zbus::{Connection, DBusError, fdo, message::Header, names::OwnedUniqueName};

/// Whom the bus attests as the sender of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub name: OwnedUniqueName,
    pub uid: Uid,
    /// The message lets a person be asked.
    pub interactive: bool,
}

/// Who may see an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Every local user.
    Everyone,
    /// This account, and who may manage all.
    Owner(Uid),
    /// Who may pair.
    Pairers,
}

/// Answers for one bus connection.
pub struct Authority {
    bus: fdo::DBusProxy<'static>,
    way: Way,
    /// Unique names are never used again, so what the bus said once stays true.
    uids: Mutex<HashMap<OwnedUniqueName, Uid>>,
}

enum Way {
    Polkit(Polkit),
    /// Development: our own account may do everything, others nothing.
    OwnAccount(Uid),
}

/// Names whose uid is remembered; beyond that all are asked for again.
const MAX_REMEMBERED: usize = 512;

impl Authority {
    /// Ask polkit.
    pub async fn polkit(connection: &Connection) -> zbus::Result<Self> {
        let polkit = Polkit::new(connection).await?;
        Self::new(connection, Way::Polkit(polkit)).await
    }

    /// Development mode: callers of `own` may do everything, others nothing.
    pub async fn own_account(connection: &Connection, own: Uid) -> zbus::Result<Self> {
        Self::new(connection, Way::OwnAccount(own)).await
    }

    async fn new(connection: &Connection, way: Way) -> zbus::Result<Self> {
        let bus = fdo::DBusProxy::builder(connection)
            .cache_properties(zbus::proxy::CacheProperties::No)
            .build()
            .await?;
        Ok(Self {
            bus,
            way,
            uids: Mutex::default(),
        })
    }

    /// The sender of a message, with the uid that the bus attests.
    ///
    /// # Errors
    /// `AccessDenied` when there is no sender or the bus does not know it any more.
    pub async fn caller(&self, header: &Header<'_>) -> fdo::Result<Caller> {
        let denied = |what: &str| fdo::Error::AccessDenied(what.to_owned());
        let name: OwnedUniqueName = header
            .sender()
            .ok_or_else(|| denied("the message has no sender"))?
            .to_owned()
            .into();
        let known = self.uids().get(&name).copied();
        let uid = match known {
            Some(uid) => uid,
            None => {
                let uid = self.uid_of(&name).await?;
                let mut uids = self.uids();
                if uids.len() >= MAX_REMEMBERED {
                    uids.clear();
                }
                uids.insert(name.clone(), uid);
                uid
            }
        };
        let caller = Caller {
            name,
            uid,
            interactive: header
                .primary()
                .flags()
                .contains(zbus::message::Flags::AllowInteractiveAuth),
        };
        match self.way {
            Way::OwnAccount(own) if own != uid => Err(denied(
                "this host runs in development mode and serves its own account alone",
            )),
            _ => Ok(caller),
        }
    }

    /// Ask the bus, not the memory, whose connection this is.
    pub async fn uid_of(&self, name: &OwnedUniqueName) -> fdo::Result<Uid> {
        let credentials = self
            .bus
            .get_connection_credentials(name.as_ref().into())
            .await;
        credentials
            .ok()
            .and_then(|credentials| credentials.unix_user_id())
            .map(Uid)
            .ok_or_else(|| fdo::Error::AccessDenied("the bus does not know the caller".into()))
    }

    /// The caller may call this method on an object of `owner` (None: of nobody).
    ///
    /// # Errors
    /// `AccessDenied`, or `InteractiveAuthorizationRequired` where asking a person would help.
    pub async fn require(
        &self,
        caller: &Caller,
        interface: &str,
        member: &str,
        owner: Option<Uid>,
    ) -> fdo::Result<()> {
        let rule = rule(interface, member).ok_or_else(|| {
            fdo::Error::AccessDenied(format!("{interface}.{member} is not open to anybody"))
        })?;
        let action = if owner.is_none_or(|owner| owner == caller.uid) {
            rule.own
        } else {
            rule.others
        };
        let method = format!("{interface}.{member}");
        self.permit(caller, action, &method, owner).await
    }

    /// The caller has this action, which `method` needs beyond its own rule.
    ///
    /// # Errors
    /// As [`Authority::require`].
    pub async fn permit(
        &self,
        caller: &Caller,
        action: &str,
        method: &str,
        owner: Option<Uid>,
    ) -> fdo::Result<()> {
        let Way::Polkit(polkit) = &self.way else {
            return Ok(());
        };
        let verdict = polkit.check(&caller.name, action, caller.interactive).await;
        if verdict == Verdict::Authorised {
            audit::authorised(caller, action, method, owner);
            return Ok(());
        }
        let error = match verdict {
            Verdict::Challenge if !caller.interactive => {
                fdo::Error::InteractiveAuthorizationRequired(format!(
                    "{action} needs somebody to authenticate"
                ))
            }
            Verdict::Unavailable(why) => {
                fdo::Error::AccessDenied(format!("polkit cannot be asked about {action}: {why}"))
            }
            _ => fdo::Error::AccessDenied(format!("not authorised for {action}")),
        };
        audit::refused(
            caller,
            action,
            method,
            error.description().unwrap_or_default(),
        );
        Err(error)
    }

    /// Whether this connection may see what `audience` may see. Nobody is ever asked.
    pub async fn may_see(&self, name: &OwnedUniqueName, uid: Uid, audience: Audience) -> bool {
        let action = match audience {
            Audience::Everyone => return true,
            Audience::Owner(owner) if owner == uid => return true,
            Audience::Owner(_) => punktfunk_dbus::names::ACTION_MANAGE_ALL,
            Audience::Pairers => punktfunk_dbus::names::ACTION_PAIR,
        };
        match &self.way {
            Way::OwnAccount(own) => *own == uid,
            Way::Polkit(polkit) => polkit.allows(name, action).await,
        }
    }

    /// The connection is gone.
    pub fn forget(&self, name: &OwnedUniqueName) {
        self.uids().remove(name);
    }

    fn uids(&self) -> std::sync::MutexGuard<'_, HashMap<OwnedUniqueName, Uid>> {
        self.uids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
