//! A simulated `libva.so.2` and `libva-drm.so.2` in one library: libva with a driver behind it, and no card.
//!
//! It checks what libva documents and what drivers rely on: the life of every object, the order of calls, kinds and sizes of
//! buffers, numbers and references of pictures, and that the headers handed over say the same as the structures beside them.
//! What a real driver would refuse, or encode into a broken stream, is written into the [`books`] as a fault. The headers that
//! it is given are the headers of the stream that comes out: where they are wrong, nothing decodes it. Knobs: [`knobs`].
//!
//! The structures are the agent's own, which a test of the agent's compares with the real header.
#![allow(
    unsafe_code,
    clippy::missing_safety_doc,
    clippy::too_many_arguments,
    reason = "C's interface: the safety of each function is what libva documents for it"
)]

#[path = "../../../agent/src/encode/vaapi/abi/mod.rs"]
pub mod abi;
mod av1;
mod books;
mod display;
mod h264;
mod hevc;
mod images;
mod knobs;
mod objects;
mod pictures;
mod processing;
pub mod rig;
mod state;
mod stream;
mod surfaces;

/// libva's numbers for what went wrong.
mod status {
    pub const SUCCESS: i32 = 0;
    pub const OPERATION_FAILED: i32 = 1;
    pub const ALLOCATION_FAILED: i32 = 2;
    pub const INVALID_DISPLAY: i32 = 3;
    pub const INVALID_CONFIG: i32 = 4;
    pub const INVALID_CONTEXT: i32 = 5;
    pub const INVALID_SURFACE: i32 = 6;
    pub const INVALID_BUFFER: i32 = 7;
    pub const INVALID_IMAGE: i32 = 8;
    pub const ATTR_NOT_SUPPORTED: i32 = 0xa;
    pub const MAX_NUM_EXCEEDED: i32 = 0xb;
    pub const UNSUPPORTED_PROFILE: i32 = 0xc;
    pub const UNSUPPORTED_ENTRYPOINT: i32 = 0xd;
    pub const UNSUPPORTED_RT_FORMAT: i32 = 0xe;
    pub const INVALID_PARAMETER: i32 = 0x12;
    pub const RESOLUTION_NOT_SUPPORTED: i32 = 0x13;
    pub const INVALID_IMAGE_FORMAT: i32 = 0x16;
    pub const UNSUPPORTED_MEMORY_TYPE: i32 = 0x24;
}
