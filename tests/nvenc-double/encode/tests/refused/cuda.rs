//! Contexts, memory and copies.

use crate::card::{Card, Handle, Mistake};
use std::ptr;

/// CUDA_MEMCPY2D.
#[repr(C)]
#[derive(Clone, Copy)]
struct Copy2d {
    source: [usize; 2],
    source_type: u32,
    source_host: *const u8,
    source_device: u64,
    source_array: Handle,
    source_pitch: usize,
    target: [usize; 2],
    target_type: u32,
    target_host: *mut u8,
    target_device: u64,
    target_array: Handle,
    target_pitch: usize,
    width: usize,
    height: usize,
}

const LINE: usize = 64;
const LINES: usize = 4;

/// Lines of the host's to the card, on a thread that has entered `context`.
fn copy(card: &Card, spoil: fn(&mut Copy2d)) -> u32 {
    let context = card.context();
    let (memory, pitch) = card.memory(context, LINE, LINES);
    card.enter(context);
    let status = bring(card, memory, pitch, spoil);
    card.leave();
    status
}

fn bring(card: &Card, memory: u64, pitch: usize, spoil: fn(&mut Copy2d)) -> u32 {
    let host = [1u8; LINE * LINES];
    let mut wanted = Copy2d {
        source: [0; 2],
        source_type: 1,
        source_host: host.as_ptr(),
        source_device: 0,
        source_array: ptr::null_mut(),
        source_pitch: LINE,
        target: [0; 2],
        target_type: 2,
        target_host: ptr::null_mut(),
        target_device: memory,
        target_array: ptr::null_mut(),
        target_pitch: pitch,
        width: LINE,
        height: LINES,
    };
    spoil(&mut wanted);
    cu!(card, cuMemcpy2D_v2: fn(*const Copy2d) -> i32; &raw const wanted)
}

fn free(card: &Card, memory: u64) -> u32 {
    cu!(card, cuMemFree_v2: fn(u64) -> i32; memory)
}

/// On a thread that has entered a context.
fn inside(card: &Card, wrong: fn(&Card) -> u32) -> u32 {
    card.enter(card.context());
    let status = wrong(card);
    card.leave();
    status
}

