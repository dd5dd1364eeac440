//! HEVC: parameter sets and slice headers as bits, and the same things as the driver's structures.
//!
//! Every slice header lists the pictures that are still valid and which one it refers to: what was lost is not in the list.

use super::{
    abi::{self, PictureHevc, PictureParametersHevc, Plain, SequenceHevc, SliceHevc},
    bits::{Packed, Writer},
    plan::Plan,
    references::{Kept, Next},
};

/// Bits of the picture order count in slice headers.
const ORDER_BITS: u32 = 16;
const INIT_QP: u8 = 26;

const VPS: u32 = 32;
const SPS: u32 = 33;
const PPS: u32 = 34;
const IDR: u32 = 19;
const TRAILING: u32 = 1;

/// level_idc, luma samples a picture, luma samples a second, kbit/s of the Main tier (ITU-T H.265, tables A.8 and A.9).
const LEVELS: [(u8, u64, u64, u64); 13] = [
    (30, 36_864, 552_960, 128),
    (60, 122_880, 3_686_400, 1_500),
    (63, 245_760, 7_372_800, 3_000),
    (90, 552_960, 16_588_800, 6_000),
    (93, 983_040, 33_177_600, 10_000),
    (120, 2_228_224, 66_846_720, 12_000),
    (123, 2_228_224, 133_693_440, 20_000),
    (150, 8_912_896, 267_386_880, 25_000),
    (153, 8_912_896, 534_773_760, 40_000),
    (156, 8_912_896, 1_069_547_520, 60_000),
    (180, 35_651_584, 1_069_547_520, 60_000),
    (183, 35_651_584, 2_139_095_040, 120_000),
    (186, 35_651_584, 4_278_190_080, 240_000),
];

/// The lowest level of the mode; a bit rate beyond all that have its size takes the highest of them.
pub fn level_idc(plan: &Plan) -> u8 {
    let (width, height) = plan.coded();
    let (width, height) = (u64::from(width), u64::from(height));
    let samples = width * height;
    let fits = |level: &&(u8, u64, u64, u64)| {
        samples <= level.1
            && samples * u64::from(plan.fps) <= level.2
            && width * width <= 8 * level.1
            && height * height <= 8 * level.1
    };
    let enough = |level: &&(u8, u64, u64, u64)| u64::from(plan.kbps) <= level.3;
    LEVELS
        .iter()
        .filter(fits)
        .find(enough)
        .or_else(|| LEVELS.iter().rfind(fits))
        .map_or(186, |level| level.0)
}

/// How pictures are cut into blocks: logarithms of sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Blocks {
    tree: u32,
    coding: u32,
    transform_min: u32,
    transform_max: u32,
    depth_inter: u32,
    depth_intra: u32,
    asymmetric: bool,
    sao: bool,
    strong_intra: bool,
    qp_delta: bool,
}

fn blocks(plan: &Plan) -> Blocks {
    // two bits each: 0 = not there, 1 = may be used, 2 and 3 = has to be
    let feature = |place: u32, else_: bool| match plan.card.hevc_features {
        Some(value) => value >> place & 3 != 0,
        None => else_,
    };
    // what drivers do that do not say: Intel's of the sixth generation, and AMD's
    let sizes = plan
        .card
        .hevc_blocks
        .unwrap_or(2 | 2 << 2 | 1 << 4 | 3 << 6 | 2 << 10 | 2 << 14);
    let field = |place: u32| sizes >> place & 3;
    let tree = field(0) + 3;
    let transform_min = field(8) + 2;
    Blocks {
        tree,
        coding: (field(4) + 3).min(4),
        transform_min,
        transform_max: (field(6) + 2).min(tree),
        depth_inter: field(10),
        depth_intra: field(14),
        strong_intra: feature(12, false),
        asymmetric: feature(4, true),
        sao: feature(6, false),
        qp_delta: feature(22, true),
    }
}

fn unit(kind: u32) -> Writer {
    let mut writer = Writer::default();
    writer.bits(8, kind << 1);
    writer.bits(8, 1);
    writer
}

fn profile_and_level(out: &mut Writer, level: u8) {
    // Main, and every decoder of Main 10
    out.bits(8, 1);
    out.bits(32, 0x6000_0000);
    // progressive, not interlaced, no constraint on packing, frames only
    out.bits(4, 0b1001);
    out.bits(32, 0);
    out.bits(12, 0);
    out.bits(8, u32::from(level));
}

/// Pictures kept besides the current one, none of them reordered.
fn buffering(out: &mut Writer, plan: &Plan) {
    out.ue(plan.references);
    out.ue(0);
    out.ue(0);
}

