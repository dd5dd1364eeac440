//! H.264: parameter sets and slice headers as bits, and the same things as the driver's structures.
//!
//! References are short-term ones in a sliding window. A picture that refers to another one than the latest says so by
//! reordering its list. A decoder that lost pictures finds a gap in their numbers, which the parameter set allows: what it
//! puts there moves its window as the lost ones would have, and is never referred to.

use super::{
    abi::{self, PictureH264, PictureParametersH264, Plain, SequenceH264, SliceH264},
    bits::{Packed, Writer},
    plan::Plan,
    references::{Kept, Next},
};
use crate::encode::level;

/// Bits of picture numbers and of the picture order count, less 4.
const NUMBER_BITS_MINUS4: u32 = 12;
const NUMBER_BITS: u32 = NUMBER_BITS_MINUS4 + 4;
const INIT_QP: u8 = 26;

const SPS: u32 = 0x67;
const PPS: u32 = 0x68;
const IDR: u32 = 0x65;
const SLICE: u32 = 0x61;

fn high(plan: &Plan) -> bool {
    plan.card.profile == abi::PROFILE_H264_HIGH
}

/// Arithmetic coding: every profile but Baseline.
fn cabac(plan: &Plan) -> bool {
    plan.card.profile != abi::PROFILE_H264_CONSTRAINED_BASELINE
}

pub fn level_idc(plan: &Plan) -> u8 {
    let needed = level::lowest(plan.width, plan.height, plan.fps, plan.kbps);
    needed.map_or(52, |needed| needed.idc)
}

/// What is cut off on the right and at the bottom, in units of two pixels.
fn crop(plan: &Plan) -> (u32, u32) {
    let (width, height) = plan.coded();
    ((width - plan.width) / 2, (height - plan.height) / 2)
}

/// Both parameter sets. The level is that of the rate at the start: they never change in a stream.
pub fn parameter_sets(plan: &Plan, level: u8) -> Packed {
    let mut sps = Writer::default();
    sps.bits(8, SPS);
    let (profile, constraints) = match plan.card.profile {
        abi::PROFILE_H264_HIGH => (100, 0),
        abi::PROFILE_H264_MAIN => (77, 0x40),
        _ => (66, 0xc0),
    };
    sps.bits(8, profile);
    sps.bits(8, constraints);
    sps.bits(8, u32::from(level));
    sps.ue(0);
    if high(plan) {
        // 4:2:0, 8 bits twice, no lossless blocks, no scaling lists
        sps.ue(1);
        sps.ue(0);
        sps.ue(0);
        sps.bits(2, 0);
    }
    sps.ue(NUMBER_BITS_MINUS4);
    sps.ue(0);
    sps.ue(NUMBER_BITS_MINUS4);
    sps.ue(plan.references);
    // gaps in the numbers are allowed
    sps.bit(true);
    let (width, height) = plan.coded();
    sps.ue(width / 16 - 1);
    sps.ue(height / 16 - 1);
    // frames, 8x8 inference
    sps.bits(2, 0b11);
    let (right, bottom) = crop(plan);
    sps.bit(right + bottom > 0);
    if right + bottom > 0 {
        for cut in [0, right, 0, bottom] {
            sps.ue(cut);
        }
    }
    sps.bit(true);
    vui(&mut sps, plan);
    sps.trailing();

    let mut pps = Writer::default();
    pps.bits(8, PPS);
    pps.ue(0);
    pps.ue(0);
    pps.bit(cabac(plan));
    pps.bit(false);
    // one slice group, one reference in either list
    pps.ue(0);
    pps.ue(0);
    pps.ue(0);
    // no weights
    pps.bits(3, 0);
    pps.se(i32::from(INIT_QP) - 26);
    pps.se(0);
    pps.se(0);
    // the deblocking filter is told in slices; neither constrained intra prediction nor redundant pictures
    pps.bits(3, 0b100);
    if high(plan) {
        pps.bits(2, 0b10);
        pps.se(0);
    }
    pps.trailing();

    let mut packed = Packed::default();
    packed.nal(&sps);
    packed.nal(&pps);
    packed
}

fn vui(sps: &mut Writer, plan: &Plan) {
    // neither aspect ratio nor overscan; the signal is described
    sps.bits(3, 0b001);
    sps.bits(3, 5);
    sps.bit(plan.colour.full_range);
    sps.bit(true);
    for value in plan.description() {
        sps.bits(8, value);
    }
    // no place of chroma; timing, at a rate that is not fixed
    sps.bits(2, 0b01);
    sps.bits(32, 1);
    sps.bits(32, 2 * plan.fps);
    sps.bit(false);
    // no buffers, no structure of pictures; restrictions: nothing is reordered
    sps.bits(4, 0b0001);
    sps.bit(true);
    sps.ue(0);
    sps.ue(0);
    sps.ue(15);
    sps.ue(15);
    sps.ue(0);
    sps.ue(plan.references);
}

