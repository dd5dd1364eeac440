//! The hand-over of one stream: how long it waits for a session, and the opening of the next one.
use super::{
    StartError, StopReason, StreamSetup,
    following::{self, Next},
    opening::{self, Source},
};
use crate::{
    agents::{AgentHandle, AgentInfo, Agents},
    config::Config,
    store::ClientRecord,
};
use punktfunk_dbus::open_stream::OpenStream;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// How soon an agent that could not open the stream is asked again: while the client waits, and while it has another picture.
const RETRY: Duration = Duration::from_millis(250);
const RETRY_AT_LEISURE: Duration = Duration::from_secs(1);

pub(super) struct Succession {
    setup: Arc<StreamSetup>,
    /// As launched, and what was changed since.
    client: ClientRecord,
    agents: Option<Agents>,
    changes: Option<watch::Receiver<u64>>,
    /// One at a time; dropping it gives the opening up.
    opening: JoinSet<(AgentHandle, Result<Source, StartError>)>,
    retry: Option<Instant>,
    /// By then another session's first frame has to be on its way.
    deadline: Option<Instant>,
    held: bool,
    lost_at: Option<Instant>,
    last_error: Option<String>,
}

pub(super) enum Event {
    /// Something may have changed.
    Look,
    Opened(AgentHandle, Box<Source>),
    TooLate,
}

impl Succession {
    pub(super) fn new(setup: &StreamSetup) -> Self {
        let agents = setup.launch.agent.registry();
        Self {
            setup: Arc::new(setup.clone()),
            client: setup.launch.client.clone(),
            changes: agents.as_ref().map(Agents::changes),
            agents,
            opening: JoinSet::new(),
            retry: None,
            deadline: None,
            held: false,
            lost_at: None,
            last_error: None,
        }
    }

    /// Nothing is shown now.
    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    pub(super) fn set_greeter(&mut self, allowed: bool) {
        self.client.terms.greeter = allowed;
    }

    /// What is shown is gone. The time that is left runs on if another session had not begun yet.
    pub(super) fn hold(&mut self, limit: Duration) {
        self.held = true;
        let now = Instant::now();
        self.lost_at.get_or_insert(now);
        self.deadline
            .get_or_insert(now.checked_add(limit).unwrap_or(now));
    }

    /// What happens next; cancelling it loses nothing.
    pub(super) async fn event(&mut self) -> Event {
        let changed = async {
            match &mut self.changes {
                Some(changes) => changes.changed().await.is_ok(),
                None => false,
            }
        };
        tokio::select! {
            Some(opened) = self.opening.join_next() => match opened {
                Ok((agent, Ok(source))) if !agent.is_gone() => Event::Opened(agent, Box::new(source)),
                Ok((agent, Ok(_))) => {
                    self.failed(&agent.info(), &"it is gone again");
                    Event::Look
                }
                Ok((agent, Err(error))) => {
                    self.failed(&agent.info(), &error);
                    Event::Look
                }
                // A panic; the runtime has told of it.
                Err(_) => Event::Look,
            },
            true = changed => Event::Look,
            () = until(self.retry) => {
                self.retry = None;
                Event::Look
            }
            () = until(self.deadline) => Event::TooLate,
        }
    }

    fn failed(&mut self, info: &AgentInfo, why: &dyn std::fmt::Display) {
        let why = why.to_string();
        if self.last_error.as_ref() != Some(&why) {
            tracing::info!(session = %info.session, "the next session cannot be shown yet: {why}");
        }
        self.last_error = Some(why);
        let wait = if self.held { RETRY } else { RETRY_AT_LEISURE };
        self.retry = Instant::now().checked_add(wait);
    }

    /// Begin to open what is to be shown next, if there is any. A reason: there is, and it does not fit.
    pub(super) fn seek(
        &mut self,
        shown: &AgentInfo,
        config: &Arc<Config>,
        changes: impl FnOnce(&mut OpenStream) + Send + 'static,
    ) -> Option<StopReason> {
        let agents = self.agents.as_ref()?;
        if !self.opening.is_empty() || self.retry.is_some() {
            return None;
        }
        let (launch, params) = (&self.setup.launch, &self.setup.params);
        match following::next(agents, &self.client, launch.app, params, shown, self.held) {
            Next::Stay => {}
            Next::Unfit(why) => return Some(StopReason::HandOver(why)),
            Next::Go(agent) => {
                let (setup, config) = (Arc::clone(&self.setup), Arc::clone(config));
                self.opening.spawn(async move {
                    let opened = opening::open_again(&setup, &config, &agent, changes).await;
                    (agent, opened)
                });
            }
        }
        None
    }

    /// Another session is shown.
    pub(super) fn handed_over(&mut self) {
        self.held = false;
        self.retry = None;
        self.last_error = None;
    }

    /// A frame of the session that is shown was sent: how long the client was without, if it had to wait.
    pub(super) fn first_frame(&mut self) -> Option<Duration> {
        self.deadline = None;
        self.lost_at.take().map(|lost| lost.elapsed())
    }

    /// Why nothing came in time.
    pub(super) fn too_late(&mut self) -> StopReason {
        match (self.last_error.take(), self.held) {
            (Some(why), _) => StopReason::HandOver(why),
            (None, true) => StopReason::AgentLost,
            (None, false) => StopReason::AgentFailed("it produced no frame".into()),
        }
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
