//! RTSP over TCP: one request per connection, plain or sealed, and what each method does to a launch.
#[cfg(test)]
mod tests;

use super::accept::{Deadlines, accept_loop};
use crate::{
    agents::AgentError,
    applications,
    config::Encryption,
    host::Host,
    launch::{Negotiation, offer_for},
    logging::Rarely,
    stream::{StartError, StopReason, StreamSetup},
};
use punktfunk_core::{
    rtsp::{self, Direction, MAX_MESSAGE, Method, Request, Response},
    sdp::{AnnounceError, ENCRYPT_CONTROL, Offer, describe, parse_announce},
};
use std::{fmt::Display, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};

const REPLY_LIMIT: Duration = Duration::from_secs(5);
/// How long a closed connection is read on, so that bytes still under way do not turn the close into a reset that
/// takes the reply with it.
const LINGER_LIMIT: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 * 1024;
const READ_STEP: usize = 4096;
/// Refusals are logged at most this often, each kind for itself.
const LOG_PAUSE: Duration = Duration::from_secs(1);

/// Serve RTSP until `shutdown` turns true.
pub async fn serve(host: Arc<Host>, listener: TcpListener, shutdown: watch::Receiver<bool>) {
    serve_within(host, listener, shutdown, Deadlines::STANDARD).await;
}

pub(super) async fn serve_within(
    host: Arc<Host>,
    listener: TcpListener,
    shutdown: watch::Receiver<bool>,
    deadlines: Deadlines,
) {
    accept_loop("rtsp", listener, shutdown, |stream, _local, peer| {
        let host = Arc::clone(&host);
        async move { connection(&host, stream, peer, deadlines).await }
    })
    .await;
}

async fn connection(host: &Host, mut stream: TcpStream, peer: SocketAddr, deadlines: Deadlines) {
    let message = match timeout(deadlines.request, read_message(&mut stream)).await {
        Ok(Ok(Some(message))) => message,
        // Clients test the port by opening and closing a connection: that is no event.
        Ok(Ok(None)) => return,
        Ok(Err(error)) => return tracing::debug!(%peer, "RTSP: {error}"),
        Err(_) => return tracing::debug!(%peer, "RTSP: no whole request in time"),
    };
    let Some(reply) = reply(host, &message, peer).await else {
        return;
    };
    let sent = timeout(REPLY_LIMIT, async {
        stream.write_all(&reply).await?;
        stream.shutdown().await
    })
    .await;
    if let Ok(Ok(())) = sent {
        let _ = timeout(LINGER_LIMIT, drain(&mut stream)).await;
    }
}

/// Read one whole message; `None` when the peer closes without a word.
async fn read_message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    let mut chunk = [0; READ_STEP];
    loop {
        let got = stream.read(&mut chunk).await?;
        let Some(bytes) = chunk.get(..got).filter(|bytes| !bytes.is_empty()) else {
            return if message.is_empty() {
                Ok(None)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        };
        if message.len().saturating_add(got) > MAX_MESSAGE.saturating_add(READ_STEP) {
            return Err(io::Error::other("the message is too long"));
        }
        message.extend_from_slice(bytes);
        if is_whole(&message)? {
            return Ok(Some(message));
        }
    }
}

/// Malformed text counts as whole: it gets an answer.
fn is_whole(message: &[u8]) -> io::Result<bool> {
    match message.first() {
        None => Ok(false),
        Some(first) if rtsp::is_sealed(*first) => {
            let length = rtsp::sealed_len(message).map_err(io::Error::other)?;
            Ok(length.is_some_and(|length| message.len() >= length))
        }
        Some(_) => Ok(!matches!(Request::parse(message), Ok(None))),
    }
}

async fn drain(stream: &mut TcpStream) {
    let mut chunk = [0; READ_STEP];
    let mut left = LINGER_BYTES;
    while let Ok(got @ 1..) = stream.read(&mut chunk).await {
        left = left.saturating_sub(got);
        if left == 0 {
            return;
        }
    }
}

