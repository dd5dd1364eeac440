//! Makes a sink the session's default, and gives the place back.
//!
//! The choice is written where desktops write it (the `default` metadata of the session manager), whenever that comes:
//! a session manager may start after the sink, or anew while the sink is in use. After a crash of ours the choice before is
//! put back from the disk ([`super::former`]).

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::former;
use pipewire::{
    core::CoreRc,
    loop_::Timeout,
    main_loop::MainLoopRc,
    metadata::{Metadata, MetadataListener},
    properties::PropertiesBox,
    registry::{GlobalObject, RegistryRc},
    spa::utils::result::AsyncSeq,
    types::ObjectType,
};

pub(super) const KEY: &str = "default.configured.audio.sink";
pub(super) const TYPE: &str = "Spa:String:JSON";

/// When a session manager is missed: without one there is no metadata, and then also no default.
const MISSED: Duration = Duration::from_secs(3);

/// What this process has made of the default sink.
static PLACE: Mutex<Place> = Mutex::new(Place {
    ours: Vec::new(),
    before: None,
});

/// The place of the default sink, while some of our sinks have had it.
pub(super) struct Place {
    /// Our sinks that were made the default one and are still there, in order.
    ours: Vec<String>,
    /// The person's own choice.
    before: Option<String>,
}

impl Place {
    pub(super) fn lock() -> MutexGuard<'static, Self> {
        PLACE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a sink of ours has it.
    pub(super) fn taken(&self) -> bool {
        !self.ours.is_empty()
    }

    /// `name` takes the place of `current`. A name of ours is no choice of a person's: it is left from a crash, or from
    /// a PipeWire that has ended; the choice is then what was `kept` on disk. True: it is another one, to be kept.
    fn take(&mut self, name: &str, current: Option<&str>, kept: Option<former::Choice>) -> bool {
        let mut another = false;
        if self.ours.is_empty() {
            if !current.is_some_and(is_ours) {
                self.before = current.map(str::to_owned);
                another = true;
            } else if self.before.is_none() {
                self.before = kept.flatten();
            }
        }
        self.leave(name);
        self.ours.push(name.to_owned());
        another
    }

    fn leave(&mut self, name: &str) {
        self.ours.retain(|ours| ours != name);
    }

    /// What is the default once `name` has left: another sink of ours, else the person's choice.
    fn successor(&mut self, name: &str) -> Option<String> {
        self.leave(name);
        match self.ours.last() {
            Some(other) => Some(choice(other)),
            None => self.before.clone(),
        }
    }
}

/// The default sink while it is ours.
pub struct DefaultSink {
    name: String,
    core: CoreRc,
    registry: RegistryRc,
    /// What PipeWire has said since the last [`Self::follow`].
    news: Rc<RefCell<Vec<News>>>,
    hold: Option<Hold>,
    /// When to complain that there is no session manager; None once that is settled.
    complaint: Option<Instant>,
    _globals: pipewire::registry::Listener,
    _answers: pipewire::core::Listener,
}

enum News {
    Here(GlobalObject<PropertiesBox>),
    Gone(u32),
    Answered(AsyncSeq),
}

/// The session manager's metadata, bound.
struct Hold {
    id: u32,
    metadata: Metadata,
    _listener: MetadataListener,
    /// What is set already comes before the answer to this round trip.
    asked: AsyncSeq,
    /// The choice as it stands, followed while we hold it.
    current: Rc<RefCell<Option<String>>>,
    /// All of that has come.
    answered: bool,
    /// Ours has been made the default.
    set: bool,
}

impl DefaultSink {
    /// Make the sink called `name` the default, as soon as [`Self::follow`] finds where that is said.
    ///
    /// # Errors
    /// The connection is broken.
    pub fn new(core: &CoreRc, name: &str) -> Result<Self, pipewire::Error> {
        let registry = core.get_registry_rc()?;
        let news = Rc::<RefCell<Vec<News>>>::default();
        let (come, gone, answered) = (Rc::clone(&news), Rc::clone(&news), Rc::clone(&news));
        let globals = registry
            .add_listener_local()
            .global(move |global| {
                let default = global
                    .props
                    .is_some_and(|props| props.get("metadata.name") == Some("default"));
                if global.type_ == ObjectType::Metadata && default {
                    come.borrow_mut().push(News::Here(global.to_owned()));
                }
            })
            .global_remove(move |id| gone.borrow_mut().push(News::Gone(id)))
            .register();
        let answers = core
            .add_listener_local()
            .done(move |_, seq| answered.borrow_mut().push(News::Answered(seq)))
            .register();
        Ok(Self {
            name: name.to_owned(),
            core: core.clone(),
            registry,
            news,
            hold: None,
            complaint: Instant::now().checked_add(MISSED),
            _globals: globals,
            _answers: answers,
        })
    }

    /// Act on what the loop has heard; to be called after each of its turns. `linked`: the session manager links to the
    /// sink. A default that it does not know yet would have it turn away whoever plays at that moment.
    pub fn follow(&mut self, linked: bool) {
        let news = std::mem::take(&mut *self.news.borrow_mut());
        for one in news {
            match one {
                News::Here(global) => self.hold = self.bind(&global),
                News::Gone(id) => {
                    if self.hold.as_ref().is_some_and(|hold| hold.id == id) {
                        tracing::debug!("the session manager left; its successor is waited for");
                        self.hold = None;
                    }
                }
                News::Answered(seq) => {
                    if let Some(hold) = self.hold.as_mut().filter(|hold| hold.asked == seq) {
                        hold.answered = true;
                    }
                }
            }
        }
        if linked {
            self.take();
        }
        if self
            .complaint
            .is_some_and(|at| self.hold.is_none() && Instant::now() >= at)
        {
            self.complaint = None;
            tracing::warn!(
                "no session manager answers; until one does, programs have to choose the sink \"{}\" themselves \
                 (systemctl --user start wireplumber)",
                self.name
            );
        }
    }

