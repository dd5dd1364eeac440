//! Pads that are evdev devices of their own: Xbox and Switch.
mod layout;
mod node;
#[cfg(test)]
mod tests;

use super::{
    device::PadDevice,
    effects::{Effect, Effects},
    feedback::Wishes,
    state::PadState,
};
use evdev::InputEvent;
pub(super) use layout::{Layout, layout};
pub(super) use node::{KernelNode, PATH};
use std::{io, os::fd::BorrowedFd, time::Instant};

/// Where the events of a pad go, and where programs' force feedback comes from.
pub(super) trait Node: Send {
    /// Events that belong together.
    fn emit(&mut self, events: &[InputEvent]) -> io::Result<()>;
    /// What programs did since the last call. An upload is answered when its answer is dropped or given.
    fn asked(&mut self) -> io::Result<Vec<Asked>>;
    fn fd(&self) -> BorrowedFd<'_>;
}

/// Force feedback, as the kernel passes it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Upload { id: i16, effect: Effect },
    Erase { id: i16 },
    Play { id: i16, count: i32 },
    Gain(i32),
}

pub(super) struct EvdevPad<N> {
    layout: Layout,
    node: N,
    /// Values as programs know them, in the order of the layout's controls.
    known: Vec<i32>,
    effects: Effects,
    rumble: (u16, u16),
}

impl<N: Node> EvdevPad<N> {
    pub(super) fn new(layout: Layout, node: N) -> Self {
        let known = layout.values(&PadState::default());
        Self {
            layout,
            node,
            known,
            effects: Effects::default(),
            rumble: (0, 0),
        }
    }

    fn obey(&mut self, asked: Asked, now: Instant) {
        match asked {
            Asked::Upload { id, effect } => {
                self.effects.upload(id, effect);
            }
            Asked::Erase { id } => self.effects.erase(id),
            Asked::Play { id, count } => self.effects.play(id, count, now),
            Asked::Gain(gain) => self.effects.set_gain(gain),
        }
    }
}

impl<N: Node> PadDevice for EvdevPad<N> {
    fn show(&mut self, state: &PadState, _now: Instant) -> io::Result<()> {
        let values = self.layout.values(state);
        let events: Vec<_> = self
            .layout
            .controls()
            .zip(values.iter().zip(&self.known))
            .filter(|(_, (new, old))| new != old)
            .map(|((kind, code), (new, _))| InputEvent::new(kind.0, code, *new))
            .collect();
        self.known = values;
        if events.is_empty() {
            return Ok(());
        }
        self.node.emit(&events)
    }

    fn serve(&mut self, now: Instant) -> io::Result<Wishes> {
        for asked in self.node.asked()? {
            self.obey(asked, now);
        }
        let rumble = self.effects.level(now);
        let changed = std::mem::replace(&mut self.rumble, rumble) != rumble;
        Ok(Wishes {
            rumble: changed.then_some(rumble),
            ..Wishes::default()
        })
    }

    fn due(&self, now: Instant) -> Option<Instant> {
        self.effects.due(now)
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.node.fd()
    }
}
