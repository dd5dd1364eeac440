//! The channel thread: what the service says, how it is with the pictures, and the totals that it is told each second.

use super::Shared;
use crate::{clock, life::Told};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use punktfunk_dbus::channel::{
    ToAgent, ToService,
    message::{AgentStats, Held},
    socket::Received,
};
use std::{os::fd::AsFd, sync::Arc};

/// How often the totals are sent.
const STATS_NS: u64 = 1_000_000_000;
/// The least between two states: the service takes twenty messages a second.
const STATE_NS: u64 = 200_000_000;
/// Messages taken in one go before stop and totals are looked at again.
const BURST: usize = 256;

pub struct Channel {
    shared: Arc<Shared>,
    /// Whether the pictures are HDR, until it is told; None where nobody asked.
    hdr: Option<ToService>,
    /// Of the life's news.
    seen: u64,
    /// Not told yet.
    untold: Option<Told>,
    told_ns: u64,
}

impl Channel {
    pub fn new(shared: Arc<Shared>, hdr: Option<ToService>) -> Self {
        Self {
            shared,
            hdr,
            seen: 0,
            untold: None,
            told_ns: 0,
        }
    }

    /// Until the service says stop or is gone, or the stream ends on this side. Lets go of all that is pressed.
    pub fn run(mut self) {
        let mut due_ns = clock::now_ns() + STATS_NS;
        while !self.shared.orders.stopped() {
            let now_ns = clock::now_ns();
            let left_ns = due_ns.saturating_sub(now_ns);
            let left_ns = left_ns.min(self.tell_hdr()).min(self.tell(now_ns));
            if due_ns <= now_ns {
                due_ns += STATS_NS;
                self.report();
                continue;
            }
            if let Err(why) = self.wait(left_ns).and_then(|()| self.receive()) {
                tracing::debug!(why, "the channel is closed");
                break;
            }
        }
        self.shared.stop();
        self.release(Held::ALL);
        self.report();
    }

    fn wait(&self, left_ns: u64) -> Result<(), String> {
        let mut ready = [
            PollFd::new(self.shared.endpoint.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.shared.wake.as_fd(), PollFlags::POLLIN),
        ];
        let left_ms = left_ns.div_ceil(1_000_000).min(1000) as u16;
        match poll(&mut ready, PollTimeout::from(left_ms)) {
            Ok(_) | Err(Errno::EINTR) => {
                // what rang is looked at next; an empty one says so
                let _ = self.shared.wake.read();
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn receive(&mut self) -> Result<(), String> {
        for _ in 0..BURST {
            match self.shared.endpoint.receive_from_service() {
                Ok(Received::Message(message)) => self.obey(message)?,
                Ok(Received::Empty) => break,
                Ok(Received::Closed) => return Err("the service closed it".to_owned()),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    fn obey(&mut self, message: ToAgent) -> Result<(), String> {
        let orders = &self.shared.orders;
        match message {
            ToAgent::SlotFree { slot } => {
                if !self.shared.slots().release(slot) {
                    tracing::warn!(slot, "the service released a slot that was not announced");
                }
            }
            ToAgent::Idr => orders.keyframe(),
            ToAgent::InvalidateRefs { first, last } => orders.invalidate(first, last),
            ToAgent::Bitrate { kbps } => orders.bitrate(kbps),
            ToAgent::Input(event) => self.shared.life.inject(&event),
            ToAgent::LockScreen { visible } => self.shared.life.set_lock_screen(visible),
            ToAgent::Release(held) => self.release(held),
            ToAgent::ReleaseAll => self.release(Held::ALL),
            ToAgent::Stop => return Err("the service said stop".to_owned()),
            // a newer service: what this agent does not know, it does not do
            _ => tracing::debug!("a message of a newer service is left alone"),
        }
        Ok(())
    }

    fn release(&mut self, held: Held) {
        self.shared.life.release(held);
    }

    /// What the stream is, once; how long until it is tried again.
    fn tell_hdr(&mut self) -> u64 {
        let Some(message) = &self.hdr else {
            return u64::MAX;
        };
        match self.shared.endpoint.send_to_service(message) {
            Ok(false) => STATE_NS,
            Ok(true) | Err(_) => {
                self.hdr = None;
                u64::MAX
            }
        }
    }

    /// How it is with the pictures, if that is news; how long until there may be more of it. Nothing stays pressed in a
    /// session that the client does not see.
    fn tell(&mut self, now_ns: u64) -> u64 {
        if let Some(told) = self.shared.life.news(&mut self.seen) {
            if !told.takes_input {
                self.release(Held::ALL);
            }
            self.untold = Some(told);
        }
        let Some(told) = &self.untold else {
            return u64::MAX;
        };
        let left_ns = (self.told_ns + STATE_NS).saturating_sub(now_ns);
        if left_ns > 0 {
            return left_ns;
        }
        let message = ToService::State {
            state: told.state,
            reason: told.reason.clone().into_owned(),
        };
        self.told_ns = now_ns;
        // a full socket is tried again; a closed one is noticed by reading
        match self.shared.endpoint.send_to_service(&message) {
            Ok(false) => STATE_NS,
            Ok(true) | Err(_) => {
                self.untold = None;
                u64::MAX
            }
        }
    }

    /// The totals. A full socket loses them; the next ones come.
    fn report(&self) {
        let totals = *self.shared.totals();
        let stats = AgentStats {
            captured: totals.captured,
            encoded: totals.encoded,
            repeated: totals.repeated,
            skipped_no_slot: totals.skipped_no_slot,
            missed_ticks: totals.missed_ticks,
            scaled: totals.scaled,
            replaced: totals.replaced,
        };
        let _ = self
            .shared
            .endpoint
            .send_to_service(&ToService::Stats(stats));
    }
}
