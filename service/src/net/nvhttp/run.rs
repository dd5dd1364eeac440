//! `/launch`, `/resume` and `/cancel`: the start and the end of a client's app.
use super::{Caller, query::Query, xml::Xml};
use crate::{
    agents::AgentHandle,
    applications,
    config::Encryption,
    host::Host,
    ids::Uid,
    launch::LaunchRequest,
    on_demand::{Refusal, Wish},
    store::{ClientRecord, PERMISSION_LAUNCH, PERMISSION_VIEW},
    stream::StopReason,
};
use punktfunk_core::crypto::Key;
use punktfunk_dbus::applications::DESKTOP;
use std::{net::IpAddr, time::Duration};
use tokio::time::{Instant, timeout};

/// How long a launch waits for the owner's agent. Clients wait 30 s (resume) and 120 s (launch).
const AGENT_LIMIT: Duration = Duration::from_secs(10);

/// The parameters of `/launch` and `/resume` that matter; size, rate and audio come again in ANNOUNCE.
#[derive(Debug, PartialEq)]
pub struct Parameters {
    app: Option<u32>,
    key: Key,
    key_id: i32,
    play_on_host: bool,
    /// The client can seal RTSP.
    seals_rtsp: bool,
}

impl Parameters {
    #[cfg(test)]
    pub(super) fn key_id(&self) -> i32 {
        self.key_id
    }

    /// Check what the query says.
    ///
    /// # Errors
    /// The text for the client.
    pub fn parse(query: &Query) -> Result<Self, String> {
        let mut key = [0; 16];
        let key_text = query.get("rikey").ok_or("rikey is missing")?;
        hex::decode_to_slice(key_text, &mut key)
            .map_err(|_| "rikey is not 32 hexadecimal digits")?;
        let app = match query.get("appid") {
            Some(text) => Some(text.parse().map_err(|_| "appid is not a number")?),
            None => None,
        };
        if let Some(mode) = query.get("mode") {
            check_mode(mode)?;
        }
        // (channel mask << 16) | channels
        let surround: u32 = number(query, "surroundAudioInfo", 0x3_0002)?;
        if !matches!(surround & 0xffff, 2 | 6 | 8) {
            return Err("surroundAudioInfo asks for other than 2, 6 or 8 channels".into());
        }
        let play_on_host: u32 = number(query, "localAudioPlayMode", 0)?;
        let core_version: u32 = number(query, "corever", 0)?;
        Ok(Self {
            app,
            key: Key(key),
            key_id: key_id(query.get("rikeyid").ok_or("rikeyid is missing")?)?,
            play_on_host: play_on_host != 0,
            seals_rtsp: core_version >= 1,
        })
    }
}

/// A new app. The client's older stream, if it still has one, ends: the client has moved on.
pub(super) async fn launch(
    host: &Host,
    caller: &Caller,
    client: ClientRecord,
    query: &Query,
) -> Xml {
    let parameters = match Parameters::parse(query) {
        Ok(parameters) => parameters,
        Err(text) => return Xml::error(400, text),
    };
    let Some(app) = parameters.app else {
        return Xml::error(400, "appid is missing");
    };
    let running = host.launches.running_app(&client.id);
    if running != 0 && running != app {
        return Xml::error(400, "An app is already running");
    }
    // Before anything is started for it.
    let may = sealing(host, caller, &client, &parameters);
    if let Err(refusal) = may.and_then(|_| check_place(host, &client)) {
        return refusal;
    }
    if app != DESKTOP
        && let Err(refusal) = check_app(host, &client, app).await
    {
        return refusal;
    }
    run(host, caller, client, &parameters, app, "gamesession").await
}

/// Whether there is a place for another stream of this client's owner. The stream itself asks again.
fn check_place(host: &Host, client: &ClientRecord) -> Result<(), Xml> {
    match host.streams.refusal(client, &host.clients.owners()) {
        None => Ok(()),
        Some(refusal) => {
            tracing::warn!(client = %client.id, user = client.owner.0, "a launch found no place: {refusal}");
            let name = &host.settings.now().name;
            Err(Xml::error(
                503,
                format!("No stream for this device on {name}: {refusal}"),
            ))
        }
    }
}