pub const MISTAKES: &[Mistake] = &[
    (
        "anything before cuInit",
        |card| {
            let mut count = 0;
            cu!(card, cuDeviceGetCount: fn(*mut i32) -> i32; &raw mut count)
        },
        3,
        "CUDA was used before cuInit",
    ),
    (
        "cuInit with flags",
        |card| cu!(card, cuInit: fn(u32) -> i32; 1),
        1,
        "cuInit takes no flags",
    ),
    (
        "a card that does not exist",
        |card| {
            card.context();
            let mut found = 0;
            cu!(card, cuDeviceGet: fn(*mut i32, i32) -> i32; &raw mut found, 1)
        },
        101,
        "a card was asked for that does not exist",
    ),
    (
        "a result without a place for it",
        |card| cu!(card, cuDeviceGetCount: fn(*mut i32) -> i32; ptr::null_mut()),
        1,
        "a result was asked for without a place for it",
    ),
    (
        "memory on a thread without a context",
        |card| {
            let (mut memory, mut pitch) = (0, 0);
            cu!(card, cuMemAllocPitch_v2: fn(*mut u64, *mut usize, usize, usize, u32) -> i32;
                &raw mut memory, &raw mut pitch, LINE, LINES, 16)
        },
        201,
        "memory was touched on a thread without a context",
    ),
    (
        "an allocation of nothing",
        |card| {
            inside(card, |card| {
                let (mut memory, mut pitch) = (0, 0);
                cu!(card, cuMemAllocPitch_v2: fn(*mut u64, *mut usize, usize, usize, u32) -> i32;
                    &raw mut memory, &raw mut pitch, LINE, 0, 16)
            })
        },
        1,
        "an allocation of nothing",
    ),
    (
        "a context popped where none is",
        |card| {
            let mut popped = ptr::null_mut();
            cu!(card, cuCtxPopCurrent_v2: fn(*mut Handle) -> i32; &raw mut popped)
        },
        201,
        "a context was popped on a thread that has none",
    ),
    (
        "a context entered that is gone",
        |card| {
            let context = card.context();
            let gone = cu!(card, cuCtxDestroy_v2: fn(Handle) -> i32; context);
            assert_eq!(gone, 0);
            cu!(card, cuCtxPushCurrent_v2: fn(Handle) -> i32; context)
        },
        201,
        "a context was named that does not exist",
    ),
    (
        "a context destroyed twice",
        |card| {
            let context = card.context();
            let gone = cu!(card, cuCtxDestroy_v2: fn(Handle) -> i32; context);
            assert_eq!(gone, 0);
            cu!(card, cuCtxDestroy_v2: fn(Handle) -> i32; context)
        },
        201,
        "a context was destroyed that does not exist",
    ),
    (
        "a context destroyed with pinned memory in use",
        |card| {
            let context = card.context();
            card.enter(context);
            let mut pinned = ptr::null_mut();
            let made = cu!(card, cuMemHostAlloc: fn(*mut Handle, usize, u32) -> i32; &raw mut pinned, 64, 0);
            assert_eq!(made, 0);
            card.leave();
            cu!(card, cuCtxDestroy_v2: fn(Handle) -> i32; context)
        },
        0,
        "a context was destroyed with 1 pinned buffers or textures in use",
    ),
    (
        "memory freed twice",
        |card| {
            let context = card.context();
            let (memory, _) = card.memory(context, LINE, LINES);
            card.enter(context);
            assert_eq!(free(card, memory), 0);
            let status = free(card, memory);
            card.leave();
            status
        },
        1,
        "memory was freed that is not allocated",
    ),
    (
        "pinned memory freed that is none",
        |card| {
            inside(card, |card| {
                let nobodys: Handle = ptr::without_provenance_mut(0x1000);
                cu!(card, cuMemFreeHost: fn(Handle) -> i32; nobodys)
            })
        },
        1,
        "pinned memory was freed that is not allocated",
    ),
    (
        "a copy of lines that overlap",
        |card| copy(card, |wanted| wanted.target_pitch = LINE - 1),
        1,
        "a copy with lines that overlap",
    ),
    (
        "a copy beyond the end",
        |card| {
            copy(card, |wanted| {
                // the target begins on its last line
                wanted.target_device += 3 * wanted.target_pitch as u64;
            })
        },
        1,
        "a copy beyond the end of its memory",
    ),
    (
        "a copy to memory that is nobody's",
        |card| copy(card, |wanted| wanted.target_device = 0x1000),
        1,
        "a copy to or from memory that is not allocated",
    ),
    (
        "a copy to memory that was freed",
        |card| {
            let context = card.context();
            let (memory, pitch) = card.memory(context, LINE, LINES);
            card.enter(context);
            assert_eq!(free(card, memory), 0);
            let status = bring(card, memory, pitch, |_| {});
            card.leave();
            status
        },
        1,
        "a copy to or from memory that is not allocated",
    ),
    (
        "a copy to another context's memory",
        |card| {
            let (memory, pitch) = card.memory(card.context(), LINE, LINES);
            card.enter(card.context());
            let status = bring(card, memory, pitch, |_| {});
            card.leave();
            status
        },
        1,
        "a copy to or from another context's memory",
    ),
    (
        "a copy on a thread without a context",
        |card| {
            let (memory, pitch) = card.memory(card.context(), LINE, LINES);
            bring(card, memory, pitch, |_| {})
        },
        201,
        "memory was touched on a thread without a context",
    ),
    (
        "a texture on a thread without OpenGL",
        |card| {
            inside(card, |card| {
                let mut resource = ptr::null_mut();
                cu!(card, cuGraphicsGLRegisterImage: fn(*mut Handle, u32, u32, u32) -> i32;
                    &raw mut resource, 1, 0x0de1, 1)
            })
        },
        201,
        "a texture was registered on a thread without a context of OpenGL",
    ),
    (
        "a texture unregistered that is not registered",
        |card| {
            inside(card, |card| {
                let nobodys: Handle = ptr::without_provenance_mut(0x1000);
                cu!(card, cuGraphicsUnregisterResource: fn(Handle) -> i32; nobodys)
            })
        },
        1,
        "a texture was unregistered that is not registered",
    ),
    (
        "a texture mapped that is not registered",
        |card| {
            inside(card, |card| {
                let mut nobodys: Handle = ptr::without_provenance_mut(0x1000);
                cu!(card, cuGraphicsMapResources: fn(u32, *mut Handle, Handle) -> i32;
                    1, &raw mut nobodys, ptr::null_mut())
            })
        },
        1,
        "something was mapped or unmapped that is not registered",
    ),
    (
        "the array of a texture that is not mapped",
        |card| {
            inside(card, |card| {
                let mut array = ptr::null_mut();
                let nobodys: Handle = ptr::without_provenance_mut(0x1000);
                cu!(card, cuGraphicsSubResourceGetMappedArray: fn(*mut Handle, Handle, u32, u32) -> i32;
                    &raw mut array, nobodys, 0, 0)
            })
        },
        211,
        "an array of a texture that is not mapped",
    ),
];
