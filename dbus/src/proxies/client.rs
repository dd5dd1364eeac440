#[zbus::proxy(
    interface = "org.punktfunk.Host1.Client",
    default_service = "org.punktfunk.Host1",
    assume_defaults = false,
    gen_blocking = false
)]
pub trait Client {
    /// Forget the client and end its stream.
    #[zbus(allow_interactive_auth)]
    fn unpair(&self) -> zbus::Result<()>;

    /// Give the client to another account.
    #[zbus(allow_interactive_auth)]
    fn set_owner(&self, uid: u32) -> zbus::Result<()>;

    /// Replace the whole set of permissions.
    #[zbus(allow_interactive_auth)]
    fn set_permissions(&self, permissions: &[&str]) -> zbus::Result<()>;

    /// Whether it may watch log-in screens.
    #[zbus(allow_interactive_auth)]
    fn set_greeter(&self, allowed: bool) -> zbus::Result<()>;

    /// Until when the pairing is good (seconds since 1970); 0 = for good.
    #[zbus(allow_interactive_auth)]
    fn set_expiry(&self, expires: u64) -> zbus::Result<()>;

    #[zbus(property)]
    fn name(&self) -> zbus::Result<String>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn fingerprint(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn owner(&self) -> zbus::Result<u32>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn paired_at(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn last_seen(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn permissions(&self) -> zbus::Result<Vec<String>>;
    #[zbus(property)]
    fn greeter(&self) -> zbus::Result<bool>;
    #[zbus(property)]
    fn expires_at(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn one_time(&self) -> zbus::Result<bool>;
}
