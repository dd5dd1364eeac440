//! KWin's outputs as it lets them be arranged: which are lit, in which order, with which modes.
//!
//! A connection of its own, beside the one that holds the virtual output. Changes are asked for as a whole and answered
//! as a whole; nothing is asked for when everything is as wanted already.

mod layout;
mod state;

pub use layout::{Arrangement, Layout, strictest};

use std::time::Duration;

use tokio::time::timeout;
use wayland_client::{QueueHandle, globals::registry_queue_init, protocol::wl_display::WlDisplay};

use super::protocol::{
    kde_output_configuration_v2::KdeOutputConfigurationV2,
    kde_output_management_v2::KdeOutputManagementV2,
};
use crate::wayland::{self, ConnectError, Wayland, WaylandEnd};
use state::{Head, State};

/// The version of the configuration protocol that takes custom modes.
const CUSTOM_MODES: u32 = 18;
/// The one that takes an order of the outputs; KWin 5.27 has it.
const ORDERS: u32 = 3;

/// [`Heads::limit`]. No test is to depend on the speed of its machine.
const CHANGE_LIMIT: Duration = Duration::from_secs(if cfg!(test) { 60 } else { 4 });

#[derive(Debug, thiserror::Error)]
pub enum HeadsError {
    #[error(transparent)]
    NoConnection(#[from] ConnectError),
    #[error("this KWin does not let its outputs be configured (kde_output_management_v2)")]
    NotOffered,
    #[error(transparent)]
    Ended(#[from] WaylandEnd),
    #[error("KWin does not know an output named {0}")]
    NoOutput(String),
    #[error("KWin refused the change: {0}")]
    Refused(String),
    #[error("KWin did not answer to a change of its outputs within {} s", .0.as_secs())]
    Late(Duration),
    #[error("KWin gives this output no modes of our own (that came with Plasma 6.6)")]
    NoCustomModes,
    #[error("KWin made no mode of {0}x{1} with {2} Hz")]
    NoMode(u32, u32, u32),
}

/// A connection that knows all outputs and may change them.
pub struct Heads {
    wayland: Wayland<State>,
    state: State,
    handle: QueueHandle<State>,
    manager: KdeOutputManagementV2,
    display: WlDisplay,
    /// How long KWin may take for one change, and to describe an output that it just made.
    pub limit: Duration,
}

impl Heads {
    /// Connect, and learn of every output.
    ///
    /// # Errors
    /// No compositor, or none that offers its outputs for configuration.
    pub async fn connect() -> Result<Self, HeadsError> {
        let ended = |error: &dyn std::fmt::Display| WaylandEnd::Closed(error.to_string());
        let connection = wayland::connect()?;
        let (globals, mut queue) =
            registry_queue_init::<State>(&connection).map_err(|error| ended(&error))?;
        let handle = queue.handle();
        let manager = globals
            .bind(&handle, 2..=CUSTOM_MODES, ())
            .map_err(|_| HeadsError::NotOffered)?;
        let mut state = State::default();
        state.bind_all(&globals, &handle);
        // The first answers with the outputs, the second with their modes.
        for _ in 0..2 {
            queue.roundtrip(&mut state).map_err(WaylandEnd::from)?;
        }
        let display = connection.display();
        let wayland =
            Wayland::new(connection, queue).map_err(|error| HeadsError::Ended(error.into()))?;
        Ok(Self {
            wayland,
            state,
            handle,
            manager,
            display,
            limit: CHANGE_LIMIT,
        })
    }

    /// Learn everything that KWin has told so far: nobody reads this connection between two changes.
    ///
    /// # Errors
    /// KWin does not answer.
    pub async fn catch_up(&mut self) -> Result<(), HeadsError> {
        // The first answers with the outputs that are new, the second with what they are.
        for _ in 0..2 {
            self.state.questions += 1;
            let question = self.state.questions;
            let _callback = self.display.sync(&self.handle, question);
            self.until(|state| (state.answered >= question).then_some(()))
                .await?;
            if self.state.heads.iter().all(|head| head.complete) {
                break;
            }
        }
        Ok(())
    }

    /// Which outputs are lit now, first to last.
    pub fn layout(&self) -> Layout {
        let lit = |head: &&Head| head.enabled && head.complete;
        let mut names: Vec<String> = self
            .state
            .heads
            .iter()
            .filter(lit)
            .map(|head| head.name.clone())
            .collect();
        let place = |name: &String| self.state.order.iter().position(|known| known == name);
        names.sort_by_key(|name| place(name).unwrap_or(usize::MAX));
        Layout(names)
    }

    /// Where an output lies, and the size of its mode in pixels.
    pub fn place(&self, name: &str) -> Option<((i32, i32), (u32, u32))> {
        let head = self.state.named(name)?;
        Some((head.position, head.mode()?.size))
    }

    /// Wait until KWin describes the output of this name.
    ///
    /// # Errors
    /// It never does.
    pub async fn appeared(&mut self, name: &str) -> Result<(), HeadsError> {
        self.catch_up().await?;
        self.until(|state| state.named(name).map(drop))
            .await
            .map_err(|error| match error {
                HeadsError::Late(_) => HeadsError::NoOutput(name.to_owned()),
                other => other,
            })
    }

    /// Wait, without a limit, until an output is lit that is `wanted`.
    ///
    /// # Errors
    /// KWin is gone.
    pub async fn lit(&mut self, wanted: impl Fn(&str) -> bool) -> Result<(), HeadsError> {
        let lit = |state: &mut State| {
            let shown = |head: &Head| head.enabled && head.complete && wanted(&head.name);
            state.heads.iter().any(shown).then_some(())
        };
        Ok(self.wayland.until(&mut self.state, lit).await?)
    }

    /// Learn what KWin tells for so long.
    ///
    /// # Errors
    /// KWin is gone.
    pub async fn serve(&mut self, time: Duration) -> Result<(), HeadsError> {
        let told = self.wayland.until(&mut self.state, |_| None::<()>);
        match timeout(time, told).await {
            Ok(Err(gone)) => Err(gone.into()),
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    /// Whether this KWin gives outputs modes of our own at all.
    pub fn may_take_modes(&self) -> bool {
        wayland_client::Proxy::version(&self.manager) >= CUSTOM_MODES
    }

    /// Give an output a mode of its own; answers the size that KWin made of it, which may be up to 7 pixels narrower.
    ///
    /// # Errors
    /// This KWin cannot, or would not.
    pub async fn set_mode(
        &mut self,
        name: &str,
        (width, height): (u32, u32),
        fps: u32,
    ) -> Result<(u32, u32), HeadsError> {
        self.appeared(name).await?;
        if !self.may_take_modes()
            || !self
                .state
                .named(name)
                .is_some_and(|head| head.takes_custom_modes)
        {
            return Err(HeadsError::NoCustomModes);
        }
        let device = self.device(name)?;
        let list = self.manager.create_mode_list(&self.handle, ());
        list.set_resolution(width, height);
        list.set_refresh_rate(fps.saturating_mul(1000));
        list.set_reduced_blanking(1);
        list.add_mode();
        let change = self.change();
        change.set_custom_modes(&device, &list);
        let done = self.apply(&change).await;
        list.destroy();
        done?;
        let fits = |size: (u32, u32), refresh: u32| {
            size.1 == height
                && size.0 <= width
                && size.0 + 8 > width
                && refresh.abs_diff(fps.saturating_mul(1000)) < 1000
        };
        let gone = || HeadsError::NoOutput(name.to_owned());
        let made = self
            .until(|state| {
                let Some(head) = state.named(name) else {
                    return Some(None);
                };
                let mut modes = head.modes.iter();
                let mode = modes.find(|mode| fits(mode.size, mode.refresh_mhz))?;
                Some(Some((mode.proxy.clone(), mode.size)))
            })
            .await;
        let (mode, size) = made
            .map_err(|error| match error {
                HeadsError::Late(_) => HeadsError::NoMode(width, height, fps),
                other => other,
            })?
            .ok_or_else(gone)?;
        let change = self.change();
        change.mode(&device, &mode);
        self.apply(&change).await?;
        self.until(|state| match state.named(name) {
            None => Some(Err(gone())),
            Some(head) => (head.mode()?.size == size).then_some(Ok(size)),
        })
        .await?
    }

    /// Wait until KWin has taken the output of this name away, and has arranged the rest as it likes.
    ///
    /// # Errors
    /// It does not.
    pub async fn disappeared(&mut self, name: &str) -> Result<(), HeadsError> {
        self.until(|state| state.named(name).is_none().then_some(()))
            .await
    }

    /// Arrange the outputs. Those that are gone meanwhile are left out.
    ///
    /// # Errors
    /// KWin refuses.
    pub async fn arrange(&mut self, wanted: &Arrangement) -> Result<(), HeadsError> {
        self.light(&wanted.lit, &wanted.dark, wanted.ordered).await
    }

    /// Make the outputs of a layout lit again, in its order. Outputs that are gone meanwhile are left out.
    ///
    /// # Errors
    /// KWin refuses.
    pub async fn restore(&mut self, layout: &Layout) -> Result<(), HeadsError> {
        self.light(&layout.0, &[], true).await
    }

    /// Switch outputs on and off, then order those that are lit; what is so already is not asked for. Two changes:
    /// KWin 6.3 refuses an order together with an output that goes dark.
    async fn light(
        &mut self,
        lit: &[String],
        dark: &[String],
        order: bool,
    ) -> Result<(), HeadsError> {
        self.catch_up().await?;
        let change = self.change();
        let mut differs = false;
        for (names, on) in [(lit, true), (dark, false)] {
            for name in names {
                if let Some(head) = self.state.named(name)
                    && head.enabled != on
                {
                    change.enable(&head.device, on.into());
                    differs = true;
                }
            }
        }
        if differs {
            self.apply(&change).await?;
            self.until(|state| {
                let is = |name: &String, on| state.named(name).is_none_or(|h| h.enabled == on);
                (lit.iter().all(|name| is(name, true)) && dark.iter().all(|name| is(name, false)))
                    .then_some(())
            })
            .await?;
        } else {
            self.state.give_up();
        }
        if order || differs {
            self.order(lit).await?;
        }
        Ok(())
    }

    /// Put these outputs first, in this order.
    async fn order(&mut self, first: &[String]) -> Result<(), HeadsError> {
        let mut names: Vec<String> = first
            .iter()
            .filter(|name| self.state.named(name).is_some())
            .cloned()
            .collect();
        let now = self.layout().0;
        if now.starts_with(&names) {
            return Ok(());
        }
        // KWin refuses an order that leaves any output out, lit or not, and (6.3) one with a dark output before a lit one.
        let mut rest: Vec<&Head> = self.state.heads.iter().filter(|h| h.complete).collect();
        rest.retain(|head| !names.contains(&head.name));
        rest.sort_by_key(|head| !head.enabled);
        names.extend(rest.iter().map(|head| head.name.clone()));
        let change = self.change();
        if wayland_client::Proxy::version(&change) >= ORDERS {
            for (place, name) in (1..).zip(&names) {
                change.set_priority(&self.device(name)?, place);
            }
        } else if let Some(name) = names.first() {
            change.set_primary_output(&self.device(name)?);
        }
        self.apply(&change).await
    }

    fn device(
        &self,
        name: &str,
    ) -> Result<super::protocol::kde_output_device_v2::KdeOutputDeviceV2, HeadsError> {
        self.state
            .named(name)
            .map(|head| head.device.clone())
            .ok_or_else(|| HeadsError::NoOutput(name.to_owned()))
    }

    fn change(&mut self) -> KdeOutputConfigurationV2 {
        // whoever waited for the one before may have been dropped
        self.state.give_up();
        let change = self.manager.create_configuration(&self.handle, ());
        self.state.asked = Some(change.clone());
        change
    }

    async fn apply(&mut self, change: &KdeOutputConfigurationV2) -> Result<(), HeadsError> {
        change.apply();
        let answer = self.until(|state| state.answer.take()).await;
        self.state.give_up();
        self.wayland.flush();
        answer?.map_err(HeadsError::Refused)
    }

    async fn until<T>(
        &mut self,
        done: impl FnMut(&mut State) -> Option<T>,
    ) -> Result<T, HeadsError> {
        timeout(self.limit, self.wayland.until(&mut self.state, done))
            .await
            .map_err(|_| HeadsError::Late(self.limit))?
            .map_err(HeadsError::Ended)
    }
}