/// The bytes to answer with; `None` closes without an answer.
async fn reply(host: &Host, message: &[u8], peer: SocketAddr) -> Option<Vec<u8>> {
    if rtsp::is_sealed(*message.first()?) {
        return sealed_reply(host, message, peer).await;
    }
    let request = match Request::parse(message) {
        Ok(request) => request?,
        Err(error) => {
            tracing::debug!(%peer, "RTSP: {error}");
            return Some(Response::status(0, 400).encode());
        }
    };
    let refuse = |status, why: &dyn Display| {
        // Strangers decide how often this happens.
        static SAID: Rarely = Rarely::new(LOG_PAUSE);
        if SAID.now() {
            tracing::warn!(%peer, "plain RTSP was refused: {why}");
        }
        Some(Response::status(request.cseq(), status).encode())
    };
    if host.settings.now().encryption.towards(peer.ip()) == Encryption::Required {
        return refuse(403, &"this host demands encryption on that network");
    }
    let session = request.header("Session").map(session_id);
    match host.launches.by_source(peer.ip(), session) {
        Ok(negotiation) => Some(respond(host, &negotiation, &request, peer).await.encode()),
        Err(error) => refuse(454, &error),
    }
}

async fn sealed_reply(host: &Host, block: &[u8], peer: SocketAddr) -> Option<Vec<u8>> {
    let Some((negotiation, plain)) = host.launches.open(block) else {
        // Without a key there is no answer that the client could read.
        static SAID: Rarely = Rarely::new(LOG_PAUSE);
        if SAID.now() {
            tracing::info!(%peer, "sealed RTSP fits no launch (expired, replayed or not ours)");
        }
        return None;
    };
    let response = match Request::parse(&plain) {
        Ok(Some(request)) => respond(host, &negotiation, &request, peer).await,
        Ok(None) | Err(_) => Response::status(0, 400),
    };
    let key = &negotiation.launch().key;
    let sequence = host.launches.next_sequence();
    rtsp::seal(key, Direction::HostToClient, sequence, &response.encode())
        .inspect_err(|error| tracing::error!("an RTSP reply could not be sealed: {error}"))
        .ok()
}

/// The id in a `Session` header, without its parameters.
fn session_id(header: &str) -> &str {
    header.split(';').next().unwrap_or_default().trim()
}

async fn respond(
    host: &Host,
    negotiation: &Negotiation,
    request: &Request,
    peer: SocketAddr,
) -> Response {
    let cseq = request.cseq();
    let known_session = request
        .header("Session")
        .is_none_or(|value| session_id(value) == negotiation.session());
    if !known_session {
        return Response::status(cseq, 454);
    }
    if let Some(name) = request.header("Host") {
        negotiation.note_host(name);
    }
    match request.method {
        Some(Method::Options) => Response::ok(cseq),
        Some(Method::Describe) => Response::ok(cseq)
            .header("Content-Type", "application/sdp")
            .body(describe(&offer(host, negotiation, peer))),
        Some(Method::Setup) => setup(host, negotiation, request),
        Some(Method::Announce) => announce(host, negotiation, request, peer).await,
        // Answered at once: the client's video pings only come after this.
        Some(Method::Play) if negotiation.started() => {
            host.launches.finish(negotiation.launch());
            Response::ok(cseq)
        }
        Some(Method::Play) => Response::status(cseq, 455),
        None => Response::status(cseq, 405),
    }
}

/// A client that changed networks since its launch is held to the stricter of the two policies.
fn offer(host: &Host, negotiation: &Negotiation, peer: SocketAddr) -> Offer {
    let launch = negotiation.launch();
    let policy = host.settings.now().encryption;
    let encryption = policy.towards(launch.peer).max(policy.towards(peer.ip()));
    let config = host.settings.now();
    let agent = launch.agent.info();
    let mut offer = offer_for(Some(&agent), encryption, &config.video_source);
    offer.feature_flags |= host.streams.gamepad_features();
    if host.settings.now().legacy_control && encryption != Encryption::Required {
        offer.encryption_required &= !ENCRYPT_CONTROL;
    }
    offer
}

