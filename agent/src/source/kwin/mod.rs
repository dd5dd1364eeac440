//! KWin (Plasma), directly: a virtual output of the client's own size, without a dialogue.
//!
//! The output lives as long as the Wayland connection that asked for it, so it also goes when the agent crashes. KWin
//! shows the protocol only to programs whose installed `.desktop` file asks for it; where it is not shown, this source is
//! not available and says what is missing. Input goes through KWin's libei socket (Plasma 6.1 and later), else through
//! its fake-input protocol.
//!
//! KWin makes such outputs with 60 Hz. For more, the output is made a little taller than wanted and then given a mode of
//! its own (Plasma 6.6 and later): what it offers to PipeWire is only made anew when the size changes.

#[cfg(test)]
mod double;
mod heads;
mod protocol;
mod screencast;
#[cfg(test)]
mod tests;
mod topology;

use std::{cell::RefCell, future, os::fd::OwnedFd, time::Duration};

use tokio::time::timeout;
use zbus::{fdo, names::BusName};

use super::{
    Outputs, Source, SourceError, SourceRequest,
    desktop::{self, Handover, Opened, Pictures},
    notes,
};
use crate::{capture::Remote, input::Target, wayland::ConnectError};
use heads::HeadsError;
use screencast::{OpenError, VirtualOutput};
use topology::Topology;
pub use topology::put_back;

/// Its name in configuration and on the command line.
pub const NAME: &str = "kwin-virtual";

/// How long KWin may take for everything: no person is asked.
const OPEN_LIMIT: Duration = Duration::from_secs(15);
/// The rate of every output that KWin makes.
const BORN_FPS: u32 = 60;
/// By how many lines an output is made taller than wanted, if it is to get a mode of its own.
const BORN_TALLER: u32 = 16;

/// How long the start waits for its socket for emulated input.
const EIS_LIMIT: Duration = Duration::from_secs(5);

/// Device types of the RemoteDesktop portal, which KWin's own interface shares: keyboard, pointer, touch.
const CAPABILITIES: i32 = 1 | 2 | 4;

#[zbus::proxy(
    interface = "org.kde.KWin.EIS.RemoteDesktop",
    default_service = "org.kde.KWin",
    default_path = "/org/kde/KWin/EIS/RemoteDesktop",
    gen_blocking = false
)]
trait Eis {
    /// The socket, and the cookie that ends the connection again.
    #[zbus(name = "connectToEIS")]
    fn connect_to_eis(&self, capabilities: i32) -> zbus::Result<(zbus::zvariant::OwnedFd, i32)>;
    #[zbus(name = "disconnect")]
    fn disconnect(&self, cookie: i32) -> zbus::Result<()>;
}

/// Open a virtual output for `request`.
///
/// # Errors
/// `Unavailable` where no KWin answers or it does not grant the protocol, `Refused` and `Failed` as KWin says.
pub fn open(request: &SourceRequest) -> Result<Box<dyn Source>, SourceError> {
    let wanted = request.clone();
    notes::put_in_order();
    desktop::open(NAME, request, OPEN_LIMIT, move |handover| {
        session(wanted, handover)
    })
}

async fn session(request: SourceRequest, mut handover: Handover) -> Result<(), SourceError> {
    let mut topology = match Topology::join(request.outputs).await {
        Ok(topology) => Some(topology),
        Err(error) if request.outputs == Outputs::Extend => {
            tracing::debug!(%error, "KWin's outputs stay as they are");
            None
        }
        Err(HeadsError::NoConnection(ConnectError::NoSocket) | HeadsError::NotOffered) => {
            return Err(not_offered().await);
        }
        Err(error) => return Err(not_arranged(&request, &error)),
    };
    let (mut output, size) = match make(&request, topology.as_mut()).await {
        Ok(made) => made,
        Err(OpenError::NotOffered) => return Err(not_offered().await),
        Err(error) => return Err(error.into()),
    };
    if let Some(topology) = &mut topology
        && let Err(error) = topology.heads.appeared(output.name()).await
        && request.outputs != Outputs::Extend
    {
        output.close();
        return Err(not_arranged(&request, &error));
    }
    let place = topology
        .as_ref()
        .and_then(|topology| topology.heads.place(output.name()));
    let now = place.map_or(size, |(_, size)| size);
    let (node, place) = (output.node(), output.place());
    tracing::info!(node, name = output.name(), ?place, size = ?now, "KWin virtual output");

    let input = EmulatedInput::default();
    let socket = timeout(EIS_LIMIT, input.socket()).await;
    let socket = socket
        .unwrap_or_else(|_| Err(zbus::Error::Failure("no answer".into())))
        .inspect_err(|error| {
            tracing::info!(%error, "KWin offers no libei socket (it came with Plasma 6.1)");
        })
        .ok();
    let opened = Opened {
        pictures: Pictures::Node {
            remote: Remote::Daemon,
            node,
            settled: Some(now),
            pointer_apart: false,
            rate_from_limit: false,
        },
        eis: socket,
        target: Target {
            place,
            size: Some(now),
            wheel_in_120ths: true,
            ..Target::default()
        },
    };
    let eis = async || input.socket().await.map_err(|error| error.to_string());
    let (name, mut settle) = (output.name().to_owned(), handover.settle());
    let ended = async {
        let arranged = async {
            settle.pictures().await;
            settle.done(arrange(topology.as_mut(), &name, &request).await);
            disarranged(topology.as_mut(), request.outputs == Outputs::Extend).await
        };
        tokio::select! {
            why = output.ended() => why,
            why = arranged => why,
        }
    };
    handover.keep_until(opened, ended, eis).await;
    match topology {
        Some(topology) => topology.leave(output).await,
        None => output.close(),
    }
    input.end().await;
    Ok(())
}