/// The slice header up to the data, which may begin within a byte.
pub fn slice_header(plan: &Plan, next: &Next, keys: u32) -> Packed {
    let mask = (1 << NUMBER_BITS) - 1;
    let mut slice = Writer::default();
    slice.bits(8, if next.key() { IDR } else { SLICE });
    slice.ue(0);
    slice.ue(if next.key() { 7 } else { 5 });
    slice.ue(0);
    slice.bits(NUMBER_BITS, next.order & mask);
    if next.key() {
        slice.ue(keys & 0xff);
    }
    slice.bits(NUMBER_BITS, next.order.wrapping_mul(2) & mask);
    match next.reference {
        Some(reference) => {
            // as many references as the parameter set says
            slice.bit(false);
            // the latest picture stands first by itself
            let behind = next.order.wrapping_sub(reference.order);
            slice.bit(behind > 1);
            if behind > 1 {
                slice.ue(0);
                slice.ue(behind - 1);
                slice.ue(3);
            }
            // the window slides
            slice.bit(false);
            if cabac(plan) {
                slice.ue(0);
            }
        }
        // output what was before, no long-term reference
        None => slice.bits(2, 0),
    }
    slice.se(0);
    // deblocking filter on, no offsets
    slice.ue(0);
    slice.se(0);
    slice.se(0);
    let mut packed = Packed::default();
    packed.nal(&slice);
    packed
}

pub fn sequence(plan: &Plan, level: u8) -> SequenceH264 {
    let (width, height) = plan.coded();
    let (right, bottom) = crop(plan);
    SequenceH264 {
        level_idc: level,
        // no picture is a key frame by itself
        intra_period: 0,
        intra_idr_period: 0,
        ip_period: 1,
        bits_per_second: plan.bits_per_second(),
        max_num_ref_frames: plan.references,
        width_in_mbs: (width / 16) as u16,
        height_in_mbs: (height / 16) as u16,
        seq_fields: abi::H264_SEQ_CHROMA_420
            | abi::H264_SEQ_FRAME_MBS_ONLY
            | abi::H264_SEQ_DIRECT_8X8
            | NUMBER_BITS_MINUS4 << abi::H264_SEQ_FRAME_NUM_SHIFT
            | NUMBER_BITS_MINUS4 << abi::H264_SEQ_ORDER_SHIFT,
        frame_cropping_flag: u8::from(right + bottom > 0),
        crop_right: right,
        crop_bottom: bottom,
        vui_parameters_present_flag: 1,
        vui_fields: abi::H264_VUI_TIMING
            | abi::H264_VUI_RESTRICTION
            | abi::H264_VUI_MV_OVER_EDGES
            | 15 << abi::H264_VUI_MV_HORIZONTAL_SHIFT
            | 15 << abi::H264_VUI_MV_VERTICAL_SHIFT,
        num_units_in_tick: 1,
        time_scale: 2 * plan.fps,
        ..SequenceH264::zeroed()
    }
}

/// A reference as the driver is told of it; `surfaces` are those for reconstruction.
fn told(kept: &Kept, surfaces: &[abi::Id]) -> PictureH264 {
    PictureH264 {
        picture_id: surfaces[kept.slot],
        frame_idx: kept.order & ((1 << NUMBER_BITS) - 1),
        flags: abi::PICTURE_H264_SHORT_TERM,
        top_order: order_count(kept.order),
        bottom_order: order_count(kept.order),
        reserved: [0; 4],
    }
}

fn order_count(order: u32) -> i32 {
    (order & 0x3fff_ffff) as i32 * 2
}

pub fn picture(
    plan: &Plan,
    next: &Next,
    surfaces: &[abi::Id],
    coded_buf: abi::Id,
) -> PictureParametersH264 {
    let mut references = [PictureH264::NONE; 16];
    for (place, kept) in references.iter_mut().zip(&next.kept) {
        *place = told(kept, surfaces);
    }
    let flag = |on: bool, bit: u32| if on { bit } else { 0 };
    PictureParametersH264 {
        current: PictureH264 {
            picture_id: surfaces[next.slot],
            frame_idx: next.order & ((1 << NUMBER_BITS) - 1),
            flags: abi::PICTURE_H264_SHORT_TERM,
            top_order: order_count(next.order),
            bottom_order: order_count(next.order),
            reserved: [0; 4],
        },
        references,
        coded_buf,
        frame_num: next.order as u16,
        pic_init_qp: INIT_QP,
        pic_fields: abi::H264_PIC_REFERENCE
            | abi::H264_PIC_DEBLOCKING_CONTROL
            | flag(next.key(), abi::H264_PIC_IDR)
            | flag(cabac(plan), abi::H264_PIC_CABAC)
            | flag(high(plan), abi::H264_PIC_TRANSFORM_8X8),
        ..PictureParametersH264::zeroed()
    }
}

pub fn slice(plan: &Plan, next: &Next, surfaces: &[abi::Id], keys: u32) -> Box<SliceH264> {
    let (width, height) = plan.coded();
    let mut list0 = [PictureH264::NONE; 32];
    if let Some(reference) = &next.reference {
        list0[0] = told(reference, surfaces);
    }
    Box::new(SliceH264 {
        num_macroblocks: (width / 16) * (height / 16),
        macroblock_info: abi::INVALID_ID,
        slice_type: if next.key() { 2 } else { 0 },
        idr_pic_id: (keys & 0xff) as u16,
        pic_order_cnt_lsb: next.order.wrapping_mul(2) as u16,
        list0,
        list1: [PictureH264::NONE; 32],
        ..SliceH264::zeroed()
    })
}
