//! The desktop portal's ScreenCast: any compositor that has one, after the user's consent.
//!
//! Where the portal also offers RemoteDesktop, the cast is asked for within such a session, so that one consent covers
//! picture and input, and it is remembered, for each monitor that the user has a word for. What the user picks is captured
//! at its own size. A cast is kept for a moment after its stream ([`pool`]).

mod consent;
mod pool;

use std::{os::fd::OwnedFd, sync::LazyLock, time::Duration};

use ashpd::{
    desktop::{
        CreateSessionOptions, PersistMode, ResponseError, Session,
        remote_desktop::{
            ConnectToEISOptions, DeviceType, RemoteDesktop, SelectDevicesOptions, StartOptions,
        },
        screencast::{
            CursorMode, OpenPipeWireRemoteOptions, Screencast, SelectSourcesOptions, SourceType,
            StartCastOptions, Stream,
        },
    },
    enumflags2::BitFlags,
};
use futures_util::StreamExt;
use tokio::time::timeout;

use consent::Consent;
use pool::{Key, Pool};

use super::{
    Source, SourceError, SourceRequest,
    desktop::{self, CLOSE_LIMIT, Handover, Opened, Pictures},
    detection,
};
use crate::{
    apps::{Places, portal_monitor},
    capture::Remote,
    input::Target,
};

/// Its name in configuration and on the command line.
pub const NAME: &str = "portal";

/// How long the user may take to answer the dialogue; a client waits 120 s for its launch.
const OPEN_LIMIT: Duration = Duration::from_secs(90);

static CASTS: LazyLock<Pool> = LazyLock::new(Pool::default);

/// Ask the portal for a screen.
///
/// # Errors
/// `Unavailable` where there is no compositor or no portal, `Refused` when the user or a policy says no, else `Failed`.
pub fn open(request: &SourceRequest) -> Result<Box<dyn Source>, SourceError> {
    // A screen that was kept from an earlier stream is no way around it.
    request.outputs.only_extends(NAME)?;
    let monitor = Places::of_environment().and_then(|places| portal_monitor(&places));
    CASTS.get(Key::of(request, monitor.as_deref()), || {
        let wanted = request.clone();
        desktop::open(NAME, request, OPEN_LIMIT, move |handover| {
            session(wanted, monitor, handover)
        })
    })
}

async fn session(
    request: SourceRequest,
    monitor: Option<String>,
    handover: Handover,
) -> Result<(), SourceError> {
    if detection::wayland_socket().is_none() {
        return Err(SourceError::Unavailable {
            name: NAME,
            why: "no Wayland compositor runs in this session; log in to a desktop first, or choose the source \
                  \"synthetic\" to try the stream without one"
                .to_owned(),
        });
    }
    // A connection of its own: the one that ashpd shares would die with the runtime that it was first used on.
    let bus = zbus::Connection::session()
        .await
        .map_err(|error| SourceError::Unavailable {
            name: NAME,
            why: format!("no session bus ({error}); is DBUS_SESSION_BUS_ADDRESS set?"),
        })?;
    let cast = Screencast::with_connection(bus.clone())
        .await
        .map_err(failed)?;
    match RemoteDesktop::with_connection(bus).await {
        Ok(remote) => match remote.available_device_types().await {
            Ok(devices) if !devices.is_empty() => {
                let consent = Consent::of_user("remote-desktop", monitor.as_deref());
                return with_input(&request, consent, handover, &cast, &remote, devices).await;
            }
            _ => {}
        },
        Err(error) => tracing::debug!(%error, "the portal offers no RemoteDesktop"),
    }
    let consent = Consent::of_user("screencast", monitor.as_deref());
    picture_only(&request, consent, handover, &cast).await
}

async fn with_input(
    request: &SourceRequest,
    consent: Consent,
    mut handover: Handover,
    cast: &Screencast,
    remote: &RemoteDesktop,
    devices: BitFlags<DeviceType>,
) -> Result<(), SourceError> {
    let session = remote
        .create_session(CreateSessionOptions::default())
        .await
        .map_err(failed)?;
    let eis = async || {
        let connected = remote.connect_to_eis(&session, ConnectToEISOptions::default());
        let why = |error: ashpd::Error| format!("the portal gives no emulated input ({error})");
        connected.await.map_err(why)
    };
    let opening = async {
        remote
            .select_devices(
                &session,
                SelectDevicesOptions::default()
                    .set_devices(
                        devices
                            & (DeviceType::Keyboard
                                | DeviceType::Pointer
                                | DeviceType::Touchscreen),
                    )
                    .set_persist_mode(PersistMode::ExplicitlyRevoked)
                    .set_restore_token(consent.token().as_deref()),
            )
            .await
            .and_then(|request| request.response())
            .map_err(failed)?;
        // What is persisted here is persisted with the devices; portals refuse it in both places.
        let (sources, pointer_apart) = sources(cast, request).await?;
        cast.select_sources(&session, sources)
            .await
            .and_then(|request| request.response())
            .map_err(failed)?;
        let started = remote
            .start(&session, None, StartOptions::default())
            .await
            .and_then(|request| request.response())
            .map_err(failed)?;
        consent.keep(started.restore_token());
        let eis = eis().await;
        let fd = cast
            .open_pipe_wire_remote(&session, OpenPipeWireRemoteOptions::default())
            .await
            .map_err(failed)?;
        opened(started.streams(), fd, eis.ok(), pointer_apart)
    };
    let opened = answered(handover.unless_given_up(opening).await);
    keep(opened, handover, &session, eis).await
}

