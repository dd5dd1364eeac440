//! A client's input into the session: keys, pointer, scrolling, text, fingers and pens.
//!
//! A [`Translator`] turns the client's events (Windows key codes, packet coordinates) into [`Action`]s in the terms of
//! Linux (evdev codes, fractions of the picture) and remembers what is down. A [`Backend`] puts actions into the
//! compositor: libei where it has a socket for it, else KWin's fake input or the wlroots protocols. Never through uinput: that would
//! type into whichever session is in front. [`way`] opens it again when it was not there or breaks.

mod beside;
mod fake;
pub mod in_force;
pub mod keymap;
pub mod keysyms;
mod layout;
mod libei;
mod modifiers;
pub mod mutter;
mod reconnect;
mod seat;
pub mod touch;
mod translate;
mod way;
mod wlroots;

use std::{
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
};

use layout::{Layout, Stroke};
pub use reconnect::{Reconnect, ReconnectRequests, reconnect};
pub use translate::{Action, Translator};
pub use way::InputHandle;

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
    /// The compositor's programs learn of a wheel's notches only from a turn in 120ths of one (gamescope, KWin), so that it is told
    /// nothing else; the others get parts of a notch in pixels.
    pub wheel_in_120ths: bool,
    /// Mutter, which types keysyms in whatever layout is in force and, before GNOME 50, does not say which one is.
    pub mutter: bool,
    /// The pictures are of another compositor than the session's (gamescope): what that one offers on Wayland leads elsewhere.
    pub foreign: bool,
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
    #[error("emulated input (libei): {0}; {1}")]
    Neither(String, Box<InputError>),
    #[error("no thread for it: {0}")]
    Thread(String),
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

/// Connect to the session's input, and again whenever that is lost: through a socket of its compositor where it gives one (`eis` to
/// begin with, later by `again`), else by what it offers on Wayland.
///
/// If all is well, the devices exist when this returns, well before the first key: a seat that gains its keyboard together with the
/// first key does not deliver that key as an event.
pub fn connect(
    mut eis: Option<OwnedFd>,
    again: Option<Reconnect>,
    target: Target,
) -> (Box<dyn Injector>, InputHandle) {
    let open = move || {
        let socket = match (eis.take(), &again) {
            (Some(socket), _) => Ok(socket),
            (None, Some(again)) => again.socket(),
            (None, None) => Err(String::new()),
        };
        match socket {
            Ok(socket) => {
                let libei = libei::Libei::connect(socket, target.clone())?;
                Ok(Box::new(libei) as Box<dyn Backend>)
            }
            Err(why) if target.foreign => Err(InputError::Libei(why)),
            Err(why) => on_wayland(&target).map_err(|error| match why.is_empty() {
                true => error,
                false => InputError::Neither(why, Box::new(error)),
            }),
        }
    };
    way::keep(Box::new(open), way::PROMPT)
}

/// By KWin's fake input, else by the protocols of wlroots.
fn on_wayland(target: &Target) -> Result<Box<dyn Backend>, InputError> {
    Ok(match fake::FakeInput::connect(target)? {
        Some(fake) => Box::new(fake),
        None => Box::new(wlroots::Wlroots::connect(target.clone())?),
    })
}