fn setup(host: &Host, negotiation: &Negotiation, request: &Request) -> Response {
    let launch = negotiation.launch();
    let ports = host.settings.now().ports;
    let ping = |payload: &[u8; 16]| String::from_utf8_lossy(payload).into_owned();
    let (port, name, value) = match request.target.strip_prefix("streamid=") {
        Some(target) if target.starts_with("audio") => {
            (ports.audio, "X-SS-Ping-Payload", ping(&launch.audio_ping))
        }
        Some(target) if target.starts_with("video") => {
            (ports.video, "X-SS-Ping-Payload", ping(&launch.video_ping))
        }
        Some(target) if target.starts_with("control") => (
            ports.control,
            "X-SS-Connect-Data",
            launch.connect_data.to_string(),
        ),
        _ => return Response::status(request.cseq(), 404),
    };
    Response::ok(request.cseq())
        .header("Session", format!("{};timeout = 90", negotiation.session()))
        .header("Transport", format!("server_port={port}"))
        .header(name, value)
}

async fn announce(
    host: &Host,
    negotiation: &Negotiation,
    request: &Request,
    peer: SocketAddr,
) -> Response {
    let cseq = request.cseq();
    let launch = negotiation.launch();
    let stereo = negotiation.stereo_high_quality();
    let offer = offer(host, negotiation, peer);
    let params = match parse_announce(&request.body, &offer, stereo) {
        Ok(params) => params,
        Err(error) => {
            let hint = match error {
                AnnounceError::EncryptionRequired { agreed, .. }
                    if agreed & ENCRYPT_CONTROL == 0 =>
                {
                    "; the client knows only the old encryption of keys and pointer, which is weak: update it, or see legacy-control in the configuration"
                }
                AnnounceError::EncryptionRequired { .. } => {
                    "; switch encryption on in the client, or see encryption-lan and encryption-wan in the configuration"
                }
                _ => "",
            };
            tracing::warn!(client = %launch.client.id, %peer, "the client's wishes were refused: {error}{hint}");
            return Response::status(cseq, announce_status(&error));
        }
    };
    if params.hdr_asked && !offer.hdr.has(params.codec) {
        let bits = if params.hdr { 10 } else { 8 };
        tracing::warn!(
            client = %launch.client.id, codec = params.codec.name(), source = %host.settings.now().video_source,
            "the client wants HDR, which was not offered: it gets SDR with {bits} bits, and is told so"
        );
    }
    if !negotiation.begin_start() {
        return Response::status(cseq, 455);
    }
    let result = host
        .streams
        .start(
            StreamSetup {
                launch: Arc::clone(launch),
                params,
            },
            &host.clients.owners(),
        )
        .await;
    negotiation.end_start(result.is_ok());
    if let Err(error) = result {
        tracing::error!(client = %launch.client.id, stream = %launch.stream, "the stream could not start: {error}");
        applications::not_started(host, launch).await;
        return Response::status(cseq, start_status(&error));
    }
    host.launches.begun(launch);
    // What was changed since the launch counts as well.
    if let Some(client) = host.clients.get(&launch.client.id) {
        host.streams
            .set_permissions(&client.id, &client.permissions);
    }
    if !host.launches.is_current(launch) {
        // Cancelled or replaced while the agent was starting.
        host.streams.stop(launch.stream, StopReason::Replaced);
        return Response::status(cseq, 454);
    }
    Response::ok(cseq)
}

fn announce_status(error: &AnnounceError) -> u16 {
    match error {
        AnnounceError::CodecNotOffered(_) | AnnounceError::NotOffered(_) => 415,
        AnnounceError::EncryptionRequired { .. } => 403,
        _ => 400,
    }
}

fn start_status(error: &StartError) -> u16 {
    match error {
        StartError::Agent(AgentError::Timeout | AgentError::Gone | AgentError::Refused(_))
        | StartError::Refused(_) => 503,
        StartError::Io(_) => 500,
    }
}
