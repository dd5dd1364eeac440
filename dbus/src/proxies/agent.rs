#[zbus::proxy(
    interface = "org.punktfunk.Host1.Agent",
    default_service = "org.punktfunk.Host1",
    assume_defaults = false,
    gen_blocking = false
)]
pub trait Agent {
    /// What the session's user publishes: id and title of each.
    #[zbus(allow_interactive_auth)]
    fn list_applications(&self) -> zbus::Result<Vec<(u32, String)>>;

    #[zbus(property(emits_changed_signal = "const"))]
    fn user(&self) -> zbus::Result<u32>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn session(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn seat(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn compositor(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn encoders(&self) -> zbus::Result<Vec<String>>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn codecs(&self) -> zbus::Result<Vec<String>>;
}
