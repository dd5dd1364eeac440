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
};

use futures_util::StreamExt;
use tokio::sync::oneshot;

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
        let spawned = std::thread::Builder::new()
            .name("pf-layout".into())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                let Ok(runtime) = runtime else { return };
                runtime.block_on(async {
                    let followed = async { watch(&bus.await?, &known).await };
                    tokio::select! {
                        ended = followed => tracing::debug!(?ended, "the layout in force is not followed"),
                        _ = over => {}
                    }
                    known.store(UNKNOWN, Ordering::Relaxed);
                });
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
        let now = layouts.layout_in_force().await.unwrap_or(UNKNOWN);
        known.store(now, Ordering::Relaxed);
        loop {
            tokio::select! {
                change = changes.next() => {
                    let Some(change) = change else { return Ok(()) };
                    if let Ok(told) = change.args() {
                        known.store(told.index, Ordering::Relaxed);
                    }
                }
                owner = owners.next() => {
                    let Some(_) = owner else { return Ok(()) };
                    break;
                }
            }
        }
    }
}
