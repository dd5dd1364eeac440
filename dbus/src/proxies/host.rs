use crate::open_stream::AgentOffer;
use std::collections::HashMap;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};

#[zbus::proxy(
    interface = "org.punktfunk.Host1",
    default_service = "org.punktfunk.Host1",
    default_path = "/org/punktfunk/Host1",
    gen_blocking = false
)]
pub trait Host1 {
    /// Offer the caller's session for streaming. `session` is a logind session id.
    #[zbus(no_autostart)]
    fn register_agent(
        &self,
        path: &ObjectPath<'_>,
        session: &str,
        offer: AgentOffer,
    ) -> zbus::Result<OwnedObjectPath>;

    /// Take pairing attempts for so many seconds (at most 300); answers the seconds granted.
    #[zbus(allow_interactive_auth)]
    fn open_pairing(&self, seconds: u32) -> zbus::Result<u32>;

    /// Close the caller's window; the attempts that wait in it are dropped.
    #[zbus(allow_interactive_auth)]
    fn close_pairing(&self) -> zbus::Result<()>;

    /// Lay these settings over the files; answers the keys that wait for a restart.
    #[zbus(allow_interactive_auth)]
    fn set_configuration(&self, values: HashMap<&str, Value<'_>>) -> zbus::Result<Vec<String>>;

    /// Let the files decide again about these keys, or about all if none is named.
    #[zbus(allow_interactive_auth)]
    fn reset_configuration(&self, keys: &[&str]) -> zbus::Result<Vec<String>>;

    /// Read the files again.
    #[zbus(allow_interactive_auth)]
    fn reload_configuration(&self) -> zbus::Result<Vec<String>>;

    #[zbus(property)]
    fn configuration(&self) -> zbus::Result<HashMap<String, OwnedValue>>;
    #[zbus(property)]
    fn configuration_origins(&self) -> zbus::Result<HashMap<String, String>>;
    #[zbus(property)]
    fn restart_needed(&self) -> zbus::Result<Vec<String>>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn host_name(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn unique_id(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn fingerprint(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn ports(&self) -> zbus::Result<HashMap<String, u16>>;
    #[zbus(property)]
    fn encryption(&self) -> zbus::Result<HashMap<String, String>>;
    #[zbus(property)]
    fn pairing_window_open(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn client_count(&self) -> zbus::Result<u32>;
    #[zbus(property)]
    fn agent_count(&self) -> zbus::Result<u32>;
    #[zbus(property)]
    fn stream_count(&self) -> zbus::Result<u32>;
}
