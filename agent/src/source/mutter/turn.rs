//! One change of Mutter's monitors at a time: the shell is known to crash when outputs come and go together.

use std::{collections::HashMap, time::Duration};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::{sleep, timeout},
};
use zbus::zvariant::OwnedValue;

static CHANGING: Mutex<()> = Mutex::const_new(());

/// How long others are waited for, and how long a change may take to show.
const TURN_LIMIT: Duration = Duration::from_secs(8);
const SETTLE_LIMIT: Duration = Duration::from_secs(2);
/// A shell that is slower than this to say what it has says nothing.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);
/// How often the monitors are looked at.
const STEP: Duration = Duration::from_millis(30);

type Properties = HashMap<String, OwnedValue>;
/// Connector, vendor, product, serial.
type Name = (String, String, String, String);
/// Id, width, height, refresh rate, preferred scale, supported scales.
type Mode = (String, i32, i32, f64, f64, Vec<f64>, Properties);
/// Position, scale, transform, whether it is the primary one.
type Logical = (i32, i32, f64, u32, bool, Vec<Name>, Properties);
/// What counts the changes, and what there is.
type State = (
    u32,
    Vec<(Name, Vec<Mode>, Properties)>,
    Vec<Logical>,
    Properties,
);

#[zbus::proxy(
    interface = "org.gnome.Mutter.DisplayConfig",
    default_service = "org.gnome.Mutter.DisplayConfig",
    default_path = "/org/gnome/Mutter/DisplayConfig",
    gen_blocking = false
)]
trait DisplayConfig {
    fn get_current_state(&self) -> zbus::Result<State>;
}

/// Whoever has it may make a monitor come or go.
pub struct Turn {
    monitors: Option<DisplayConfigProxy<'static>>,
    /// The monitors before the change.
    before: Option<u32>,
    _alone: Option<MutexGuard<'static, ()>>,
}

impl Turn {
    /// Wait until no other stream's monitor is coming or going; not for ever.
    pub async fn wait(bus: &zbus::Connection) -> Self {
        let alone = timeout(TURN_LIMIT, CHANGING.lock()).await.ok();
        let monitors = DisplayConfigProxy::new(bus).await.ok();
        let mut turn = Self {
            monitors,
            before: None,
            _alone: alone,
        };
        turn.before = turn.serial().await;
        turn
    }

    async fn serial(&self) -> Option<u32> {
        let state = self.monitors.as_ref()?.get_current_state();
        let state = timeout(ANSWER_LIMIT, state).await.ok()?;
        state.ok().map(|state| state.0)
    }

    /// Give it up once the change has shown and nothing follows it.
    pub async fn settled(self) {
        let shown = settled(self.before, async || self.serial().await);
        if timeout(SETTLE_LIMIT, shown).await.is_err() {
            tracing::debug!("Mutter's monitors did not change in time");
        }
    }
}

/// Until `serial` is another one than `before`, twice in a row.
async fn settled(before: Option<u32>, serial: impl AsyncFn() -> Option<u32>) {
    let mut last = before;
    loop {
        let now = serial().await;
        // none: nobody answers any more
        if now.is_none() || (now != before && now == last) {
            return;
        }
        last = now;
        sleep(STEP).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[tokio::test]
    async fn a_change_is_over_when_it_has_shown_and_nothing_follows() {
        let serials = RefCell::new(vec![5, 7, 7, 6, 5, 4, 4].into_iter().rev());
        let next = async || serials.borrow_mut().next();
        settled(Some(4), next).await;
        // 4, 4, 5, 6, 7, 7: the last of them is still to come
        assert_eq!(serials.borrow().len(), 1);
    }
}
