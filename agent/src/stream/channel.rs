//! The channel thread: what the service says, and the totals that it is told each second.

use super::Shared;
use crate::{
    clock,
    source::{Injector, PictureSlot},
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use punktfunk_dbus::channel::{
    ToAgent, ToService,
    message::{AgentStats, Held, SourceState},
    socket::Received,
};
use std::{os::fd::AsFd, sync::Arc};

/// How often the totals are sent.
const STATS_NS: u64 = 1_000_000_000;
/// Messages taken in one go before stop and totals are looked at again.
const BURST: usize = 256;

pub struct Channel {
    injector: Option<Box<dyn Injector>>,
    slot: Arc<PictureSlot>,
    shared: Arc<Shared>,
    said: Option<SourceState>,
}

impl Channel {
    pub fn new(
        injector: Option<Box<dyn Injector>>,
        slot: Arc<PictureSlot>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            injector,
            slot,
            shared,
            said: None,
        }
    }

    /// Until the service says stop or is gone, or the stream ends on this side. Lets go of all that is pressed.
    pub fn run(mut self) {
        let mut due_ns = clock::now_ns() + STATS_NS;
        while !self.shared.orders.stopped() {
            let left_ns = due_ns.saturating_sub(clock::now_ns());
            if left_ns == 0 {
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
            Ok(_) | Err(Errno::EINTR) => Ok(()),
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
            ToAgent::Input(event) => {
                if let Some(injector) = &mut self.injector {
                    injector.inject(&event);
                }
            }
            ToAgent::Release(held) => self.release(held),
            ToAgent::ReleaseAll => self.release(Held::ALL),
            ToAgent::Stop => return Err("the service said stop".to_owned()),
            // a newer service: what this agent does not know, it does not do
            _ => tracing::debug!("a message of a newer service is left alone"),
        }
        Ok(())
    }

    fn release(&mut self, held: Held) {
        if let Some(injector) = &mut self.injector {
            injector.release(held);
        }
    }

    /// The totals, and what the pictures show when that has changed. A full socket loses them; the next ones come.
    fn report(&mut self) {
        let totals = *self.shared.totals();
        let showing = match self.slot.state().showing {
            Some(state) => state,
            None if totals.captured > 0 => SourceState::Capturing,
            None => SourceState::Starting,
        };
        if self.said != Some(showing)
            && matches!(
                self.shared
                    .endpoint
                    .send_to_service(&ToService::State(showing)),
                Ok(true)
            )
        {
            self.said = Some(showing);
        }
        let stats = AgentStats {
            captured: totals.captured,
            encoded: totals.encoded,
            repeated: totals.repeated,
            skipped_no_slot: totals.skipped_no_slot,
            missed_ticks: totals.missed_ticks,
        };
        let _ = self
            .shared
            .endpoint
            .send_to_service(&ToService::Stats(stats));
    }
}
