//! A session that is watched does not blank, lock itself or fall asleep for want of anybody at its keyboard.
//!
//! Held only while a stream runs, by descriptors and bus connections that go with this process, however it ends. What a
//! person asks for still happens: the screen can be locked, and sleep is only delayed for as long as it takes to tell.

use std::{
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};
use tokio::time::timeout;
use zbus::{Connection, fdo, zvariant};

const LOGIND: &str = "org.freedesktop.login1";
const WHO: &str = "punktfunk";
const WHY: &str = "the session is being streamed";
/// The session manager's flag for "do not become idle".
const GNOME_IDLE: u32 = 8;
/// Nobody waits longer than this: a stream matters more.
const LIMIT: Duration = Duration::from_secs(2);

/// Takes and gives back what keeps the session awake; cheap to clone.
#[derive(Clone, Default)]
pub struct Inhibitions(Arc<Mutex<Weak<Inhibited>>>);

/// While this lives the session stays awake.
pub struct Inhibited {
    _idle: Option<OwnedFd>,
    sleep: Mutex<Option<OwnedFd>>,
    /// What the desktop was told goes with this connection.
    _desktop: Option<Connection>,
}

impl Inhibitions {
    /// Keep the session awake: what there is already, or anew.
    pub async fn hold(&self, system: &Connection) -> Arc<Inhibited> {
        if let Some(held) = self.held() {
            return held;
        }
        let (idle, sleep, desktop) = tokio::join!(
            logind(system, "idle", "block"),
            logind(system, "sleep", "delay"),
            desktop(),
        );
        let new = Arc::new(Inhibited {
            _idle: idle,
            sleep: Mutex::new(sleep),
            _desktop: desktop,
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&new);
        new
    }

    /// The machine may sleep now.
    pub fn let_sleep(&self) {
        if let Some(held) = self.held() {
            drop(held.delay().take());
        }
    }

    /// It is awake again: the next sleep is delayed again.
    pub async fn delay_sleep(&self, system: &Connection) {
        if let Some(held) = self.held() {
            let fd = logind(system, "sleep", "delay").await;
            *held.delay() = fd;
        }
    }

    fn held(&self) -> Option<Arc<Inhibited>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .upgrade()
    }
}

impl Inhibited {
    fn delay(&self) -> std::sync::MutexGuard<'_, Option<OwnedFd>> {
        self.sleep.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn logind(system: &Connection, what: &str, mode: &str) -> Option<OwnedFd> {
    let body = (what, WHO, WHY, mode);
    let call = system.call_method(
        Some(LOGIND),
        "/org/freedesktop/login1",
        Some("org.freedesktop.login1.Manager"),
        "Inhibit",
        &body,
    );
    let taken = match timeout(LIMIT, call).await {
        Ok(Ok(answer)) => answer.body().deserialize::<zvariant::OwnedFd>(),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(zbus::Error::Failure("no answer in time".to_owned())),
    };
    match taken {
        Ok(fd) => Some(fd.into()),
        Err(error) => {
            tracing::debug!(what, mode, "logind does not inhibit: {error}");
            None
        }
    }
}

/// Ask the desktop itself, which counts idleness on its own. None where nothing took it.
async fn desktop() -> Option<Connection> {
    let asked = async {
        // one of its own: the desktop forgets what it was asked when this is closed
        let bus = Connection::session().await.ok()?;
        let screen_saver = ask(
            &bus,
            "org.freedesktop.ScreenSaver",
            "/org/freedesktop/ScreenSaver",
            &(WHO, WHY),
        )
        .await;
        let session_manager = ask(
            &bus,
            "org.gnome.SessionManager",
            "/org/gnome/SessionManager",
            &(WHO, 0u32, WHY, GNOME_IDLE),
        )
        .await;
        (screen_saver || session_manager).then_some(bus)
    };
    timeout(LIMIT, asked).await.ok().flatten()
}

/// `Inhibit` of an interface that is named like its service; false where nobody is there to be asked.
async fn ask<B>(bus: &Connection, name: &str, path: &str, body: &B) -> bool
where
    B: serde::Serialize + zvariant::DynamicType,
{
    let present = async {
        let names = fdo::DBusProxy::new(bus).await?;
        let name = zbus::names::BusName::try_from(name)?;
        names.name_has_owner(name).await.map_err(zbus::Error::from)
    };
    if !present.await.unwrap_or(false) {
        return false;
    }
    let answer = bus
        .call_method(Some(name), path, Some(name), "Inhibit", body)
        .await;
    if let Err(error) = &answer {
        tracing::debug!(name, "the desktop does not inhibit: {error}");
    }
    answer.is_ok()
}
