//! One frame's packets on their way to the kernel, part by part, at one pace.
use super::{Over, channel::Inlet, now_ns};
use crate::{
    net::video::DropEvery,
    stream::{
        pacing::{Pacer, Spread},
        statistics::add,
    },
};
use punktfunk_core::video::Datagrams;
use std::sync::{Arc, atomic::Ordering};

/// When the kernel's buffer is full, try again after this.
const RETRY_NS: u64 = 500_000;

pub(super) struct Leaving {
    spread: Spread,
    /// So many packets were handed over, of so many bytes.
    pub sent: usize,
    pub bytes: usize,
    /// Of so many FEC blocks.
    pub blocks: usize,
    pub first_ns: Option<u64>,
    /// When the frame's first packet was due.
    began_ns: Option<u64>,
    /// Not enough of it left: the client will miss it.
    pub failed: bool,
}

impl Leaving {
    pub(super) fn new(parts: u8) -> Self {
        Self {
            spread: Spread::over(parts),
            sent: 0,
            bytes: 0,
            blocks: 0,
            first_ns: None,
            began_ns: None,
            failed: false,
        }
    }

    /// What is sent next is all that is left of the frame.
    pub(super) fn ends(&mut self) {
        self.spread.ends();
    }

    /// Send all of a frame, or one part of it. Waiting serves the inlet.
    pub(super) fn send(
        &mut self,
        datagrams: &Datagrams<'_>,
        pacer: &Pacer,
        drop: &mut DropEvery,
        inlet: &mut Inlet,
    ) -> Result<(), Over> {
        let link = Arc::clone(&inlet.link);
        let statistics = link.statistics();
        let (count, stride) = (datagrams.count(), datagrams.stride);
        let schedule =
            (self.spread).schedule(pacer, count, stride, inlet.loss_permille(), now_ns());
        // After the last packet's time a full buffer may have one more interval, in all of the frame's parts together, or the delay
        // would build up.
        let window_ns = pacer.window_ns();
        let began_ns = *self.began_ns.get_or_insert_with(now_ns);
        let latest_ns = began_ns.saturating_add(window_ns.saturating_mul(2));
        let give_up_ns =
            (schedule.end_ns().saturating_add(window_ns)).min(latest_ns.max(schedule.end_ns()));
        let mut sent = 0usize;
        let mut full = false;
        while sent < count {
            let now = now_ns();
            let due = schedule.due(now);
            // A part keeps its distance from the one in front of it.
            let early = sent == 0 && now < schedule.next_ns(0);
            if due > sent && !full && !early {
                let range = sent.saturating_mul(stride)..due.saturating_mul(stride);
                let burst = datagrams.bytes.get(range).unwrap_or_default();
                // The client can move in mid-frame: the socket is the inlet's.
                let Some(video) = inlet.video.as_mut() else {
                    break;
                };
                let handed = video.send(burst, stride, drop);
                self.first_ns.get_or_insert_with(now_ns);
                sent = sent.saturating_add(handed.datagrams);
                add(&statistics.lost_on_this_side, handed.lost);
                full = handed.full;
                if full {
                    statistics.send_would_block.fetch_add(1, Ordering::Relaxed);
                }
                continue;
            }
            if full && now >= give_up_ns {
                let unsent = count.saturating_sub(sent);
                add(&statistics.dropped_would_block, unsent);
                if unsent > datagrams.spare {
                    self.failed = true;
                    inlet.unsent(datagrams.frame_index)?;
                }
                break;
            }
            let until = if full {
                now.saturating_add(RETRY_NS)
            } else {
                schedule.next_ns(sent)
            };
            inlet.wait(Some(until))?;
            full = full && now_ns() < until;
        }
        self.sent = self.sent.saturating_add(sent);
        self.blocks = self.blocks.saturating_add(datagrams.blocks);
        self.bytes = self.bytes.saturating_add(sent.saturating_mul(stride));
        Ok(())
    }
}
