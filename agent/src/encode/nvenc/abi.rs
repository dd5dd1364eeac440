//! The structures of NVENC's interface, version 12.1, as they lie in memory.
//!
//! Written anew instead of taken from bindings, for one reason: those have Rust enums where the driver writes numbers, and
//! a newer driver's number that such an enum does not know is undefined behaviour. Here every enumeration is a `u32`, every
//! status an `i32`. A test compares sizes and offsets with bindings generated from NVIDIA's header. Names follow that header,
//! in Rust's spelling; fields that nothing here uses are kept for their place.

use std::ffi::{c_char, c_void};

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
pub const CAP_CUSTOM_VBV: u32 = 26;
pub const CAP_INVALIDATION: u32 = 28;
pub const CAP_BLOCKS_MAX: u32 = 31;
pub const CAP_BLOCKS_PER_SECOND_MAX: u32 = 32;
pub const CAP_YUV444: u32 = 33;
pub const CAP_10_BIT: u32 = 39;
pub const CAP_WIDTH_MIN: u32 = 45;
pub const CAP_HEIGHT_MIN: u32 = 46;

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

#[derive(Clone, Copy)]
#[repr(C)]
pub struct RcParams {
    pub version: u32,
    pub mode: u32,
    pub const_qp: [u32; 3],
    /// Bits a second.
    pub average_bit_rate: u32,
    pub max_bit_rate: u32,
    /// Bits.
    pub vbv_buffer_size: u32,
    pub vbv_initial_delay: u32,
    pub flags: u32,
    pub min_qp: [u32; 3],
    pub max_qp: [u32; 3],
    pub initial_qp: [u32; 3],
    pub temporal_layer_mask: u32,
    pub temporal_layer_qp: [u8; 8],
    pub target_quality: u8,
    pub target_quality_lsb: u8,
    pub lookahead_depth: u16,
    pub low_delay_key_frame_scale: u8,
    pub dc_qp_offsets: [i8; 3],
    pub qp_map_mode: u32,
    pub multi_pass: u32,
    pub alpha_layer_ratio: u32,
    pub chroma_qp_offsets: [i8; 2],
    pub reserved2: u16,
    pub reserved: [u32; 4],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct Vui {
    pub overscan_info_present: u32,
    pub overscan_info: u32,
    pub video_signal_type_present: u32,
    pub video_format: u32,
    pub full_range: u32,
    pub colour_description_present: u32,
    pub primaries: u32,
    pub transfer: u32,
    pub matrix: u32,
    pub chroma_location_present: u32,
    pub chroma_location: [u32; 2],
    pub bitstream_restriction: u32,
    pub timing_info: [u32; 3],
    pub reserved: [u32; 12],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ConfigH264 {
    pub flags: u32,
    pub level: u32,
    pub idr_period: u32,
    pub separate_colour_plane: u32,
    pub disable_deblocking: u32,
    pub num_temporal_layers: u32,
    pub sps_id: u32,
    pub pps_id: u32,
    pub adaptive_transform: u32,
    pub fmo: u32,
    pub bdirect: u32,
    pub entropy_coding: u32,
    pub stereo: u32,
    pub intra_refresh_period: u32,
    pub intra_refresh_count: u32,
    pub max_num_ref_frames: u32,
    pub slice_mode: u32,
    pub slice_mode_data: u32,
    pub vui: Vui,
    pub ltr_num_frames: u32,
    pub ltr_trust_mode: u32,
    pub chroma_format_idc: u32,
    pub max_temporal_layers: u32,
    pub b_frames_as_ref: u32,
    pub num_ref_l0: u32,
    pub num_ref_l1: u32,
    pub reserved1: [u32; 267],
    pub reserved2: [*mut c_void; 64],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ConfigHevc {
    pub level: u32,
    pub tier: u32,
    pub min_cu_size: u32,
    pub max_cu_size: u32,
    pub flags: u32,
    pub idr_period: u32,
    pub intra_refresh_period: u32,
    pub intra_refresh_count: u32,
    pub max_num_ref_frames: u32,
    pub ltr_num_frames: u32,
    pub vps_id: u32,
    pub sps_id: u32,
    pub pps_id: u32,
    pub slice_mode: u32,
    pub slice_mode_data: u32,
    pub max_temporal_layers_minus1: u32,
    pub vui: Vui,
    pub ltr_trust_mode: u32,
    pub b_frames_as_ref: u32,
    pub num_ref_l0: u32,
    pub num_ref_l1: u32,
    pub reserved1: [u32; 214],
    pub reserved2: [*mut c_void; 64],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct ConfigAv1 {
    pub level: u32,
    pub tier: u32,
    pub min_part_size: u32,
    pub max_part_size: u32,
    pub flags: u32,
    pub idr_period: u32,
    pub intra_refresh_period: u32,
    pub intra_refresh_count: u32,
    pub max_num_ref_frames: u32,
    pub num_tile_columns: u32,
    pub num_tile_rows: u32,
    pub tile_widths: *mut u32,
    pub tile_heights: *mut u32,
    pub max_temporal_layers_minus1: u32,
    pub primaries: u32,
    pub transfer: u32,
    pub matrix: u32,
    pub full_range: u32,
    pub chroma_position: u32,
    pub b_frames_as_ref: u32,
    pub film_grain: *mut c_void,
    pub num_forward_refs: u32,
    pub num_backward_refs: u32,
    pub reserved1: [u32; 235],
    pub reserved2: [*mut c_void; 62],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub union CodecConfig {
    pub h264: ConfigH264,
    pub hevc: ConfigHevc,
    pub av1: ConfigAv1,
    pub reserved: [u32; 320],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct Config {
    pub version: u32,
    pub profile: Guid,
    pub gop_length: u32,
    pub frame_interval_p: i32,
    pub monochrome: u32,
    pub frame_field_mode: u32,
    pub mv_precision: u32,
    pub rc: RcParams,
    pub codec: CodecConfig,
    pub reserved: [u32; 278],
    pub reserved2: [*mut c_void; 64],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct PresetConfig {
    pub version: u32,
    pub config: Config,
    pub reserved1: [u32; 255],
    pub reserved2: [*mut c_void; 64],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct Initialize {
    pub version: u32,
    pub codec: Guid,
    pub preset: Guid,
    pub width: u32,
    pub height: u32,
    pub dar_width: u32,
    pub dar_height: u32,
    pub frame_rate_num: u32,
    pub frame_rate_den: u32,
    pub enable_async: u32,
    /// The driver decides what type each picture has.
    pub enable_ptd: u32,
    pub flags: u32,
    pub private_size: u32,
    pub private: *mut c_void,
    pub config: *mut Config,
    pub max_width: u32,
    pub max_height: u32,
    pub me_hint_counts: [[u32; 4]; 2],
    pub tuning: u32,
    pub buffer_format: u32,
    pub num_state_buffers: u32,
    pub output_stats_level: u32,
    pub reserved: [u32; 285],
    pub reserved2: [*mut c_void; 64],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct Reconfigure {
    pub version: u32,
    pub initialize: Initialize,
    /// 1 = reset the encoder, 2 = force an IDR.
    pub flags: u32,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct CreateBitstream {
    pub version: u32,
    pub size: u32,
    pub memory_heap: u32,
    pub reserved: u32,
    pub buffer: *mut c_void,
    pub buffer_pointer: *mut c_void,
    pub reserved1: [u32; 58],
    pub reserved2: [*mut c_void; 64],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct RegisterResource {
    pub version: u32,
    pub resource_type: u32,
    pub width: u32,
    pub height: u32,
    pub pitch: u32,
    pub sub_resource: u32,
    pub resource: *mut c_void,
    pub registered: *mut c_void,
    pub format: u32,
    pub usage: u32,
    pub fence: *mut c_void,
    pub chroma_offset: [u32; 2],
    pub reserved1: [u32; 245],
    pub reserved2: [*mut c_void; 61],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct MapResource {
    pub version: u32,
    pub sub_resource: u32,
    pub input: *mut c_void,
    pub registered: *mut c_void,
    pub mapped: *mut c_void,
    pub format: u32,
    pub reserved1: [u32; 251],
    pub reserved2: [*mut c_void; 63],
}

/// One SEI message, or one metadata OBU of AV1.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Payload {
    pub size: u32,
    pub kind: u32,
    pub bytes: *mut u8,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct PictureH264 {
    pub display_poc: u32,
    pub reserved3: u32,
    pub ref_pic_flag: u32,
    pub colour_plane: u32,
    pub force_intra_refresh: u32,
    pub flags: u32,
    pub slice_type_data: *mut u8,
    pub slice_type_count: u32,
    pub sei_count: u32,
    pub sei: *mut Payload,
    pub rest: [u64; 186],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct PictureHevc {
    pub display_poc: u32,
    pub ref_pic_flag: u32,
    pub temporal_id: u32,
    pub force_intra_refresh: u32,
    pub flags: u32,
    pub slice_type_data: *mut u8,
    pub slice_type_count: u32,
    pub slice_mode: u32,
    pub slice_mode_data: u32,
    pub ltr: [u32; 3],
    pub sei_count: u32,
    pub reserved: u32,
    pub sei: *mut Payload,
    pub rest: [u64; 183],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct PictureAv1 {
    pub display_poc: u32,
    pub ref_pic_flag: u32,
    pub temporal_id: u32,
    pub force_intra_refresh: u32,
    pub flags: u32,
    pub num_tile_columns: u32,
    pub num_tile_rows: u32,
    pub tile_widths: *mut u32,
    pub tile_heights: *mut u32,
    pub obu_count: u32,
    pub reserved: u32,
    pub obus: *mut Payload,
    pub rest: [u64; 186],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub union CodecPicture {
    pub h264: PictureH264,
    pub hevc: PictureHevc,
    pub av1: PictureAv1,
    pub reserved: [u32; 256],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct Picture {
    pub version: u32,
    pub width: u32,
    pub height: u32,
    pub pitch: u32,
    pub flags: u32,
    pub frame_index: u32,
    pub time_stamp: u64,
    pub duration: u64,
    pub input: *mut c_void,
    pub output: *mut c_void,
    pub completion_event: *mut c_void,
    pub format: u32,
    pub picture_struct: u32,
    pub picture_type: u32,
    pub codec: CodecPicture,
    pub me_hint_counts: [[u32; 4]; 2],
    pub me_hints: *mut c_void,
    pub reserved1: [u32; 6],
    pub reserved2: [*mut c_void; 2],
    pub qp_delta_map: *mut i8,
    pub qp_delta_map_size: u32,
    pub reserved_bits: u32,
    pub me_hint_distance: [u16; 2],
    pub alpha_buffer: *mut c_void,
    pub me_sb_hints: *mut c_void,
    pub me_sb_hint_count: u32,
    pub state_buffer: u32,
    pub recon_buffer: *mut c_void,
    pub reserved3: [u32; 284],
    pub reserved4: [*mut c_void; 57],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub struct LockBitstream {
    pub version: u32,
    pub flags: u32,
    pub output: *mut c_void,
    pub slice_offsets: *mut u32,
    pub frame_index: u32,
    pub hw_status: u32,
    pub num_slices: u32,
    pub size: u32,
    pub time_stamp: u64,
    pub duration: u64,
    pub bytes: *mut c_void,
    pub picture_type: u32,
    pub picture_struct: u32,
    pub average_qp: u32,
    pub satd: u32,
    pub ltr: [u32; 2],
    pub temporal_id: u32,
    pub block_counts: [u32; 2],
    pub average_mv: [i32; 2],
    pub alpha_size: u32,
    pub stats_size: u32,
    pub stats: *mut c_void,
    pub frame_index_display: u32,
    pub reserved1: [u32; 220],
    pub reserved2: [*mut c_void; 63],
    pub reserved_internal: [u32; 8],
}

/// The driver's encoder object.
pub type Handle = *mut c_void;
/// An entry that nothing here calls.
type Unused = *const c_void;

pub type GetCount = unsafe extern "C" fn(Handle, *mut u32) -> Status;
pub type GetGuids = unsafe extern "C" fn(Handle, *mut Guid, u32, *mut u32) -> Status;
pub type GetFormatCount = unsafe extern "C" fn(Handle, Guid, *mut u32) -> Status;
pub type GetFormats = unsafe extern "C" fn(Handle, Guid, *mut u32, u32, *mut u32) -> Status;
pub type GetCaps = unsafe extern "C" fn(Handle, Guid, *mut Caps, *mut i32) -> Status;
pub type GetPresetConfigEx =
    unsafe extern "C" fn(Handle, Guid, Guid, u32, *mut PresetConfig) -> Status;
pub type On<T> = unsafe extern "C" fn(Handle, T) -> Status;
pub type OpenSessionEx = unsafe extern "C" fn(*mut OpenSession, *mut Handle) -> Status;
pub type Alone = unsafe extern "C" fn(Handle) -> Status;
pub type LastError = unsafe extern "C" fn(Handle) -> *const c_char;

#[derive(Clone, Copy)]
#[repr(C)]
pub struct FunctionList {
    pub version: u32,
    pub reserved: u32,
    pub open_encode_session: Unused,
    pub get_codec_count: Option<GetCount>,
    pub get_profile_count: Unused,
    pub get_profiles: Unused,
    pub get_codecs: Option<GetGuids>,
    pub get_format_count: Option<GetFormatCount>,
    pub get_formats: Option<GetFormats>,
    pub get_caps: Option<GetCaps>,
    pub get_preset_count: Unused,
    pub get_presets: Unused,
    pub get_preset_config: Unused,
    pub initialize: Option<On<*mut Initialize>>,
    pub create_input_buffer: Unused,
    pub destroy_input_buffer: Unused,
    pub create_bitstream: Option<On<*mut CreateBitstream>>,
    pub destroy_bitstream: Option<On<*mut c_void>>,
    pub encode_picture: Option<On<*mut Picture>>,
    pub lock_bitstream: Option<On<*mut LockBitstream>>,
    pub unlock_bitstream: Option<On<*mut c_void>>,
    pub lock_input_buffer: Unused,
    pub unlock_input_buffer: Unused,
    pub get_stats: Unused,
    pub get_sequence_params: Unused,
    pub register_event: Unused,
    pub unregister_event: Unused,
    pub map: Option<On<*mut MapResource>>,
    pub unmap: Option<On<*mut c_void>>,
    pub destroy: Option<Alone>,
    pub invalidate: Option<On<u64>>,
    pub open_session_ex: Option<OpenSessionEx>,
    pub register: Option<On<*mut RegisterResource>>,
    pub unregister: Option<On<*mut c_void>>,
    pub reconfigure: Option<On<*mut Reconfigure>>,
    pub reserved1: Unused,
    pub create_mv_buffer: Unused,
    pub destroy_mv_buffer: Unused,
    pub run_motion_estimation: Unused,
    pub last_error: Option<LastError>,
    pub set_io_streams: Unused,
    pub get_preset_config_ex: Option<GetPresetConfigEx>,
    pub get_sequence_params_ex: Unused,
    pub restore_state: Unused,
    pub lookahead_picture: Unused,
    pub reserved2: [*mut c_void; 275],
}

/// `NvEncodeAPIGetMaxSupportedVersion`: major << 4 | minor.
pub type GetMaxSupportedVersion = unsafe extern "C" fn(*mut u32) -> Status;
/// `NvEncodeAPICreateInstance`.
pub type CreateInstance = unsafe extern "C" fn(*mut FunctionList) -> Status;
