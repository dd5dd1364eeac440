//! Every object of the driver by its number, and what is wrong about how it is used.

use crate::{
    abi::{CodedSegment, Id},
    books,
    processing::Conversion,
    status::{INVALID_DISPLAY, OPERATION_FAILED},
    stream::{Decoded, Stream},
    surfaces::External,
};
use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

pub struct Display {
    pub initialised: bool,
    /// Its device is gone: nothing but letting go works.
    pub lost: bool,
}

pub struct Config {
    pub display: usize,
    pub profile: i32,
    /// Headers that are handed over.
    pub packed: u32,
}

/// Lines without padding.
pub struct Surface {
    pub display: usize,
    pub width: usize,
    pub height: usize,
    pub fourcc: u32,
    /// None where it is another program's memory.
    pub bytes: Vec<u8>,
    pub external: Option<External>,
    /// A conversion into it that nobody has waited for.
    pub unfinished: bool,
    /// A conversion into it that happens when it is encoded.
    pub put_off: Option<Conversion>,
    /// What was reconstructed in it last.
    pub decoded: Option<Decoded>,
}

pub struct Context {
    pub display: usize,
    pub config: Id,
    pub width: usize,
    pub height: usize,
    pub targets: Vec<Id>,
    /// The picture that was begun, from this surface.
    pub begun: Option<Id>,
    pub rendered: Vec<Id>,
    pub stream: Stream,
}

pub struct Buffer {
    pub display: usize,
    pub kind: i32,
    pub bytes: Vec<u8>,
    pub mapped: bool,
    /// Of a coded buffer, as the program sees it.
    pub segment: Option<Box<CodedSegment>>,
}

pub struct Image {
    pub display: usize,
    pub buffer: Id,
    pub width: usize,
    pub height: usize,
    /// Whose memory it shows.
    pub surface: Option<Id>,
}

#[derive(Default)]
pub struct State {
    last: u32,
    pub displays: HashMap<usize, Display>,
    pub configs: HashMap<Id, Config>,
    pub surfaces: HashMap<Id, Surface>,
    pub contexts: HashMap<Id, Context>,
    pub buffers: HashMap<Id, Buffer>,
    pub images: HashMap<Id, Image>,
    /// For encoding.
    pub contexts_opened: usize,
    /// Buffers of other programs so far.
    pub imports: usize,
    /// Pictures that came from the program's memory so far, through images.
    pub through_images: usize,
    /// Attempts to open a display that still have to fail after a loss.
    pub away: u64,
    /// Imports that still have to be refused after a loss.
    pub unsettled: u64,
}

// SAFETY: the pointers are those of coded buffers to their own bytes.
unsafe impl Send for State {}

static STATE: LazyLock<Mutex<State>> = LazyLock::new(Mutex::default);

/// One call at a time; a second one meanwhile would have to be on another display.
pub fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A refusal that is a fault of the program.
pub fn misuse(status: i32, text: &str) -> i32 {
    books::fault(&format!("{text} ({status:#x})"));
    status
}

impl State {
    /// A number that no other object has.
    pub fn number(&mut self) -> Id {
        self.last += 1;
        0x0400_0000 + self.last
    }

    /// Whether a call on this display is taken at all.
    pub fn ready(&self, display: usize) -> Result<(), i32> {
        match self.displays.get(&display) {
            Some(Display { lost: true, .. }) => Err(OPERATION_FAILED),
            Some(Display {
                initialised: true, ..
            }) => Ok(()),
            Some(_) => Err(misuse(INVALID_DISPLAY, "a display before vaInitialize")),
            None => Err(misuse(INVALID_DISPLAY, "a display that does not exist")),
        }
    }

    /// As [`Self::ready`], for letting go, which works on a lost device as well.
    pub fn known(&self, display: usize) -> Result<(), i32> {
        match self.ready(display) {
            Err(OPERATION_FAILED) => Ok(()),
            other => other,
        }
    }

    fn count(&self, of: impl Fn(&Surface) -> bool) -> usize {
        self.surfaces.values().filter(|surface| of(surface)).count()
    }

    /// The counts into the books.
    pub fn write(&self) {
        books::counts(&[
            ("displays", self.displays.len()),
            ("configs", self.configs.len()),
            ("contexts", self.contexts.len()),
            ("contexts_opened", self.contexts_opened),
            ("surfaces", self.surfaces.len()),
            ("imports", self.imports),
            ("through_images", self.through_images),
            ("imported", self.count(|surface| surface.external.is_some())),
            (
                "unfinished",
                self.count(|surface| surface.unfinished || surface.put_off.is_some()),
            ),
            ("buffers", self.buffers.len()),
            ("images", self.images.len()),
            (
                "mapped",
                self.buffers.values().filter(|buffer| buffer.mapped).count(),
            ),
        ]);
    }
}

/// What a call answers.
pub fn code(result: Result<(), i32>) -> i32 {
    result.err().unwrap_or(crate::status::SUCCESS)
}
