//! An application as a child of the agent, where no systemd manages the session: a process group of its own, which ends
//! with the agent.
use super::{
    GRACE,
    plan::{Plan, Step},
};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{process::Stdio, time::Duration};
use tokio::{
    process::{Child as Process, Command},
    time::timeout,
};

/// How long one command of preparing or undoing may take.
const STEP_LIMIT: Duration = Duration::from_secs(30);
/// How often a group is looked at whose first process has ended.
const LOOK: Duration = Duration::from_millis(200);

/// A process group.
pub struct Child {
    process: Process,
    group: Pid,
    plan: Plan,
    status: Option<i32>,
}

impl Child {
    /// Prepare, and start.
    ///
    /// # Errors
    /// The command that failed; what was prepared is undone.
    pub async fn start(plan: &Plan) -> Result<Self, String> {
        let started = async {
            for step in &plan.prepare {
                run(plan, step)
                    .await
                    .map_err(|why| format!("preparing: {why}"))?;
            }
            command(plan, &plan.main)
                .spawn()
                .map_err(|error| failed(&plan.main, &error))
        };
        let process = match started.await {
            Ok(process) => process,
            Err(reason) => {
                undo(plan).await;
                return Err(reason);
            }
        };
        let id = process.id().and_then(|id| i32::try_from(id).ok());
        Ok(Self {
            group: Pid::from_raw(id.ok_or("the process has no id")?),
            process,
            plan: plan.clone(),
            status: None,
        })
    }

    pub fn id(&self) -> Pid {
        self.group
    }

    /// The status of the first process, once the whole group is gone.
    pub async fn ended(&mut self) -> i32 {
        let status = match self.status {
            Some(status) => status,
            None => {
                let status = self
                    .process
                    .wait()
                    .await
                    .ok()
                    .and_then(|status| status.code());
                *self.status.insert(status.unwrap_or(-1))
            }
        };
        while killpg(self.group, None).is_ok() {
            tokio::time::sleep(LOOK).await;
        }
        status
    }

    /// End what is left, with a grace, and undo what was prepared.
    pub async fn close(mut self) {
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            if killpg(self.group, signal).is_err() {
                break;
            }
            if timeout(GRACE, self.ended()).await.is_ok() {
                break;
            }
        }
        undo(&self.plan).await;
    }
}

fn command(plan: &Plan, step: &Step) -> Command {
    let mut command = Command::new(&step.program);
    command
        .args(step.words.get(1..).unwrap_or_default())
        .envs(plan.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&plan.directory)
        .stdin(Stdio::null())
        .process_group(0);
    command
}

async fn run(plan: &Plan, step: &Step) -> Result<(), String> {
    let mut process = command(plan, step)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(step, &error))?;
    match timeout(STEP_LIMIT, process.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(failed(step, &status)),
        Ok(Err(error)) => Err(failed(step, &error)),
        Err(_) => Err(failed(step, &"it takes too long")),
    }
}

async fn undo(plan: &Plan) {
    for step in &plan.undo {
        if let Err(why) = run(plan, step).await {
            tracing::warn!(app = plan.id, "undoing: {why}");
        }
    }
}

fn failed(step: &Step, why: &dyn std::fmt::Display) -> String {
    format!("{}: {why}", step.program.display())
}
