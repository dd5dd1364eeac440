//! Which layout of several is in force: as KWin tells the session's bus, where the way into it does not say.
//!
//! KWin is there by this name only while it has several layouts, and says of every change, also of those that come with
//! another window.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use tokio::{sync::oneshot, time::sleep};

use super::beside::beside;

/// When somebody is asked again who has the name and not the object behind it; the wait doubles up to the second.
const AGAIN: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(8));
/// What he answers.
const NOT_YET: [&str; 3] = [
    "org.freedesktop.DBus.Error.UnknownObject",
    "org.freedesktop.DBus.Error.UnknownInterface",
    "org.freedesktop.DBus.Error.UnknownMethod",
];

/// Nobody says.
const UNKNOWN: u32 = u32::MAX;

#[zbus::proxy(
    interface = "org.kde.KeyboardLayouts",
    default_service = "org.kde.keyboard",
    default_path = "/Layouts",
    gen_blocking = false
)]
trait Layouts {
    #[zbus(name = "getLayout", no_autostart)]
    fn layout_in_force(&self) -> zbus::Result<u32>;
    #[zbus(signal, name = "layoutChanged")]
    fn layout_changed(&self, index: u32) -> zbus::Result<()>;
}

/// Followed until it is dropped.
#[derive(Debug)]
pub struct InForce {
    group: Arc<AtomicU32>,
    _until: oneshot::Sender<()>,
}

impl InForce {
    /// On the session's bus.
    pub fn follow() -> Self {
        Self::on_bus(zbus::Connection::session())
    }

    /// On a thread of its own, as input has no time to ask.
    pub fn on_bus(
        bus: impl Future<Output = zbus::Result<zbus::Connection>> + Send + 'static,
    ) -> Self {
        let group = Arc::new(AtomicU32::new(UNKNOWN));
        let (until, over) = oneshot::channel();
        let known = Arc::clone(&group);
        let spawned = beside("pf-layout", move || async move {
            let followed = async { watch(&bus.await?, &known).await };
            tokio::select! {
                ended = followed => tracing::debug!(?ended, "the layout in force is not followed"),
                _ = over => {}
            }
            known.store(UNKNOWN, Ordering::Relaxed);
        });
        if let Err(error) = spawned {
            tracing::debug!(%error, "the layout in force is not followed");
        }
        Self {
            group,
            _until: until,
        }
    }

    /// The group of the keymap that types; None where nobody says.
    pub fn group(&self) -> Option<u32> {
        Some(self.group.load(Ordering::Relaxed)).filter(|group| *group != UNKNOWN)
    }
}

async fn watch(bus: &zbus::Connection, known: &AtomicU32) -> zbus::Result<()> {
    let layouts = LayoutsProxy::new(bus).await?;
    let mut changes = pin!(layouts.receive_layout_changed().await?);
    let mut owners = pin!(layouts.inner().receive_owner_changed().await?);
    loop {
        let mut again = AGAIN.0;
        let mut early = ask(&layouts, known).await;
        loop {
            tokio::select! {
                change = changes.next() => {
                    let Some(change) = change else { return Ok(()) };
                    if let Ok(told) = change.args() {
                        known.store(told.index, Ordering::Relaxed);
                        early = false;
                    }
                }
                owner = owners.next() => {
                    let Some(_) = owner else { return Ok(()) };
                    break;
                }
                () = sleep(again), if early => {
                    again = (again * 2).min(AGAIN.1);
                    early = ask(&layouts, known).await;
                }
            }
        }
    }
}

/// Whether it was asked too early: the name was there, and what it stands for not yet.
async fn ask(layouts: &LayoutsProxy<'_>, known: &AtomicU32) -> bool {
    let asked = layouts.layout_in_force().await;
    let early = matches!(&asked, Err(zbus::Error::MethodError(name, ..)) if NOT_YET.contains(&name.as_str()));
    known.store(asked.unwrap_or(UNKNOWN), Ordering::Relaxed);
    early
}
