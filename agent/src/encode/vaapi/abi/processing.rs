//! The card's own conversion, and buffers of the kernel's as surfaces.

use super::{Display, Id, Plain, Status, SurfaceAttrib, plain};
use std::ffi::{c_int, c_uint, c_void};

pub const PROFILE_NONE: c_int = -1;
pub const ENTRY_VIDEO_PROC: c_int = 10;
pub const BUFFER_PIPELINE: c_int = 41;

pub const RT_FORMAT_RGB32: u32 = 0x2_0000;
pub const FOURCC_BGRX: u32 = 0x5852_4742;
pub const FOURCC_BGRA: u32 = 0x4152_4742;
pub const FOURCC_RGBX: u32 = 0x5842_4752;
pub const FOURCC_RGBA: u32 = 0x4142_4752;

pub const SURFACE_ATTRIB_MEMORY_TYPE: c_int = 6;
pub const SURFACE_ATTRIB_EXTERNAL: c_int = 7;
pub const VALUE_POINTER: c_int = 3;
pub const MEMORY_DRM_PRIME_2: u32 = 0x4000_0000;
pub const EXPORT_READ_ONLY: u32 = 1;
pub const EXPORT_COMPOSED: u32 = 8;

pub const STANDARD_BT601: u32 = 1;
pub const STANDARD_BT709: u32 = 2;
pub const STANDARD_SRGB: u32 = 8;
pub const RANGE_REDUCED: u8 = 1;
pub const RANGE_FULL: u8 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Rectangle {
    pub x: i16,
    pub y: i16,
    pub width: u16,
    pub height: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct ColourProperties {
    pub chroma_sample_location: u8,
    pub range: u8,
    pub primaries: u8,
    pub transfer: u8,
    pub matrix: u8,
    pub reserved: [u8; 3],
}

#[repr(C)]
pub struct Pipeline {
    pub surface: Id,
    pub surface_region: *const Rectangle,
    pub surface_standard: u32,
    pub output_region: *const Rectangle,
    pub background: u32,
    pub output_standard: u32,
    pub pipeline_flags: u32,
    pub filter_flags: u32,
    pub filters: *mut Id,
    pub num_filters: u32,
    pub forward_references: *mut Id,
    pub num_forward_references: u32,
    pub backward_references: *mut Id,
    pub num_backward_references: u32,
    pub rotation_state: u32,
    pub blend_state: *const c_void,
    pub mirror_state: u32,
    pub additional_outputs: *mut Id,
    pub num_additional_outputs: u32,
    pub input_surface_flag: u32,
    pub output_surface_flag: u32,
    pub input_colour: ColourProperties,
    pub output_colour: ColourProperties,
    pub processing_mode: u32,
    pub output_hdr_metadata: *mut c_void,
    pub reserved: [u32; 16],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct PrimeObject {
    pub fd: c_int,
    pub size: u32,
    pub modifier: u64,
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct PrimeLayer {
    pub drm_format: u32,
    pub num_planes: u32,
    pub object_index: [u32; 4],
    pub offset: [u32; 4],
    pub pitch: [u32; 4],
}

#[repr(C)]
pub struct PrimeDescriptor {
    pub fourcc: u32,
    pub width: u32,
    pub height: u32,
    pub num_objects: u32,
    pub objects: [PrimeObject; 4],
    pub num_layers: u32,
    pub layers: [PrimeLayer; 4],
}

plain!(Pipeline, PrimeDescriptor);

pub type ExportSurface = unsafe extern "C" fn(Display, Id, u32, u32, *mut c_void) -> Status;
pub type QuerySurfaceAttributes =
    unsafe extern "C" fn(Display, Id, *mut SurfaceAttrib, *mut c_uint) -> Status;
