//! Sizes, places and numbers against the real header, by way of a C compiler.

use super::abi;
use std::{
    fmt::Write,
    mem::{align_of, offset_of, size_of},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// What C says of expressions, in their order.
fn said_by_the_header(expressions: &[String]) -> Vec<u64> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let unique = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("punktfunk-vaapi-{}-{unique}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&directory).unwrap();
    let (source, program) = (directory.join("layout.c"), directory.join("layout"));
    let mut text = String::from(
        "#include <stddef.h>\n#include <stdio.h>\n#include <va/va.h>\n#include <va/va_enc_h264.h>\n#include <va/va_enc_hevc.h>\n\
         #include <va/va_enc_av1.h>\n\
         #include <va/va_vpp.h>\n#include <va/va_drmcommon.h>\n\
         int main(void) {\n",
    );
    for expression in expressions {
        writeln!(
            text,
            "printf(\"%llu\\n\", (unsigned long long)({expression}));"
        )
        .unwrap();
    }
    text.push_str("return 0; }\n");
    std::fs::write(&source, text).unwrap();
    let compiled = Command::new("cc")
        .args(["-w", "-o"])
        .args([&program, &source])
        .output()
        .expect("a C compiler");
    let complaints = String::from_utf8_lossy(&compiled.stderr);
    assert!(
        compiled.status.success(),
        "libva-dev is needed: {complaints}"
    );
    let output = Command::new(&program).output().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

#[derive(Default)]
struct Comparison {
    expressions: Vec<String>,
    ours: Vec<u64>,
}

impl Comparison {
    fn add(&mut self, expression: String, ours: u64) {
        self.expressions.push(expression);
        self.ours.push(ours);
    }

    /// A field of bits: what the union holds when it is set.
    fn bit(&mut self, structure: &str, union: &str, field: &str, value: u32, ours: u32) {
        let expression = format!(
            "({{ {structure} s = {{0}}; s.{union}.bits.{field} = {value}; s.{union}.value; }})"
        );
        self.add(expression, u64::from(ours));
    }

    #[track_caller]
    fn holds(self) {
        let theirs = said_by_the_header(&self.expressions);
        assert_eq!(theirs.len(), self.ours.len());
        for ((expression, ours), theirs) in self.expressions.iter().zip(&self.ours).zip(&theirs) {
            assert_eq!(ours, theirs, "{expression}");
        }
    }
}

macro_rules! same {
    ($all:ident, $ours:ty, $theirs:literal: $($field:ident $(. $inner:ident)? = $name:literal),* $(,)?) => {
        $all.add(concat!("sizeof(", $theirs, ")").to_owned(), size_of::<$ours>() as u64);
        $all.add(concat!("_Alignof(", $theirs, ")").to_owned(), align_of::<$ours>() as u64);
        $($all.add(
            concat!("offsetof(", $theirs, ", ", $name, ")").to_owned(),
            offset_of!($ours, $field $(. $inner)?) as u64,
        );)*
    };
}

mod av1;
mod processing;

#[test]
fn every_structure_lies_as_in_the_header() {
    let mut all = Comparison::default();
    same!(all, abi::ConfigAttrib, "VAConfigAttrib": value = "value");
    same!(all, abi::SurfaceAttrib, "VASurfaceAttrib": flags = "flags", value = "value", value.of = "value.value.i");
    same!(all, abi::ImageFormat, "VAImageFormat": fourcc = "fourcc", bits_per_pixel = "bits_per_pixel", masks = "red_mask");
    same!(all, abi::Image, "VAImage": format = "format", buf = "buf", width = "width", height = "height",
        data_size = "data_size", num_planes = "num_planes", pitches = "pitches", offsets = "offsets",
        component_order = "component_order");
    same!(all, abi::PackedHeader, "VAEncPackedHeaderParameterBuffer": bit_length = "bit_length",
        has_emulation_bytes = "has_emulation_bytes");
    same!(all, abi::RateControl, "VAEncMiscParameterRateControl": target_percentage = "target_percentage",
        window_size = "window_size", flags = "rc_flags", max_qp = "max_qp", target_frame_size = "target_frame_size");
    same!(all, abi::FrameRate, "VAEncMiscParameterFrameRate": framerate = "framerate");
    same!(all, abi::Hrd, "VAEncMiscParameterHRD": initial_buffer_fullness = "initial_buffer_fullness",
        buffer_size = "buffer_size");
    all.add(
        "offsetof(VAEncMiscParameterBuffer, data)".to_owned(),
        offset_of!(abi::Misc<abi::Hrd>, data) as u64,
    );
    same!(all, abi::CodedSegment, "VACodedBufferSegment": size = "size", status = "status", buf = "buf", next = "next");
    same!(all, abi::PictureH264, "VAPictureH264": frame_idx = "frame_idx", flags = "flags", top_order = "TopFieldOrderCnt",
        bottom_order = "BottomFieldOrderCnt");
    same!(all, abi::PictureHevc, "VAPictureHEVC": order = "pic_order_cnt", flags = "flags");
    same!(all, abi::SequenceH264, "VAEncSequenceParameterBufferH264": level_idc = "level_idc", ip_period = "ip_period",
        bits_per_second = "bits_per_second", max_num_ref_frames = "max_num_ref_frames",
        width_in_mbs = "picture_width_in_mbs", seq_fields = "seq_fields", frame_cropping_flag = "frame_cropping_flag",
        crop_right = "frame_crop_right_offset", crop_bottom = "frame_crop_bottom_offset",
        vui_parameters_present_flag = "vui_parameters_present_flag", vui_fields = "vui_fields",
        num_units_in_tick = "num_units_in_tick", time_scale = "time_scale");
    same!(all, abi::PictureParametersH264, "VAEncPictureParameterBufferH264": references = "ReferenceFrames",
        coded_buf = "coded_buf", last_picture = "last_picture", frame_num = "frame_num", pic_init_qp = "pic_init_qp",
        second_chroma_qp_index_offset = "second_chroma_qp_index_offset", pic_fields = "pic_fields");
    same!(all, abi::SliceH264, "VAEncSliceParameterBufferH264": macroblock_info = "macroblock_info",
        slice_type = "slice_type", idr_pic_id = "idr_pic_id", pic_order_cnt_lsb = "pic_order_cnt_lsb", list0 = "RefPicList0",
        list1 = "RefPicList1", luma_log2_weight_denom = "luma_log2_weight_denom",
        weights0.luma_weight = "luma_weight_l0", weights0.chroma_offset = "chroma_offset_l0",
        weights1.luma_flag = "luma_weight_l1_flag", weights1.chroma_offset = "chroma_offset_l1",
        cabac_init_idc = "cabac_init_idc", disable_deblocking_filter_idc = "disable_deblocking_filter_idc");
    same!(all, abi::SequenceHevc, "VAEncSequenceParameterBufferHEVC": general_level_idc = "general_level_idc",
        ip_period = "ip_period", bits_per_second = "bits_per_second", width = "pic_width_in_luma_samples",
        seq_fields = "seq_fields", log2_min_coding_block_minus3 = "log2_min_luma_coding_block_size_minus3",
        max_transform_hierarchy_depth_intra = "max_transform_hierarchy_depth_intra",
        vui_parameters_present_flag = "vui_parameters_present_flag", vui_fields = "vui_fields",
        vui_num_units_in_tick = "vui_num_units_in_tick", vui_time_scale = "vui_time_scale", scc_fields = "scc_fields");
    same!(all, abi::PictureParametersHevc, "VAEncPictureParameterBufferHEVC": references = "reference_frames",
        coded_buf = "coded_buf", collocated_ref_pic_index = "collocated_ref_pic_index", pic_init_qp = "pic_init_qp",
        row_height_minus1 = "row_height_minus1", nal_unit_type = "nal_unit_type", pic_fields = "pic_fields",
        scc_fields = "scc_fields");
    same!(all, abi::SliceHevc, "VAEncSliceParameterBufferHEVC": num_ctu_in_slice = "num_ctu_in_slice",
        slice_type = "slice_type", list0 = "ref_pic_list0", list1 = "ref_pic_list1",
        weights0.luma_weight = "delta_luma_weight_l0", weights0.chroma_offset = "chroma_offset_l0",
        weights1.luma_weight = "delta_luma_weight_l1", weights1.chroma_offset = "chroma_offset_l1",
        max_num_merge_cand = "max_num_merge_cand", slice_fields = "slice_fields",
        pred_weight_table_bit_length = "pred_weight_table_bit_length");

    for (structure, union, field, value, ours) in [
        (
            "VAEncMiscParameterRateControl",
            "rc_flags",
            "disable_frame_skip",
            1,
            abi::RC_DISABLE_FRAME_SKIP,
        ),
        (
            "VAEncMiscParameterRateControl",
            "rc_flags",
            "disable_bit_stuffing",
            1,
            abi::RC_DISABLE_BIT_STUFFING,
        ),
        (
            "VAEncSequenceParameterBufferH264",
            "seq_fields",
            "chroma_format_idc",
            1,
            abi::H264_SEQ_CHROMA_420,
        ),
        (
            "VAEncSequenceParameterBufferH264",
            "seq_fields",
            "frame_mbs_only_flag",
            1,
            abi::H264_SEQ_FRAME_MBS_ONLY,
        ),
        (
            "VAEncSequenceParameterBufferH264",
            "seq_fields",
            "direct_8x8_inference_flag",
            1,
            abi::H264_SEQ_DIRECT_8X8,
        ),
        (
            "VAEncSequenceParameterBufferH264",
            "seq_fields",
            "log2_max_frame_num_minus4",
            12,
            12 << abi::H264_SEQ_FRAME_NUM_SHIFT,
        ),
        (
            "VAEncSequenceParameterBufferH264",
            "seq_fields",
            "log2_max_pic_order_cnt_lsb_minus4",
            12,
            12 << abi::H264_SEQ_ORDER_SHIFT,
        ),
        (
            "VAEncSequenceParameterBufferH264",
            "vui_fields",
            "timing_info_present_flag",
            1,
            abi::H264_VUI_TIMING,
        ),
        (
            "VAEncSequenceParameterBufferH264",
            "vui_fields",
            "bitstream_restriction_flag",
            1,
            abi::H264_VUI_RESTRICTION,
        ),
        (
            "VAEncSequenceParameterBufferH264",
            "vui_fields",
            "log2_max_mv_length_horizontal",
            15,
            15 << abi::H264_VUI_MV_HORIZONTAL_SHIFT,
        ),
        (
            "VAEncSequenceParameterBufferH264",
            "vui_fields",
            "log2_max_mv_length_vertical",
            15,
            15 << abi::H264_VUI_MV_VERTICAL_SHIFT,
        ),
        (
            "VAEncSequenceParameterBufferH264",
            "vui_fields",
            "motion_vectors_over_pic_boundaries_flag",
            1,
            abi::H264_VUI_MV_OVER_EDGES,
        ),
        (
            "VAEncPictureParameterBufferH264",
            "pic_fields",
            "idr_pic_flag",
            1,
            abi::H264_PIC_IDR,
        ),
        (
            "VAEncPictureParameterBufferH264",
            "pic_fields",
            "reference_pic_flag",
            1,
            abi::H264_PIC_REFERENCE,
        ),
        (
            "VAEncPictureParameterBufferH264",
            "pic_fields",
            "entropy_coding_mode_flag",
            1,
            abi::H264_PIC_CABAC,
        ),
        (
            "VAEncPictureParameterBufferH264",
            "pic_fields",
            "transform_8x8_mode_flag",
            1,
            abi::H264_PIC_TRANSFORM_8X8,
        ),
        (
            "VAEncPictureParameterBufferH264",
            "pic_fields",
            "deblocking_filter_control_present_flag",
            1,
            abi::H264_PIC_DEBLOCKING_CONTROL,
        ),
        (
            "VAEncSequenceParameterBufferHEVC",
            "seq_fields",
            "chroma_format_idc",
            1,
            abi::HEVC_SEQ_CHROMA_420,
        ),
        (
            "VAEncSequenceParameterBufferHEVC",
            "seq_fields",
            "strong_intra_smoothing_enabled_flag",
            1,
            abi::HEVC_SEQ_STRONG_INTRA,
        ),
        (
            "VAEncSequenceParameterBufferHEVC",
            "seq_fields",
            "amp_enabled_flag",
            1,
            abi::HEVC_SEQ_AMP,
        ),
        (
            "VAEncSequenceParameterBufferHEVC",
            "seq_fields",
            "sample_adaptive_offset_enabled_flag",
            1,
            abi::HEVC_SEQ_SAO,
        ),
        (
            "VAEncSequenceParameterBufferHEVC",
            "seq_fields",
            "low_delay_seq",
            1,
            abi::HEVC_SEQ_LOW_DELAY,
        ),
        (
            "VAEncSequenceParameterBufferHEVC",
            "vui_fields",
            "vui_timing_info_present_flag",
            1,
            abi::HEVC_VUI_TIMING,
        ),
        (
            "VAEncPictureParameterBufferHEVC",
            "pic_fields",
            "idr_pic_flag",
            1,
            abi::HEVC_PIC_IDR,
        ),
        (
            "VAEncPictureParameterBufferHEVC",
            "pic_fields",
            "coding_type",
            2,
            2 << abi::HEVC_PIC_CODING_TYPE_SHIFT,
        ),
        (
            "VAEncPictureParameterBufferHEVC",
            "pic_fields",
            "reference_pic_flag",
            1,
            abi::HEVC_PIC_REFERENCE,
        ),
        (
            "VAEncPictureParameterBufferHEVC",
            "pic_fields",
            "cu_qp_delta_enabled_flag",
            1,
            abi::HEVC_PIC_CU_QP_DELTA,
        ),
        (
            "VAEncSliceParameterBufferHEVC",
            "slice_fields",
            "last_slice_of_pic_flag",
            1,
            abi::HEVC_SLICE_LAST,
        ),
        (
            "VAEncSliceParameterBufferHEVC",
            "slice_fields",
            "slice_sao_luma_flag",
            1,
            abi::HEVC_SLICE_SAO_LUMA,
        ),
        (
            "VAEncSliceParameterBufferHEVC",
            "slice_fields",
            "slice_sao_chroma_flag",
            1,
            abi::HEVC_SLICE_SAO_CHROMA,
        ),
    ] {
        all.bit(structure, union, field, value, ours);
    }
    for (name, ours) in [
        ("VAProfileH264Main", abi::PROFILE_H264_MAIN),
        ("VAProfileH264High", abi::PROFILE_H264_HIGH),
        (
            "VAProfileH264ConstrainedBaseline",
            abi::PROFILE_H264_CONSTRAINED_BASELINE,
        ),
        ("VAProfileHEVCMain", abi::PROFILE_HEVC_MAIN),
        ("VAEntrypointEncSlice", abi::ENTRY_ENC_SLICE),
        ("VAEntrypointEncSliceLP", abi::ENTRY_ENC_SLICE_LP),
        ("VAConfigAttribRTFormat", abi::ATTRIB_RT_FORMAT),
        ("VAConfigAttribRateControl", abi::ATTRIB_RATE_CONTROL),
        ("VAConfigAttribEncPackedHeaders", abi::ATTRIB_PACKED_HEADERS),
        ("VAConfigAttribMaxPictureWidth", abi::ATTRIB_MAX_WIDTH),
        ("VAConfigAttribMaxPictureHeight", abi::ATTRIB_MAX_HEIGHT),
        (
            "VAConfigAttribPredictionDirection",
            abi::ATTRIB_PREDICTION_DIRECTION,
        ),
        ("VAConfigAttribEncHEVCFeatures", abi::ATTRIB_HEVC_FEATURES),
        (
            "VAConfigAttribEncHEVCBlockSizes",
            abi::ATTRIB_HEVC_BLOCK_SIZES,
        ),
        (
            "VASurfaceAttribPixelFormat",
            abi::SURFACE_ATTRIB_PIXEL_FORMAT,
        ),
        ("VAGenericValueTypeInteger", abi::VALUE_INTEGER),
        ("VAEncCodedBufferType", abi::BUFFER_CODED),
        ("VAEncSequenceParameterBufferType", abi::BUFFER_SEQUENCE),
        ("VAEncPictureParameterBufferType", abi::BUFFER_PICTURE),
        ("VAEncSliceParameterBufferType", abi::BUFFER_SLICE),
        (
            "VAEncPackedHeaderParameterBufferType",
            abi::BUFFER_PACKED_PARAMETER,
        ),
        ("VAEncPackedHeaderDataBufferType", abi::BUFFER_PACKED_DATA),
        ("VAEncMiscParameterBufferType", abi::BUFFER_MISC),
        ("VA_PROGRESSIVE", abi::PROGRESSIVE),
    ] {
        all.add(name.to_owned(), ours as u64);
    }
    for (name, ours) in [
        ("VA_INVALID_ID", abi::INVALID_ID),
        ("VA_ATTRIB_NOT_SUPPORTED", abi::NOT_SUPPORTED),
        ("VA_RT_FORMAT_YUV420", abi::RT_FORMAT_YUV420),
        ("VA_RC_CBR", abi::RC_CBR),
        ("VA_RC_VBR", abi::RC_VBR),
        ("VA_ENC_PACKED_HEADER_SEQUENCE", abi::PACKED_SEQUENCE),
        ("VA_ENC_PACKED_HEADER_SLICE", abi::PACKED_SLICE),
        (
            "VA_PREDICTION_DIRECTION_BI_NOT_EMPTY",
            abi::PREDICTION_BI_NOT_EMPTY,
        ),
        ("VA_FOURCC_NV12", abi::FOURCC_NV12),
        ("VA_LSB_FIRST", abi::LSB_FIRST),
        ("VA_SURFACE_ATTRIB_SETTABLE", abi::SURFACE_ATTRIB_SETTABLE),
        ("VAEncMiscParameterTypeFrameRate", abi::MISC_FRAME_RATE),
        ("VAEncMiscParameterTypeRateControl", abi::MISC_RATE_CONTROL),
        ("VAEncMiscParameterTypeHRD", abi::MISC_HRD),
        ("VAEncPackedHeaderSequence", abi::HEADER_SEQUENCE),
        ("VAEncPackedHeaderSlice", abi::HEADER_SLICE),
        (
            "VA_CODED_BUF_STATUS_SLICE_OVERFLOW_MASK",
            abi::CODED_SLICE_OVERFLOW,
        ),
        (
            "VA_CODED_BUF_STATUS_BAD_BITSTREAM",
            abi::CODED_BAD_BITSTREAM,
        ),
        ("VA_PICTURE_H264_INVALID", abi::PICTURE_INVALID),
        ("VA_PICTURE_HEVC_INVALID", abi::PICTURE_INVALID),
        (
            "VA_PICTURE_H264_SHORT_TERM_REFERENCE",
            abi::PICTURE_H264_SHORT_TERM,
        ),
        (
            "VA_PICTURE_HEVC_RPS_ST_CURR_BEFORE",
            abi::PICTURE_HEVC_ST_CURR_BEFORE,
        ),
    ] {
        all.add(name.to_owned(), u64::from(ours));
    }
    all.holds();
}
