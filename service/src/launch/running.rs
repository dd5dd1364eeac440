//! What each client has running, with or without a stream.
use super::{Launch, Launches, State, kept::Kept};
use crate::{
    agents::AgentHandle,
    ids::{ClientId, SessionId, StreamId, Uid},
};
use punktfunk_dbus::applications::DESKTOP;
use tokio::time::Instant;

/// A client's application.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningApp {
    pub app: u32,
    /// The registration in whose session it was started, or that took it over.
    pub agent: AgentHandle,
    /// The launch that last named it.
    pub stream: StreamId,
    /// A stream of it has been opened: from then on its end is told.
    pub begun: bool,
}

impl Launches {
    /// The app that this client has running (survives a disconnect without `cancel`), 0 = none.
    #[must_use]
    pub fn running_app(&self, client: &ClientId) -> u32 {
        self.expire(Instant::now());
        self.lock()
            .apps
            .get(client)
            .map_or(0, |running| running.app)
    }

    /// The clients that have this app running in this session.
    #[must_use]
    pub fn clients_of(&self, session: &SessionId, app: u32) -> Vec<ClientId> {
        let state = self.lock();
        let has =
            |running: &RunningApp| running.app == app && running.agent.info().session == *session;
        let clients = state.apps.iter().filter(|(_, running)| has(running));
        clients.map(|(client, _)| client.clone()).collect()
    }

    /// A new agent of a session takes over what was started under an older one of it: the clients and their apps. The
    /// desktop is there whenever an agent is.
    pub fn adopt(&self, agent: &AgentHandle) -> Vec<(ClientId, RunningApp)> {
        let info = agent.info();
        let session = info.session;
        let mut state = self.lock();
        let mut taken = state.restore(agent, &session, info.uid);
        for (client, running) in &mut state.apps {
            if running.agent != *agent && running.agent.info().session == session {
                running.agent = agent.clone();
                if running.app != DESKTOP {
                    taken.push((client.clone(), running.clone()));
                }
            }
        }
        taken
    }

    /// Whether nothing has changed about what the client has running.
    #[must_use]
    pub fn still(&self, client: &ClientId, was: &RunningApp) -> bool {
        self.lock().apps.get(client) == Some(was)
    }

    /// The stream of this launch was opened, and its app started with it.
    pub fn begun(&self, launch: &Launch) {
        let mut state = self.lock();
        if let Some(running) = state.apps.get_mut(&launch.client.id)
            && running.stream == launch.stream
        {
            running.begun = true;
        }
    }

    /// The app of this launch never ran; a newer launch's is left alone.
    pub fn forget_app(&self, launch: &Launch) {
        let mut state = self.lock();
        if state
            .apps
            .get(&launch.client.id)
            .is_some_and(|running| running.stream == launch.stream)
        {
            state.apps.remove(&launch.client.id);
            state.save();
        }
    }
}

impl State {
    /// What the last service knew of this session's applications.
    fn restore(
        &mut self,
        agent: &AgentHandle,
        session: &SessionId,
        user: Uid,
    ) -> Vec<(ClientId, RunningApp)> {
        let mut restored = Vec::new();
        self.before.retain(|client, kept| {
            if !kept.is_of(session, user) {
                return true;
            }
            let running = RunningApp {
                app: kept.app,
                agent: agent.clone(),
                stream: StreamId(0),
                begun: true,
            };
            restored.push((client.clone(), running));
            false
        });
        for (client, running) in &restored {
            tracing::info!(%client, app = running.app, "the client can resume what it had running");
            self.apps.insert(client.clone(), running.clone());
        }
        restored.retain(|(_, running)| running.app != DESKTOP);
        restored
    }

    /// Keep what has changed for the next service.
    pub(super) fn save(&mut self) {
        let Some(directory) = &self.directory else {
            return;
        };
        let now = self.apps.iter().map(|(client, running)| {
            let info = running.agent.info();
            let kept = Kept {
                app: running.app,
                session: info.session.0,
                user: info.uid.0,
            };
            (client.0.clone(), kept)
        });
        let waiting = self.before.iter();
        let waiting = waiting.map(|(client, kept)| (client.0.clone(), kept.clone()));
        let all: super::kept::All = now.chain(waiting).collect();
        if all != self.saved {
            super::kept::save(directory, &all);
            self.saved = all;
        }
    }

    /// What the client has running once this launch is its latest.
    pub(super) fn now_running(&self, launch: &Launch) -> RunningApp {
        let before = self.apps.get(&launch.client.id);
        RunningApp {
            app: launch.app,
            agent: launch.agent.clone(),
            stream: launch.stream,
            begun: before.is_some_and(|before| before.begun && before.app == launch.app),
        }
    }

    /// A launch that nobody took up: its app was never started. The desktop is there all the same.
    pub(super) fn unused(&mut self, launch: &Launch) {
        let of_launch = |running: &RunningApp| running.stream == launch.stream && !running.begun;
        if launch.app != DESKTOP && self.apps.get(&launch.client.id).is_some_and(of_launch) {
            self.apps.remove(&launch.client.id);
        }
    }
}
