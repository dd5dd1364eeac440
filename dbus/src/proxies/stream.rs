use std::collections::HashMap;
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

#[zbus::proxy(
    interface = "org.punktfunk.Host1.Stream",
    default_service = "org.punktfunk.Host1",
    assume_defaults = false,
    gen_blocking = false
)]
pub trait Stream {
    /// End the stream.
    #[zbus(allow_interactive_auth)]
    fn stop(&self) -> zbus::Result<()>;

    /// Have the next picture encoded without reference to earlier ones.
    #[zbus(allow_interactive_auth)]
    fn request_keyframe(&self) -> zbus::Result<()>;

    /// Change the video budget.
    #[zbus(allow_interactive_auth)]
    fn set_bitrate(&self, kbps: u32) -> zbus::Result<()>;

    #[zbus(property(emits_changed_signal = "const"))]
    fn client(&self) -> zbus::Result<OwnedObjectPath>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn user(&self) -> zbus::Result<u32>;
    #[zbus(property)]
    fn session(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn width(&self) -> zbus::Result<u32>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn height(&self) -> zbus::Result<u32>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn fps(&self) -> zbus::Result<u32>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn codec(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn bitrate_kbps(&self) -> zbus::Result<u32>;
    #[zbus(property)]
    fn bitrate_limit_kbps(&self) -> zbus::Result<u32>;
    #[zbus(property)]
    fn state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn source(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn source_reason(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn statistics(&self) -> zbus::Result<HashMap<String, OwnedValue>>;
}
