//! Mutter, directly: a virtual monitor of the client's own size, without a dialogue.
//!
//! A `RemoteDesktop` session (input) with a `ScreenCast` session tied to it (the monitor). Mutter keeps both as long as
//! this connection to the session bus lives, so the monitor also goes when the agent crashes.

mod turn;

use std::{collections::HashMap, os::fd::OwnedFd, time::Duration};

use futures_util::StreamExt;
use tokio::time::timeout;
use zbus::{
    fdo,
    zvariant::{OwnedObjectPath, OwnedValue, Value},
};

use super::{
    Source, SourceError, SourceRequest,
    desktop::{self, CLOSE_LIMIT, Handover, Opened, Pictures},
};
use crate::{
    capture::Remote,
    input::{
        Target,
        mutter::{RemoteDesktopProxy, RemoteDesktopSessionProxy},
    },
};
use turn::Turn;

/// Its name in configuration and on the command line.
pub const NAME: &str = "mutter";

/// How long Mutter may take for everything: no person is asked.
const OPEN_LIMIT: Duration = Duration::from_secs(15);
/// Of that, for the start of the monitor: it is told what did not answer.
const START_LIMIT: Duration = Duration::from_secs(12);

const CURSOR_HIDDEN: u32 = 0;
const CURSOR_EMBEDDED: u32 = 1;

type Options<'a> = HashMap<&'a str, Value<'a>>;

#[zbus::proxy(
    interface = "org.gnome.Mutter.ScreenCast",
    default_service = "org.gnome.Mutter.ScreenCast",
    default_path = "/org/gnome/Mutter/ScreenCast",
    gen_blocking = false
)]
trait ScreenCast {
    fn create_session(&self, properties: Options<'_>) -> zbus::Result<OwnedObjectPath>;
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> zbus::Result<i32>;
}

#[zbus::proxy(
    interface = "org.gnome.Mutter.ScreenCast.Session",
    default_service = "org.gnome.Mutter.ScreenCast",
    gen_blocking = false
)]
trait ScreenCastSession {
    fn record_virtual(&self, properties: Options<'_>) -> zbus::Result<OwnedObjectPath>;
}

#[zbus::proxy(
    interface = "org.gnome.Mutter.ScreenCast.Stream",
    default_service = "org.gnome.Mutter.ScreenCast",
    gen_blocking = false
)]
trait ScreenCastStream {
    #[zbus(signal, name = "PipeWireStreamAdded")]
    fn pipe_wire_stream_added(&self, node_id: u32) -> zbus::Result<()>;
    #[zbus(property(emits_changed_signal = "false"))]
    fn parameters(&self) -> zbus::Result<HashMap<String, OwnedValue>>;
}

/// Open a virtual monitor for `request`.
///
/// # Errors
/// `Unavailable` where Mutter is not on the session bus, `Refused` while the session is locked, else `Failed`.
pub fn open(request: &SourceRequest) -> Result<Box<dyn Source>, SourceError> {
    let wanted = request.clone();
    desktop::open(NAME, request, OPEN_LIMIT, move |handover| {
        session(wanted, handover)
    })
}

async fn session(request: SourceRequest, handover: Handover) -> Result<(), SourceError> {
    let bus = zbus::Connection::session()
        .await
        .map_err(|error| SourceError::Unavailable {
            name: NAME,
            why: format!("no session bus ({error}); is DBUS_SESSION_BUS_ADDRESS set?"),
        })?;
    let names = fdo::DBusProxy::new(&bus).await.map_err(failed)?;
    let name = zbus::names::BusName::try_from("org.gnome.Mutter.ScreenCast")
        .map_err(|error| failed(error.into()))?;
    if !names.name_has_owner(name).await.unwrap_or(false) {
        return Err(SourceError::Unavailable {
            name: NAME,
            why: "no Mutter (GNOME) on the session bus".to_owned(),
        });
    }

    request.outputs.only_extends(NAME)?;
    let remote_desktop = RemoteDesktopProxy::new(&bus).await.map_err(failed)?;
    let path = remote_desktop.create_session().await.map_err(failed)?;
    let remote = RemoteDesktopSessionProxy::builder(&bus)
        .path(path)
        .map_err(failed)?
        .build()
        .await
        .map_err(failed)?;
    let turn = Turn::wait(&bus).await;
    // Before the start: a session that is closed meanwhile is closed once. One that is killed with its shell says nothing.
    let mut closed = remote.receive_closed().await.map_err(failed)?;
    let mut owners = (remote.inner().receive_owner_changed().await).map_err(failed)?;
    let opened = timeout(START_LIMIT, start(&bus, &remote, &request)).await;
    let opened = opened.unwrap_or_else(|_| {
        Err(SourceError::Failed {
            name: NAME,
            why: format!(
                "Mutter did not start the virtual monitor within {} s; does PipeWire answer?",
                START_LIMIT.as_secs()
            ),
        })
    });
    let (result, turn) = match opened {
        Ok(opened) => {
            let ended = async {
                let why = tokio::select! {
                    _ = closed.next() => "Mutter closed the session (locked, logged out, or stopped by the user)",
                    _ = owners.next() => "Mutter has ended",
                };
                why.to_owned()
            };
            let eis = async || eis(&remote).await.map_err(|error| error.to_string());
            // The monitor comes with the capture's format, which is agreed once the session is handed over.
            let kept = handover.keep_until(opened, ended, eis);
            tokio::pin!(kept);
            tokio::select! {
                () = &mut kept => {}
                () = turn.settled() => kept.await,
            }
            (Ok(()), Turn::wait(&bus).await)
        }
        // it is still this one's turn
        Err(error) => (Err(error), turn),
    };
    if timeout(CLOSE_LIMIT, remote.stop()).await.is_err() {
        tracing::warn!("Mutter did not close the session in time; it goes with the connection");
    }
    if result.is_ok() {
        turn.settled().await;
    }
    result
}