/// All three parameter sets. The level is that of the rate at the start: they never change in a stream.
pub fn parameter_sets(plan: &Plan, level: u8) -> Packed {
    let mut vps = unit(VPS);
    // its number, its own layer, one layer, one sub-layer, nested, reserved
    vps.bits(4, 0);
    vps.bits(2, 3);
    vps.bits(6, 0);
    vps.bits(3, 0);
    vps.bit(true);
    vps.bits(16, 0xffff);
    profile_and_level(&mut vps, level);
    vps.bit(true);
    buffering(&mut vps, plan);
    vps.bits(6, 0);
    vps.ue(0);
    // timing is in the sequence, no extension
    vps.bits(2, 0);
    vps.trailing();

    let mut packed = Packed::default();
    packed.nal(&vps);
    packed.nal(&sequence_set(plan, level));
    packed.nal(&picture_set(plan));
    packed
}

fn sequence_set(plan: &Plan, level: u8) -> Writer {
    let blocks = blocks(plan);
    let (width, height) = plan.coded();
    let mut sps = unit(SPS);
    sps.bits(4, 0);
    sps.bits(3, 0);
    sps.bit(true);
    profile_and_level(&mut sps, level);
    sps.ue(0);
    sps.ue(1);
    sps.ue(width);
    sps.ue(height);
    let (right, bottom) = ((width - plan.width) / 2, (height - plan.height) / 2);
    sps.bit(right + bottom > 0);
    if right + bottom > 0 {
        for cut in [0, right, 0, bottom] {
            sps.ue(cut);
        }
    }
    // 8 bits twice
    sps.ue(0);
    sps.ue(0);
    sps.ue(ORDER_BITS - 4);
    sps.bit(true);
    buffering(&mut sps, plan);
    sps.ue(blocks.coding - 3);
    sps.ue(blocks.tree - blocks.coding);
    sps.ue(blocks.transform_min - 2);
    sps.ue(blocks.transform_max - blocks.transform_min);
    sps.ue(blocks.depth_inter);
    sps.ue(blocks.depth_intra);
    // no scaling lists
    sps.bit(false);
    sps.bit(blocks.asymmetric);
    sps.bit(blocks.sao);
    // no PCM, no prepared sets of references, no long-term ones, no motion from before
    sps.bit(false);
    sps.ue(0);
    sps.bits(2, 0);
    sps.bit(blocks.strong_intra);
    sps.bit(true);
    // neither aspect ratio nor overscan; the signal is described
    sps.bits(3, 0b001);
    sps.bits(3, 5);
    sps.bit(plan.colour.full_range);
    sps.bit(true);
    for value in plan.description() {
        sps.bits(8, value);
    }
    // place of chroma, neutral chroma, fields, field information, window
    sps.bits(5, 0);
    sps.bit(true);
    sps.bits(32, 1);
    sps.bits(32, plan.fps);
    // not proportional, no buffers, no restrictions, no extension
    sps.bits(4, 0);
    sps.trailing();
    sps
}

fn picture_set(plan: &Plan) -> Writer {
    let mut pps = unit(PPS);
    pps.ue(0);
    pps.ue(0);
    // neither dependent slices, output flags, extra bits, hidden signs nor initial tables
    pps.bits(7, 0);
    // one reference in either list
    pps.ue(0);
    pps.ue(0);
    pps.se(i32::from(INIT_QP) - 26);
    // constrained intra prediction, transform skip
    pps.bits(2, 0);
    let qp_delta = blocks(plan).qp_delta;
    pps.bit(qp_delta);
    if qp_delta {
        pps.ue(0);
    }
    pps.se(0);
    pps.se(0);
    // chroma offsets in slices, two weightings, bypass, tiles, wavefronts, filter across slices
    pps.bits(6, 0);
    pps.bit(false);
    // control of the deblocking filter, scaling lists, changed reference lists
    pps.bits(3, 0);
    pps.ue(0);
    // extra bits of slice headers, extension
    pps.bits(2, 0);
    pps.trailing();
    pps
}

/// Valid pictures, latest first: what stays in decoders.
fn valid(next: &Next) -> impl Iterator<Item = &Kept> {
    next.kept.iter().filter(|kept| kept.valid)
}

/// The slice header with its alignment.
pub fn slice_header(plan: &Plan, next: &Next) -> Packed {
    let mut slice = unit(if next.key() { IDR } else { TRAILING });
    slice.bit(true);
    if next.key() {
        slice.bit(false);
    }
    slice.ue(0);
    slice.ue(u32::from(slice_type(plan, next)));
    if let Some(reference) = &next.reference {
        slice.bits(ORDER_BITS, next.order & ((1 << ORDER_BITS) - 1));
        // a set of its own: pictures before this one, none after
        slice.bit(false);
        slice.ue(valid(next).count() as u32);
        slice.ue(0);
        let mut before = next.order;
        for kept in valid(next) {
            slice.ue(before.wrapping_sub(kept.order).wrapping_sub(1));
            slice.bit(kept.order == reference.order);
            before = kept.order;
        }
    }
    if blocks(plan).sao {
        slice.bits(2, 0b11);
    }
    if next.reference.is_some() {
        // as many references as the parameter set says
        slice.bit(false);
        if plan.card.both_directions {
            slice.bit(false);
        }
        // five candidates for merging
        slice.ue(0);
    }
    slice.se(0);
    slice.trailing();
    let mut packed = Packed::default();
    packed.nal(&slice);
    packed
}

