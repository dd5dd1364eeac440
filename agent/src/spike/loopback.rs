//! Every access unit through a host and a client session of the wire, compared byte for byte.

use crate::encode::AccessUnit;
use anyhow::{Context, bail, ensure};
use punktfunk_core::{
    Error,
    config::{Config, Role},
    session::Session,
    transport::loopback_pair,
    video::flags,
};
use std::collections::VecDeque;

/// An access unit that is on its way.
struct Sent {
    index: u64,
    data: Vec<u8>,
}

pub struct Loopback {
    host: Session,
    client: Session,
    under_way: VecDeque<Sent>,
    sent: u64,
    compared: u64,
}

impl Loopback {
    /// `drop`: lose the first of so many packets on the way to the client, 0 = none.
    pub fn new(drop: u32) -> anyhow::Result<Self> {
        let (host, client) = loopback_pair(drop, 0);
        Ok(Self {
            host: Session::new(Config::p1_defaults(Role::Host), Box::new(host))?,
            client: Session::new(Config::p1_defaults(Role::Client), Box::new(client))?,
            under_way: VecDeque::new(),
            sent: 0,
            compared: 0,
        })
    }

    /// Send one access unit, and compare whatever has arrived.
    ///
    /// # Errors
    /// A difference, a loss, or what the sessions say.
    pub fn pass(&mut self, unit: &AccessUnit<'_>) -> anyhow::Result<()> {
        self.sent += 1;
        self.under_way.push_back(Sent {
            index: self.sent,
            data: unit.data.to_vec(),
        });
        self.host
            .submit_frame(
                unit.data,
                unit.tag.pts_ns,
                flags::PIC | flags::SOF | flags::EOF,
            )
            .with_context(|| format!("access unit {} was not sent", self.sent))?;
        self.compare()
    }

    fn compare(&mut self) -> anyhow::Result<()> {
        loop {
            let frame = match self.client.poll_frame() {
                Ok(frame) => frame,
                Err(Error::NoFrame) => return Ok(()),
                Err(error) => return Err(error).context("the client session failed"),
            };
            let Some(sent) = self.under_way.pop_front() else {
                bail!("a frame arrived that was never sent");
            };
            ensure!(
                u64::from(frame.frame_index) == sent.index,
                "access unit {} is lost: {} came after it",
                sent.index,
                frame.frame_index
            );
            ensure!(
                frame.data == sent.data,
                "access unit {} arrived changed: {} bytes sent, {} received, first difference at byte {}",
                sent.index,
                sent.data.len(),
                frame.data.len(),
                sent.data
                    .iter()
                    .zip(&frame.data)
                    .take_while(|(a, b)| a == b)
                    .count()
            );
            self.compared += 1;
        }
    }

    /// How many were compared, and how many shards that were lost had to be repaired for it.
    ///
    /// # Errors
    /// Access units that never arrived.
    pub fn finish(mut self) -> anyhow::Result<(u64, u64)> {
        self.client.flush();
        self.compare()?;
        ensure!(
            self.under_way.is_empty(),
            "{} access units never arrived",
            self.under_way.len()
        );
        Ok((self.compared, self.client.stats().repaired_shards))
    }
}
