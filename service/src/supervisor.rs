//! Puts the running service together, watches over it, and takes it down again.
//!
//! Ready means: sockets bound, objects served, name owned. Whatever ends by itself ends the service, and systemd starts a
//! fresh one.
mod bus;

use crate::{
    admission::Admission,
    agents::Agents,
    api::{Api, ServeError},
    applications::{self, Applications},
    authority::Authority,
    config::Settings,
    expiry,
    host::Host,
    identity::Identity,
    launch::Launches,
    logging::audit,
    net,
    on_demand::{self, OnDemand},
    pairings::Pairings,
    privileges::{Account, PrivilegeError},
    sessions::Sessions,
    store::{ClientStore, StoreError},
    stream::Streams,
};
use sd_notify::NotifyState;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinSet,
};
use zbus::Connection;

/// The control plane needs little: media has threads of its own.
const WORKERS: usize = 2;
/// How long the farewell to all clients may take.
const FAREWELL: Duration = Duration::from_secs(3);
/// How often the service looks at itself when systemd does not say.
const CHECKUP: Duration = Duration::from_secs(10);

/// Why the service cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    #[error(transparent)]
    Bus(#[from] bus::BusError),
    #[error(transparent)]
    Api(#[from] ServeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Network(io::Error),
    #[error("the message bus closed the connection; it is started anew together with this service")]
    BusLost,
    #[error("{0} ended unexpectedly")]
    PartEnded(&'static str),
    #[error("the operating system: {0}")]
    System(#[from] io::Error),
}

/// Serve until told to stop.
///
/// # Errors
/// What keeps the service from starting, or ended it.
pub fn run(settings: Settings, identity: Identity, account: Account) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("punktfunkd")
        .enable_all()
        .build()?;
    runtime.block_on(serve(settings, identity, account))
}

async fn serve(settings: Settings, identity: Identity, account: Account) -> Result<(), RunError> {
    // From here on a signal is answered in good order, also during start-up.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let config = settings.now();
    let connection = bus::connect(&config).await?;
    let host = Arc::new(Host {
        clients: ClientStore::open(&config.state_dir)?,
        identity: Arc::new(identity),
        pairings: Pairings::new(),
        agents: Agents::new(),
        applications: Applications::new(),
        launches: Launches::kept_in(&settings.now().state_dir),
        on_demand: OnDemand::new((!config.development).then(|| connection.clone())),
        streams: Streams::new(settings.clone()).map_err(RunError::Network)?,
        settings,
    });
    let (stop, stopping) = watch::channel(false);
    let mut parts = listen(&host, &stopping)?;
    let api = offer(&connection, &host, account).await?;
    account.assert()?;
    ready(&host);
    let outcome = tokio::select! {
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
        () = connection.closed() => Err(RunError::BusLost),
        part = part_ended(&mut parts) => Err(RunError::PartEnded(part)),
        part = look_after(&api) => Err(RunError::PartEnded(part)),
        () = reload_on(&mut hangup, &host.settings) => Ok(()),
    };
    farewell(&host, stop, api, outcome.is_ok()).await;
    outcome
}

/// Bind the TCP ports and answer on them.
fn listen(host: &Arc<Host>, stopping: &watch::Receiver<bool>) -> Result<Parts, RunError> {
    let bound = net::bind(&host.settings.now()).map_err(RunError::Network)?;
    let mut parts = JoinSet::new();
    let (http, https, rtsp, discovery) = (host.clone(), host.clone(), host.clone(), host.clone());
    let (s1, s2, s3, s4) = (
        stopping.clone(),
        stopping.clone(),
        stopping.clone(),
        stopping.clone(),
    );
    parts.spawn(async move {
        net::nvhttp::serve_http(http, bound.http, s1).await;
        Some("the HTTP listener")
    });
    parts.spawn(async move {
        if let Err(error) = net::nvhttp::serve_https(https, bound.https, s2).await {
            tracing::error!(%error, "HTTPS");
        }
        Some("the HTTPS listener")
    });
    parts.spawn(async move {
        net::rtsp::serve(rtsp, bound.rtsp, s3).await;
        Some("the RTSP listener")
    });
    let apps = host.clone();
    parts.spawn(async move {
        applications::watch(apps).await;
        Some("the watch over applications")
    });
    let sessions = host.clone();
    parts.spawn(async move {
        on_demand::watch(sessions).await;
        Some("the watch over sessions on demand")
    });
    let sharing = host.clone();
    parts.spawn(async move {
        sharing.streams.follow_settings().await;
        Some("the watch over what streams share")
    });
    let guests = host.clone();
    parts.spawn(async move {
        expiry::watch(guests).await;
        Some("the watch over pairings with an end")
    });
    parts.spawn(async move {
        // Without discovery the host is still found by its address.
        net::discovery::serve(discovery, s4).await;
        None
    });
    Ok(parts)
}

/// Tasks that should not end; the name of the one that did, unless its end does not matter.
type Parts = JoinSet<Option<&'static str>>;

async fn part_ended(parts: &mut Parts) -> &'static str {
    loop {
        match parts.join_next().await {
            Some(Ok(None)) => {}
            Some(Ok(Some(part))) => return part,
            Some(Err(error)) if error.is_panic() => return "a task that panicked",
            Some(Err(_)) => {}
            None => return "everything",
        }
    }
}

/// Answer on the bus.
async fn offer(
    connection: &Connection,
    host: &Arc<Host>,
    account: Account,
) -> Result<Api, RunError> {
    let bus = |error: zbus::Error| RunError::Api(error.into());
    let (authority, sessions) = if host.settings.now().development {
        let own = Authority::own_account(connection, account.uid).await;
        (own.map_err(bus)?, Sessions::Development(account.uid))
    } else {
        let polkit = Authority::polkit(connection).await;
        (polkit.map_err(bus)?, Sessions::Logind(connection.clone()))
    };
    let admission = Admission::new(connection.clone(), sessions, host.agents.clone());
    Ok(Api::serve(connection, Arc::clone(host), authority, admission).await?)
}

/// Read the configuration again whenever SIGHUP comes (`systemctl reload`). Never returns.
async fn reload_on(hangup: &mut Signal, settings: &Settings) {
    while hangup.recv().await.is_some() {
        let settings = settings.clone();
        let read = tokio::task::spawn_blocking(move || settings.reload()).await;
        match read {
            Ok(Ok(change)) => audit::configured(None, &change),
            Ok(Err(error)) => audit::not_configured(&error),
            Err(error) => tracing::error!("the configuration was not read: {error}"),
        }
    }
    std::future::pending().await
}

fn ready(host: &Host) {
    let config = host.settings.now();
    let ports = config.ports;
    tracing::info!(
        name = %config.name, http = ports.http, https = ports.https, rtsp = ports.rtsp,
        video = ports.video, control = ports.control, audio = ports.audio,
        clients = host.clients.list().len(), "ready"
    );
    notify(&[
        NotifyState::Ready,
        NotifyState::Status("waiting for clients"),
    ]);
}

/// Feed the watchdog for as long as the bus side answers; returns when it does not.
async fn look_after(api: &Api) -> &'static str {
    let period = sd_notify::watchdog_enabled()
        .and_then(|limit| limit.checked_div(3))
        .unwrap_or(CHECKUP);
    loop {
        tokio::time::sleep(period).await;
        if !api.is_alive() {
            return "the bus interface";
        }
        match tokio::time::timeout(period, api.answers()).await {
            Ok(()) => notify(&[NotifyState::Watchdog]),
            // Not fed: systemd draws the conclusion.
            Err(_) => tracing::error!("the bus interface does not answer"),
        }
    }
}

/// Tell the clients, stop listening, give the name back.
async fn farewell(host: &Host, stop: watch::Sender<bool>, api: Api, bus_is_there: bool) {
    tracing::info!("stopping");
    notify(&[NotifyState::Stopping]);
    stop.send_replace(true);
    if tokio::time::timeout(FAREWELL, host.streams.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("not every stream ended in time");
    }
    if bus_is_there {
        api.stop().await;
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd could not be told");
    }
}
