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

    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> zbus::Result<String>;
}
