//! The user's own manager and bus: what has to run before a compositor, and where programs find it afterwards.

use super::compositor::Display;
use anyhow::Context;
use std::{collections::HashMap, sync::OnceLock, time::Duration};
use tokio::time::timeout;
use zbus::{Connection, fdo, names::BusName, zvariant::OwnedObjectPath};

/// A manager that hangs holds no session up.
const LIMIT: Duration = Duration::from_secs(5);
/// What programs of the session find in their environment.
const TOLD: [&str; 3] = ["WAYLAND_DISPLAY", "XDG_CURRENT_DESKTOP", "XDG_SESSION_TYPE"];

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1",
    gen_blocking = false
)]
trait Manager {
    fn start_unit(&self, name: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn set_environment(&self, assignments: &[String]) -> zbus::Result<()>;
    fn unset_environment(&self, names: &[&str]) -> zbus::Result<()>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn environment(&self) -> zbus::Result<Vec<String>>;
}

pub struct UserManager {
    manager: ManagerProxy<'static>,
    bus: fdo::DBusProxy<'static>,
    /// The name of the display that it was told of.
    told: OnceLock<String>,
}

impl UserManager {
    /// # Errors
    /// The session has no bus.
    pub async fn connect() -> anyhow::Result<Self> {
        let connection = Connection::session().await.context(
            "the session has no message bus; is dbus-user-session installed, and does the user's manager run?",
        )?;
        Ok(Self {
            manager: ManagerProxy::new(&connection).await?,
            bus: fdo::DBusProxy::new(&connection).await?,
            told: OnceLock::new(),
        })
    }

    /// Ask for it; what comes of that is seen by who needs it.
    pub async fn start(&self, unit: &str) -> zbus::Result<()> {
        within(self.manager.start_unit(unit, "replace"))
            .await
            .map(drop)
    }

    /// Whether somebody owns this name on the session's bus.
    pub async fn has_name(&self, name: &'static str) -> anyhow::Result<bool> {
        Ok(self
            .bus
            .name_has_owner(BusName::from_static_str(name)?)
            .await?)
    }

    /// Units and what the bus starts find the display from now on.
    pub async fn tell_display(&self, display: &Display, desktop: &str) {
        let _ = self.told.set(display.name.clone());
        let values = [display.name.as_str(), desktop, "wayland"];
        let environment: HashMap<&str, &str> = TOLD.into_iter().zip(values).collect();
        let assignments: Vec<String> = environment
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if let Err(error) = within(self.manager.set_environment(&assignments)).await {
            tracing::warn!("units of this user do not learn of the display: {error}");
        }
        if let Err(error) = self.bus.update_activation_environment(environment).await {
            tracing::debug!("what the bus starts does not learn of the display: {error}");
        }
    }

    /// A manager that outlives the session (linger, another session) does not keep its display. That of a desktop which its user has
    /// logged in to meanwhile stays.
    pub async fn forget_display(&self) {
        let Some(own) = self.told.get() else { return };
        let own = format!("WAYLAND_DISPLAY={own}");
        match within(self.manager.environment()).await {
            Ok(now) if !now.contains(&own) => return,
            Ok(_) => {}
            Err(error) => tracing::debug!("the user's manager does not say its display: {error}"),
        }
        if let Err(error) = within(self.manager.unset_environment(&TOLD)).await {
            tracing::debug!("the user's manager keeps the display: {error}");
        }
    }
}

async fn within<T>(asked: impl Future<Output = zbus::Result<T>>) -> zbus::Result<T> {
    timeout(LIMIT, asked)
        .await
        .unwrap_or_else(|_| Err(zbus::Error::Failure("no answer in time".into())))
}
