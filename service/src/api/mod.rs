//! The service on the bus: `org.punktfunk.Host1` and every object below it.
//!
//! Calls are dispatched here rather than by zbus's object server, because nobody may see what is not theirs: not in
//! ObjectManager, not in introspection, not in a signal. Decisions are [`crate::authority`]'s; this module asks it before
//! anything else, and holds no state of its own but who wants to hear of changes.
mod agent;
mod announce;
mod call;
mod client;
mod error;
mod host;
mod introspection;
mod limits;
mod listeners;
mod object;
mod pairing;
mod properties;
mod router;
mod stream;
mod windows;

pub use error::ApiError;

use crate::{admission::Admission, authority::Authority, host::Host};
use announce::Announcer;
use futures_util::StreamExt;
use listeners::Listeners;
use std::sync::Arc;
use tokio::task::JoinHandle;
use windows::Windows;
use zbus::{
    Connection, MessageStream,
    fdo::{self, RequestNameFlags, RequestNameReply},
    message,
    names::{BusName, OwnedUniqueName, WellKnownName},
};

/// What a call is answered from.
struct Context {
    connection: Connection,
    host: Arc<Host>,
    authority: Authority,
    admission: Admission,
    announcer: Announcer,
    listeners: Listeners,
    windows: Windows,
}

/// The running interface; dropping it stops it.
pub struct Api {
    tasks: Vec<JoinHandle<()>>,
    context: Arc<Context>,
}

/// Why the interface cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(
        "the bus name org.punktfunk.Host1 belongs to somebody else: another punktfunkd is running"
    )]
    NameTaken,
    #[error(
        "the bus does not let this account own org.punktfunk.Host1: is the policy file org.punktfunk.Host1.conf \
         installed, and does it name this account? ({0})"
    )]
    NameRefused(fdo::Error),
    #[error("the bus: {0}")]
    Bus(#[from] zbus::Error),
}

impl Api {
    /// Answer calls, and then own the name: whoever sees the name can call everything.
    ///
    /// # Errors
    /// The bus or its policy.
    pub async fn serve(
        connection: &Connection,
        host: Arc<Host>,
        authority: Authority,
        admission: Admission,
    ) -> Result<Self, ServeError> {
        let (announcer, wanted) = Announcer::new();
        let context = Arc::new(Context {
            connection: connection.clone(),
            host,
            authority,
            admission,
            announcer,
            listeners: Listeners::default(),
            windows: Windows::default(),
        });
        let bus = fdo::DBusProxy::new(connection).await?;
        let leaving = bus.receive_name_owner_changed().await?;
        let messages = MessageStream::from(connection);
        let tasks = vec![
            tokio::spawn(answer(Arc::clone(&context), messages)),
            tokio::spawn(forget_the_gone(Arc::clone(&context), leaving)),
            tokio::spawn(announce::run(Arc::clone(&context), wanted)),
        ];
        let api = Self { tasks, context };
        own_name(&bus).await?;
        Ok(api)
    }

    /// Give the name back and stop answering.
    pub async fn stop(self) {
        let name = WellKnownName::from_static_str_unchecked(punktfunk_dbus::names::BUS_NAME);
        let released = match fdo::DBusProxy::new(&self.context.connection).await {
            Ok(bus) => bus.release_name(name).await.map(drop),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = released {
            tracing::debug!(%error, "the bus name could not be given back");
        }
    }

    /// Returns when everything that changed until now was told: a sign of life.
    pub async fn answers(&self) {
        self.context.announcer.flush().await;
    }

    /// Whether everything that answers is still there.
    pub fn is_alive(&self) -> bool {
        !self.tasks.iter().any(JoinHandle::is_finished)
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Never replaceable, never queued.
async fn own_name(bus: &fdo::DBusProxy<'_>) -> Result<(), ServeError> {
    let name = WellKnownName::from_static_str_unchecked(punktfunk_dbus::names::BUS_NAME);
    match bus
        .request_name(name, RequestNameFlags::DoNotQueue.into())
        .await
    {
        Ok(RequestNameReply::PrimaryOwner | RequestNameReply::AlreadyOwner) => Ok(()),
        Ok(_) => Err(ServeError::NameTaken),
        Err(error) => Err(ServeError::NameRefused(error)),
    }
}

async fn answer(context: Arc<Context>, mut messages: MessageStream) {
    let limits = limits::Limits::default();
    while let Some(message) = messages.next().await {
        // An error here ends the connection, which the supervisor notices by itself.
        let Ok(message) = message else { continue };
        if message.message_type() != message::Type::MethodCall {
            continue;
        }
        let slot = limits.take(message.header().sender());
        let context = Arc::clone(&context);
        // Without a slot the task lives only as long as it takes to say so.
        tokio::spawn(async move { router::answer(&context, &message, slot).await });
    }
}

async fn forget_the_gone(context: Arc<Context>, mut changes: fdo::NameOwnerChangedStream) {
    while let Some(change) = changes.next().await {
        let Ok(change) = change.args() else { continue };
        let BusName::Unique(name) = change.name() else {
            continue;
        };
        if change.new_owner().is_some() {
            continue;
        }
        let name = OwnedUniqueName::from(name.to_owned());
        context.authority.forget(&name);
        context.listeners.forget(&name);
        if let Some(uid) = context.windows.opener_left(&name) {
            context.host.pairings.close_window(uid);
        }
    }
}
