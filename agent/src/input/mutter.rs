//! Mutter's sessions for emulated input, as it has them on the session's bus.

use std::collections::HashMap;

use zbus::zvariant::{OwnedFd, OwnedObjectPath, Value};

#[zbus::proxy(
    interface = "org.gnome.Mutter.RemoteDesktop",
    default_service = "org.gnome.Mutter.RemoteDesktop",
    default_path = "/org/gnome/Mutter/RemoteDesktop",
    gen_blocking = false
)]
pub trait RemoteDesktop {
    fn create_session(&self) -> zbus::Result<OwnedObjectPath>;
}

#[zbus::proxy(
    interface = "org.gnome.Mutter.RemoteDesktop.Session",
    default_service = "org.gnome.Mutter.RemoteDesktop",
    gen_blocking = false
)]
pub trait RemoteDesktopSession {
    fn start(&self) -> zbus::Result<()>;
    fn stop(&self) -> zbus::Result<()>;
    fn notify_keyboard_keysym(&self, keysym: u32, down: bool) -> zbus::Result<()>;
    #[zbus(name = "ConnectToEIS")]
    fn connect_to_eis(&self, options: HashMap<&str, Value<'_>>) -> zbus::Result<OwnedFd>;
    #[zbus(signal)]
    fn closed(&self) -> zbus::Result<()>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn session_id(&self) -> zbus::Result<String>;
}
