//! A stream and its client's gamepads.
use super::{StopReason, StreamLink, shown::Latest};
use crate::{
    gamepads::{Gamepads, PadClient},
    launch::Launch,
};
use punktfunk_core::control::HostMessage;
use std::sync::{Arc, Weak};

struct Client {
    /// Weak: pads outlive a paused stream, and must not keep it.
    link: Weak<StreamLink>,
    agent: Latest,
}

impl PadClient for Client {
    fn may_play(&self) -> bool {
        self.link.upgrade().is_some_and(|link| link.may_play())
    }

    fn session_lives(&self) -> bool {
        !self.agent.get().is_gone()
    }

    fn tell(&self, message: HostMessage) {
        if let Some(link) = self.link.upgrade() {
            link.tell(message);
        }
    }
}

/// Give the stream its pads; those that its client left paused go on. They belong to the client's owner, whichever session is
/// shown: a log-in screen has no use for them.
pub(super) fn attach(gamepads: &Gamepads, link: &Arc<StreamLink>, launch: &Launch) {
    let client = Client {
        link: Arc::downgrade(link),
        agent: link.shown().latest().clone(),
    };
    let port = gamepads.attach(
        launch.stream,
        launch.client.id.clone(),
        launch.client.owner,
        Arc::new(client),
    );
    // A fresh link has none.
    let _ = link.pads.set(port);
}

/// The stream is over, for this reason.
pub(super) fn detach(link: &StreamLink, reason: &StopReason) {
    if let Some(pads) = link.pads.get() {
        pads.detach(may_return(reason));
    }
}

/// A client that was cut off, or left without ending its application, resumes it later: games should not lose their pads
/// meanwhile.
pub(super) fn may_return(reason: &StopReason) -> bool {
    matches!(
        reason,
        StopReason::ClientLeft
            | StopReason::ControlLost
            | StopReason::NoPing
            | StopReason::Replaced
    )
}
