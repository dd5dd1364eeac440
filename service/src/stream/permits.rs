//! What the client of a running stream may do. Follows its permissions while it runs, and the lock of the session.
use crate::{
    agents::AgentHandle,
    store::{PERMISSION_AUDIO, PERMISSION_GAMEPAD, PERMISSION_INPUT, PERMISSION_UNLOCK},
};
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) struct Permits {
    agent: AgentHandle,
    input: AtomicBool,
    gamepad: AtomicBool,
    audio: AtomicBool,
    unlock: AtomicBool,
}

impl Permits {
    pub(super) fn new(agent: AgentHandle, words: &[String]) -> Self {
        let permits = Self {
            agent,
            input: AtomicBool::new(false),
            gamepad: AtomicBool::new(false),
            audio: AtomicBool::new(false),
            unlock: AtomicBool::new(false),
        };
        permits.set(words);
        permits
    }

    pub(super) fn set(&self, words: &[String]) {
        for (permit, word) in [
            (&self.input, PERMISSION_INPUT),
            (&self.gamepad, PERMISSION_GAMEPAD),
            (&self.audio, PERMISSION_AUDIO),
            (&self.unlock, PERMISSION_UNLOCK),
        ] {
            permit.store(words.iter().any(|given| given == word), Ordering::Release);
        }
    }

    /// Keys and pointer; at the lock screen only with the permission for it.
    pub(super) fn input(&self) -> bool {
        self.input.load(Ordering::Acquire)
            && (self.unlock.load(Ordering::Acquire) || !self.agent.info().locked)
    }

    /// Gamepads; what they press is nothing that a lock screen needs.
    pub(super) fn gamepad(&self) -> bool {
        self.gamepad.load(Ordering::Acquire) && !self.agent.info().locked
    }

    pub(super) fn audio(&self) -> bool {
        self.audio.load(Ordering::Acquire)
    }
}
