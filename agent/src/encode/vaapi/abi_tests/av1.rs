//! AV1's structures.

use super::{Comparison, align_of, offset_of, size_of};
use crate::encode::vaapi::abi;

#[test]
fn those_of_av1_lie_as_in_the_header() {
    let mut all = Comparison::default();
    same!(all, abi::SequenceAv1, "VAEncSequenceParameterBufferAV1": seq_profile = "seq_profile",
        seq_level_idx = "seq_level_idx", seq_tier = "seq_tier", intra_period = "intra_period", ip_period = "ip_period",
        bits_per_second = "bits_per_second", seq_fields = "seq_fields",
        order_hint_bits_minus_1 = "order_hint_bits_minus_1", reserved = "va_reserved");
    same!(all, abi::SegmentsAv1, "VAEncSegParamAV1": segment_number = "segment_number", feature_data = "feature_data",
        feature_mask = "feature_mask", reserved = "va_reserved");
    same!(all, abi::WarpAv1, "VAEncWarpedMotionParamsAV1": wmmat = "wmmat", invalid = "invalid", reserved = "va_reserved");
    same!(all, abi::PictureParametersAv1, "VAEncPictureParameterBufferAV1": frame_width_minus_1 = "frame_width_minus_1",
        frame_height_minus_1 = "frame_height_minus_1", reconstructed_frame = "reconstructed_frame",
        coded_buf = "coded_buf", reference_frames = "reference_frames", ref_frame_idx = "ref_frame_idx",
        hierarchical_level_plus1 = "hierarchical_level_plus1", primary_ref_frame = "primary_ref_frame",
        order_hint = "order_hint", refresh_frame_flags = "refresh_frame_flags",
        ref_frame_ctrl_l0 = "ref_frame_ctrl_l0", ref_frame_ctrl_l1 = "ref_frame_ctrl_l1",
        picture_flags = "picture_flags", filter_level = "filter_level", loop_filter_flags = "loop_filter_flags",
        interpolation_filter = "interpolation_filter", ref_deltas = "ref_deltas", mode_deltas = "mode_deltas",
        base_qindex = "base_qindex", min_base_qindex = "min_base_qindex", max_base_qindex = "max_base_qindex",
        qmatrix_flags = "qmatrix_flags", mode_control_flags = "mode_control_flags", segments = "segments",
        tile_cols = "tile_cols", tile_rows = "tile_rows", width_in_sbs_minus_1 = "width_in_sbs_minus_1",
        height_in_sbs_minus_1 = "height_in_sbs_minus_1", context_update_tile_id = "context_update_tile_id",
        cdef_bits = "cdef_bits", cdef_y_strengths = "cdef_y_strengths", cdef_uv_strengths = "cdef_uv_strengths",
        loop_restoration_flags = "loop_restoration_flags", wm = "wm", bit_offset_qindex = "bit_offset_qindex",
        bit_offset_segmentation = "bit_offset_segmentation",
        bit_offset_loopfilter_params = "bit_offset_loopfilter_params",
        bit_offset_cdef_params = "bit_offset_cdef_params", size_in_bits_cdef_params = "size_in_bits_cdef_params",
        byte_offset_frame_hdr_obu_size = "byte_offset_frame_hdr_obu_size",
        size_in_bits_frame_hdr_obu = "size_in_bits_frame_hdr_obu",
        tile_group_obu_hdr_info = "tile_group_obu_hdr_info", skip_frames_reduced_size = "skip_frames_reduced_size",
        reserved = "va_reserved");
    same!(all, abi::TileGroupAv1, "VAEncTileGroupBufferAV1": tg_end = "tg_end", reserved = "va_reserved");
    let (sequence, picture) = (
        "VAEncSequenceParameterBufferAV1",
        "VAEncPictureParameterBufferAV1",
    );
    for (structure, union, field, value, ours) in [
        (
            sequence,
            "seq_fields",
            "enable_order_hint",
            1,
            abi::AV1_SEQ_ORDER_HINT,
        ),
        (sequence, "seq_fields", "enable_cdef", 1, abi::AV1_SEQ_CDEF),
        (
            sequence,
            "seq_fields",
            "subsampling_x",
            1,
            abi::AV1_SEQ_SUBSAMPLING_X,
        ),
        (
            sequence,
            "seq_fields",
            "subsampling_y",
            1,
            abi::AV1_SEQ_SUBSAMPLING_Y,
        ),
        (
            picture,
            "picture_flags",
            "frame_type",
            1,
            abi::AV1_PIC_INTER,
        ),
        (
            picture,
            "picture_flags",
            "error_resilient_mode",
            1,
            abi::AV1_PIC_ERROR_RESILIENT,
        ),
        (
            picture,
            "mode_control_flags",
            "tx_mode",
            2,
            abi::AV1_TX_SELECT << abi::AV1_MODE_TX_SHIFT,
        ),
        (
            picture,
            "tile_group_obu_hdr_info",
            "obu_has_size_field",
            1,
            u32::from(abi::AV1_TILES_HAVE_SIZE),
        ),
    ] {
        all.bit(structure, union, field, value, ours);
    }
    for (union, field, value, ours) in [
        (
            "VAConfigAttribValEncAV1",
            "support_128x128_superblock",
            3,
            abi::AV1_BLOCKS_128,
        ),
        (
            "VAConfigAttribValEncAV1Ext2",
            "tile_size_bytes_minus1",
            3,
            3,
        ),
        (
            "VAConfigAttribValEncAV1Ext2",
            "obu_size_bytes_minus1",
            3,
            3 << abi::AV1_OBU_SIZE_SHIFT,
        ),
        (
            "VAConfigAttribValEncAV1Ext2",
            "tx_mode_support",
            7,
            7 << abi::AV1_TX_MODES_SHIFT,
        ),
        (
            "VAConfigAttribValEncAV1Ext2",
            "max_tile_num_minus1",
            9,
            9 << abi::AV1_MAX_TILES_SHIFT,
        ),
    ] {
        let expression = format!("({{ {union} u = {{0}}; u.bits.{field} = {value}; u.value; }})");
        all.add(expression, u64::from(ours));
    }
    // the search takes the first name of a reference first
    all.add(
        "({ VARefFrameCtrlAV1 c = {0}; c.fields.search_idx0 = 1; c.value; })".to_owned(),
        1,
    );
    for (name, ours) in [
        ("VAProfileAV1Profile0", abi::PROFILE_AV1_MAIN as u64),
        ("VAConfigAttribEncAV1", abi::ATTRIB_AV1_FEATURES as u64),
        ("VAConfigAttribEncAV1Ext2", abi::ATTRIB_AV1_SIZES as u64),
        ("VA_FEATURE_REQUIRED", u64::from(abi::AV1_REQUIRED)),
        (
            "VA_ENC_PACKED_HEADER_PICTURE",
            u64::from(abi::PACKED_PICTURE),
        ),
        ("VAEncPackedHeaderAV1_PPS", u64::from(abi::HEADER_PICTURE)),
        ("VAEncPackedHeaderAV1_SPS", u64::from(abi::HEADER_SEQUENCE)),
    ] {
        all.add(name.to_owned(), ours);
    }
    all.holds();
}
