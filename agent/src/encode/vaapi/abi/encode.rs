//! What all codecs share: kinds of buffers, rate control, packed headers, the coded buffer.

use super::{Id, Plain, plain};
use std::ffi::{c_int, c_void};

pub const BUFFER_CODED: c_int = 21;
pub const BUFFER_SEQUENCE: c_int = 22;
pub const BUFFER_PICTURE: c_int = 23;
pub const BUFFER_SLICE: c_int = 24;
pub const BUFFER_PACKED_PARAMETER: c_int = 25;
pub const BUFFER_PACKED_DATA: c_int = 26;
pub const BUFFER_MISC: c_int = 27;

pub const MISC_FRAME_RATE: u32 = 0;
pub const MISC_RATE_CONTROL: u32 = 1;
pub const MISC_HRD: u32 = 5;

pub const HEADER_SEQUENCE: u32 = 1;
pub const HEADER_PICTURE: u32 = 2;
pub const HEADER_SLICE: u32 = 3;

/// Parts of a coded buffer's status that spoil the picture.
pub const CODED_SLICE_OVERFLOW: u32 = 0x200;
pub const CODED_BAD_BITSTREAM: u32 = 0x8000;

#[repr(C)]
pub struct PackedHeader {
    pub kind: u32,
    pub bit_length: u32,
    pub has_emulation_bytes: u8,
    pub reserved: [u32; 4],
}

/// A structure for rate control with its kind in front of it.
#[repr(C)]
pub struct Misc<T> {
    pub kind: u32,
    pub data: T,
}

pub const RC_DISABLE_FRAME_SKIP: u32 = 1 << 1;
pub const RC_DISABLE_BIT_STUFFING: u32 = 1 << 2;

#[repr(C)]
pub struct RateControl {
    pub bits_per_second: u32,
    pub target_percentage: u32,
    /// Milliseconds.
    pub window_size: u32,
    pub initial_qp: u32,
    pub min_qp: u32,
    pub basic_unit_size: u32,
    pub flags: u32,
    pub icq_quality_factor: u32,
    pub max_qp: u32,
    pub quality_factor: u32,
    pub target_frame_size: u32,
    pub reserved: [u32; 4],
}

#[repr(C)]
pub struct FrameRate {
    /// Numerator, with the denominator in the upper half.
    pub framerate: u32,
    pub flags: u32,
    pub reserved: [u32; 4],
}

/// Bits.
#[repr(C)]
pub struct Hrd {
    pub initial_buffer_fullness: u32,
    pub buffer_size: u32,
    pub reserved: [u32; 4],
}

#[repr(C)]
pub struct CodedSegment {
    pub size: u32,
    pub bit_offset: u32,
    pub status: u32,
    pub reserved: u32,
    pub buf: *mut c_void,
    pub next: *mut c_void,
    pub va_reserved: [u32; 4],
}

/// A surface and its place in H.264's numbering.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct PictureH264 {
    pub picture_id: Id,
    pub frame_idx: u32,
    pub flags: u32,
    pub top_order: i32,
    pub bottom_order: i32,
    pub reserved: [u32; 4],
}

pub const PICTURE_INVALID: u32 = 1;
pub const PICTURE_H264_SHORT_TERM: u32 = 8;
pub const PICTURE_HEVC_ST_CURR_BEFORE: u32 = 0x10;

impl PictureH264 {
    pub const NONE: Self = Self {
        picture_id: super::INVALID_ID,
        frame_idx: 0,
        flags: PICTURE_INVALID,
        top_order: 0,
        bottom_order: 0,
        reserved: [0; 4],
    };
}

/// A surface and its place in HEVC's order.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct PictureHevc {
    pub picture_id: Id,
    pub order: i32,
    pub flags: u32,
    pub reserved: [u32; 4],
}

impl PictureHevc {
    pub const NONE: Self = Self {
        picture_id: super::INVALID_ID,
        order: 0,
        flags: PICTURE_INVALID,
        reserved: [0; 4],
    };
}

plain!(PackedHeader, RateControl, FrameRate, Hrd, CodedSegment);
