//! The simulated card: contexts, memory that no program can touch directly, pinned memory, and who is current where.

use crate::{books, interop::Resource};
use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

pub const SUCCESS: i32 = 0;
pub const INVALID_VALUE: i32 = 1;
pub const NOT_INITIALIZED: i32 = 3;
pub const NO_DEVICE: i32 = 100;
pub const INVALID_DEVICE: i32 = 101;
pub const INVALID_CONTEXT: i32 = 201;
/// What a lost device answers ever after.
pub const LOST: i32 = 999;

/// Lines of device memory begin at multiples of this.
const PITCH: usize = 512;
/// Device addresses begin here: nothing of the process is there, so that a program that touches them dies.
const FIRST_ADDRESS: u64 = 0x70_0000_0000;

thread_local! {
    /// The stack of current contexts of this thread.
    static CURRENT: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

struct Memory {
    context: usize,
    bytes: Vec<u8>,
}

#[derive(Default)]
pub struct Device {
    pub initialised: bool,
    next: usize,
    /// Whether each is lost.
    contexts: HashMap<usize, bool>,
    memory: HashMap<u64, Memory>,
    next_address: u64,
    pinned: HashMap<usize, (usize, Vec<u64>)>,
    /// Textures of OpenGL's.
    pub resources: HashMap<usize, Resource>,
    next_handle: usize,
    /// Copies to the card so far: from the host's memory, from textures.
    pub copies: [usize; 2],
}

static DEVICE: LazyLock<Mutex<Device>> = LazyLock::new(Mutex::default);

pub fn device() -> MutexGuard<'static, Device> {
    DEVICE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many cards there are.
pub fn cards() -> i32 {
    let knob = std::env::var("CUDA_DOUBLE_CARDS").ok();
    knob.and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// A refusal that a correct program never gets.
pub fn misuse(code: i32, text: &str) -> i32 {
    books::fault(text);
    code
}

impl Device {
    /// A handle, not an address.
    pub fn handle(&mut self, base: usize) -> usize {
        self.next_handle += 0x10;
        base + self.next_handle
    }

    pub fn write(&self) {
        books::counts(&[
            ("contexts", self.contexts.len()),
            ("contexts_made", self.next),
            ("memory", self.memory.len()),
            ("pinned", self.pinned.len()),
            ("shared_textures", self.resources.len()),
            ("copies_from_host", self.copies[0]),
            ("copies_from_textures", self.copies[1]),
        ]);
    }

    pub fn create_context(&mut self) -> usize {
        self.next += 1;
        // a handle, not an address
        let context = 0xc000 + self.next;
        self.contexts.insert(context, false);
        CURRENT.with_borrow_mut(|stack| stack.push(context));
        self.write();
        context
    }

    pub fn destroy_context(&mut self, context: usize) -> i32 {
        let Some(lost) = self.contexts.remove(&context) else {
            return misuse(
                INVALID_CONTEXT,
                "a context was destroyed that does not exist",
            );
        };
        CURRENT.with_borrow_mut(|stack| stack.retain(|current| *current != context));
        // what was allocated goes with it
        self.memory.retain(|_, memory| memory.context != context);
        let before = self.pinned.len();
        self.pinned.retain(|_, (owner, _)| *owner != context);
        let shared = self.resources.len();
        (self.resources).retain(|_, resource| resource.context != context);
        let left = before - self.pinned.len() + shared - self.resources.len();
        self.write();
        if left > 0 && !lost {
            books::fault(&format!(
                "a context was destroyed with {left} pinned buffers or textures in use"
            ));
        }
        SUCCESS
    }

    /// Whether the context exists, and is not lost.
    pub fn state(&self, context: usize) -> i32 {
        match self.contexts.get(&context) {
            Some(false) => SUCCESS,
            Some(true) => LOST,
            None => misuse(INVALID_CONTEXT, "a context was named that does not exist"),
        }
    }

    pub fn push(&mut self, context: usize) -> i32 {
        let state = self.state(context);
        if state == SUCCESS {
            CURRENT.with_borrow_mut(|stack| stack.push(context));
        }
        state
    }

    pub fn pop(&mut self) -> Result<usize, i32> {
        CURRENT.with_borrow_mut(Vec::pop).ok_or_else(|| {
            misuse(
                INVALID_CONTEXT,
                "a context was popped on a thread that has none",
            )
        })
    }

    pub fn current(&self) -> Option<usize> {
        CURRENT.with_borrow(|stack| stack.last().copied())
    }

    /// The current context, if it works: what everything that touches memory needs.
    pub fn working(&self) -> Result<usize, i32> {
        let Some(context) = self.current() else {
            return Err(misuse(
                INVALID_CONTEXT,
                "memory was touched on a thread without a context",
            ));
        };
        match self.state(context) {
            SUCCESS => Ok(context),
            code => Err(code),
        }
    }

    pub fn lose(&mut self, context: usize) {
        self.contexts.insert(context, true);
    }

    pub fn alloc(&mut self, line: usize, lines: usize) -> Result<(u64, usize), i32> {
        let context = self.working()?;
        if line == 0 || lines == 0 {
            return Err(misuse(INVALID_VALUE, "an allocation of nothing"));
        }
        let pitch = line.next_multiple_of(PITCH);
        let address = self.next_address.max(FIRST_ADDRESS);
        let bytes = vec![0xa5; pitch * lines];
        self.next_address = address + (bytes.len() as u64).next_multiple_of(1 << 16);
        self.memory.insert(address, Memory { context, bytes });
        self.write();
        Ok((address, pitch))
    }

    pub fn free(&mut self, address: u64) -> i32 {
        if let Err(code) = self.working() {
            return code;
        }
        match self.memory.remove(&address) {
            Some(_) => {
                self.write();
                SUCCESS
            }
            None => misuse(INVALID_VALUE, "memory was freed that is not allocated"),
        }
    }

    pub fn pin(&mut self, bytes: usize) -> Result<usize, i32> {
        let context = self.working()?;
        let mut memory = vec![0xa5a5_a5a5_a5a5_a5a5u64; bytes.div_ceil(8).max(1)];
        let address = memory.as_mut_ptr() as usize;
        self.pinned.insert(address, (context, memory));
        self.write();
        Ok(address)
    }

    pub fn unpin(&mut self, address: usize) -> i32 {
        if let Err(code) = self.working() {
            return code;
        }
        match self.pinned.remove(&address) {
            Some(_) => {
                self.write();
                SUCCESS
            }
            None => misuse(
                INVALID_VALUE,
                "pinned memory was freed that is not allocated",
            ),
        }
    }

    /// Where the allocation with this address begins, and its bytes.
    pub fn range(&self, address: u64) -> Option<(u64, usize)> {
        let mut all = self.memory.iter();
        all.find(|(base, memory)| (**base..**base + memory.bytes.len() as u64).contains(&address))
            .map(|(base, memory)| (*base, memory.bytes.len()))
    }

    /// The bytes from an address on, which must belong to the current context.
    pub fn bytes(&mut self, address: u64, length: usize) -> Result<&mut [u8], i32> {
        let context = self.working()?;
        let (base, _) = self.range(address).ok_or_else(|| {
            misuse(
                INVALID_VALUE,
                "a copy to or from memory that is not allocated",
            )
        })?;
        let memory = self.memory.get_mut(&base).expect("just found");
        if memory.context != context {
            return Err(misuse(
                INVALID_VALUE,
                "a copy to or from another context's memory",
            ));
        }
        let start = (address - base) as usize;
        memory
            .bytes
            .get_mut(start..start + length)
            .ok_or_else(|| misuse(INVALID_VALUE, "a copy beyond the end of its memory"))
    }
}
