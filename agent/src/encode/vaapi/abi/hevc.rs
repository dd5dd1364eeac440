//! HEVC: sequence, picture and slice.

use super::{Id, PictureHevc, Plain, plain};

pub const HEVC_SEQ_CHROMA_420: u32 = 1;
pub const HEVC_SEQ_STRONG_INTRA: u32 = 1 << 10;
pub const HEVC_SEQ_AMP: u32 = 1 << 11;
pub const HEVC_SEQ_SAO: u32 = 1 << 12;
pub const HEVC_SEQ_LOW_DELAY: u32 = 1 << 16;

pub const HEVC_VUI_TIMING: u32 = 1 << 3;
pub const HEVC_VUI_RESTRICTION: u32 = 1 << 4;
pub const HEVC_VUI_MV_OVER_EDGES: u32 = 1 << 6;
pub const HEVC_VUI_MV_HORIZONTAL_SHIFT: u32 = 8;
pub const HEVC_VUI_MV_VERTICAL_SHIFT: u32 = 13;

pub const HEVC_PIC_IDR: u32 = 1;
pub const HEVC_PIC_CODING_TYPE_SHIFT: u32 = 1;
pub const HEVC_PIC_REFERENCE: u32 = 1 << 4;
pub const HEVC_PIC_CU_QP_DELTA: u32 = 1 << 9;

pub const HEVC_SLICE_LAST: u32 = 1;
pub const HEVC_SLICE_SAO_LUMA: u32 = 1 << 5;
pub const HEVC_SLICE_SAO_CHROMA: u32 = 1 << 6;

#[repr(C)]
pub struct SequenceHevc {
    pub general_profile_idc: u8,
    pub general_level_idc: u8,
    pub general_tier_flag: u8,
    pub intra_period: u32,
    pub intra_idr_period: u32,
    pub ip_period: u32,
    pub bits_per_second: u32,
    pub width: u16,
    pub height: u16,
    pub seq_fields: u32,
    pub log2_min_coding_block_minus3: u8,
    pub log2_diff_coding_block: u8,
    pub log2_min_transform_block_minus2: u8,
    pub log2_diff_transform_block: u8,
    pub max_transform_hierarchy_depth_inter: u8,
    pub max_transform_hierarchy_depth_intra: u8,
    pub pcm_sample_bit_depth_luma_minus1: u32,
    pub pcm_sample_bit_depth_chroma_minus1: u32,
    pub log2_min_pcm_minus3: u32,
    pub log2_max_pcm_minus3: u32,
    pub vui_parameters_present_flag: u8,
    pub vui_fields: u32,
    pub aspect_ratio_idc: u8,
    pub sar_width: u32,
    pub sar_height: u32,
    pub vui_num_units_in_tick: u32,
    pub vui_time_scale: u32,
    pub min_spatial_segmentation_idc: u16,
    pub max_bytes_per_pic_denom: u8,
    pub max_bits_per_min_cu_denom: u8,
    pub scc_fields: u32,
    pub reserved: [u32; 7],
}

#[repr(C)]
pub struct PictureParametersHevc {
    pub current: PictureHevc,
    pub references: [PictureHevc; 15],
    pub coded_buf: Id,
    pub collocated_ref_pic_index: u8,
    pub last_picture: u8,
    pub pic_init_qp: u8,
    pub diff_cu_qp_delta_depth: u8,
    pub pps_cb_qp_offset: i8,
    pub pps_cr_qp_offset: i8,
    pub num_tile_columns_minus1: u8,
    pub num_tile_rows_minus1: u8,
    pub column_width_minus1: [u8; 19],
    pub row_height_minus1: [u8; 21],
    pub log2_parallel_merge_level_minus2: u8,
    pub ctu_max_bitsize_allowed: u8,
    pub num_ref_idx_l0_default_active_minus1: u8,
    pub num_ref_idx_l1_default_active_minus1: u8,
    pub slice_pic_parameter_set_id: u8,
    pub nal_unit_type: u8,
    pub pic_fields: u32,
    pub hierarchical_level_plus1: u8,
    pub byte_reserved: u8,
    pub scc_fields: u16,
    pub reserved: [u32; 15],
}

#[repr(C)]
pub struct SliceHevc {
    pub slice_segment_address: u32,
    pub num_ctu_in_slice: u32,
    pub slice_type: u8,
    pub slice_pic_parameter_set_id: u8,
    pub num_ref_idx_l0_active_minus1: u8,
    pub num_ref_idx_l1_active_minus1: u8,
    pub list0: [PictureHevc; 15],
    pub list1: [PictureHevc; 15],
    pub luma_log2_weight_denom: u8,
    pub delta_chroma_log2_weight_denom: i8,
    pub weights0: WeightsHevc,
    pub weights1: WeightsHevc,
    pub max_num_merge_cand: u8,
    pub slice_qp_delta: i8,
    pub slice_cb_qp_offset: i8,
    pub slice_cr_qp_offset: i8,
    pub slice_beta_offset_div2: i8,
    pub slice_tc_offset_div2: i8,
    pub slice_fields: u32,
    pub pred_weight_table_bit_offset: u32,
    pub pred_weight_table_bit_length: u32,
    pub reserved: [u32; 6],
}

/// Weighted prediction of one list, which nothing here uses.
#[repr(C)]
pub struct WeightsHevc {
    pub luma_weight: [i8; 15],
    pub luma_offset: [i8; 15],
    pub chroma_weight: [[i8; 2]; 15],
    pub chroma_offset: [[i8; 2]; 15],
}

plain!(SequenceHevc, PictureParametersHevc, SliceHevc);