/// Whether this client may start this application of its owner's.
async fn check_app(host: &Host, client: &ClientRecord, app: u32) -> Result<(), Xml> {
    if !client.may(PERMISSION_LAUNCH) {
        return Err(Xml::error(
            403,
            "This device may not start apps; its owner can change that on the host",
        ));
    }
    // Waited for: only an agent knows what there is now.
    agent_of(host, client).await?;
    let catalogue = host.applications.of(&host.agents, client.owner).await;
    if !catalogue.has(app) {
        return Err(Xml::error(
            404,
            "This host has no such app; refresh the list of apps",
        ));
    }
    Ok(())
}

/// Back to the app that the client left running.
pub(super) async fn resume(
    host: &Host,
    caller: &Caller,
    client: ClientRecord,
    query: &Query,
) -> Xml {
    let parameters = match Parameters::parse(query) {
        Ok(parameters) => parameters,
        Err(text) => return Xml::error(400, text),
    };
    match host.launches.running_app(&client.id) {
        0 => Xml::error(
            503,
            "There is nothing to resume: the app has ended; start it anew",
        ),
        app => match check_place(host, &client) {
            Ok(()) => run(host, caller, client, &parameters, app, "resume").await,
            Err(refusal) => refusal,
        },
    }
}

/// The client's app and stream end. Answered when the app is over, so that the next one finds its place free.
pub(super) async fn cancel(host: &Host, client: &ClientRecord) -> Xml {
    let leftover = applications::end(host, &client.id, StopReason::ClientCancelled);
    if let Some(leftover) = leftover {
        leftover.stop().await;
    }
    Xml::ok().element("cancel", 1)
}

async fn run(
    host: &Host,
    caller: &Caller,
    client: ClientRecord,
    parameters: &Parameters,
    app: u32,
    success: &str,
) -> Xml {
    let sealed = match sealing(host, caller, &client, parameters) {
        Ok(sealed) => sealed,
        Err(refusal) => return refusal,
    };
    let agent = match agent_of(host, &client).await {
        Ok(agent) => agent,
        Err(refusal) => return refusal,
    };
    let (name, id) = (client.name.clone(), client.id.clone());
    // The wait for the agent was long enough for a change of mind.
    if host
        .clients
        .get(&id)
        .is_none_or(|now| now.owner != client.owner)
    {
        return Xml::error(401, "This device is not paired with this host");
    }
    host.streams.stop_client(&id, StopReason::Replaced);
    let launch = host.launches.create(LaunchRequest {
        client,
        agent,
        app,
        key: parameters.key.clone(),
        key_id: parameters.key_id,
        peer: caller.peer.ip(),
        local: caller.local.ip(),
        play_on_host: parameters.play_on_host,
        sealed,
    });
    match launch {
        Ok(launch) => {
            tracing::info!(client = %id, name, stream = %launch.stream, sealed, "launched");
            let url = session_url(sealed, launch.local, host.settings.now().ports.rtsp);
            Xml::ok().element("sessionUrl0", url).element(success, 1)
        }
        Err(error) => {
            tracing::error!("a launch failed: {error}");
            Xml::error(500, format!("The host cannot start a stream: {error}"))
        }
    }
}

/// Whether what this client may watch is sealed, if it may watch at all.
fn sealing(
    host: &Host,
    caller: &Caller,
    client: &ClientRecord,
    parameters: &Parameters,
) -> Result<bool, Xml> {
    if !client.may(PERMISSION_VIEW) {
        return Err(Xml::error(
            403,
            "This device may not watch; its owner can allow \"view\" on the host (punktfunkctl clients)",
        ));
    }
    let policy = host.settings.now().encryption.towards(caller.peer.ip());
    if policy == Encryption::Required && !parameters.seals_rtsp {
        return Err(Xml::error(
            403,
            "This host demands encryption, which this client is too old for; update it",
        ));
    }
    Ok(policy != Encryption::Off && parameters.seals_rtsp)
}

