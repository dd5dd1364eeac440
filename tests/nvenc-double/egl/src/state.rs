//! What exists: images, contexts with their textures, and who is current where.

use crate::{books, image::Image};
use std::{
    cell::Cell,
    collections::HashMap,
    ffi::c_int,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

thread_local! {
    /// The context that is current on this thread, 0 without one.
    pub static CURRENT: Cell<usize> = const { Cell::new(0) };
    /// What the last call ended with, where it was none of the library underneath.
    pub static ERROR: Cell<c_int> = const { Cell::new(0) };
}

/// The card's own format, and how large.
#[derive(Debug, Clone, Copy)]
pub struct Storage {
    pub channels: usize,
    pub width: usize,
    pub height: usize,
}

#[derive(Default)]
pub struct Texture {
    pub storage: Option<Storage>,
    pub image: Option<Image>,
    /// CUDA has it.
    pub mapped: bool,
}

#[derive(Default)]
pub struct State {
    pub images: HashMap<usize, Image>,
    /// Those so far.
    pub imports: usize,
    /// With what was made in each.
    pub contexts: HashMap<usize, HashMap<u32, Texture>>,
    pub contexts_made: usize,
    /// How often one became current.
    pub entered: usize,
    /// Pictures drawn from buffers that nobody waited for.
    pub unfinished: usize,
}

static STATE: LazyLock<Mutex<State>> = LazyLock::new(Mutex::default);

pub fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    pub fn write(&self) {
        books::counts(&[
            ("images", self.images.len()),
            ("imports", self.imports),
            ("gl_contexts", self.contexts.len()),
            ("gl_contexts_made", self.contexts_made),
            ("textures", self.contexts.values().map(HashMap::len).sum()),
            ("unfinished", self.unfinished),
        ]);
    }

    /// The textures of the context that is current; a fault where there is none.
    pub fn textures(&mut self) -> Option<&mut HashMap<u32, Texture>> {
        let found = self.contexts.get_mut(&CURRENT.get());
        if found.is_none() {
            books::fault("OpenGL was used on a thread without a context");
        }
        found
    }
}