async fn picture_only(
    request: &SourceRequest,
    consent: Consent,
    mut handover: Handover,
    cast: &Screencast,
) -> Result<(), SourceError> {
    let session = cast
        .create_session(CreateSessionOptions::default())
        .await
        .map_err(failed)?;
    let opening = async {
        let (sources, pointer_apart) = sources(cast, request).await?;
        let sources = sources
            .set_persist_mode(PersistMode::ExplicitlyRevoked)
            .set_restore_token(consent.token().as_deref());
        cast.select_sources(&session, sources)
            .await
            .and_then(|request| request.response())
            .map_err(failed)?;
        let started = cast
            .start(&session, None, StartCastOptions::default())
            .await
            .and_then(|request| request.response())
            .map_err(failed)?;
        consent.keep(started.restore_token());
        let fd = cast
            .open_pipe_wire_remote(&session, OpenPipeWireRemoteOptions::default())
            .await
            .map_err(failed)?;
        opened(started.streams(), fd, None, pointer_apart)
    };
    let opened = answered(handover.unless_given_up(opening).await);
    let eis = async || Err("the portal offers no RemoteDesktop".to_owned());
    keep(opened, handover, &session, eis).await
}

/// None: nobody waits for the answer any more. The dialogue goes with its session, and the next try asks with one of its own.
fn answered(opened: Option<Result<Opened, SourceError>>) -> Result<Opened, SourceError> {
    opened.unwrap_or_else(|| {
        Err(SourceError::Failed {
            name: NAME,
            why: "the portal's dialogue was not answered in time".to_owned(),
        })
    })
}

/// One monitor, with the pointer in the picture if it is wanted and the portal can; true: it only tells of the pointer, which
/// is drawn here then.
async fn sources(
    cast: &Screencast,
    request: &SourceRequest,
) -> Result<(SelectSourcesOptions, bool), SourceError> {
    let modes = cast.available_cursor_modes().await.unwrap_or_default();
    let apart = modes.contains(CursorMode::Metadata) && !modes.contains(CursorMode::Embedded);
    let cursor = match request.cursor {
        true if apart => CursorMode::Metadata,
        true => CursorMode::Embedded,
        false => CursorMode::Hidden,
    };
    let offered = cast.available_source_types().await.map_err(failed)?;
    let wanted = if offered.contains(SourceType::Monitor) {
        SourceType::Monitor.into()
    } else {
        offered
    };
    let options = SelectSourcesOptions::default()
        .set_sources(wanted)
        .set_multiple(false);
    // A mode that the portal does not know ends the session on some of them.
    let options = if modes.contains(cursor) {
        options.set_cursor_mode(cursor)
    } else {
        options
    };
    Ok((options, cursor == CursorMode::Metadata))
}

fn opened(
    streams: &[Stream],
    fd: OwnedFd,
    eis: Option<OwnedFd>,
    pointer_apart: bool,
) -> Result<Opened, SourceError> {
    let stream = streams.first().ok_or_else(|| SourceError::Failed {
        name: NAME,
        why: "the portal granted a session without a stream".to_owned(),
    })?;
    tracing::info!(
        node = stream.pipe_wire_node_id(),
        size = ?stream.size(),
        input = eis.is_some(),
        "portal stream"
    );
    Ok(Opened {
        pictures: Pictures::Node {
            remote: Remote::Portal(fd),
            node: stream.pipe_wire_node_id(),
            settled: None,
            pointer_apart,
            rate_from_limit: false,
        },
        eis,
        target: Target {
            output: None,
            mapping_id: stream.mapping_id().map(str::to_owned),
            size: None,
            position: stream.position(),
            ..Target::default()
        },
    })
}

/// Keep the session while the source lives, then close it: the portal would keep it open as long as this process.
async fn keep<T: ashpd::desktop::SessionPortal>(
    opened: Result<Opened, SourceError>,
    handover: Handover,
    session: &Session<T>,
    eis: impl AsyncFn() -> Result<OwnedFd, String>,
) -> Result<(), SourceError> {
    let result = match opened {
        Ok(opened) => {
            let mut closed = session.receive_closed().await.map_err(failed)?;
            let ended = async {
                closed.next().await;
                "the screen cast was ended by the desktop or its user".to_owned()
            };
            handover.keep_until(opened, ended, eis).await;
            Ok(())
        }
        Err(error) => Err(error),
    };
    if timeout(CLOSE_LIMIT, session.close()).await.is_err() {
        tracing::warn!("the portal did not close the session in time");
    }
    result
}

fn failed(error: ashpd::Error) -> SourceError {
    use ashpd::{Error, PortalError};
    let text = error.to_string();
    match error {
        Error::Response(ResponseError::Cancelled) => SourceError::Refused {
            name: NAME,
            why: "the user said no to the portal's dialogue, or closed it".to_owned(),
        },
        Error::Portal(PortalError::NotAllowed(why)) => SourceError::Refused { name: NAME, why },
        Error::PortalNotFound(_) => SourceError::Unavailable {
            name: NAME,
            why: "no portal with ScreenCast in this session; install xdg-desktop-portal and the desktop's own back end \
                  (-gnome, -kde, -wlr)"
                .to_owned(),
        },
        _ if text.contains("inhibited") => SourceError::Refused {
            name: NAME,
            why: "the desktop takes no new captures while the session is locked; unlock it first".to_owned(),
        },
        Error::Response(ResponseError::Other) => SourceError::Failed {
            name: NAME,
            why: "the portal's back end could not start the cast (journalctl --user -u 'xdg-desktop-portal*' says why)"
                .to_owned(),
        },
        _ => SourceError::Failed {
            name: NAME,
            why: text,
        },
    }
}