/// The agent that this client may watch, waited for: it may just be starting with the session, and the session for it.
async fn agent_of(host: &Host, client: &ClientRecord) -> Result<AgentHandle, Xml> {
    let owner = client.owner;
    let present = host.agents.for_client(client);
    let enabled = host.on_demand.is_enabled(owner);
    // A log-in screen comes before a session on demand.
    if let Some(agent) = present.filter(|agent| !enabled || agent.info().greeter) {
        return Ok(agent);
    }
    let limit = host.settings.now().start;
    let began = Instant::now();
    let wish = Wish {
        owner,
        client: client.id.clone(),
        latest: host.launches.latest_stream(),
    };
    let (desktops, refusal) = match host.on_demand.desktops(&wish, limit).await {
        Ok(desktops) => (desktops, None),
        Err(refusal) => (None, Some(refusal)),
    };
    // An agent without a desktop has nothing to show: none is taken where there is a desktop, or was to be one.
    let is_meant = |agent: &AgentHandle| match (agent.info(), &desktops) {
        (info, _) if !enabled || info.greeter => true,
        (info, Some(desktops)) => desktops.contains(&info.session),
        (_, None) => refusal.is_none(),
    };
    let agent = || {
        let best = host.agents.for_client(client).filter(is_meant);
        best.or_else(|| {
            let mut desktops = desktops.iter().flatten();
            desktops.find_map(|session| host.agents.of_session(session))
        })
    };
    let mut changes = host.agents.changes();
    let registered = async {
        loop {
            if let Some(agent) = agent() {
                return Some(agent);
            }
            changes.changed().await.ok()?;
        }
    };
    let rest = match &refusal {
        // The owner is not logged in. A log-in screen may still come.
        Some(_) if !client.terms.greeter => Duration::ZERO,
        // What is left for a session that was just started.
        _ if enabled => limit.saturating_sub(began.elapsed()).max(AGENT_LIMIT),
        _ => AGENT_LIMIT,
    };
    match timeout(rest, registered).await.ok().flatten() {
        Some(agent) => Ok(agent),
        None => Err(no_agent(host, owner, refusal).await),
    }
}

async fn no_agent(host: &Host, owner: Uid, refusal: Option<Refusal>) -> Xml {
    // The account database may be on the network.
    let user = tokio::task::spawn_blocking(move || {
        nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(owner.0))
            .ok()
            .flatten()
    })
    .await
    .ok()
    .flatten()
    .map_or_else(|| format!("uid {owner}"), |user| user.name);
    let name = &host.settings.now().name;
    if let Some(refusal) = refusal {
        tracing::warn!(user, "a launch found no session of this account: {refusal}");
        return Xml::error(503, format!("{user} is not logged in on {name}, {refusal}"));
    }
    tracing::warn!(user, "a launch found no agent of this account");
    Xml::error(
        503,
        format!(
            "No session of {user} on {name} can be streamed. Log in there as {user} and see that the agent runs \
             (systemctl --user status punktfunk-agent), then try again"
        ),
    )
}

/// Clients use the scheme and the port; the address is echoed as the RTSP target.
pub(super) fn session_url(sealed: bool, local: IpAddr, port: u16) -> String {
    let scheme = if sealed { "rtspenc" } else { "rtsp" };
    match local {
        IpAddr::V4(v4) => format!("{scheme}://{v4}:{port}"),
        IpAddr::V6(v6) => format!("{scheme}://[{v6}]:{port}"),
    }
}

/// `rikeyid` is a signed 32-bit number; the same bits written as unsigned are taken as well.
fn key_id(text: &str) -> Result<i32, String> {
    text.parse::<i32>()
        .or_else(|_| text.parse::<u32>().map(u32::cast_signed))
        .map_err(|_| "rikeyid is not a 32-bit number".into())
}

/// `WIDTHxHEIGHTxFPS`; what the codec can carry is checked at ANNOUNCE.
fn check_mode(mode: &str) -> Result<(), String> {
    let numbers: Vec<u32> = mode
        .split('x')
        .map_while(|part| part.parse().ok())
        .collect();
    match numbers.as_slice() {
        [width @ 1..=16384, height @ 1..=16384, fps @ 0..=1000]
            if mode == format!("{width}x{height}x{fps}") =>
        {
            Ok(())
        }
        _ => Err("mode is not WIDTHxHEIGHTxFPS".into()),
    }
}

fn number<T: std::str::FromStr>(query: &Query, name: &str, missing: T) -> Result<T, String> {
    query.get(name).map_or(Ok(missing), |text| {
        text.parse().map_err(|_| format!("{name} is not a number"))
    })
}
