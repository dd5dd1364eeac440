use std::collections::HashMap;
use zbus::zvariant::Value;

#[zbus::proxy(
    interface = "org.punktfunk.Host1.Pairing",
    default_service = "org.punktfunk.Host1",
    assume_defaults = false,
    gen_blocking = false
)]
pub trait Pairing {
    /// Complete the pairing with the PIN that the device shows. Options: `name` (s). Answers the client's id.
    #[zbus(allow_interactive_auth)]
    fn accept(&self, pin: &str, options: HashMap<&str, Value<'_>>) -> zbus::Result<String>;

    /// Send the device away.
    #[zbus(allow_interactive_auth)]
    fn reject(&self) -> zbus::Result<()>;

    #[zbus(property(emits_changed_signal = "const"))]
    fn name(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn address(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn since(&self) -> zbus::Result<u64>;
}
