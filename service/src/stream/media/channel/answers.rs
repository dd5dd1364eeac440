//! What the client asked for because pictures are missing, and what the agent is told for it.
use super::{
    super::{Over, now_ns},
    Inlet,
};
use crate::stream::{
    recovery::{Answer, Order},
    statistics::add,
};
use std::sync::Arc;

impl Inlet {
    /// Before the client is ready nobody could use an answer, and then it gets a key frame anyway.
    pub(super) fn answer_requests(&mut self) -> Result<(), Over> {
        let link = Arc::clone(&self.link);
        let (key_frame, lost) = (link.requests.take_key_frame(), link.requests.take_lost());
        // Nor without a session: the next one begins with a key frame.
        if !self.ready() || self.feed.is_none() {
            return Ok(());
        }
        for (first, last) in lost {
            let Some(feed) = &mut self.feed else {
                return Ok(());
            };
            let answer = feed.recovery.references_lost(first, last, now_ns());
            self.answer_lost(answer)?;
        }
        if key_frame {
            let Some(feed) = &mut self.feed else {
                return Ok(());
            };
            let answer = feed.recovery.key_frame_wanted(now_ns());
            self.answer_key_frame(answer)?;
        }
        Ok(())
    }

    fn answer_key_frame(&mut self, answer: Answer) -> Result<(), Over> {
        let statistics = self.link.statistics();
        match answer {
            Answer::Order(order) => return self.order(order),
            Answer::Coalesced => add(&statistics.idr_coalesced, 1),
            Answer::Later => add(&statistics.idr_delayed, 1),
        }
        Ok(())
    }

    /// A frame of the agent's did not become one on the wire.
    pub(in crate::stream::media) fn left_out(&mut self) -> Result<(), Over> {
        if self.first {
            self.needs_key_frame = true;
        }
        let Some(feed) = &mut self.feed else {
            return Ok(());
        };
        let answer = feed.recovery.left_out(now_ns());
        self.answer_key_frame(answer)
    }

    fn answer_lost(&mut self, answer: Answer) -> Result<(), Over> {
        let statistics = self.link.statistics();
        let counter = match answer {
            Answer::Order(Order::Invalidate { .. }) => &statistics.rfi_by_invalidation,
            Answer::Order(Order::Idr) | Answer::Later => &statistics.rfi_by_idr,
            Answer::Coalesced => &statistics.rfi_coalesced,
        };
        add(counter, 1);
        match answer {
            Answer::Order(order) => self.order(order),
            Answer::Coalesced | Answer::Later => Ok(()),
        }
    }

    /// Frame `index` did not leave, or not enough of it: answered before the client can say so.
    pub(in crate::stream::media) fn unsent(&mut self, index: u32) -> Result<(), Over> {
        let Some(feed) = &mut self.feed else {
            return Ok(());
        };
        let answer = feed.recovery.unsent(index, now_ns());
        self.answer_lost(answer)
    }
}
