use crate::applications::ApplicationEntry;
use crate::open_stream::{OpenStream, OpenedStream};
use zbus::zvariant::Fd;

#[zbus::proxy(
    interface = "org.punktfunk.Agent1",
    default_path = "/org/punktfunk/Agent1",
    assume_defaults = false,
    gen_blocking = false
)]
pub trait Agent1 {
    /// Begin to produce into the ring, and talk over the channel.
    #[zbus(no_autostart)]
    fn open_stream(
        &self,
        options: OpenStream,
        ring: Fd<'_>,
        channel: Fd<'_>,
    ) -> zbus::Result<OpenedStream>;

    /// The catalogue of the session's user.
    #[zbus(no_autostart)]
    fn list_applications(&self) -> zbus::Result<Vec<ApplicationEntry>>;

    /// The PNG of one application.
    #[zbus(no_autostart)]
    fn application_picture(&self, app: u32) -> zbus::Result<Vec<u8>>;

    /// The ids of what runs.
    #[zbus(no_autostart)]
    fn running_applications(&self) -> zbus::Result<Vec<u32>>;

    /// End an application, and answer when it is over.
    #[zbus(no_autostart)]
    fn stop_application(&self, app: u32) -> zbus::Result<()>;

    /// An application is over.
    #[zbus(signal)]
    fn application_ended(&self, app: u32, status: i32, reason: String) -> zbus::Result<()>;

    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> zbus::Result<String>;
}
