//! RTSP over TCP: one request per connection, plain or sealed.
use crate::host::Host;
use std::sync::Arc;
use tokio::{net::TcpListener, sync::watch};

/// Serve RTSP until `shutdown` turns true.
pub async fn serve(host: Arc<Host>, listener: TcpListener, shutdown: watch::Receiver<bool>) {
    let _ = (host, listener, shutdown);
}