async fn start(
    bus: &zbus::Connection,
    remote: &RemoteDesktopSessionProxy<'_>,
    request: &SourceRequest,
) -> Result<Opened, SourceError> {
    let id = remote.session_id().await.map_err(failed)?;
    let casts = ScreenCastProxy::new(bus).await.map_err(failed)?;
    let version = casts.version().await.unwrap_or(0);
    let path = casts
        .create_session(HashMap::from([("remote-desktop-session-id", id.into())]))
        .await
        .map_err(failed)?;
    let cast = ScreenCastSessionProxy::builder(bus)
        .path(path)
        .map_err(failed)?
        .build()
        .await
        .map_err(failed)?;
    let path = cast
        .record_virtual(virtual_monitor(request))
        .await
        .map_err(failed)?;
    let stream = ScreenCastStreamProxy::builder(bus)
        .path(path)
        .map_err(failed)?
        .build()
        .await
        .map_err(failed)?;
    // Before Start, or the only announcement of the node is missed.
    let mut added = stream
        .receive_pipe_wire_stream_added()
        .await
        .map_err(failed)?;
    remote.start().await.map_err(failed)?;
    let node = added
        .next()
        .await
        .and_then(|signal| signal.args().ok().map(|args| args.node_id))
        .ok_or_else(|| SourceError::Failed {
            name: NAME,
            why: "Mutter announced no PipeWire node".to_owned(),
        })?;
    let mapping_id = stream
        .parameters()
        .await
        .ok()
        .and_then(|mut parameters| parameters.remove("mapping-id"))
        .and_then(|id| String::try_from(id).ok());
    let eis = eis(remote)
        .await
        .inspect_err(|error| {
            tracing::warn!(%error, "Mutter offers no emulated input (it came with GNOME 45)");
        })
        .ok();
    tracing::info!(node, version, ?mapping_id, "Mutter virtual monitor");
    Ok(Opened {
        pictures: Pictures::Node {
            remote: Remote::Daemon,
            node,
            settled: None,
            pointer_apart: false,
            rate_from_limit: true,
        },
        eis,
        target: Target {
            mapping_id,
            mutter: true,
            ..Target::default()
        },
    })
}

/// A socket for emulated input; Mutter gives as many as it is asked for.
async fn eis(remote: &RemoteDesktopSessionProxy<'_>) -> zbus::Result<OwnedFd> {
    remote
        .connect_to_eis(HashMap::new())
        .await
        .map(OwnedFd::from)
}

/// The properties of the virtual monitor. Mutter 48 does not know `modes`: it takes size and rate from the consumer's format, which is
/// why that is negotiated twice (`rate_from_limit`). Mutter 50 refuses modes of which none is preferred.
fn virtual_monitor(request: &SourceRequest) -> Options<'static> {
    let mode: HashMap<&str, Value> = HashMap::from([
        ("size", Value::from((request.width, request.height))),
        ("refresh-rate", Value::from(f64::from(request.fps))),
        ("preferred-scale", Value::from(1.0_f64)),
        ("is-preferred", Value::from(true)),
    ]);
    let cursor = if request.cursor {
        CURSOR_EMBEDDED
    } else {
        CURSOR_HIDDEN
    };
    HashMap::from([("cursor-mode", cursor.into()), ("modes", vec![mode].into())])
}

fn failed(error: zbus::Error) -> SourceError {
    let text = match &error {
        zbus::Error::MethodError(_, Some(text), _) => text.clone(),
        other => other.to_string(),
    };
    if text.contains("inhibited") {
        return SourceError::Refused {
            name: NAME,
            why: "GNOME takes no new captures while the session is locked; unlock it first"
                .to_owned(),
        };
    }
    SourceError::Failed {
        name: NAME,
        why: text,
    }
}
