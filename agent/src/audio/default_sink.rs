//! Makes a sink the session's default, and gives the place back.
//!
//! The choice is written where desktops write it (the `default` metadata of the session manager). After a crash the
//! session manager falls back to the choice before by itself, because the sink is gone.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use pipewire::{
    core::CoreRc,
    loop_::Timeout,
    main_loop::MainLoopRc,
    metadata::{Metadata, MetadataListener},
    registry::RegistryRc,
    types::ObjectType,
};

const KEY: &str = "default.configured.audio.sink";
const TYPE: &str = "Spa:String:JSON";

/// How long the metadata is waited for: without a session manager there is none, and then also no default.
const LIMIT: Duration = Duration::from_millis(1500);

/// The default sink while it is ours.
pub struct DefaultSink {
    name: String,
    /// None when there is no session manager.
    hold: Option<Hold>,
}

struct Hold {
    metadata: Metadata,
    _listener: MetadataListener,
    _registry: RegistryRc,
    /// The choice as it stands, followed while we hold it.
    current: Rc<RefCell<Option<String>>>,
    before: Option<String>,
}

impl DefaultSink {
    /// Make the sink called `name` the default.
    pub fn set(main_loop: &MainLoopRc, core: &CoreRc, name: &str) -> Self {
        let hold = Hold::take(main_loop, core, name);
        if hold.is_none() {
            tracing::warn!(
                "no session manager answers; programs have to choose the sink \"{name}\" themselves"
            );
        }
        Self {
            name: name.to_owned(),
            hold,
        }
    }

    /// Put back what was the default before, unless somebody chose another one meanwhile.
    pub fn restore(self, main_loop: &MainLoopRc) {
        let Some(hold) = self.hold else { return };
        let current = hold.current.borrow().clone();
        if current.is_some_and(|current| names(&current, &self.name)) {
            hold.metadata
                .set_property(0, KEY, Some(TYPE), hold.before.as_deref());
            // Let it leave before the connection closes.
            for _ in 0..3 {
                main_loop
                    .loop_()
                    .iterate(Timeout::Finite(Duration::from_millis(20)));
            }
        }
    }
}

fn choice(name: &str) -> String {
    format!("{{\"name\":\"{name}\"}}")
}

/// Whether a choice, in one of the spellings of JSON that PipeWire knows, is the sink called `name`.
fn names(choice: &str, name: &str) -> bool {
    choice
        .split(|c: char| "{}\"=:, ".contains(c))
        .any(|word| word == name)
}

impl Hold {
    fn take(main_loop: &MainLoopRc, core: &CoreRc, name: &str) -> Option<Self> {
        let end = Instant::now() + LIMIT;
        let turn = || {
            main_loop
                .loop_()
                .iterate(Timeout::Finite(Duration::from_millis(50)));
            Instant::now() < end
        };
        let registry = core.get_registry_rc().ok()?;
        let found = Rc::new(RefCell::new(None));
        let seen = Rc::clone(&found);
        let listener = registry
            .add_listener_local()
            .global(move |global| {
                let default = global
                    .props
                    .is_some_and(|props| props.get("metadata.name") == Some("default"));
                if global.type_ == ObjectType::Metadata && default {
                    seen.replace(Some(global.to_owned()));
                }
            })
            .register();
        while found.borrow().is_none() {
            if !turn() {
                return None;
            }
        }
        drop(listener);
        let metadata: Metadata = registry.bind(found.borrow().as_ref()?).ok()?;

        let current = Rc::new(RefCell::new(None));
        let (follow, ready) = (Rc::clone(&current), Rc::new(Cell::new(false)));
        let listener = metadata
            .add_listener_local()
            .property(move |_, key, _, value| {
                if key == Some(KEY) {
                    follow.replace(value.map(str::to_owned));
                }
                0
            })
            .register();
        // What is set already comes before the answer to a round trip that was asked for after the binding.
        let done = Rc::clone(&ready);
        let asked = core.sync(0).ok()?;
        let round_trip = core
            .add_listener_local()
            .done(move |_, answered| {
                if answered == asked {
                    done.set(true);
                }
            })
            .register();
        while !ready.get() && turn() {}
        drop(round_trip);

        let ours = choice(name);
        let before = current
            .borrow()
            .clone()
            .filter(|before| !names(before, name));
        metadata.set_property(0, KEY, Some(TYPE), Some(&ours));
        Some(Self {
            metadata,
            _listener: listener,
            _registry: registry,
            current,
            before,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_recognised_in_every_spelling() {
        assert!(names(&choice("punktfunk"), "punktfunk"));
        assert!(names("{ \"name\": \"punktfunk\" }", "punktfunk"));
        assert!(names("{ name = punktfunk }", "punktfunk"));
        assert!(!names("{\"name\":\"punktfunk-2\"}", "punktfunk"));
        assert!(!names("{\"name\":\"alsa_output\"}", "punktfunk"));
    }
}
