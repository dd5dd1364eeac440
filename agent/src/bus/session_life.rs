//! What logind says of the agent's session, as it happens: in front, locked, going to sleep.

use crate::{bus::inhibition::Inhibitions, life::Facts};
use futures_util::{StreamExt, stream::BoxStream};
use std::{future::pending, pin::pin, time::Duration};
use tokio::{sync::watch, time::sleep};
use zbus::{
    Connection, MatchRule, MessageStream, fdo,
    message::{Message, Type},
    names::InterfaceName,
    zvariant::OwnedObjectPath,
};

const LOGIND: &str = "org.freedesktop.login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: InterfaceName<'static> =
    InterfaceName::from_static_str_unchecked("org.freedesktop.login1.Session");
/// How long a request to lock covers the pictures by itself. A desktop that locks says so (`LockedHint`) much earlier; one
/// that has no lock screen, or does not tell of it, would otherwise stay covered for good.
const LOCK_ASKED: Duration = Duration::from_secs(5);
/// After logind could not be asked.
const AGAIN: Duration = Duration::from_secs(3);
/// The placeholder leaves before the machine sleeps.
const BEFORE_SLEEP: Duration = Duration::from_millis(300);

/// What there is to know of the session; streams keep a receiver.
pub struct SessionLife {
    facts: watch::Sender<Facts>,
    inhibitions: Inhibitions,
}

impl SessionLife {
    pub fn new(inhibitions: Inhibitions) -> Self {
        Self {
            facts: watch::Sender::default(),
            inhibitions,
        }
    }

    pub fn facts(&self) -> watch::Receiver<Facts> {
        self.facts.subscribe()
    }

    /// Follow a session for as long as this is polled. Where there is no logind, nothing is known and nothing changes.
    pub async fn follow(&self, connection: &Connection, session: &str) -> std::convert::Infallible {
        loop {
            match self.watch(connection, session).await {
                Ok(()) => tracing::debug!(session, "logind restarts; looking at the session anew"),
                // a bus that went away is noticed by who registers
                Err(error) => tracing::debug!(session, "the session cannot be followed: {error}"),
            }
            sleep(AGAIN).await;
        }
    }

    /// Until logind goes away.
    async fn watch(&self, connection: &Connection, session: &str) -> zbus::Result<()> {
        let manager =
            zbus::Proxy::new(connection, LOGIND, "/org/freedesktop/login1", MANAGER).await?;
        let mut owners = manager.receive_owner_changed().await?;
        let mut sleeps = of_logind(connection, MANAGER, "PrepareForSleep", None).await?;
        let path: OwnedObjectPath = manager.call("GetSession", &(session,)).await?;
        let properties = fdo::PropertiesProxy::builder(connection)
            .destination(LOGIND)?
            .path(&path)?
            .build()
            .await?;
        // subscribed before it is read: no moment is missed
        let mut changes = properties.receive_properties_changed().await?;
        let mut locks = of_logind(connection, &SESSION, "Lock", Some(&path)).await?;
        let mut unlocks = of_logind(connection, &SESSION, "Unlock", Some(&path)).await?;
        let mut asked = pin!(None::<tokio::time::Sleep>);
        self.read(&properties, false).await?;
        // a word on sleep may have been missed while nobody listened
        let asleep = manager.get_property("PreparingForSleep").await;
        let asleep = asleep.unwrap_or(false);
        if asleep != self.facts.borrow().asleep {
            self.sleep(connection, asleep).await;
        }
        tracing::debug!(session, facts = ?*self.facts.borrow(), "the session is followed");
        loop {
            let lock_expires = async {
                match asked.as_mut().as_pin_mut() {
                    Some(asked) => asked.await,
                    None => pending().await,
                }
            };
            tokio::select! {
                owner = owners.next() => match owner {
                    Some(Some(_)) => {}
                    _ => return Ok(()),
                },
                Some(message) = sleeps.next() => {
                    if let Ok(asleep) = message.body().deserialize::<bool>() {
                        self.sleep(connection, asleep).await;
                    }
                }
                Some(_) = locks.next() => {
                    asked.set(Some(sleep(LOCK_ASKED)));
                    self.change(|facts| facts.locked = true);
                }
                Some(_) = unlocks.next() => {
                    asked.set(None);
                    self.read(&properties, false).await?;
                }
                () = lock_expires => {
                    asked.set(None);
                    self.read(&properties, false).await?;
                }
                change = changes.next() => {
                    let Some(change) = change else { return Ok(()) };
                    // the desktop has spoken: what was asked of it counts no more
                    if (change.args()?.changed_properties()).contains_key("LockedHint") {
                        asked.set(None);
                    }
                    self.read(&properties, asked.is_some()).await?;
                }
            }
        }
    }

    /// What the session's properties say; `lock_asked`: it counts as locked whatever they say.
    async fn read(
        &self,
        properties: &fdo::PropertiesProxy<'_>,
        lock_asked: bool,
    ) -> zbus::Result<()> {
        let mut all = properties.get_all(SESSION).await?;
        let mut flag = |name: &str| {
            all.remove(name)
                .and_then(|value| bool::try_from(value).ok())
        };
        let (active, locked) = (flag("Active"), flag("LockedHint"));
        self.change(|facts| {
            facts.in_front = active.unwrap_or(true);
            facts.locked = lock_asked || locked.unwrap_or(false);
        });
        Ok(())
    }

    async fn sleep(&self, connection: &Connection, asleep: bool) {
        self.change(|facts| facts.asleep = asleep);
        if asleep {
            sleep(BEFORE_SLEEP).await;
            self.inhibitions.let_sleep();
        } else {
            self.inhibitions.delay_sleep(connection).await;
        }
    }

    fn change(&self, edit: impl FnOnce(&mut Facts)) {
        self.facts.send_if_modified(|facts| {
            let before = *facts;
            edit(facts);
            if *facts != before {
                tracing::info!(?facts, "the session");
            }
            *facts != before
        });
    }
}

async fn of_logind(
    connection: &Connection,
    interface: &str,
    member: &str,
    path: Option<&OwnedObjectPath>,
) -> zbus::Result<BoxStream<'static, Message>> {
    let mut rule = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(LOGIND)?
        .interface(interface.to_owned())?
        .member(member.to_owned())?;
    if let Some(path) = path {
        rule = rule.path(path.clone())?;
    }
    let messages = MessageStream::for_match_rule(rule.build(), connection, None).await?;
    Ok(messages
        .filter_map(|message| async { message.ok() })
        .boxed())
}
