//! Every access unit through a host and a client session, compared byte for byte.

use crate::encode::AccessUnit;

pub struct Loopback {}

impl Loopback {
    /// `drop`: lose the first of so many packets on the way to the client, 0 = none.
    pub fn new(drop: u32) -> anyhow::Result<Self> {
        let _ = drop;
        anyhow::bail!("the loopback is not part of this build yet")
    }

    pub fn pass(&mut self, unit: &AccessUnit<'_>) -> anyhow::Result<()> {
        let _ = unit;
        Ok(())
    }

    pub fn finish(self) -> anyhow::Result<u64> {
        Ok(0)
    }
}
