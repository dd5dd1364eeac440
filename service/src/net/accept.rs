//! The accept loop that all TCP listeners share: bounded in connections, in all and for each source, patient with a full
//! descriptor table.
use crate::network::source_of;
use std::{
    collections::HashMap,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};

/// Connections served at a time by one listener. Beyond that the kernel's queue waits; every connection has a
/// deadline, so places come free without any client's help.
const MAX_CONNECTIONS: usize = 768;
/// Of these from one source; further ones are closed at once, so that nobody can take all places.
const MAX_FROM_ONE: usize = 576;

/// How long a client may take to say what it wants. Without limits a few silent connections would occupy a listener.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// From the connection to the end of the TLS handshake.
    pub handshake: Duration,
    /// From there to the end of the request.
    pub request: Duration,
}

impl Deadlines {
    pub const STANDARD: Self = Self {
        handshake: Duration::from_secs(5),
        request: Duration::from_secs(10),
    };
}

/// Pause after a failed `accept` (no descriptors left): accepting again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accept until `shutdown` turns true or its sender is gone, and run `serve` for each connection. Connections that are
/// open at shutdown are dropped.
pub async fn accept_loop<F, S>(
    name: &'static str,
    listener: TcpListener,
    mut shutdown: watch::Receiver<bool>,
    serve: F,
) where
    F: Fn(TcpStream, SocketAddr, SocketAddr) -> S,
    S: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let sources = Arc::new(Sources::default());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stopped(&mut shutdown) => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => {
                if let Err(error) = ended && error.is_panic() {
                    tracing::error!(listener = name, "a connection handler panicked: {error}");
                }
            }
            accepted = next(&listener, &places) => match accepted {
                Ok((stream, local, peer, place)) => {
                    let Some(share) = sources.enter(peer.ip()) else {
                        continue;
                    };
                    let work = serve(stream, local, peer);
                    connections.spawn(async move {
                        work.await;
                        drop((place, share));
                    });
                }
                Err(error) => {
                    tracing::warn!(listener = name, "cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Resolves when the service is to stop.
pub async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is as good as an order to stop.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(
    TcpStream,
    SocketAddr,
    SocketAddr,
    tokio::sync::OwnedSemaphorePermit,
)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Small replies to a waiting person: nothing is gained by Nagle.
    let _ = stream.set_nodelay(true);
    let local = stream.local_addr()?;
    Ok((stream, canonical(local), canonical(peer), place))
}

/// An IPv4 client on the dual-stack socket shows up as an IPv4 client.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// How many connections each source has.
#[derive(Default)]
struct Sources(Mutex<HashMap<IpAddr, usize>>);

/// One connection of a source, until it is dropped.
struct Share {
    sources: Arc<Sources>,
    source: IpAddr,
}

impl Sources {
    /// `None` when this source has as many as it may.
    fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Share> {
        let source = source_of(peer);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(source).or_default();
        if *count >= MAX_FROM_ONE {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Share {
            sources: Arc::clone(self),
            source,
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self
            .sources
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_cannot_take_all_places_and_gets_its_own_back() {
        let sources = Arc::new(Sources::default());
        let enter = |text: &str| sources.enter(text.parse().unwrap());
        let mut shares: Vec<_> = (0..MAX_FROM_ONE)
            .map(|_| enter("2001:db8::1").unwrap())
            .collect();
        assert!(enter("2001:db8::2").is_none(), "the same /64");
        let other = enter("192.0.2.1");
        assert!(other.is_some() && MAX_FROM_ONE < MAX_CONNECTIONS);
        shares.pop();
        assert!(enter("2001:db8::3").is_some());
        drop((shares, other));
        assert!(sources.0.lock().unwrap().is_empty(), "nothing is kept");
    }
}
