//! A client's input into the session: keys, pointer, scrolling, text, fingers and pens.
//!
//! A [`Translator`] turns the client's events (Windows key codes, packet coordinates) into [`Action`]s in the terms of
//! Linux (evdev codes, fractions of the picture) and remembers what is down. A [`Backend`] puts actions into the
//! compositor: libei where it has a socket for it, else KWin's fake input or the wlroots protocols. Never through uinput: that would
//! type into whichever session is in front.

mod fake;
pub mod keymap;
mod layout;
mod libei;
mod modifiers;
mod seat;
pub mod touch;
mod translate;
mod wlroots;

use std::{
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
};

use punktfunk_core::input::InputEvent;
use punktfunk_dbus::channel::message::Held;

use layout::{Layout, Stroke};
pub use translate::{Action, Translator};

use crate::source::Injector;

/// Where an output lies in the compositor's space, in logical pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub position: (i32, i32),
    pub size: (u32, u32),
}

/// The place of a stream's output now: outputs are moved, turned and scaled while they are captured. Whoever watches the
/// output sets it, input reads it.
#[derive(Debug, Clone, Default)]
pub struct LivePlace(Arc<Mutex<Option<Place>>>);

impl LivePlace {
    pub fn set(&self, place: Place) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }

    pub fn get(&self) -> Option<Place> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which part of the compositor's space the stream shows; what is not known stays None.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// The compositor's name for the pairing of a stream and a pointer region.
    pub mapping_id: Option<String>,
    /// Width and height of the picture, in pixels.
    pub size: Option<(u32, u32)>,
    /// The output's name, as Wayland has it.
    pub output: Option<String>,
    /// Where the output lay at the start, in logical pixels, if that is all that is known.
    pub position: Option<(i32, i32)>,
    /// Where it lies now.
    pub place: LivePlace,
    /// The compositor takes a turn in pixels for one in notches (gamescope), so that it is told notches only.
    pub whole_notches: bool,
}

/// Why there is no input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    #[error("emulated input (libei): {0}")]
    Libei(String),
    #[error("KWin's fake input: {0}")]
    FakeInput(String),
    #[error("the compositor's virtual keyboard and pointer: {0}")]
    Wlroots(String),
}

impl Target {
    /// The output's corner in the compositor's space.
    fn corner(&self) -> Option<(i32, i32)> {
        self.place
            .get()
            .map(|place| place.position)
            .or(self.position)
    }
}

/// A way into the compositor.
trait Backend: Send {
    /// Queue one action.
    fn apply(&mut self, action: Action);
    /// Type a character as text, or say how the session's keyboard types it.
    fn text(&mut self, character: char) -> Text;
    /// Send what is queued. The error is final: the way is closed.
    fn flush(&mut self) -> Result<(), InputError>;
}

/// What came of a character.
enum Text {
    Done,
    Keys(Stroke),
    /// Neither this way into the session nor a key of its keyboard has it.
    Impossible,
}

impl Text {
    /// By keys of this layout, in this group of it; those of a US keyboard where none is known.
    fn keys(layout: Option<&Layout>, character: char, group: u32) -> Self {
        let stroke = match layout {
            Some(layout) => layout.stroke(character, group),
            None => Stroke::us(character),
        };
        stroke.map_or(Self::Impossible, Self::Keys)
    }
}

struct State {
    translator: Translator,
    /// None once it has failed or was closed.
    backend: Option<Box<dyn Backend>>,
}

impl State {
    fn inject(&mut self, event: &InputEvent) {
        let Some(backend) = &mut self.backend else {
            return;
        };
        if let InputEvent::Text(character) = event {
            match backend.text(*character) {
                Text::Done => {}
                Text::Keys(stroke) => self
                    .translator
                    .stroke(stroke, &mut |action| backend.apply(action)),
                Text::Impossible => {
                    tracing::info!(
                        "a character that the session's keyboard cannot type was left out"
                    );
                }
            }
        } else {
            self.translator
                .translate(event, &mut |action| backend.apply(action));
        }
        self.flush();
    }

    fn release(&mut self, held: Held) {
        let Some(backend) = &mut self.backend else {
            return;
        };
        self.translator
            .release(held, &mut |action| backend.apply(action));
        self.flush();
    }

    fn flush(&mut self) {
        if let Some(backend) = &mut self.backend
            && let Err(error) = backend.flush()
        {
            tracing::warn!(%error, "input into the session has ended");
            self.backend = None;
        }
    }
}

/// The source's hold on the input of its session, to close it before the session.
pub struct InputHandle(Arc<Mutex<State>>);

impl InputHandle {
    /// Move the pointer a little, so that the compositor has something to paint: first by a pixel (one way in even
    /// `attempt`s, back in odd ones), later, in case the pointer is on another output, to the middle of this one.
    pub fn nudge(&self, attempt: u32) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let even = attempt.is_multiple_of(2);
        if let Some(backend) = &mut state.backend {
            backend.apply(if attempt < 2 {
                Action::Move {
                    dx: if even { 1.0 } else { -1.0 },
                    dy: 0.0,
                }
            } else {
                Action::MoveTo {
                    x: if even { 0.5 } else { 0.51 },
                    y: 0.5,
                }
            });
        }
        state.flush();
    }

    /// Let go of everything and close the way in; events that still come are dropped.
    pub fn close(self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.release(Held::ALL);
        state.backend = None;
    }
}

struct SessionInput(Arc<Mutex<State>>);

impl Injector for SessionInput {
    fn inject(&mut self, event: &InputEvent) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .inject(event);
    }

    fn release(&mut self, held: Held) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .release(held);
    }
}

impl Drop for SessionInput {
    fn drop(&mut self) {
        self.release(Held::ALL);
    }
}

/// Connect to the session's input: through `eis` if the compositor gave one, else by what it offers on Wayland.
///
/// The devices exist when this returns, well before the first key: a seat that gains its keyboard together with the
/// first key does not deliver that key as an event.
///
/// # Errors
/// [`InputError`]: the session takes no input by either way.
pub fn connect(
    eis: Option<OwnedFd>,
    target: Target,
) -> Result<(Box<dyn Injector>, InputHandle), InputError> {
    let backend: Box<dyn Backend> = match eis {
        Some(fd) => Box::new(libei::Libei::connect(fd, target)?),
        None => match fake::FakeInput::connect(&target)? {
            Some(fake) => Box::new(fake),
            None => Box::new(wlroots::Wlroots::connect(target)?),
        },
    };
    let state = Arc::new(Mutex::new(State {
        translator: Translator::default(),
        backend: Some(backend),
    }));
    Ok((
        Box::new(SessionInput(Arc::clone(&state))),
        InputHandle(state),
    ))
}
