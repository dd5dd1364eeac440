//! How an encoder is set up.

use super::Guid;
use std::ffi::c_void;

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
