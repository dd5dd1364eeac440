//! What the client of a running stream may do. Follows its permissions while it runs, and the session: nothing is pressed in
//! one that another is in front of, and in a locked one only by those who may unlock it.
use super::shown::Shown;
use crate::{
    agents::AgentHandle,
    store::{
        PERMISSION_AUDIO, PERMISSION_GAMEPAD, PERMISSION_KEYBOARD, PERMISSION_POINTER,
        PERMISSION_UNLOCK,
    },
};
use punktfunk_core::input::InputEvent;
use punktfunk_dbus::channel::message::Held;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Which permission an input event needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// Mouse, wheel, touch, pen.
    Pointer,
    /// Keys and text.
    Keyboard,
    Gamepad,
}

impl InputKind {
    #[must_use]
    pub fn of(event: &InputEvent) -> Self {
        use InputEvent as E;
        match event {
            E::Key { .. } | E::Text(_) => Self::Keyboard,
            E::MouseAbsolute { .. }
            | E::MouseRelative { .. }
            | E::MouseButton { .. }
            | E::Scroll { .. }
            | E::HorizontalScroll { .. }
            | E::Touch(_)
            | E::Pen(_) => Self::Pointer,
            // Whatever kinds come: none of them points or types.
            _ => Self::Gamepad,
        }
    }
}

pub(super) struct Permits {
    shown: Arc<Shown>,
    pointer: AtomicBool,
    keyboard: AtomicBool,
    gamepad: AtomicBool,
    audio: AtomicBool,
    unlock: AtomicBool,
}

impl Permits {
    pub(super) fn new(shown: Arc<Shown>, words: &[String]) -> Self {
        let no = || AtomicBool::new(false);
        let permits = Self {
            shown,
            pointer: no(),
            keyboard: no(),
            gamepad: no(),
            audio: no(),
            unlock: no(),
        };
        permits.set(words);
        permits
    }

    pub(super) fn set(&self, words: &[String]) {
        for (permit, word) in [
            (&self.pointer, PERMISSION_POINTER),
            (&self.keyboard, PERMISSION_KEYBOARD),
            (&self.gamepad, PERMISSION_GAMEPAD),
            (&self.audio, PERMISSION_AUDIO),
            (&self.unlock, PERMISSION_UNLOCK),
        ] {
            permit.store(words.iter().any(|given| given == word), Ordering::Release);
        }
    }

    /// Pointer and keys; at the lock screen only with the permission for it.
    pub(super) fn input(&self) -> Held {
        let open = self
            .shown
            .agent()
            .is_some_and(|agent| agent.is_in_front() && (self.lock_screen() || !agent.is_locked()));
        Held {
            pointer: open && self.pointer.load(Ordering::Acquire),
            keyboard: open && self.keyboard.load(Ordering::Acquire),
        }
    }

    /// Gamepads; what they press is nothing that a lock screen needs.
    pub(super) fn gamepad(&self) -> bool {
        let open = |agent: AgentHandle| agent.is_in_front() && !agent.is_locked();
        self.gamepad.load(Ordering::Acquire) && self.shown.agent().is_some_and(open)
    }

    /// May see the lock screen, and press keys at it.
    pub(super) fn lock_screen(&self) -> bool {
        self.unlock.load(Ordering::Acquire)
    }

    pub(super) fn audio(&self) -> bool {
        self.audio.load(Ordering::Acquire)
    }
}
