//! The structures of libva's interface, version 1, as they lie in memory, and as much of it as an encoder needs.
//!
//! Written anew, so that nothing of libva is needed to build. Every enumeration is a number: a newer driver may name what this
//! build does not know. A test compares sizes and places with the real header. Names follow that header, in Rust's spelling;
//! fields that nothing here uses are kept for their place.

mod av1;
mod encode;
mod h264;
mod hevc;
mod processing;

pub use av1::*;
pub use encode::*;
pub use h264::*;
pub use hevc::*;
pub use processing::*;

use std::ffi::{c_char, c_int, c_uint, c_void};

pub type Display = *mut c_void;
pub type Status = c_int;
pub type Id = u32;

pub const INVALID_ID: Id = 0xffff_ffff;

pub const PROFILE_H264_MAIN: c_int = 6;
pub const PROFILE_H264_HIGH: c_int = 7;
pub const PROFILE_H264_CONSTRAINED_BASELINE: c_int = 13;
pub const PROFILE_HEVC_MAIN: c_int = 17;
pub const PROFILE_AV1_MAIN: c_int = 32;

pub const ENTRY_ENC_SLICE: c_int = 6;
pub const ENTRY_ENC_SLICE_LP: c_int = 8;

pub const ATTRIB_RT_FORMAT: c_int = 0;
pub const ATTRIB_RATE_CONTROL: c_int = 5;
pub const ATTRIB_PACKED_HEADERS: c_int = 10;
pub const ATTRIB_MAX_WIDTH: c_int = 18;
pub const ATTRIB_MAX_HEIGHT: c_int = 19;
pub const ATTRIB_PREDICTION_DIRECTION: c_int = 39;
pub const ATTRIB_HEVC_FEATURES: c_int = 50;
pub const ATTRIB_HEVC_BLOCK_SIZES: c_int = 51;
pub const ATTRIB_AV1_FEATURES: c_int = 52;
pub const ATTRIB_AV1_SIZES: c_int = 54;
pub const NOT_SUPPORTED: u32 = 0x8000_0000;

pub const RT_FORMAT_YUV420: u32 = 1;
pub const RC_CBR: u32 = 2;
pub const RC_VBR: u32 = 4;
pub const PACKED_SEQUENCE: u32 = 1;
pub const PACKED_PICTURE: u32 = 2;
pub const PACKED_SLICE: u32 = 4;
pub const PREDICTION_BI_NOT_EMPTY: u32 = 4;

pub const FOURCC_NV12: u32 = 0x3231_564e;
pub const LSB_FIRST: u32 = 1;
pub const PROGRESSIVE: c_int = 1;

pub const SURFACE_ATTRIB_PIXEL_FORMAT: c_int = 1;
pub const SURFACE_ATTRIB_SETTABLE: u32 = 2;
pub const VALUE_INTEGER: c_int = 1;

/// Types whose memory may be all zeros.
///
/// # Safety
/// Every field must allow that.
pub unsafe trait Plain: Sized {
    fn zeroed() -> Self {
        // SAFETY: what implementing this promises.
        unsafe { std::mem::zeroed() }
    }
}

macro_rules! plain {
    ($($name:ty),* $(,)?) => {
        $(
            // SAFETY: numbers, arrays of numbers and null pointers.
            unsafe impl Plain for $name {}
        )*
    };
}
pub(super) use plain;

