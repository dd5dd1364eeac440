//! Running applications: at most once each, in the user's session, watched until they end.
//!
//! With a user manager (systemd) each is a transient service in `app.slice`, which outlives the agent and is found again
//! by its name. Without one it is a child in a process group of its own, and ends with the agent.
mod child;
mod plan;
mod steam;
mod unit;

pub use plan::Shape;

use super::{
    Applications,
    entry::{Entry, Tracking},
};
use crate::source::gamescope;
use child::Child;
use plan::Plan;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot, watch};
use unit::{Manager, Unit};

/// A launcher that returns within this time, and without complaint, has handed over.
const HAND_OVER: Duration = Duration::from_secs(15);
/// How long an application may take to end when it is told to; then it is killed.
const GRACE: Duration = Duration::from_secs(8);
/// How long a stop is waited for: the grace and the commands that undo.
const STOP_LIMIT: Duration = Duration::from_secs(20);

const GONE: &str = "it is no longer in the catalogue";

/// An application is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub app: u32,
    /// Exit status of its command; -1 where it was never started or killed.
    pub status: i32,
    /// Empty for an ordinary end.
    pub reason: String,
}

/// What runs of this agent's applications; cheap to clone.
#[derive(Clone)]
pub struct Runner(Arc<Inner>);

struct Inner {
    applications: Applications,
    running: Mutex<BTreeMap<u32, Running>>,
    ended: mpsc::UnboundedSender<Ended>,
}

struct Running {
    stop: watch::Sender<bool>,
    /// Closed when it is over.
    over: watch::Receiver<()>,
}

/// A started application, of either kind.
enum Job {
    Unit(Unit),
    Child(Box<Child>),
}

impl Runner {
    /// The other end hears of each end.
    pub fn new(applications: Applications) -> (Self, mpsc::UnboundedReceiver<Ended>) {
        let (ended, hears) = mpsc::unbounded_channel();
        let inner = Inner {
            applications,
            running: Mutex::default(),
            ended,
        };
        (Self(Arc::new(inner)), hears)
    }

    /// The ids of what runs.
    pub fn running(&self) -> Vec<u32> {
        self.lock().keys().copied().collect()
    }

    /// Start an application; what happens then is told as its end. One that runs already is joined.
    pub fn start(&self, id: u32, shape: Shape) {
        let this = self.clone();
        self.watch_over(id, |stop| async move {
            let catalogue = this.0.applications.read().await;
            let places = this.0.applications.places();
            let (Some(entry), Some(places)) = (catalogue.get(id), places) else {
                return Err(GONE.to_owned());
            };
            let plan = Plan::new(places, id, entry, shape, false)?;
            let job = start_job(&plan).await?;
            tracing::info!(app = id, title = entry.title, "{}", job.description());
            Ok(follow(job, entry.run.tracking, stop, Some(Instant::now())).await)
        });
    }

    /// Whether an application is to be seen in a gamescope of its own. `all`: every application is.
    ///
    /// # Errors
    /// It runs already, elsewhere.
    pub async fn nests(&self, id: u32, all: bool) -> Result<bool, String> {
        let catalogue = self.0.applications.read().await;
        let wanted = all || catalogue.get(id).is_some_and(|entry| entry.run.gamescope);
        if !self.lock().contains_key(&id) {
            return Ok(wanted);
        }
        match gamescope::runs(id) {
            false if all => {
                Err("this application runs already, and not in a gamescope; quit it first".into())
            }
            nested => Ok(nested),
        }
    }

    /// Start an application in a gamescope, before the source that shows it. Answers when that is under way; true: it did
    /// not run before.
    ///
    /// # Errors
    /// It cannot be started. Reported as its end as well.
    pub async fn start_nested(&self, id: u32, shape: Shape) -> Result<bool, String> {
        let this = self.clone();
        let (tell, told) = oneshot::channel();
        self.watch_over(id, |stop| async move {
            let started = async {
                let catalogue = this.0.applications.read().await;
                let places = this.0.applications.places();
                let (Some(entry), Some(places)) = (catalogue.get(id), places) else {
                    return Err(GONE.to_owned());
                };
                let plan = Plan::new(places, id, entry, shape, true)?;
                let job = start_job(&plan).await?;
                tracing::info!(
                    app = id,
                    title = entry.title,
                    "in a gamescope, {}",
                    job.description()
                );
                Ok((job, entry.run.tracking))
            };
            match started.await {
                Ok((job, tracking)) => {
                    let _ = tell.send(Ok(()));
                    Ok(follow_nested(job, tracking, stop).await)
                }
                Err(why) => {
                    let _ = tell.send(Err(why.clone()));
                    Err(why)
                }
            }
        });
        match told.await {
            Ok(started) => started.map(|()| true),
            // Nobody was to tell: it runs.
            Err(_) => Ok(false),
        }
    }

