//! Where pictures come from.
//!
//! Two kinds of source. A *pushing* source (a compositor) fills one newest-wins [`PictureSlot`] from its own capture
//! thread; the encode thread takes from it at its own clock. A *painting* source (the synthetic patterns) has no clock
//! at all: the encode thread asks its [`Painter`] for the next picture at each tick, so that every tick is a new picture.
//!
//! This module never encodes and never knows who watches.

pub mod desktop;
pub mod detection;
pub mod dmabuf;
pub mod gamescope;
pub mod kwin;
pub mod mutter;
pub mod notes;
mod outputs;
pub mod picture;
pub mod portal;
pub mod sway;
pub mod synthetic;
pub mod warden;
pub mod wlroots;

pub use dmabuf::{Dmabuf, DmabufFormat, Importable};
pub use outputs::{Monitor, Outputs};
pub use picture::{Picture, PictureSlot, PixelFormat, SlotState};

use crate::life::pulse::Pulse;
use punktfunk_core::control::HdrMetadata;
use punktfunk_dbus::channel::message::Held;
use std::sync::Arc;

/// What a source is asked for. Width and height in pixels.
#[derive(Debug, Clone)]
pub struct SourceRequest {
    pub width: u32,
    pub height: u32,
    /// Frames a second that the client wants: the most that is useful to capture.
    pub fps: u32,
    /// Whether the pointer is to be drawn into the picture.
    pub cursor: bool,
    /// What the stream's encoder takes in GPU memory.
    pub importable: Importable,
    /// What a gamescope is to show; of no meaning to other sources.
    pub inside: gamescope::Inside,
    /// What becomes of the session's other outputs.
    pub outputs: Outputs,
    /// The monitor that the stream has begun with, where it shows one that is there.
    pub monitor: Monitor,
    /// Pictures in HDR, from a source that gives them ([`mastering`]).
    pub hdr: bool,
}

/// Why a source could not be opened or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// No source has this name.
    #[error("there is no source named \"{0}\"; the sources are: auto, {names}", names = NAMES.join(", "))]
    Unknown(String),
    /// No compositor has this name.
    #[error("there is no compositor named \"{0}\"; those known are: auto, {names}", names = COMPOSITORS.map(|(name, _)| name).join(", "))]
    UnknownCompositor(String),
    /// This session cannot offer the source at all (no compositor, no portal, no PipeWire); the text says what to do.
    #[error("{name}: not available here: {why}")]
    Unavailable { name: &'static str, why: String },
    /// The user, or a policy, said no.
    #[error("{name}: refused: {why}")]
    Refused { name: &'static str, why: String },
    /// It was there, and failed.
    #[error("{name}: {why}")]
    Failed { name: &'static str, why: String },
}

/// Every source by name, in the order in which `auto` does *not* try them: see [`open`].
pub const NAMES: &[&str] = &[
    synthetic::NAME,
    synthetic::NAME_FAST,
    portal::NAME,
    mutter::NAME,
    kwin::NAME,
    sway::NAME,
    wlroots::NAME,
    gamescope::NAME,
];

/// Those that give pictures in HDR when asked to. No desktop's virtual output does.
pub const HDR_NAMES: &[&str] = &[synthetic::NAME];

/// What the HDR pictures of the source with this name are mastered for; None where it gives none.
pub fn mastering(name: &str) -> Option<HdrMetadata> {
    HDR_NAMES.contains(&name).then_some(synthetic::MASTERING)
}

/// The compositors that can be asked for by name, and the source that captures each.
const COMPOSITORS: [(&str, &str); 7] = [
    ("mutter", mutter::NAME),
    ("gnome", mutter::NAME),
    ("sway", sway::NAME),
    ("wlroots", wlroots::NAME),
    ("kwin", kwin::NAME),
    ("plasma", kwin::NAME),
    ("gamescope", gamescope::NAME),
];

/// The source for a stream that asks for `name` and `compositor` (`auto`, or a compositor's name): a source by name
/// stands, `auto` becomes what captures that compositor.
///
/// # Errors
/// [`SourceError::UnknownCompositor`].
pub fn choose<'a>(name: &'a str, compositor: &str) -> Result<&'a str, SourceError> {
    if compositor == "auto" {
        return Ok(name);
    }
    let (_, source) = COMPOSITORS
        .into_iter()
        .find(|(known, _)| *known == compositor)
        .ok_or_else(|| SourceError::UnknownCompositor(compositor.to_owned()))?;
    Ok(if name == "auto" { source } else { name })
}

/// A running source; dropping it ends the capture and removes the virtual output.
///
/// A source that dies while it runs says so through [`PictureSlot::fail`].
pub trait Source: Send {
    fn name(&self) -> &'static str;

    /// Where a pushing source puts its pictures; an unused slot for a painting one.
    fn slot(&self) -> Arc<PictureSlot>;

    /// The painter of a painting source, once; None for a source that fills its slot by itself.
    fn painter(&mut self) -> Option<Box<dyn Painter>> {
        None
    }

    /// The injector that belongs to this source's session, once; None when the session takes no input here.
    fn injector(&mut self) -> Option<Box<dyn Injector>> {
        None
    }

    /// How to ask whether what gives the pictures still answers; None where that cannot be asked.
    fn pulse(&self) -> Option<Box<dyn Pulse>> {
        None
    }

