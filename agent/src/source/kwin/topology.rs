//! The other outputs of a session while its virtual ones are streamed: remembered, arranged, put back.
//!
//! KWin keeps an arrangement for each set of outputs, and takes it up again when the set comes back: also the one in which
//! a monitor is dark. So every stream, whatever its policy, sees to it that what was lit is lit where it should be.
//! There is one memory of what was before and one warden in this process, whatever the number of its streams, and the
//! outputs are arranged anew whenever a stream comes or goes, or a monitor is plugged in. Every change has a limit.

use std::{
    convert::Infallible,
    ffi::OsString,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::time::timeout;

use super::{
    NAME,
    heads::{Arrangement, Heads, HeadsError, Layout, strictest},
    screencast::VirtualOutput,
};
use crate::source::{Outputs, warden::Warden};

/// What the names of this program's outputs begin with.
const OURS: &str = "Virtual-punktfunk";

/// How long KWin has to clear up after an agent that was killed, before and after what is put back.
const SETTLE: Duration = Duration::from_secs(1);
const PUT_BACK_TRIES: u32 = 5;

/// How long another stream's change may take before this one goes on without waiting for it.
const TURN_LIMIT: Duration = Duration::from_secs(6);

/// Longest time for which somebody who lights what is to be dark has his way, before it is dark again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often outputs that were plugged in meanwhile may refuse their places before the stream ends for it.
const REFUSALS: u32 = 3;

/// One change of the outputs at a time.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

static GROUP: Mutex<Group> = Mutex::new(Group {
    streams: Vec::new(),
    next: 0,
    before: Layout(Vec::new()),
    warden: None,
});

/// The streams of this process.
struct Group {
    streams: Vec<Stream>,
    next: u64,
    /// What was lit before the first of them.
    before: Layout,
    /// While any of them changes more than its own output.
    warden: Option<Warden>,
}

struct Stream {
    number: u64,
    policy: Outputs,
    /// None until it is made.
    output: Option<String>,
}

impl Group {
    fn get() -> MutexGuard<'static, Self> {
        GROUP.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn policy(&self) -> Outputs {
        let shown = self.streams.iter().filter(|s| s.output.is_some());
        strictest(shown.map(|stream| stream.policy))
    }

    fn wanted(&self) -> Arrangement {
        let shown = self.streams.iter();
        let shown: Vec<(String, Outputs)> = shown
            .filter_map(|stream| Some((stream.output.clone()?, stream.policy)))
            .collect();
        Arrangement::of(&shown, &self.before)
    }

    /// Whether an output that is lit is one that nobody here has seen yet, or one that is to be dark.
    fn unexpected(&self, name: &str) -> bool {
        let is = |known: &String| known == name;
        !name.starts_with(OURS)
            && (self.wanted().dark.iter().any(is) || !self.before.0.iter().any(is))
    }

    /// What was plugged in while streams are shown is put back as it came, with what was lit before.
    fn learn(&mut self, plugged: Vec<String>) {
        let known = self.before.0.len();
        for name in plugged {
            if !self.before.0.contains(&name) {
                self.before.0.push(name);
            }
        }
        // one that knows of them too, before the old one goes
        if self.before.0.len() > known
            && let Some(old) = self.warden.take()
        {
            self.guard();
            match self.warden {
                Some(_) => old.dismiss(),
                None => self.warden = Some(old),
            }
        }
    }

    /// Before anything is changed: have somebody who can put it back.
    fn guard(&mut self) {
        if self.policy() == Outputs::Extend || self.warden.is_some() {
            return;
        }
        self.warden = Warden::start(NAME, &self.before.0)
            .inspect_err(|error| {
                tracing::warn!(%error, "nobody will put the outputs back if the agent is killed");
            })
            .ok();
    }
}

/// One stream's part in it.
pub struct Topology {
    pub heads: Heads,
    number: u64,
}

impl Topology {
    /// Remember what is lit. To be called before the virtual output is made: it may change that.
    ///
    /// # Errors
    /// KWin does not let its outputs be configured.
    pub async fn join(policy: Outputs) -> Result<Self, HeadsError> {
        let _turn = turn().await;
        let heads = Heads::connect().await?;
        let mut group = Group::get();
        if group.streams.is_empty() {
            group.before = heads.layout().without(OURS);
        }
        let number = group.next;
        group.next += 1;
        group.streams.push(Stream {
            number,
            policy,
            output: None,
        });
        Ok(Self { heads, number })
    }

    /// Arrange the outputs, now that the stream's own is there.
    ///
    /// # Errors
    /// KWin refuses.
    pub async fn arrange(&mut self, ours: &str) -> Result<(), HeadsError> {
        let _turn = turn().await;
        self.heads.appeared(ours).await?;
        let (wanted, policy) = {
            let mut group = Group::get();
            if let Some(stream) = group.streams.iter_mut().find(|s| s.number == self.number) {
                stream.output = Some(ours.to_owned());
            }
            group.guard();
            (group.wanted(), group.policy())
        };
        self.heads.arrange(&wanted).await?;
        if policy != Outputs::Extend {
            tracing::info!(?policy, ?wanted, "outputs arranged");
        }
        Ok(())
    }

    /// Find a place for what is plugged in, or lit by somebody else, for as long as the stream lasts.
    ///
    /// # Errors
    /// KWin is gone, or refuses again and again.
    pub async fn watch(&mut self) -> Result<Infallible, HeadsError> {
        let mut refusals = 0;
        let (mut pause, mut last) = (SETTLE, None::<Instant>);
        loop {
            self.heads.lit(|name| Group::get().unexpected(name)).await?;
            // KWin arranges a new set of outputs by itself first.
            pause = match last {
                Some(time) if time.elapsed() < LONGEST_PAUSE => (pause * 2).min(LONGEST_PAUSE),
                _ => SETTLE,
            };
            self.heads.serve(pause).await?;
            let _turn = turn().await;
            // Another stream may have dealt with it. A KWin that hangs is not gone.
            if let Err(gone @ HeadsError::Ended(_)) = self.heads.catch_up().await {
                return Err(gone);
            }
            let lit = self.heads.layout().0;
            let (wanted, policy) = {
                let mut group = Group::get();
                let plugged: Vec<String> = lit
                    .into_iter()
                    .filter(|name| group.unexpected(name))
                    .collect();
                if plugged.is_empty() {
                    continue;
                }
                tracing::info!(?plugged, "outputs came while streaming");
                // Somebody who insists has his way for longer each time.
                last = Some(Instant::now());
                group.learn(plugged);
                let mut wanted = group.wanted();
                if group.policy() == Outputs::Extend {
                    // What its user has switched off meanwhile stays off.
                    wanted.lit.clear();
                }
                (wanted, group.policy())
            };
            match self.heads.arrange(&wanted).await {
                Ok(()) => refusals = 0,
                Err(error) if policy == Outputs::Extend => {
                    tracing::warn!(%error, "the outputs stay as KWin has put them");
                }
                Err(error) => {
                    refusals += 1;
                    if refusals == REFUSALS {
                        return Err(error);
                    }
                    tracing::warn!(%error, "the outputs could not be arranged, trying again");
                }
            }
        }
    }

    /// The stream is over, and its output goes: arrange the outputs for those that are left, or as they were before.
    pub async fn leave(mut self, output: VirtualOutput) {
        let _turn = turn().await;
        let (wanted, last) = {
            let mut group = Group::get();
            group.streams.retain(|s| s.number != self.number);
            (group.wanted(), group.streams.is_empty())
        };
        let done = if last {
            let before = Layout(wanted.lit);
            // While the output is still there: KWin remembers both arrangements, with it and without.
            let done = self.heads.restore(&before).await;
            output.close();
            done
        } else {
            let name = output.name().to_owned();
            output.close();
            match self.heads.disappeared(&name).await {
                Ok(()) => self.heads.arrange(&wanted).await,
                Err(error) => Err(error),
            }
        };
        match done {
            Ok(()) => {
                let mut group = Group::get();
                let warden = match group.policy() {
                    Outputs::Extend => group.warden.take(),
                    Outputs::Primary | Outputs::Exclusive => None,
                };
                drop(group);
                warden.into_iter().for_each(Warden::dismiss);
            }
            Err(error) => tracing::warn!(%error, "the outputs could not be put in order"),
        }
        // With the last stream a warden that is still there tries again, with a connection of its own: see Drop.
    }
}

impl Drop for Topology {
    /// Also where the stream never came to be.
    fn drop(&mut self) {
        let mut group = Group::get();
        group.streams.retain(|s| s.number != self.number);
        if group.streams.is_empty() {
            drop(group.warden.take());
        }
    }
}

async fn turn() -> Option<tokio::sync::MutexGuard<'static, ()>> {
    timeout(TURN_LIMIT, TURN.lock()).await.ok()
}

/// Make what a killed agent left dark lit again: the task is the names of the outputs, first to last.
///
/// # Errors
/// KWin refuses.
pub fn put_back(task: &[OsString]) -> anyhow::Result<()> {
    let names = task.iter().map(|name| name.to_string_lossy().into_owned());
    let layout = Layout(names.collect());
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            // Where none runs there is nothing to wait for.
            drop(Heads::connect().await?);
            let mut done = Ok(());
            for _ in 0..PUT_BACK_TRIES {
                // KWin takes the dead agent's output away and arranges the rest itself; what it did is looked at.
                tokio::time::sleep(SETTLE).await;
                let mut heads = Heads::connect().await?;
                if heads.layout().0.starts_with(&layout.0) {
                    return Ok(());
                }
                done = heads.restore(&layout).await;
            }
            done
        })
        .with_context(|| format!("the outputs {:?} could not be put back", layout.0))
}
