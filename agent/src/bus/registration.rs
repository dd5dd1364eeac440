//! From the first connection to SIGTERM: register, notice when the service goes, register again when it is back.

use super::{
    agent1::{Agent1, Streams},
    applications,
    inhibition::Inhibitions,
    session,
    session_life::SessionLife,
};
use crate::{
    apps::{Applications, Runner},
    cli::RunArgs,
    encode::{self, speed},
    input::touch::TouchOffer,
    notices::Notices,
    source,
};
use anyhow::{anyhow, bail};
use futures_util::{
    FutureExt, StreamExt,
    future::{Fuse, FusedFuture},
};
use punktfunk_dbus::{
    names::{AGENT_PATH, BUS_NAME},
    open_stream::AgentOffer,
    proxies::Host1Proxy,
};
use sd_notify::NotifyState;
use std::{cell::RefCell, convert::Infallible, pin::pin, time::Duration};
use tokio::signal::unix::{SignalKind, signal};
use zbus::{Connection, fdo, names::BusName, zvariant::ObjectPath};

/// A refused registration is tried again after this, doubling up to the second.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// What a lost bus is called, whichever call noticed it first.
const LOST: &str = "the system bus went away";

/// Be the agent, until SIGTERM or SIGINT. Needs a tokio runtime.
///
/// # Errors
/// No bus, no session, or a bus that went away: text for a person. A missing service is waited for.
pub async fn run(args: RunArgs) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let streams = Streams::default();
    let catalogue = Applications::of_environment();
    let (runner, ends) = Runner::new(catalogue.clone());
    // before anybody can ask what runs
    runner.adopt().await;
    let inhibitions = Inhibitions::default();
    let life = SessionLife::new(inhibitions.clone());
    let interface = Agent1::new(
        streams.clone(),
        catalogue,
        runner.clone(),
        life.facts(),
        inhibitions,
        args.encoding.encoder,
    );
    let notices = RefCell::new(None);
    let serving = async {
        let connection = connect(interface).await?;
        notices.replace(Some(Notices::start(connection.clone())));
        tokio::spawn(applications::tell(connection.clone(), ends));
        serve(&args, connection, &life, &streams).await
    };
    let result = tokio::select! {
        result = serving => result,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    // what is shown goes with the agent that shows it
    if let Some(notices) = notices.take() {
        notices.end().await;
    }
    runner.shutdown().await;
    // joins threads
    tokio::task::spawn_blocking(move || streams.stop()).await?;
    tracing::info!("the agent ends");
    result
}

async fn connect(interface: Agent1) -> anyhow::Result<Connection> {
    zbus::connection::Builder::system()?
        .serve_at(AGENT_PATH, interface)?
        .build()
        .await
        // the bus library's text already holds its cause
        .map_err(|error| {
            anyhow!(
                "no connection to the system bus; is D-Bus running, and does DBUS_SYSTEM_BUS_ADDRESS (if set) name its \
                 socket? ({error})"
            )
        })
}

async fn serve(
    args: &RunArgs,
    connection: Connection,
    life: &SessionLife,
    streams: &Streams,
) -> anyhow::Result<()> {
    let bus = fdo::DBusProxy::new(&connection).await?;
    let service = BusName::try_from(BUS_NAME)?;
    // watched before it is asked for: no moment is missed
    let mut changes = bus
        .receive_name_owner_changed_with_args(&[(0, BUS_NAME)])
        .await?;
    let mut sessions = session::changes(&connection).await;
    let touch = TouchOffer::of_session().await;
    let mut desktops = touch.changes().await;
    ready("waiting for a session");
    // fails early where no session can ever be found, service or not
    session::find(&connection, args).await.map_err(or_lost)?;
    let mut present = bus.name_has_owner(service).await?;
    let measuring = speed::in_background(args.encoding.encoder, || streams.any());
    let mut faster = pin!(measuring.fuse());
    // what the service knows of this agent
    let served = RefCell::new(None);
    loop {
        if !present {
            served.replace(None);
            tracing::info!("punktfunkd is not running; the session is offered as soon as it is");
            ready("waiting for punktfunkd");
        }
        let offered = RefCell::new(None);
        let mut registered = pin!(register_when(
            present,
            &connection,
            args,
            &touch,
            &offered,
            &served,
            life
        ));
        let mut asking = pin!(Fuse::terminated());
        // until there is a reason to register anew
        loop {
            tokio::select! {
                change = changes.next() => {
                    let Some(change) = change else {
                        bail!(LOST);
                    };
                    present = change.args()?.new_owner().is_some();
                    break;
                }
                Some(change) = sessions.next() => {
                    let now = offered.borrow().clone();
                    if change.ended.is_some() && change.ended == now {
                        tracing::info!(session = now, "the session has ended; waiting for the next one");
                        served.replace(None);
                        break;
                    }
                    // Not asked while there is none yet: whoever looks for one looks again by itself. And not awaited here:
                    // what is polled beside it may hold what the answer needs.
                    if now.is_some() {
                        asking.set(session::best(&connection, args).fuse());
                    }
                }
                best = &mut asking, if !asking.is_terminated() => {
                    let now = offered.borrow().clone();
                    if best.is_some() && best != now {
                        tracing::info!(left = now, "another session of this user is the one to offer");
                        break;
                    }
                }
                changed = &mut faster, if !faster.is_terminated() => {
                    if changed {
                        tracing::info!("the encoders were measured; the session is offered anew");
                        break;
                    }
                }
                Some(()) = desktops.next() => {
                    tracing::debug!("the desktop came or went; the session is offered anew");
                    break;
                }
                result = &mut registered => match result.map_err(or_lost)? {},
            }
        }
    }
}

