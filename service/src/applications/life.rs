//! Applications that run: what becomes of a client's stream and state when one ends, and ending one.
use crate::{
    agents::{AgentHandle, ApplicationEnd},
    host::Host,
    ids::{ClientId, SessionId},
    launch::{Launch, RunningApp},
    stream::StopReason,
};
use punktfunk_dbus::applications::DESKTOP;
use std::sync::Arc;

/// Follow the agents' news of ended applications; returns only when the service is torn down.
pub async fn watch(host: Arc<Host>) {
    let mut ended = host.agents.application_ends();
    let mut agents = host.agents.changes();
    loop {
        let changed = tokio::select! {
            changed = ended.changed() => changed,
            changed = agents.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
        for (session, app, end) in host.agents.take_application_ends() {
            over(&host, &session, app, &end);
        }
        for agent in host.agents.handles() {
            // What an earlier agent of this session started may have ended unseen.
            let left = host.launches.adopt(&agent);
            if !left.is_empty() {
                tokio::spawn(compare(Arc::clone(&host), agent, left));
            }
        }
    }
}

/// Every client that has this application running is through with it: state, launch and stream.
fn over(host: &Host, session: &SessionId, app: u32, end: &ApplicationEnd) {
    let clients = host.launches.clients_of(session, app);
    if clients.is_empty() {
        tracing::debug!(%session, app, "an application that no client has running ended");
    }
    for client in clients {
        if end.reason.is_empty() {
            tracing::info!(%client, app, status = end.status, "the application ended");
        } else {
            tracing::warn!(%client, app, "the application could not run: {}", end.reason);
        }
        forget(host, &client);
    }
}

fn forget(host: &Host, client: &ClientId) {
    // The launch first: what is just starting finds itself cancelled.
    host.launches.cancel(client);
    host.streams
        .stop_client(client, StopReason::ApplicationEnded);
}

/// Ask a new agent of a session which of these still run.
async fn compare(host: Arc<Host>, agent: AgentHandle, left: Vec<(ClientId, RunningApp)>) {
    let running = match agent.running_applications().await {
        Ok(running) => running,
        Err(error) => {
            return tracing::warn!("the session's new agent does not say what runs: {error}");
        }
    };
    for (client, was) in left {
        if !running.contains(&was.app) && host.launches.still(&client, &was) {
            tracing::info!(%client, app = was.app, "the application ended while its session had no agent");
            forget(&host, &client);
        }
    }
}

/// Forget what the client has running and end its stream. Answers what is to be ended with it: the application, unless it
/// is the desktop or another client uses it as well.
pub fn end(host: &Host, client: &ClientId, reason: StopReason) -> Option<Leftover> {
    // The launch first: what is just starting finds itself cancelled.
    let was = host.launches.cancel(client);
    host.streams.stop_client(client, reason);
    let was = was.filter(|was| was.app != DESKTOP)?;
    let session = was.agent.info().session;
    if !host.launches.clients_of(&session, was.app).is_empty() {
        tracing::info!(%client, app = was.app, "the application goes on for another client");
        return None;
    }
    // Not the handle of the launch: the agent may have been started anew since.
    let agent = host.agents.of_session(&session)?;
    Some(Leftover {
        app: was.app,
        agent,
    })
}

/// An application that nobody has running any more.
#[must_use = "it runs until it is stopped"]
pub struct Leftover {
    app: u32,
    agent: AgentHandle,
}

impl Leftover {
    /// End it. Answers when it is over, or does not end in time.
    pub async fn stop(self) {
        if let Err(error) = self.agent.stop_application(self.app).await {
            tracing::warn!(
                app = self.app,
                "the application could not be ended: {error}"
            );
        }
    }
}

/// The stream of this launch could not start: unless its application runs from before, the client has none.
pub async fn not_started(host: &Host, launch: &Launch) {
    if launch.app == DESKTOP {
        return;
    }
    let running = launch.agent.running_applications().await;
    if !running.is_ok_and(|running| running.contains(&launch.app)) {
        host.launches.forget_app(launch);
    }
}
