//! The structures of NVENC's interface, version 12.1, as they lie in memory.
//!
//! Written anew instead of taken from bindings, for one reason: those have Rust enums where the driver writes numbers, and
//! a newer driver's number that such an enum does not know is undefined behaviour. Here every enumeration is a `u32`, every
//! status an `i32`. A test compares sizes and offsets with bindings generated from NVIDIA's header. Names follow that header,
//! in Rust's spelling; fields that nothing here uses are kept for their place.

mod configuration;
mod functions;
mod pictures;

pub use configuration::*;
pub use functions::*;
pub use pictures::*;

use std::ffi::c_void;

/// Version of the interface: what every structure says it was written for.
pub const MAJOR: u32 = 12;
pub const MINOR: u32 = 1;
pub const API_VERSION: u32 = MAJOR | MINOR << 24;

const fn version(structure: u32) -> u32 {
    API_VERSION | structure << 16 | 7 << 28
}
/// For structures that hold others with a version of their own.
const fn version_of_many(structure: u32) -> u32 {
    version(structure) | 1 << 31
}

pub const FUNCTION_LIST_VERSION: u32 = version(2);
pub const OPEN_SESSION_VERSION: u32 = version(1);
pub const CAPS_VERSION: u32 = version(1);
pub const RC_VERSION: u32 = version(1);
pub const CONFIG_VERSION: u32 = version_of_many(8);
pub const INITIALIZE_VERSION: u32 = version_of_many(6);
pub const RECONFIGURE_VERSION: u32 = version_of_many(1);
pub const PRESET_CONFIG_VERSION: u32 = version_of_many(4);
pub const PICTURE_VERSION: u32 = version_of_many(6);
pub const LOCK_BITSTREAM_VERSION: u32 = version_of_many(1);
pub const CREATE_BITSTREAM_VERSION: u32 = version(1);
pub const REGISTER_VERSION: u32 = version(4);
pub const MAP_VERSION: u32 = version(4);

pub type Status = i32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Guid(pub u32, pub u16, pub u16, pub [u8; 8]);

pub const CODEC_H264: Guid = Guid(
    0x6bc8_2762,
    0x4e63,
    0x4ca4,
    *b"\xaa\x85\x1e\x50\xf3\x21\xf6\xbf",
);
pub const CODEC_HEVC: Guid = Guid(
    0x790c_dc88,
    0x4522,
    0x4d7b,
    *b"\x94\x25\xbd\xa9\x97\x5f\x76\x03",
);
pub const CODEC_AV1: Guid = Guid(
    0x0a35_2289,
    0x0aa7,
    0x4759,
    *b"\x86\x2d\x5d\x15\xcd\x16\xd2\x54",
);
pub const PROFILE_H264_HIGH: Guid = Guid(
    0xe7cb_c309,
    0x4f7a,
    0x4b89,
    *b"\xaf\x2a\xd5\x37\xc9\x2b\xe3\x10",
);
pub const PROFILE_H264_HIGH_444: Guid = Guid(
    0x7ac6_63cb,
    0xa598,
    0x4960,
    *b"\xb8\x44\x33\x9b\x26\x1a\x7d\x52",
);
pub const PROFILE_HEVC_MAIN: Guid = Guid(
    0xb514_c39a,
    0xb55b,
    0x40fa,
    *b"\x87\x8f\xf1\x25\x3b\x4d\xfd\xec",
);
pub const PROFILE_HEVC_MAIN10: Guid = Guid(
    0xfa4d_2b6c,
    0x3a5b,
    0x411a,
    *b"\x80\x18\x0a\x3f\x5e\x3c\x9b\xe5",
);
pub const PROFILE_HEVC_FREXT: Guid = Guid(
    0x51ec_32b5,
    0x1b4c,
    0x453c,
    *b"\x9c\xbd\xb6\x16\xbd\x62\x13\x41",
);
pub const PROFILE_AV1_MAIN: Guid = Guid(
    0x5f2a_39f5,
    0xf14e,
    0x4f95,
    *b"\x9a\x9e\xb7\x6d\x56\x8f\xcf\x97",
);
/// The fastest preset.
pub const PRESET_P1: Guid = Guid(
    0xfc0a_8d3e,
    0x45f8,
    0x4cf8,
    *b"\x80\xc7\x29\x88\x71\x59\x0e\xbf",
);

pub const TUNING_ULTRA_LOW_LATENCY: u32 = 3;
pub const DEVICE_TYPE_CUDA: u32 = 1;
pub const RESOURCE_CUDA_DEVICE_POINTER: u32 = 1;
pub const RC_CBR: u32 = 2;
pub const INFINITE_GOP: u32 = u32::MAX;
pub const PICTURE_STRUCT_FRAME: u32 = 1;
pub const PICTURE_TYPE_IDR: u32 = 3;
pub const FLAG_FORCE_IDR: u32 = 2;
pub const FLAG_OUTPUT_PARAMETER_SETS: u32 = 4;
pub const SLICES_PER_PICTURE: u32 = 3;