    /// Programs play into ours.
    pub fn set(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.set)
    }

    /// A session manager is there.
    pub fn managed(&self) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold.answered)
    }

    fn bind(&self, global: &GlobalObject<PropertiesBox>) -> Option<Hold> {
        let metadata: Metadata = self.registry.bind(global).ok()?;
        let current = Rc::new(RefCell::new(None));
        let follow = Rc::clone(&current);
        let listener = metadata
            .add_listener_local()
            .property(move |_, key, _, value| {
                if key == Some(KEY) {
                    follow.replace(value.map(str::to_owned));
                }
                0
            })
            .register();
        Some(Hold {
            id: global.id,
            metadata,
            _listener: listener,
            asked: self.core.sync(0).ok()?,
            current,
            answered: false,
            set: false,
        })
    }

    /// Once the choice of before is known: make ours.
    fn take(&mut self) {
        let Some(hold) = self.hold.as_mut().filter(|hold| hold.answered && !hold.set) else {
            return;
        };
        let current = hold.current.borrow().clone();
        if Place::lock().take(&self.name, current.as_deref(), former::kept()) {
            former::keep(current.as_deref());
        }
        hold.set = true;
        hold.metadata
            .set_property(0, KEY, Some(TYPE), Some(&choice(&self.name)));
        self.complaint = None;
    }

    /// Put back what was the default before, unless somebody chose another one meanwhile.
    pub fn restore(mut self, main_loop: &MainLoopRc) {
        let Some(Hold {
            metadata,
            current,
            set: true,
            ..
        }) = self.hold.take()
        else {
            return;
        };
        let ours = current
            .borrow()
            .as_ref()
            .is_some_and(|current| names(current, &self.name));
        if ours {
            let mut place = Place::lock();
            let successor = place.successor(&self.name);
            let last = !place.taken();
            drop(place);
            metadata.set_property(0, KEY, Some(TYPE), successor.as_deref());
            // Let it leave before the connection closes.
            for _ in 0..3 {
                main_loop
                    .loop_()
                    .iterate(Timeout::Finite(Duration::from_millis(20)));
            }
            if last {
                former::forget();
            }
        }
    }
}

impl Drop for DefaultSink {
    fn drop(&mut self) {
        Place::lock().leave(&self.name);
    }
}

fn choice(name: &str) -> String {
    format!("{{\"name\":\"{name}\"}}")
}

/// Whether a choice, in one of the spellings of JSON that PipeWire knows, is the sink called `name`.
pub(super) fn names(choice: &str, name: &str) -> bool {
    words(choice).any(|word| word == name)
}

/// Whether it is any sink of ours.
pub(super) fn is_ours(choice: &str) -> bool {
    words(choice)
        .filter_map(|word| word.strip_prefix(super::null_sink::NAME))
        .any(|rest| rest.is_empty() || rest.starts_with('-'))
}

fn words(choice: &str) -> impl Iterator<Item = &str> {
    choice.split(|c: char| "{}\"=:, ".contains(c))
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
        assert!(is_ours(&choice("punktfunk")) && is_ours(&choice("punktfunk-6")));
        assert!(!is_ours(&choice("punktfunkish")) && !is_ours("null"));
    }

    #[test]
    fn the_persons_choice_outlives_every_order_of_ends() {
        let fresh = || Place {
            ours: Vec::new(),
            before: None,
        };
        let speaker = choice("speaker");
        let mut place = fresh();
        place.take("punktfunk", Some(&speaker), None);
        place.take("punktfunk-6", Some(&choice("punktfunk")), None);
        assert_eq!(place.successor("punktfunk-6"), Some(choice("punktfunk")));
        assert_eq!(place.successor("punktfunk"), Some(speaker.clone()));
        place.take("punktfunk", Some(&speaker), None);
        place.take("punktfunk-6", Some(&choice("punktfunk")), None);
        place.leave("punktfunk");
        assert_eq!(place.successor("punktfunk-6"), Some(speaker.clone()));
        // PipeWire started anew, and its session manager remembers ours
        place.take("punktfunk", Some(&speaker), None);
        place.leave("punktfunk");
        place.take("punktfunk", Some(&choice("punktfunk")), None);
        assert_eq!(place.successor("punktfunk"), Some(speaker));
        // no choice at all, and one that is left from a crash
        let mut place = fresh();
        place.take("punktfunk", Some(&choice("punktfunk")), None);
        assert_eq!(place.successor("punktfunk"), None);
        // one that was kept when the agent was killed
        let mut place = fresh();
        let kept = Some(Some(choice("headset")));
        assert!(!place.take("punktfunk", Some(&choice("punktfunk")), kept.clone()));
        assert_eq!(place.successor("punktfunk"), Some(choice("headset")));
        // is not believed where the person has chosen since
        let mut place = fresh();
        assert!(place.take("punktfunk", Some(&choice("speaker")), kept));
        assert_eq!(place.successor("punktfunk"), Some(choice("speaker")));
    }
}