fn slice_type(plan: &Plan, next: &Next) -> u8 {
    match (next.key(), plan.card.both_directions) {
        (true, _) => 2,
        (false, false) => 1,
        (false, true) => 0,
    }
}

pub fn sequence(plan: &Plan, level: u8) -> SequenceHevc {
    let blocks = blocks(plan);
    let (width, height) = plan.coded();
    let flag = |on: bool, bit: u32| if on { bit } else { 0 };
    SequenceHevc {
        general_profile_idc: 1,
        general_level_idc: level,
        ip_period: 1,
        bits_per_second: plan.bits_per_second(),
        width: width as u16,
        height: height as u16,
        seq_fields: abi::HEVC_SEQ_CHROMA_420
            | abi::HEVC_SEQ_LOW_DELAY
            | flag(blocks.strong_intra, abi::HEVC_SEQ_STRONG_INTRA)
            | flag(blocks.asymmetric, abi::HEVC_SEQ_AMP)
            | flag(blocks.sao, abi::HEVC_SEQ_SAO),
        log2_min_coding_block_minus3: (blocks.coding - 3) as u8,
        log2_diff_coding_block: (blocks.tree - blocks.coding) as u8,
        log2_min_transform_block_minus2: (blocks.transform_min - 2) as u8,
        log2_diff_transform_block: (blocks.transform_max - blocks.transform_min) as u8,
        max_transform_hierarchy_depth_inter: blocks.depth_inter as u8,
        max_transform_hierarchy_depth_intra: blocks.depth_intra as u8,
        vui_parameters_present_flag: 1,
        vui_fields: abi::HEVC_VUI_TIMING,
        vui_num_units_in_tick: 1,
        vui_time_scale: plan.fps,
        ..SequenceHevc::zeroed()
    }
}

fn told(kept: &Kept, surfaces: &[abi::Id], used: bool) -> PictureHevc {
    PictureHevc {
        picture_id: surfaces[kept.slot],
        order: (kept.order & 0x7fff_ffff) as i32,
        flags: if used {
            abi::PICTURE_HEVC_ST_CURR_BEFORE
        } else {
            0
        },
        reserved: [0; 4],
    }
}

pub fn picture(
    plan: &Plan,
    next: &Next,
    surfaces: &[abi::Id],
    coded_buf: abi::Id,
) -> PictureParametersHevc {
    let mut references = [PictureHevc::NONE; 15];
    for (place, kept) in references.iter_mut().zip(valid(next)) {
        let used = next.reference.as_ref() == Some(kept);
        *place = told(kept, surfaces, used);
    }
    let flag = |on: bool, bit: u32| if on { bit } else { 0 };
    // 1 = I, 2 = P, 3 = B
    let coding_type = 3 - u32::from(slice_type(plan, next));
    PictureParametersHevc {
        current: PictureHevc {
            picture_id: surfaces[next.slot],
            order: (next.order & 0x7fff_ffff) as i32,
            flags: 0,
            reserved: [0; 4],
        },
        references,
        coded_buf,
        collocated_ref_pic_index: 0xff,
        pic_init_qp: INIT_QP,
        nal_unit_type: if next.key() { IDR } else { TRAILING } as u8,
        pic_fields: abi::HEVC_PIC_REFERENCE
            | coding_type << abi::HEVC_PIC_CODING_TYPE_SHIFT
            | flag(next.key(), abi::HEVC_PIC_IDR)
            | flag(blocks(plan).qp_delta, abi::HEVC_PIC_CU_QP_DELTA),
        ..PictureParametersHevc::zeroed()
    }
}

pub fn slice(plan: &Plan, next: &Next, surfaces: &[abi::Id]) -> SliceHevc {
    let (width, height) = plan.coded();
    let blocks = blocks(plan);
    let (mut list0, mut list1) = ([PictureHevc::NONE; 15], [PictureHevc::NONE; 15]);
    if let Some(reference) = &next.reference {
        list0[0] = told(reference, surfaces, true);
        if plan.card.both_directions {
            list1[0] = list0[0];
        }
    }
    let sao = match blocks.sao {
        true => abi::HEVC_SLICE_SAO_LUMA | abi::HEVC_SLICE_SAO_CHROMA,
        false => 0,
    };
    SliceHevc {
        num_ctu_in_slice: width.div_ceil(1 << blocks.tree) * height.div_ceil(1 << blocks.tree),
        slice_type: slice_type(plan, next),
        list0,
        list1,
        max_num_merge_cand: 5,
        slice_fields: abi::HEVC_SLICE_LAST | sao,
        ..SliceHevc::zeroed()
    }
}