/// An error as it is, or the loss of the bus where that is its cause.
fn or_lost(error: anyhow::Error) -> anyhow::Error {
    let lost = error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(zbus::Error::InputOutput(_)))
            || matches!(
                cause.downcast_ref(),
                Some(fdo::Error::ZBus(zbus::Error::InputOutput(_)))
            )
    });
    if lost { anyhow!(LOST) } else { error }
}

/// Register until it succeeds, then follow the session: the caller drops this when there is a reason to begin anew. The session
/// that is being offered stands in `offered`.
async fn register_when(
    present: bool,
    connection: &Connection,
    args: &RunArgs,
    touch: &TouchOffer,
    offered: &RefCell<Option<String>>,
    served: &RefCell<Option<String>>,
    life: &SessionLife,
) -> anyhow::Result<Infallible> {
    if !present {
        return std::future::pending().await;
    }
    let mut wait = RETRY.0;
    let mut said = None;
    loop {
        // asked again each time: the user may have logged out and in
        let session = session::find(connection, args).await?;
        offered.replace(Some(session.clone()));
        let choice = args.encoding.encoder;
        let left = served.borrow().clone().filter(|left| *left != session);
        let touch = touch.is_there().await;
        match register(connection, &session, choice, touch, left).await {
            Ok(path) => {
                served.replace(Some(session.clone()));
                tracing::info!(session, path, "registered with punktfunkd");
                ready(&format!("session {session} is offered"));
                return Ok(life.follow(connection, &session).await);
            }
            Err(error) => {
                let text = error.to_string();
                // the same refusal again is not news
                if said.as_ref() != Some(&text) {
                    tracing::warn!(session, "punktfunkd refused this session: {text}");
                    said = Some(text);
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY.1);
            }
        }
    }
}

async fn register(
    connection: &Connection,
    session: &str,
    choice: encode::Choice,
    touch: bool,
    left: Option<String>,
) -> zbus::Result<String> {
    let host = Host1Proxy::new(connection).await?;
    let path = ObjectPath::try_from(AGENT_PATH)?;
    // loads drivers, and may wake a card
    let encoding = tokio::task::spawn_blocking(move || encode::Offer::of(&choice.look()));
    let encoding = encoding.await.unwrap_or_default();
    let offer = AgentOffer {
        replaces: left,
        ..offer(&encoding, touch)
    };
    let object = host.register_agent(&path, session, offer).await?;
    Ok(object.to_string())
}

/// What this agent says of itself.
fn offer(encoding: &encode::Offer, touch: bool) -> AgentOffer {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    AgentOffer {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        compositor: match source::detection::desktop_name() {
            name if name.is_empty() => "unknown".to_owned(),
            name => name.to_lowercase(),
        },
        encoders: names(&encoding.encoders),
        codecs: names(&encoding.codecs),
        hdr: Some(names(&encoding.hdr)),
        hdr_sources: Some(names(source::HDR_NAMES)),
        chroma_444: Some(names(&encoding.chroma_444)),
        hdr_chroma_444: Some(names(&encoding.hdr_chroma_444)),
        invalidates_refs: Some(encoding.invalidates_refs),
        touch: Some(touch),
        replaces: None,
    }
}

/// Ready as far as systemd is concerned: a missing session or service is not this unit's failure.
fn ready(status: &str) {
    let _ = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}
