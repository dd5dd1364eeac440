//! Where pictures and sound come from: one session's channel and ring, replaced as a whole when the stream is handed over.
use crate::stream::recovery::Recovery;
use punktfunk_dbus::channel::{Consumer, Ring, Violation};
use std::fmt;

pub(in crate::stream) struct Feed {
    pub consumer: Consumer,
    pub ring: Ring,
    pub recovery: Recovery,
    /// The video budget that the agent was asked for.
    pub video_kbps: u32,
    /// Told when the agent breaks the channel's contract.
    pub on_violation: Box<dyn FnOnce(Violation) + Send>,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}
