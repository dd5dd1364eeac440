//! What the agent is to be told, in order, as fast as its socket takes it.
use super::{Over, now_ns};
use crate::stream::StopReason;
use punktfunk_dbus::channel::{Consumer, ToAgent};
use std::collections::VecDeque;

/// An agent whose socket stays full for this long is stalled.
const STALL_NS: u64 = 500_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    Release(u16),
    Idr,
    Invalidate { first: u32, last: u32 },
    Bitrate(u32),
    LockScreen(bool),
}

/// Messages that the socket had no room for: at most one a slot and four more.
#[derive(Debug, Default)]
pub(super) struct Orders {
    unsent: VecDeque<Message>,
    full_since_ns: Option<u64>,
}

impl Orders {
    /// Nobody is there to be told any more.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unsent.is_empty()
    }

    /// When the agent counts as stalled, if nothing changes.
    pub(super) fn stalled_ns(&self) -> Option<u64> {
        self.full_since_ns
            .map(|since_ns| since_ns.saturating_add(STALL_NS))
    }

    /// Of all but releases the latest counts.
    pub(super) fn tell(&mut self, message: Message, consumer: &mut Consumer) -> Result<(), Over> {
        if !matches!(message, Message::Release(_)) {
            self.unsent
                .retain(|old| std::mem::discriminant(old) != std::mem::discriminant(&message));
        }
        self.unsent.push_back(message);
        self.catch_up(consumer)
    }

    /// Send what waits, as far as the socket has room.
    pub(super) fn catch_up(&mut self, consumer: &mut Consumer) -> Result<(), Over> {
        while let Some(message) = self.unsent.front() {
            // An agent that is gone is noticed by the next receive.
            let say = |message| consumer.endpoint().send_to_agent(&message).unwrap_or(true);
            let taken = match *message {
                Message::Release(slot) => consumer.release(slot).map_err(Over::Violation)?,
                Message::Idr => say(ToAgent::Idr),
                Message::Invalidate { first, last } => say(ToAgent::InvalidateRefs { first, last }),
                Message::Bitrate(kbps) => say(ToAgent::Bitrate { kbps }),
                Message::LockScreen(visible) => say(ToAgent::LockScreen { visible }),
            };
            if !taken {
                let now = now_ns();
                let since = *self.full_since_ns.get_or_insert(now);
                if now.saturating_sub(since) >= STALL_NS {
                    let text = "it does not read its channel".to_owned();
                    return Err(Over::Reason(StopReason::AgentFailed(text)));
                }
                return Ok(());
            }
            self.unsent.pop_front();
            self.full_since_ns = None;
        }
        Ok(())
    }
}