pub const FORMAT_NV12: u32 = 0x1;
pub const FORMAT_YUV444: u32 = 0x1000;
pub const FORMAT_YUV420_10: u32 = 0x1_0000;
pub const FORMAT_YUV444_10: u32 = 0x10_0000;

pub const CAP_WIDTH_MAX: u32 = 16;
pub const CAP_HEIGHT_MAX: u32 = 17;
pub const CAP_DYNAMIC_BITRATE: u32 = 20;
pub const CAP_SUB_FRAME_READBACK: u32 = 23;
pub const CAP_CUSTOM_VBV: u32 = 26;
pub const CAP_INVALIDATION: u32 = 28;
pub const CAP_BLOCKS_MAX: u32 = 31;
pub const CAP_BLOCKS_PER_SECOND_MAX: u32 = 32;
pub const CAP_YUV444: u32 = 33;
pub const CAP_10_BIT: u32 = 39;
pub const CAP_WIDTH_MIN: u32 = 45;
pub const CAP_HEIGHT_MIN: u32 = 46;

/// Bits of [`Initialize::flags`].
pub const REPORT_SLICE_OFFSETS: u32 = 1;
pub const ENABLE_SUB_FRAME_WRITE: u32 = 1 << 1;
/// Bit of [`LockBitstream::flags`].
pub const LOCK_DO_NOT_WAIT: u32 = 1;
/// [`LockBitstream::hw_status`] of a picture that is done.
pub const HW_STATUS_DONE: u32 = 2;
/// Bits of [`RcParams::flags`].
pub const RC_ENABLE_AQ: u32 = 1 << 3;
pub const RC_LOOKAHEAD: u32 = 1 << 5;
pub const RC_TEMPORAL_AQ: u32 = 1 << 8;
pub const RC_ZERO_REORDER_DELAY: u32 = 1 << 9;
/// Bits of [`ConfigH264::flags`].
pub const H264_OUTPUT_AUD: u32 = 1 << 6;
pub const H264_INTRA_REFRESH: u32 = 1 << 10;
pub const H264_REPEAT_PARAMETER_SETS: u32 = 1 << 12;
/// Bits of [`ConfigHevc::flags`].
pub const HEVC_OUTPUT_AUD: u32 = 1 << 4;
pub const HEVC_REPEAT_PARAMETER_SETS: u32 = 1 << 7;
pub const HEVC_INTRA_REFRESH: u32 = 1 << 8;
pub const HEVC_CHROMA_FORMAT_SHIFT: u32 = 9;
pub const HEVC_BIT_DEPTH_SHIFT: u32 = 11;
/// The driver chooses; 0 would be level 2.0, unlike for the other codecs.
pub const AV1_LEVEL_AUTOSELECT: u32 = 24;
/// Bits of [`ConfigAv1::flags`].
pub const AV1_REPEAT_SEQUENCE_HEADER: u32 = 1 << 5;
pub const AV1_INTRA_REFRESH: u32 = 1 << 6;
pub const AV1_CHROMA_FORMAT_SHIFT: u32 = 7;
pub const AV1_INPUT_BIT_DEPTH_SHIFT: u32 = 12;
pub const AV1_BIT_DEPTH_SHIFT: u32 = 15;

/// A structure for which zeroes are a value: numbers, arrays and pointers only.
///
/// # Safety
/// No field may have a niche (references, Rust enums, function pointers outside of `Option`).
pub unsafe trait Plain: Copy {
    fn zeroed() -> Self {
        // SAFETY: what the trait's contract says.
        unsafe { std::mem::zeroed() }
    }
}

macro_rules! plain {
    ($($name:ident)*) => {
        $(
            // SAFETY: numbers, arrays and raw pointers alone, see below.
            unsafe impl Plain for $name {}
        )*
    };
}
plain!(OpenSession Caps Vui Config PresetConfig Initialize Reconfigure CreateBitstream
    RegisterResource MapResource Picture LockBitstream FunctionList);

#[derive(Clone, Copy)]
#[repr(C)]
pub struct OpenSession {
    pub version: u32,
    pub device_type: u32,
    pub device: *mut c_void,
    pub reserved: *mut c_void,
    pub api_version: u32,
    pub reserved1: [u32; 253],
    pub reserved2: [*mut c_void; 64],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct Caps {
    pub version: u32,
    pub caps_to_query: u32,
    pub reserved: [u32; 62],
}
