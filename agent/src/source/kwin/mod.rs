//! KWin (Plasma), directly: a virtual output of the client's own size, without a dialogue.
//!
//! The output lives as long as the Wayland connection that asked for it, so it also goes when the agent crashes. KWin
//! shows the protocol only to programs whose installed `.desktop` file asks for it; where it is not shown, this source is
//! not available and says what is missing. Input goes through KWin's libei socket (Plasma 6.1 and later), else through
//! its fake-input protocol.

mod screencast;

use std::{os::fd::OwnedFd, time::Duration};

use tokio::time::timeout;
use zbus::{fdo, names::BusName};

use super::{
    Source, SourceError, SourceRequest,
    desktop::{self, Handover, Opened, Pictures},
};
use crate::{capture::Remote, input::Target};
use screencast::{OpenError, VirtualOutput};

/// Its name in configuration and on the command line.
pub const NAME: &str = "kwin-virtual";

/// How long KWin may take for everything: no person is asked.
const OPEN_LIMIT: Duration = Duration::from_secs(15);
/// How long it may take to hand out its socket for emulated input.
const EIS_LIMIT: Duration = Duration::from_secs(3);

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
    desktop::open(NAME, request, OPEN_LIMIT, move |handover| {
        session(wanted, handover)
    })
}

async fn session(request: SourceRequest, handover: Handover) -> Result<(), SourceError> {
    let mut output = match VirtualOutput::open(&request).await {
        Ok(output) => output,
        Err(OpenError::NotOffered) => return Err(not_offered().await),
        Err(error) => return Err(error.into()),
    };
    let node = output.node();
    let position = output.position();
    tracing::info!(node, name = output.name(), ?position, "KWin virtual output");

    let eis = emulated_input().await;
    let (socket, cookie) = match eis {
        Ok((proxy, fd, cookie)) => (Some(fd), Some((proxy, cookie))),
        Err(error) => {
            tracing::info!(%error, "KWin offers no libei socket (it came with Plasma 6.1)");
            (None, None)
        }
    };
    let opened = Opened {
        pictures: Pictures::Node {
            remote: Remote::Daemon,
            node,
        },
        eis: socket,
        target: Target {
            position: Some(position),
            ..Target::default()
        },
    };
    handover
        .keep_until(opened, async { output.ended().await })
        .await;
    output.close();
    if let Some((proxy, cookie)) = cookie {
        let _ = timeout(desktop::CLOSE_LIMIT, proxy.disconnect(cookie)).await;
    }
    Ok(())
}

async fn emulated_input() -> zbus::Result<(EisProxy<'static>, OwnedFd, i32)> {
    let bus = zbus::Connection::session().await?;
    let proxy = EisProxy::new(&bus).await?;
    let connected = timeout(EIS_LIMIT, proxy.connect_to_eis(CAPABILITIES)).await;
    let (fd, cookie) = connected.map_err(|_| zbus::Error::Failure("no answer".into()))??;
    Ok((proxy, fd.into(), cookie))
}

/// Why a compositor does not show the protocol: it is not KWin, or KWin does not know this program.
async fn not_offered() -> SourceError {
    let why = if kwin_runs().await.unwrap_or(false) {
        let program = std::fs::read_link("/proc/self/exe").unwrap_or_default();
        format!(
            "KWin does not grant this program its screencast protocol: it needs an installed .desktop file with \
             Exec={} and X-KDE-Wayland-Interfaces=zkde_screencast_unstable_v1 (the package brings \
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
            OpenError::NoSocket | OpenError::NotOffered | OpenError::TooOld(_) => {
                Self::Unavailable { name, why }
            }
            OpenError::Failed(_) | OpenError::Ended(_) | OpenError::Late(_) => {
                Self::Failed { name, why }
            }
        }
    }
}
