//! Client-side proxies (zbus) of every interface.
use crate::open_stream::{AgentOffer, OpenStream, OpenedStream};
use zbus::zvariant::{Fd, ObjectPath, OwnedObjectPath};

#[zbus::proxy(
    interface = "org.punktfunk.Host1",
    default_service = "org.punktfunk.Host1",
    default_path = "/org/punktfunk/Host1"
)]
pub trait Host1 {
    /// Offer the caller's session for streaming. `session` is a logind session id.
    fn register_agent(
        &self,
        path: &ObjectPath<'_>,
        session: &str,
        offer: AgentOffer,
    ) -> zbus::Result<OwnedObjectPath>;
    /// Take pairing attempts for so many seconds (at most 300); answers the seconds granted.
    fn open_pairing(&self, seconds: u32) -> zbus::Result<u32>;
    fn close_pairing(&self) -> zbus::Result<()>;
}

#[zbus::proxy(
    interface = "org.punktfunk.Agent1",
    default_path = "/org/punktfunk/Agent1",
    assume_defaults = false
)]
pub trait Agent1 {
    fn open_stream(
        &self,
        options: OpenStream,
        ring: Fd<'_>,
        channel: Fd<'_>,
    ) -> zbus::Result<OpenedStream>;
}
