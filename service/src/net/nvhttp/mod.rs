//! The HTTP and HTTPS endpoints of GameStream ("nvhttp").
//!
//! Application errors travel in the XML, under HTTP status 200: that is where clients look. Only the TLS certificate
//! says who a client is.
mod apps;
mod connection;
mod pair;
#[cfg(test)]
mod protocol_tests;
mod query;
mod run;
mod serverinfo;
#[cfg(test)]
mod tests;
mod xml;

use super::{
    accept::{Deadlines, accept_loop},
    tls,
};
use crate::{host::Host, pairings::MAX_WINDOW, store::ClientRecord};
pub use connection::converse;
use http_body_util::Full;
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    header::{CONNECTION, CONTENT_TYPE, HeaderValue},
};
pub use query::Query;
pub use run::Parameters;
use std::{borrow::Cow, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use xml::Xml;

/// No connection lives longer. The longest rightful one waits for a PIN as long as a pairing window is open.
const LONGEST: Duration = MAX_WINDOW.saturating_add(Duration::from_secs(60));

/// Who asks, and over what.
struct Caller {
    secure: bool,
    /// The client's certificate (DER), proved by the handshake.
    certificate: Option<Vec<u8>>,
    local: SocketAddr,
    peer: SocketAddr,
}

impl Caller {
    /// The paired client, if it is one. Asked anew for each request, so that unpairing works at once.
    fn client(&self, host: &Host) -> Option<ClientRecord> {
        let client = host.clients.by_certificate(self.certificate.as_deref()?)?;
        host.clients.touch(&client.id);
        Some(client)
    }
}

/// Serve plain HTTP until `shutdown` turns true.
pub async fn serve_http(host: Arc<Host>, listener: TcpListener, shutdown: watch::Receiver<bool>) {
    serve_http_within(host, listener, shutdown, Deadlines::STANDARD).await;
}

pub(super) async fn serve_http_within(
    host: Arc<Host>,
    listener: TcpListener,
    shutdown: watch::Receiver<bool>,
    deadlines: Deadlines,
) {
    accept_loop("http", listener, shutdown, |stream, local, peer| {
        let host = Arc::clone(&host);
        async move {
            let caller = Caller {
                secure: false,
                certificate: None,
                local,
                peer,
            };
            serve_connection(host, caller, stream, deadlines).await;
        }
    })
    .await;
}

/// Serve HTTPS until `shutdown` turns true. Fails at once when the identity cannot be used for TLS.
pub async fn serve_https(
    host: Arc<Host>,
    listener: TcpListener,
    shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    serve_https_within(host, listener, shutdown, Deadlines::STANDARD).await
}

pub(super) async fn serve_https_within(
    host: Arc<Host>,
    listener: TcpListener,
    shutdown: watch::Receiver<bool>,
    deadlines: Deadlines,
) -> io::Result<()> {
    let config = tls::server_config(&host.identity).map_err(|e| {
        io::Error::other(format!(
            "the host's certificate and key cannot be used for TLS: {e}"
        ))
    })?;
    let acceptor = TlsAcceptor::from(config);
    accept_loop("https", listener, shutdown, |stream, local, peer| {
        let host = Arc::clone(&host);
        let acceptor = acceptor.clone();
        async move { serve_tls(host, acceptor, stream, local, peer, deadlines).await }
    })
    .await;
    Ok(())
}

async fn serve_tls(
    host: Arc<Host>,
    acceptor: TlsAcceptor,
    stream: TcpStream,
    local: SocketAddr,
    peer: SocketAddr,
    deadlines: Deadlines,
) {
    match timeout(deadlines.handshake, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let certificate = stream
                .get_ref()
                .1
                .peer_certificates()
                .and_then(<[_]>::first)
                .map(|certificate| certificate.to_vec());
            let caller = Caller {
                secure: true,
                certificate,
                local,
                peer,
            };
            serve_connection(host, caller, stream, deadlines).await;
        }
        // Clients test addresses by opening and closing a connection: that is no event.
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        Ok(Err(error)) => tracing::debug!(%peer, "TLS handshake: {error}"),
        Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
    }
}

async fn serve_connection<S>(host: Arc<Host>, caller: Caller, stream: S, deadlines: Deadlines)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let peer = caller.peer;
    let caller = Arc::new(caller);
    let served = converse(stream, deadlines.request, |request| {
        let host = Arc::clone(&host);
        let caller = Arc::clone(&caller);
        async move { answer(&host, &caller, &request).await }
    });
    match timeout(LONGEST, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, "HTTP connection: {error}"),
        Err(_) => tracing::debug!(%peer, "HTTP connection: the reply was not taken in time"),
    }
}

async fn answer(
    host: &Host,
    caller: &Caller,
    request: &Request<Incoming>,
) -> Response<Full<Bytes>> {
    let xml = if request.method() == Method::GET {
        let query = Query::parse(request.uri().query().unwrap_or_default());
        if let ("/appasset", Some(client)) = (request.uri().path(), caller.client(host))
            && !client.expired()
        {
            match apps::asset(host, &client, &query).await {
                Ok(png) => return picture(png),
                Err(error) => return document(error),
            }
        }
        route(host, caller, request.uri().path(), &query).await
    } else {
        Xml::error(405, "Only GET is served here")
    };
    document(xml)
}

fn document(xml: Xml) -> Response<Full<Bytes>> {
    reply(xml.into_text().into(), "application/xml; charset=utf-8")
}

fn picture(png: Cow<'static, [u8]>) -> Response<Full<Bytes>> {
    let bytes = match png {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    reply(bytes, "image/png")
}

fn reply(body: Bytes, kind: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn route(host: &Host, caller: &Caller, path: &str, query: &Query) -> Xml {
    // Open to strangers, over plain HTTP.
    match path {
        "/serverinfo" if !caller.secure => return serverinfo::for_stranger(host, caller),
        "/pair" if !caller.secure => return pair::stage(host, caller, query).await,
        "/unpair" => return pair::unpair(host, caller, query),
        _ => {}
    }
    let known = matches!(
        path,
        "/serverinfo" | "/pair" | "/applist" | "/appasset" | "/launch" | "/resume" | "/cancel"
    );
    if !known {
        return Xml::error(404, "There is nothing here");
    }
    let Some(client) = caller.client(host) else {
        return Xml::error(401, "This device is not paired with this host");
    };
    if client.expired() {
        return Xml::error(
            401,
            "The pairing of this device has expired; pair it again, or have its owner set another date (punktfunkctl clients)",
        );
    }
    match path {
        "/serverinfo" => serverinfo::for_client(host, caller, &client),
        "/pair" => pair::challenge(query),
        "/applist" => apps::list(host, &client).await,
        "/launch" => run::launch(host, caller, client, query).await,
        "/resume" => run::resume(host, caller, client, query).await,
        "/cancel" => run::cancel(host, &client).await,
        // Answered before, where the client is known.
        _ => Xml::error(404, "There is no picture for this app"),
    }
}
