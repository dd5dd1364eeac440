//! The other outputs of a session while its virtual ones are streamed: remembered, arranged, put back.
//!
//! KWin keeps an arrangement for each set of outputs, and takes it up again when the set comes back: also the one in which
//! a monitor is dark. So every stream, whatever its policy, sees to it that what was lit is lit where it should be.

use std::{
    ffi::OsString,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;

use super::{
    NAME,
    heads::{Heads, HeadsError, Layout},
};
use crate::source::{Outputs, warden::Warden};

/// What the names of this program's outputs begin with.
const OURS: &str = "Virtual-punktfunk";

/// How long KWin has to clear up after an agent that was killed, before and after what is put back.
const SETTLE: Duration = Duration::from_secs(1);
const PUT_BACK_TRIES: u32 = 5;

/// The streams of this process, which share what was before the first of them.
static GROUP: Mutex<Group> = Mutex::new(Group {
    streams: 0,
    before: Layout(Vec::new()),
});

struct Group {
    streams: u32,
    before: Layout,
}

/// One stream's part in it.
pub struct Topology {
    pub heads: Heads,
    before: Layout,
    warden: Option<Warden>,
    member: Member,
}

/// Counts a stream for as long as it exists.
struct Member;

impl Member {
    /// Answers what was lit before the first stream.
    fn join(now: Layout) -> (Self, Layout) {
        let mut group = GROUP.lock().unwrap_or_else(PoisonError::into_inner);
        if group.streams == 0 {
            group.before = now;
        }
        group.streams += 1;
        (Self, group.before.clone())
    }

    fn is_last(&self) -> bool {
        GROUP.lock().unwrap_or_else(PoisonError::into_inner).streams == 1
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        GROUP.lock().unwrap_or_else(PoisonError::into_inner).streams -= 1;
    }
}

impl Topology {
    /// Remember what is lit. To be called before the virtual output is made: it may change that.
    ///
    /// # Errors
    /// KWin does not let its outputs be configured.
    pub async fn join() -> Result<Self, HeadsError> {
        let heads = Heads::connect().await?;
        let (member, before) = Member::join(heads.layout().without(OURS));
        Ok(Self {
            heads,
            before,
            warden: None,
            member,
        })
    }

    /// Arrange the outputs around the stream's own.
    ///
    /// # Errors
    /// KWin refuses.
    pub async fn arrange(&mut self, ours: &str, policy: Outputs) -> Result<(), HeadsError> {
        self.heads.appeared(ours).await?;
        if policy != Outputs::Extend {
            // Before anything is changed.
            self.warden = Warden::start(NAME, &self.before.0)
                .inspect_err(|error| {
                    tracing::warn!(%error, "nobody will put the outputs back if the agent is killed");
                })
                .ok();
        }
        self.heads.arrange(ours, &self.before, policy).await?;
        if policy != Outputs::Extend {
            tracing::info!(?policy, others = ?self.before.0, "outputs arranged");
        }
        Ok(())
    }

    /// Put back what was before, if this is the last stream.
    pub async fn leave(mut self) {
        if !self.member.is_last() {
            return;
        }
        match self.heads.restore(&self.before).await {
            Ok(()) => {
                if let Some(warden) = self.warden.take() {
                    warden.dismiss();
                }
            }
            // The warden tries again, with a connection of its own.
            Err(error) => tracing::warn!(%error, "the outputs could not be put back"),
        }
    }
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
