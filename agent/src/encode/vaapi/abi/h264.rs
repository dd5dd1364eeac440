//! H.264: sequence, picture and slice.

use super::{Id, PictureH264, Plain, plain};

pub const H264_SEQ_CHROMA_420: u32 = 1;
pub const H264_SEQ_FRAME_MBS_ONLY: u32 = 1 << 2;
pub const H264_SEQ_DIRECT_8X8: u32 = 1 << 5;
pub const H264_SEQ_FRAME_NUM_SHIFT: u32 = 6;
pub const H264_SEQ_ORDER_SHIFT: u32 = 12;

pub const H264_VUI_TIMING: u32 = 1 << 1;
pub const H264_VUI_RESTRICTION: u32 = 1 << 2;
pub const H264_VUI_MV_HORIZONTAL_SHIFT: u32 = 3;
pub const H264_VUI_MV_VERTICAL_SHIFT: u32 = 8;
pub const H264_VUI_MV_OVER_EDGES: u32 = 1 << 15;

pub const H264_PIC_IDR: u32 = 1;
pub const H264_PIC_REFERENCE: u32 = 1 << 1;
pub const H264_PIC_CABAC: u32 = 1 << 3;
pub const H264_PIC_TRANSFORM_8X8: u32 = 1 << 8;
pub const H264_PIC_DEBLOCKING_CONTROL: u32 = 1 << 9;

#[repr(C)]
pub struct SequenceH264 {
    pub seq_parameter_set_id: u8,
    pub level_idc: u8,
    pub intra_period: u32,
    pub intra_idr_period: u32,
    pub ip_period: u32,
    pub bits_per_second: u32,
    pub max_num_ref_frames: u32,
    pub width_in_mbs: u16,
    pub height_in_mbs: u16,
    pub seq_fields: u32,
    pub bit_depth_luma_minus8: u8,
    pub bit_depth_chroma_minus8: u8,
    pub num_ref_frames_in_pic_order_cnt_cycle: u8,
    pub offset_for_non_ref_pic: i32,
    pub offset_for_top_to_bottom_field: i32,
    pub offset_for_ref_frame: [i32; 256],
    pub frame_cropping_flag: u8,
    pub crop_left: u32,
    pub crop_right: u32,
    pub crop_top: u32,
    pub crop_bottom: u32,
    pub vui_parameters_present_flag: u8,
    pub vui_fields: u32,
    pub aspect_ratio_idc: u8,
    pub sar_width: u32,
    pub sar_height: u32,
    pub num_units_in_tick: u32,
    pub time_scale: u32,
    pub reserved: [u32; 4],
}

#[repr(C)]
pub struct PictureParametersH264 {
    pub current: PictureH264,
    pub references: [PictureH264; 16],
    pub coded_buf: Id,
    pub pic_parameter_set_id: u8,
    pub seq_parameter_set_id: u8,
    pub last_picture: u8,
    pub frame_num: u16,
    pub pic_init_qp: u8,
    pub num_ref_idx_l0_active_minus1: u8,
    pub num_ref_idx_l1_active_minus1: u8,
    pub chroma_qp_index_offset: i8,
    pub second_chroma_qp_index_offset: i8,
    pub pic_fields: u32,
    pub reserved: [u32; 4],
}

#[repr(C)]
pub struct SliceH264 {
    pub macroblock_address: u32,
    pub num_macroblocks: u32,
    pub macroblock_info: Id,
    pub slice_type: u8,
    pub pic_parameter_set_id: u8,
    pub idr_pic_id: u16,
    pub pic_order_cnt_lsb: u16,
    pub delta_pic_order_cnt_bottom: i32,
    pub delta_pic_order_cnt: [i32; 2],
    pub direct_spatial_mv_pred_flag: u8,
    pub num_ref_idx_active_override_flag: u8,
    pub num_ref_idx_l0_active_minus1: u8,
    pub num_ref_idx_l1_active_minus1: u8,
    pub list0: [PictureH264; 32],
    pub list1: [PictureH264; 32],
    pub luma_log2_weight_denom: u8,
    pub chroma_log2_weight_denom: u8,
    pub weights0: WeightsH264,
    pub weights1: WeightsH264,
    pub cabac_init_idc: u8,
    pub slice_qp_delta: i8,
    pub disable_deblocking_filter_idc: u8,
    pub slice_alpha_c0_offset_div2: i8,
    pub slice_beta_offset_div2: i8,
    pub reserved: [u32; 4],
}

/// Weighted prediction of one list, which nothing here uses.
#[repr(C)]
pub struct WeightsH264 {
    pub luma_flag: u8,
    pub luma_weight: [i16; 32],
    pub luma_offset: [i16; 32],
    pub chroma_flag: u8,
    pub chroma_weight: [[i16; 2]; 32],
    pub chroma_offset: [[i16; 2]; 32],
}

plain!(SequenceH264, PictureParametersH264, SliceH264);