    /// Whether pictures are wanted. One that is not active makes none, and keeps all else.
    fn set_active(&mut self, _active: bool) {}

    /// Whether another one is opened when it has ended; if not, the stream ends with it.
    fn comes_back(&self) -> bool {
        true
    }

    /// The sound that belongs to the source.
    fn audio(&self) -> AudioOrigin;
}

/// Paints the next picture when the encode clock asks.
pub trait Painter: Send {
    /// Paint the next picture into `picture`, whose buffer is reused. `now_ns` is CLOCK_MONOTONIC.
    fn paint(&mut self, picture: &mut Picture, now_ns: u64);

    /// A tick passes without a picture: leave its number out, so that a receiver sees the gap.
    fn skip(&mut self);
}

/// Where the sound of a stream comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioOrigin {
    /// A test tone, with the synthetic sources.
    Tone,
    /// A PipeWire sink of the session.
    PipeWire,
}

impl AudioOrigin {
    /// Of the source with this name, before it is open.
    pub fn of(name: &str) -> Self {
        match name {
            synthetic::NAME | synthetic::NAME_FAST => Self::Tone,
            _ => Self::PipeWire,
        }
    }
}

/// Puts a client's events into the session. Called from the channel thread; must not block for long.
pub trait Injector: Send {
    fn inject(&mut self, event: &punktfunk_core::input::InputEvent);
    /// Let go of what is pressed of `held`.
    fn release(&mut self, held: Held);
    /// Look whether events still reach the session, about once a second; why they do not, for a person, if so.
    fn tend(&mut self) -> Option<String> {
        None
    }
}

/// Interleaved f32 samples at 48 kHz, one call = one packet's worth. Blocks until that much has been heard (or its time
/// has passed: silence).
pub trait AudioSource: Send {
    fn read(&mut self, samples: &mut [f32]) -> Result<(), String>;
}

/// Open a source by name. `auto` takes Mutter where it answers on the session bus, KWin where it grants its protocol,
/// sway where it answers, a gamescope that is the session's compositor, a monitor of a compositor that lets it be copied and
/// takes input, else the portal, and never a pattern.
///
/// Blocks, for as long as a portal's dialogue is open; called from a plain thread without an async runtime, so a source
/// may start one of its own.
///
/// # Errors
/// [`SourceError::Unknown`] for a name outside [`NAMES`], otherwise what the source says.
pub fn open(name: &str, request: &SourceRequest) -> Result<Box<dyn Source>, SourceError> {
    match name {
        "auto" => {
            for direct in [
                mutter::open,
                kwin::open,
                sway::open,
                gamescope::open_session,
                wlroots::open_with_input,
            ] {
                match direct(request) {
                    Err(SourceError::Unavailable { name, why }) => {
                        tracing::info!(source = name, why, "not this source");
                    }
                    other => return other,
                }
            }
            portal::open(request)
        }
        synthetic::NAME => Ok(Box::new(synthetic::Synthetic::new(request, false)?)),
        synthetic::NAME_FAST => Ok(Box::new(synthetic::Synthetic::new(request, true)?)),
        portal::NAME => portal::open(request),
        mutter::NAME => mutter::open(request),
        kwin::NAME => kwin::open(request),
        sway::NAME => sway::open(request),
        wlroots::NAME => wlroots::open(request),
        gamescope::NAME => gamescope::open(request),
        other => Err(SourceError::Unknown(other.to_owned())),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub const SMALL: SourceRequest = SourceRequest {
        width: 640,
        height: 360,
        fps: 60,
        cursor: true,
        importable: Importable::NOTHING,
        inside: gamescope::Inside::Whatever,
        outputs: Outputs::Extend,
        monitor: Monitor::NONE,
        hdr: false,
    };

    #[test]
    fn an_unknown_source_is_refused_with_the_names_that_exist() {
        let Err(error) = open("webcam", &SMALL) else {
            panic!("opened a source that does not exist")
        };
        let text = error.to_string();
        assert!(text.contains("webcam"), "{text}");
        for name in NAMES {
            assert!(text.contains(name), "{text} does not name {name}");
        }
    }

    #[test]
    fn a_compositor_decides_what_auto_means_and_nothing_else() {
        assert_eq!(choose("auto", "auto").unwrap(), "auto");
        assert_eq!(choose("auto", "mutter").unwrap(), "mutter");
        assert_eq!(choose("auto", "sway").unwrap(), "sway");
        assert_eq!(choose("auto", "wlroots").unwrap(), "wlroots");
        assert_eq!(choose("synthetic", "sway").unwrap(), "synthetic");
        let text = choose("auto", "enlightenment").unwrap_err().to_string();
        assert!(
            text.contains("enlightenment") && text.contains("mutter"),
            "{text}"
        );
    }

    #[test]
    fn no_desktop_passes_for_hdr() {
        for name in NAMES.iter().chain(&["auto"]) {
            let gives = mastering(name).is_some();
            assert_eq!(gives, *name == "synthetic", "{name}");
            assert_eq!(gives, HDR_NAMES.contains(name));
        }
    }

    #[test]
    fn a_synthetic_source_opens_without_a_session() {
        let mut source = open("synthetic", &SMALL).unwrap();
        assert_eq!(source.audio(), AudioOrigin::Tone);
        assert!(source.painter().is_some());
    }
}