/// Put the outputs in the order that the stream wants, which is the first change to any of them. Not before pictures come: a KWin (6.7)
/// whose last monitor goes dark while the new output has not been painted yet paints nothing on it any more, until a window opens; and
/// a stream that shows nothing leaves nobody in the dark.
async fn arrange(
    topology: Option<&mut Topology>,
    ours: &str,
    request: &SourceRequest,
) -> Result<(), SourceError> {
    let Some(topology) = topology else {
        return Ok(());
    };
    match topology.arrange(ours).await {
        Err(error) if request.outputs == Outputs::Extend => {
            tracing::warn!(%error, "KWin's other outputs could not be looked after");
            Ok(())
        }
        arranged => arranged.map_err(|error| not_arranged(request, &error)),
    }
}

/// Why the outputs cannot be kept as the stream wants them.
async fn disarranged(topology: Option<&mut Topology>, extends: bool) -> String {
    let Some(topology) = topology else {
        return future::pending().await;
    };
    match topology.watch().await {
        Ok(never) => match never {},
        Err(error) if extends => {
            tracing::debug!(%error, "KWin's outputs stay as they are");
            future::pending().await
        }
        Err(error) => format!("the outputs cannot be kept as the stream wants them: {error}"),
    }
}

/// The output, and its size once it has settled.
async fn make(
    request: &SourceRequest,
    topology: Option<&mut Topology>,
) -> Result<(VirtualOutput, (u32, u32)), OpenError> {
    let wanted = (request.width, request.height);
    if request.fps > BORN_FPS {
        match topology {
            Some(topology) if topology.heads.may_take_modes() => {
                let tall = request.height.saturating_add(BORN_TALLER);
                let output = VirtualOutput::open(request, tall).await?;
                match topology
                    .heads
                    .set_mode(output.name(), wanted, request.fps)
                    .await
                {
                    Ok(size) => {
                        tracing::info!(?size, fps = request.fps, "output has a mode of its own");
                        return Ok((output, size));
                    }
                    Err(error) => {
                        tracing::warn!(%error, fps = request.fps, "{SLOW}");
                        let name = output.name().to_owned();
                        output.close();
                        // The next one may get its name, and is not to be taken for it.
                        if let Err(error) = topology.heads.disappeared(&name).await {
                            tracing::debug!(%error, name, "the output of another size stays");
                        }
                    }
                }
            }
            _ => tracing::warn!(fps = request.fps, "{SLOW} (other rates need Plasma 6.6)"),
        }
    }
    let output = VirtualOutput::open(request, request.height).await?;
    Ok((output, wanted))
}

/// What the client gets where KWin makes no other output.
const SLOW: &str = "KWin gives this output 60 Hz: pictures are repeated up to the client's rate";

fn not_arranged(request: &SourceRequest, error: &HeadsError) -> SourceError {
    SourceError::Failed {
        name: NAME,
        why: format!(
            "the outputs could not be arranged as the configuration says ({:?}): {error}",
            request.outputs
        ),
    }
}

/// KWin's sockets for emulated input: one at a time, which ends with its cookie.
#[derive(Default)]
struct EmulatedInput(RefCell<Option<(EisProxy<'static>, i32)>>);

impl EmulatedInput {
    /// Another socket, in place of the one before.
    async fn socket(&self) -> zbus::Result<OwnedFd> {
        self.end().await;
        let bus = zbus::Connection::session().await?;
        let proxy = EisProxy::new(&bus).await?;
        let (fd, cookie) = proxy.connect_to_eis(CAPABILITIES).await?;
        self.0.replace(Some((proxy, cookie)));
        Ok(fd.into())
    }

    async fn end(&self) {
        if let Some((proxy, cookie)) = self.0.take() {
            let _ = timeout(desktop::CLOSE_LIMIT, proxy.disconnect(cookie)).await;
        }
    }
}

/// Why a compositor does not show the protocol: it is not KWin, or KWin does not know this program.
async fn not_offered() -> SourceError {
    let why = if kwin_runs().await.unwrap_or(false) {
        let program = std::fs::read_link("/proc/self/exe").unwrap_or_default();
        format!(
            "KWin does not grant this program its screencast protocol: it needs an installed .desktop file with \
             Exec={} and X-KDE-Wayland-Interfaces=zkde_screencast_unstable_v1,org_kde_kwin_fake_input (the package brings \
             org.punktfunk.Agent.desktop), the plugins of the package kwin-common, and one new log-in after the installation",
            program.display()
        )
    } else {
        "no KWin (Plasma) in this session".to_owned()
    };
    SourceError::Unavailable { name: NAME, why }
}

async fn kwin_runs() -> zbus::Result<bool> {
    let bus = zbus::Connection::session().await?;
    let names = fdo::DBusProxy::new(&bus).await?;
    let name = BusName::try_from("org.kde.KWin").map_err(zbus::Error::from)?;
    Ok(names.name_has_owner(name).await?)
}

impl From<OpenError> for SourceError {
    fn from(error: OpenError) -> Self {
        let (name, why) = (NAME, error.to_string());
        match error {
            OpenError::NoConnection(ConnectError::NoSocket)
            | OpenError::NotOffered
            | OpenError::TooOld(_) => Self::Unavailable { name, why },
            OpenError::NoConnection(_)
            | OpenError::Failed(_)
            | OpenError::Ended(_)
            | OpenError::Late(_) => Self::Failed { name, why },
        }
    }
}