#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct ConfigAttrib {
    pub kind: c_int,
    pub value: u32,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct SurfaceAttrib {
    pub kind: c_int,
    pub flags: u32,
    pub value: GenericValue,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct GenericValue {
    pub kind: c_int,
    pub of: GenericUnion,
}

/// Which one it is, is said beside it.
#[derive(Clone, Copy)]
#[repr(C)]
pub union GenericUnion {
    pub integer: i32,
    pub pointer: *mut c_void,
}

impl SurfaceAttrib {
    /// To be set: a number.
    pub fn number(kind: c_int, integer: i32) -> Self {
        Self::set(kind, VALUE_INTEGER, GenericUnion { integer })
    }

    /// To be set: the address of what outlives the call.
    pub fn address(kind: c_int, pointer: *mut c_void) -> Self {
        Self::set(kind, VALUE_POINTER, GenericUnion { pointer })
    }

    fn set(kind: c_int, of_kind: c_int, of: GenericUnion) -> Self {
        Self {
            kind,
            flags: SURFACE_ATTRIB_SETTABLE,
            value: GenericValue { kind: of_kind, of },
        }
    }

    /// The number that it holds, if it is one.
    pub fn integer(&self) -> Option<i32> {
        match self.value.kind {
            // SAFETY: the kind says that it is the integer; any bits are one.
            VALUE_INTEGER => Some(unsafe { self.value.of.integer }),
            _ => None,
        }
    }

    /// The address that it holds, if it is one.
    pub fn pointer(&self) -> Option<*mut c_void> {
        match self.value.kind {
            // SAFETY: the kind says that it is the pointer, which is not followed here.
            VALUE_POINTER => Some(unsafe { self.value.of.pointer }),
            _ => None,
        }
    }
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ImageFormat {
    pub fourcc: u32,
    pub byte_order: u32,
    pub bits_per_pixel: u32,
    pub depth: u32,
    pub masks: [u32; 4],
    pub reserved: [u32; 4],
}

#[repr(C)]
pub struct Image {
    pub image_id: Id,
    pub format: ImageFormat,
    pub buf: Id,
    pub width: u16,
    pub height: u16,
    pub data_size: u32,
    pub num_planes: u32,
    pub pitches: [u32; 3],
    pub offsets: [u32; 3],
    pub num_palette_entries: i32,
    pub entry_bytes: i32,
    pub component_order: [i8; 4],
    pub reserved: [u32; 4],
}

plain!(ImageFormat, Image, SurfaceAttrib);

pub type GetDisplayDrm = unsafe extern "C" fn(c_int) -> Display;
pub type MessageCallback = Option<unsafe extern "C" fn(*mut c_void, *const c_char)>;
pub type SetCallback =
    unsafe extern "C" fn(Display, MessageCallback, *mut c_void) -> MessageCallback;
pub type Initialize = unsafe extern "C" fn(Display, *mut c_int, *mut c_int) -> Status;
pub type OnDisplay = unsafe extern "C" fn(Display) -> Status;
pub type MaxCount = unsafe extern "C" fn(Display) -> c_int;
pub type Text = unsafe extern "C" fn(Display) -> *const c_char;
pub type QueryProfiles = unsafe extern "C" fn(Display, *mut c_int, *mut c_int) -> Status;
pub type QueryEntrypoints = unsafe extern "C" fn(Display, c_int, *mut c_int, *mut c_int) -> Status;
pub type GetAttributes =
    unsafe extern "C" fn(Display, c_int, c_int, *mut ConfigAttrib, c_int) -> Status;
pub type CreateConfig =
    unsafe extern "C" fn(Display, c_int, c_int, *mut ConfigAttrib, c_int, *mut Id) -> Status;
pub type OnId = unsafe extern "C" fn(Display, Id) -> Status;
pub type CreateSurfaces = unsafe extern "C" fn(
    Display,
    c_uint,
    c_uint,
    c_uint,
    *mut Id,
    c_uint,
    *mut SurfaceAttrib,
    c_uint,
) -> Status;
pub type DestroySurfaces = unsafe extern "C" fn(Display, *mut Id, c_int) -> Status;
pub type CreateContext =
    unsafe extern "C" fn(Display, Id, c_int, c_int, c_int, *mut Id, c_int, *mut Id) -> Status;
pub type CreateBuffer =
    unsafe extern "C" fn(Display, Id, c_int, c_uint, c_uint, *mut c_void, *mut Id) -> Status;
pub type MapBuffer = unsafe extern "C" fn(Display, Id, *mut *mut c_void) -> Status;
pub type BeginPicture = unsafe extern "C" fn(Display, Id, Id) -> Status;
pub type RenderPicture = unsafe extern "C" fn(Display, Id, *mut Id, c_int) -> Status;
pub type CreateImage =
    unsafe extern "C" fn(Display, *mut ImageFormat, c_int, c_int, *mut Image) -> Status;
pub type DeriveImage = unsafe extern "C" fn(Display, Id, *mut Image) -> Status;
pub type PutImage = unsafe extern "C" fn(
    Display,
    Id,
    Id,
    c_int,
    c_int,
    c_uint,
    c_uint,
    c_int,
    c_int,
    c_uint,
    c_uint,
) -> Status;
