//! AV1: sequence, picture and tile group.

use super::{Id, Plain, plain};

pub const AV1_SEQ_ORDER_HINT: u32 = 1 << 8;
pub const AV1_SEQ_CDEF: u32 = 1 << 12;
pub const AV1_SEQ_SUBSAMPLING_X: u32 = 1 << 17;
pub const AV1_SEQ_SUBSAMPLING_Y: u32 = 1 << 18;

pub const AV1_PIC_INTER: u32 = 1;
pub const AV1_PIC_ERROR_RESILIENT: u32 = 1 << 2;

pub const AV1_MODE_TX_SHIFT: u32 = 7;
pub const AV1_TX_LARGEST: u32 = 1;
pub const AV1_TX_SELECT: u32 = 2;

/// Of the OBU header that the driver writes for tiles.
pub const AV1_TILES_HAVE_SIZE: u8 = 1 << 1;

/// Where the attributes have what is asked of them: which value of two bits says that larger blocks have to be.
pub const AV1_BLOCKS_128: u32 = 3;
pub const AV1_REQUIRED: u32 = 2;
pub const AV1_OBU_SIZE_SHIFT: u32 = 2;
pub const AV1_TX_MODES_SHIFT: u32 = 4;
pub const AV1_MAX_TILES_SHIFT: u32 = 7;

#[repr(C)]
pub struct SequenceAv1 {
    pub seq_profile: u8,
    pub seq_level_idx: u8,
    pub seq_tier: u8,
    pub hierarchical_flag: u8,
    pub intra_period: u32,
    pub ip_period: u32,
    pub bits_per_second: u32,
    pub seq_fields: u32,
    pub order_hint_bits_minus_1: u8,
    pub reserved: [u32; 16],
}

/// Segmentation, which nothing here uses.
#[repr(C)]
pub struct SegmentsAv1 {
    pub seg_flags: u8,
    pub segment_number: u8,
    pub feature_data: [[i16; 8]; 8],
    pub feature_mask: [u8; 8],
    pub reserved: [u32; 4],
}

/// Motion of whole pictures, which nothing here uses.
#[repr(C)]
pub struct WarpAv1 {
    pub wmtype: u32,
    pub wmmat: [i32; 8],
    pub invalid: u8,
    pub reserved: [u32; 4],
}

#[repr(C)]
pub struct PictureParametersAv1 {
    pub frame_width_minus_1: u16,
    pub frame_height_minus_1: u16,
    pub reconstructed_frame: Id,
    pub coded_buf: Id,
    pub reference_frames: [Id; 8],
    pub ref_frame_idx: [u8; 7],
    pub hierarchical_level_plus1: u8,
    pub primary_ref_frame: u8,
    pub order_hint: u8,
    pub refresh_frame_flags: u8,
    pub reserved8bits1: u8,
    pub ref_frame_ctrl_l0: u32,
    pub ref_frame_ctrl_l1: u32,
    pub picture_flags: u32,
    pub seg_id_block_size: u8,
    pub num_tile_groups_minus1: u8,
    pub temporal_id: u8,
    pub filter_level: [u8; 2],
    pub filter_level_u: u8,
    pub filter_level_v: u8,
    pub loop_filter_flags: u8,
    pub superres_scale_denominator: u8,
    pub interpolation_filter: u8,
    pub ref_deltas: [i8; 8],
    pub mode_deltas: [i8; 2],
    pub base_qindex: u8,
    pub y_dc_delta_q: i8,
    pub u_dc_delta_q: i8,
    pub u_ac_delta_q: i8,
    pub v_dc_delta_q: i8,
    pub v_ac_delta_q: i8,
    pub min_base_qindex: u8,
    pub max_base_qindex: u8,
    pub qmatrix_flags: u16,
    pub reserved16bits1: u16,
    pub mode_control_flags: u32,
    pub segments: SegmentsAv1,
    pub tile_cols: u8,
    pub tile_rows: u8,
    pub reserved16bits2: u16,
    pub width_in_sbs_minus_1: [u16; 63],
    pub height_in_sbs_minus_1: [u16; 63],
    pub context_update_tile_id: u16,
    pub cdef_damping_minus_3: u8,
    pub cdef_bits: u8,
    pub cdef_y_strengths: [u8; 8],
    pub cdef_uv_strengths: [u8; 8],
    pub loop_restoration_flags: u16,
    pub wm: [WarpAv1; 7],
    pub bit_offset_qindex: u32,
    pub bit_offset_segmentation: u32,
    pub bit_offset_loopfilter_params: u32,
    pub bit_offset_cdef_params: u32,
    pub size_in_bits_cdef_params: u32,
    pub byte_offset_frame_hdr_obu_size: u32,
    pub size_in_bits_frame_hdr_obu: u32,
    pub tile_group_obu_hdr_info: u8,
    pub number_skip_frames: u8,
    pub reserved16bits3: u16,
    pub skip_frames_reduced_size: i32,
    pub reserved: [u32; 16],
}

#[repr(C)]
pub struct TileGroupAv1 {
    pub tg_start: u8,
    pub tg_end: u8,
    pub reserved: [u32; 4],
}

plain!(SequenceAv1, PictureParametersAv1, TileGroupAv1);