    /// Take up what an earlier agent started.
    pub async fn adopt(&self) {
        let Some(manager) = Manager::connect().await else {
            return;
        };
        let units = match manager.left_over().await {
            Ok(units) => units,
            Err(error) => {
                return tracing::warn!("the user's manager does not list its units: {error}");
            }
        };
        if units.is_empty() {
            return;
        }
        let catalogue = self.0.applications.read().await;
        for (id, unit) in units {
            let tracking = catalogue
                .get(id)
                .map_or(Tracking::Processes, |entry: &Entry| entry.run.tracking);
            if gamescope::runs(id) {
                tracing::info!(
                    app = id,
                    unit = unit.name(),
                    "a gamescope that was running already"
                );
                self.watch_over(id, |stop| async move {
                    Ok(follow_nested(Job::Unit(unit), tracking, stop).await)
                });
                continue;
            }
            if let Tracking::Steam(game) = tracking
                && !steam::runs(game).await
            {
                continue;
            }
            tracing::info!(
                app = id,
                unit = unit.name(),
                "an application that was running already"
            );
            self.watch_over(id, |stop| async move {
                Ok(follow(Job::Unit(unit), tracking, stop, None).await)
            });
        }
    }

    /// Stop an application and wait until it is over, a while. `false`: it does not run.
    pub async fn stop(&self, id: u32) -> bool {
        let over = match self.lock().get(&id) {
            Some(running) => {
                running.stop.send_replace(true);
                running.over.clone()
            }
            None => return false,
        };
        if tokio::time::timeout(STOP_LIMIT, closed(over))
            .await
            .is_err()
        {
            tracing::warn!(app = id, "an application does not end");
        }
        true
    }

    /// The agent ends: end what cannot live without it.
    pub async fn shutdown(&self) {
        if Manager::connect().await.is_some() {
            return;
        }
        let stops: Vec<_> = self.running().into_iter().map(|id| self.stop(id)).collect();
        futures_util::future::join_all(stops).await;
    }

    fn watch_over<F>(&self, id: u32, life: impl FnOnce(watch::Receiver<bool>) -> F)
    where
        F: Future<Output = Result<i32, String>> + Send + 'static,
    {
        let (stop, stopping) = watch::channel(false);
        let (alive, over) = watch::channel(());
        {
            let mut running = self.lock();
            if running.contains_key(&id) {
                return;
            }
            running.insert(id, Running { stop, over });
        }
        let life = life(stopping);
        let this = self.clone();
        tokio::spawn(async move {
            let result = life.await;
            this.lock().remove(&id);
            let (status, reason) = match result {
                Ok(status) => (status, String::new()),
                Err(reason) => (-1, reason),
            };
            if reason.is_empty() {
                tracing::info!(app = id, status, "an application ended");
            } else {
                tracing::warn!(app = id, "an application could not run: {reason}");
            }
            let _ = this.0.ended.send(Ended {
                app: id,
                status,
                reason,
            });
            drop(alive);
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Running>> {
        self.0
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resolves when the application is to end.
async fn told(stop: &mut watch::Receiver<bool>) {
    // The sender lives as long as the entry among the running.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn closed(mut over: watch::Receiver<()>) {
    while over.changed().await.is_ok() {}
}

async fn start_job(plan: &Plan) -> Result<Job, String> {
    match Manager::connect().await {
        Some(manager) => manager.start(plan).await.map(Job::Unit),
        None => {
            tracing::warn!(
                "no systemd manages this user's session: the application is a plain child of the agent"
            );
            Child::start(plan).await.map(Box::new).map(Job::Child)
        }
    }
}

impl Job {
    fn description(&self) -> String {
        match self {
            Self::Unit(unit) => format!("started as {}", unit.name()),
            Self::Child(child) => format!("started as process {}", child.id()),
        }
    }

    /// The exit status, once nothing of it is left.
    async fn ended(&mut self) -> i32 {
        match self {
            Self::Unit(unit) => unit.ended().await,
            Self::Child(child) => child.ended().await,
        }
    }

    /// End what is left of it, and undo what was prepared.
    async fn close(self) {
        match self {
            Self::Unit(unit) => unit.stop().await,
            Self::Child(child) => child.close().await,
        }
    }
}

/// As [`follow`], of an application in a gamescope: over when that is, and with the game where it is Steam's.
async fn follow_nested(mut job: Job, tracking: Tracking, mut stop: watch::Receiver<bool>) -> i32 {
    let game = async {
        match tracking {
            Tracking::Steam(game) => steam::come_and_gone(game).await,
            _ => std::future::pending().await,
        }
    };
    let status = tokio::select! {
        status = job.ended() => status,
        () = game => 0,
        () = told(&mut stop) => 0,
    };
    job.close().await;
    status
}

/// Until the application is over, or told to end. Answers the exit status. `started`: just now, by us.
async fn follow(
    mut job: Job,
    tracking: Tracking,
    mut stop: watch::Receiver<bool>,
    started: Option<Instant>,
) -> i32 {
    if let Tracking::Steam(game) = tracking {
        return steam::follow(job, game, stop).await;
    }
    let status = tokio::select! {
        status = job.ended() => status,
        () = told(&mut stop) => {
            job.close().await;
            return 0;
        }
    };
    let quick = started.is_none_or(|started| started.elapsed() < HAND_OVER);
    let lives_on = status == 0
        && match tracking {
            Tracking::Detached => true,
            Tracking::HandOver => quick,
            Tracking::Processes | Tracking::Steam(_) => false,
        };
    if lives_on {
        tracing::info!("its launcher has returned; it counts as running until it is stopped");
        told(&mut stop).await;
    }
    job.close().await;
    status
}
