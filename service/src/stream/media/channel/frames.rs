//! Whose turn it is.
use super::{
    super::{
        Over,
        incoming::{Incoming, Progress},
        kind,
    },
    Inlet, restart,
};
use crate::stream::{recovery::Restart, statistics::add};
use std::sync::atomic::Ordering;

impl Inlet {
    /// The next frame to send; one of which more is to come only where `begins` says that it may leave in parts. Frames that nobody
    /// can use yet are released and counted here.
    pub(in crate::stream::media) fn next_frame(
        &mut self,
        begins: impl Fn(&Incoming) -> bool,
    ) -> Result<Option<Incoming>, Over> {
        while let Some(next) = self.frames.front() {
            let frame = next.frame;
            let restart = restart(kind(frame.flags));
            let key = restart == Some(Restart::Key);
            let wanted = self.ready() && (key || !self.needs_key_frame);
            let begins = next.progress == Progress::Growing && wanted && begins(&next);
            // The agent still writes to the slot of one that does not.
            if next.progress == Progress::Growing && !begins {
                return Ok(None);
            }
            self.frames.take();
            if next.progress == Progress::Abandoned {
                self.release(frame.slot)?;
                continue;
            }
            let recovery = self.feed.as_mut().map(|feed| &mut feed.recovery);
            if recovery.is_some_and(|recovery| recovery.announced(restart)) {
                add(&self.link.statistics().rfi_unanswered, 1);
                add(&self.link.statistics().rfi_by_idr, 1);
            }
            if wanted {
                self.needs_key_frame = false;
                return Ok(Some(next));
            }
            self.link
                .statistics()
                .dropped_before_ping
                .fetch_add(1, Ordering::Relaxed);
            self.release(frame.slot)?;
        }
        Ok(None)
    }

    /// The frame that has begun to leave, as far as it is known now; `None` when its session is gone.
    pub(in crate::stream::media) fn growing(&self) -> Option<Incoming> {
        self.frames.leaving()
    }

    /// It is whole or abandoned, and was read.
    pub(in crate::stream::media) fn grown(&mut self, slot: u16) -> Result<(), Over> {
        self.frames.left();
        self.release(slot)
    }
}
