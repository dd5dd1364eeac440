//! Which of several keyboard layouts is in force, asked of sway as a key is pressed.

use std::time::Duration;

use super::ipc::{self, Ipc};

/// sway, which has to take the key as well, is not waited for any longer; one that took so long is not asked again.
const PATIENCE: Duration = Duration::from_millis(200);

/// A connection for this question alone.
pub struct LayoutInForce(Option<Ipc>);

impl LayoutInForce {
    /// None where the session's compositor is no sway.
    pub fn find() -> Option<Self> {
        let ipc = ipc::find()?;
        ipc.set_patience(PATIENCE).ok()?;
        Some(Self(Some(ipc)))
    }

    /// None where sway does not say.
    pub fn ask(&mut self) -> Option<u32> {
        match self.0.as_mut()?.layout_in_force() {
            Ok(group) => group,
            Err(error) => {
                tracing::info!(%error, "sway does not say any more which layout is in force");
                self.0 = None;
                None
            }
        }
    }
}
