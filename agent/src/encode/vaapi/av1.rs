//! AV1: sequence and frame headers as bits, and the same things as the driver's structures.
//!
//! Every picture is shown when it is decoded. One slot of a decoder's eight stands for each surface, and all seven names of
//! references mean the slot of the one that was chosen: what was lost has no name. Its probabilities go on from the same one.
//! The driver puts its own quantiser and filters into the frame header, at the places that it is told.

mod level;
mod obu;
mod tiles;

pub use level::level_idx;
pub use obu::{delimit, names_ours};
pub use tiles::tiles_fit;

use super::{
    abi::{self, PictureParametersAv1, Plain, SequenceAv1, TileGroupAv1},
    bits::{Packed, Writer},
    plan::Plan,
    references::Next,
};
use tiles::Tiles;

/// Of the order hint.
const ORDER_BITS: u32 = 8;
/// What is in the header until the driver puts its own there.
const QUANTISER: u8 = 128;
const NO_PRIMARY: u8 = 7;
const EVERY_SLOT: u8 = 0xff;

/// Why a driver that has the profile is of no use.
pub fn unsuitable(packed: u32, features: u32, sizes: Option<u32>) -> Option<&'static str> {
    let ours = abi::PACKED_SEQUENCE | abi::PACKED_PICTURE;
    let transforms = sizes.unwrap_or(0) >> abi::AV1_TX_MODES_SHIFT;
    if packed & ours != ours {
        Some("takes no headers for it")
    } else if sizes.is_none() {
        Some("does not tell how it counts sizes")
    } else if transforms & (1 << abi::AV1_TX_LARGEST | 1 << abi::AV1_TX_SELECT) == 0 {
        Some("has none of the transforms that are used")
    } else if features & abi::AV1_BLOCKS_128 >= abi::AV1_REQUIRED {
        Some("in blocks of 128 alone")
    } else {
        None
    }
}

/// Bytes that the driver wants the size of an OBU to take.
fn size_bytes(plan: &Plan) -> u32 {
    (plan.card.av1_sizes >> abi::AV1_OBU_SIZE_SHIFT & 3) + 1
}

/// The kind of transforms, as the structures number it.
fn transforms(plan: &Plan) -> u32 {
    let has = plan.card.av1_sizes >> abi::AV1_TX_MODES_SHIFT;
    match has >> abi::AV1_TX_SELECT & 1 {
        1 => abi::AV1_TX_SELECT,
        _ => abi::AV1_TX_LARGEST,
    }
}

/// Bits that a number takes, one at least.
fn width_of(number: u32) -> u32 {
    (32 - number.leading_zeros()).max(1)
}

/// The sequence header. The level is that of the rate at the start: it never changes in a stream.
pub fn sequence_header(plan: &Plan, level: u8) -> Packed {
    let mut out = Writer::default();
    // Main, neither still nor reduced, no timing, no delays, one operating point of everything
    out.bits(3 + 1 + 1 + 1 + 1 + 5 + 12, 0);
    out.bits(5, u32::from(level));
    if level > 7 {
        // the lower tier
        out.bit(false);
    }
    let (width, height) = (plan.width - 1, plan.height - 1);
    out.bits(4, width_of(width) - 1);
    out.bits(4, width_of(height) - 1);
    out.bits(width_of(width), width);
    out.bits(width_of(height), height);
    // no numbers of frames, blocks of 64, neither intra filter nor intra edge filter, no mixed or masked prediction, no warping,
    // one filter for both directions
    out.bits(1 + 1 + 2 + 2 + 1 + 1, 0);
    out.bit(true);
    // neither weights by distance nor motion from before; no tools for screens, in no picture
    out.bits(2 + 1 + 1, 0);
    out.bits(3, ORDER_BITS - 1);
    // no super-resolution; CDEF; no restoration
    out.bits(3, 0b010);
    // 8 bits, colour, described
    out.bits(3, 0b001);
    for value in plan.description() {
        out.bits(8, value);
    }
    out.bit(plan.colour.full_range);
    // the place of chroma is not told, one set of quantisers, no film grain
    out.bits(2 + 1 + 1, 0);
    out.trailing();
    obu::packed(obu::SEQUENCE_HEADER, out, size_bytes(plan))
}

/// A frame header, and where in it things lie, in bits from its beginning.
pub struct FrameHeader {
    pub packed: Packed,
    /// Bits of its contents up to behind the names of references.
    named: u32,
    quantiser: u32,
    loop_filter: u32,
    cdef: u32,
    cdef_size: u32,
}

fn refreshed(next: &Next) -> u8 {
    match next.reference {
        Some(_) => 1 << next.slot,
        None => EVERY_SLOT,
    }
}

/// Where segmentation, probabilities and the like go on from: the names of references all mean one slot, so its number will do as
/// a name, whichever of the two a driver takes it for.
fn primary(next: &Next) -> u8 {
    next.reference.map_or(NO_PRIMARY, |kept| kept.slot as u8)
}

pub fn frame_header(plan: &Plan, next: &Next) -> FrameHeader {
    let mut out = Writer::default();
    // not shown before; key frame or inter frame; shown
    out.bit(false);
    out.bits(2, u32::from(!next.key()));
    out.bit(true);
    if !next.key() {
        // not resilient to errors
        out.bit(false);
    }
    // probabilities adapt; the size of the sequence
    out.bits(2, 0);
    out.bits(ORDER_BITS, next.order & ((1 << ORDER_BITS) - 1));
    if let Some(reference) = &next.reference {
        out.bits(3, u32::from(primary(next)));
        out.bits(8, u32::from(refreshed(next)));
        out.bit(false);
        for _ in 0..7 {
            out.bits(3, reference.slot as u32);
        }
    }
    let named = out.length();
    // rendered at its size
    out.bit(false);
    if !next.key() {
        // no eighths of samples, one interpolation filter: the regular one; simple motion
        out.bits(1 + 1 + 2 + 1, 0);
    }
    // probabilities are kept at the end
    out.bit(false);
    Tiles::of(plan.width, plan.height).write(&mut out, plan);
    let quantiser = out.length();
    out.bits(8, u32::from(QUANTISER));
    // no differences for DC and chroma, no matrices, no segments, no differences in blocks
    out.bits(3 + 1 + 1 + 1, 0);
    let loop_filter = out.length();
    // off, of no sharpness, the same for all references
    out.bits(6 + 6 + 3 + 1, 0);
    let cdef = out.length();
    // one strength: none
    out.bits(2 + 2 + 6 + 6, 0);
    let cdef_size = out.length() - cdef;
    out.bit(transforms(plan) == abi::AV1_TX_SELECT);
    if !next.key() {
        // one reference for a block
        out.bit(false);
    }
    // the whole set of transforms
    out.bit(false);
    if !next.key() {
        // no motion of the whole picture
        out.bits(7, 0);
    }
    out.trailing();
    let front = (1 + size_bytes(plan)) * 8;
    FrameHeader {
        packed: obu::packed(obu::FRAME_HEADER, out, size_bytes(plan)),
        named,
        quantiser: front + quantiser,
        loop_filter: front + loop_filter,
        cdef: front + cdef,
        cdef_size,
    }
}

pub fn sequence(plan: &Plan, level: u8) -> SequenceAv1 {
    SequenceAv1 {
        seq_level_idx: level,
        // no picture is a key frame by itself; a period of nothing would be one picture less than none to a driver
        intra_period: u32::from(u16::MAX),
        ip_period: 1,
        bits_per_second: plan.bits_per_second(),
        seq_fields: abi::AV1_SEQ_ORDER_HINT
            | abi::AV1_SEQ_CDEF
            | abi::AV1_SEQ_SUBSAMPLING_X
            | abi::AV1_SEQ_SUBSAMPLING_Y,
        order_hint_bits_minus_1: ORDER_BITS as u8 - 1,
        ..SequenceAv1::zeroed()
    }
}

/// `before`: bytes of headers in front of this one.
pub fn picture(
    plan: &Plan,
    next: &Next,
    surfaces: &[abi::Id],
    coded_buf: abi::Id,
    header: &FrameHeader,
    before: usize,
) -> Box<PictureParametersAv1> {
    let tiles = Tiles::of(plan.width, plan.height);
    let mut reference_frames = [abi::INVALID_ID; 8];
    for kept in next.kept.iter().filter(|kept| kept.valid) {
        reference_frames[kept.slot] = surfaces[kept.slot];
    }
    let mut picture = Box::new(PictureParametersAv1 {
        frame_width_minus_1: (plan.width - 1) as u16,
        frame_height_minus_1: (plan.height - 1) as u16,
        reconstructed_frame: surfaces[next.slot],
        coded_buf,
        reference_frames,
        ref_frame_idx: [next.reference.map_or(0, |kept| kept.slot as u8); 7],
        primary_ref_frame: primary(next),
        order_hint: next.order as u8,
        refresh_frame_flags: refreshed(next),
        // the first name is searched, and no other
        ref_frame_ctrl_l0: u32::from(!next.key()),
        picture_flags: match next.reference {
            Some(_) => abi::AV1_PIC_INTER,
            None => abi::AV1_PIC_ERROR_RESILIENT,
        },
        base_qindex: QUANTISER,
        min_base_qindex: 1,
        max_base_qindex: 255,
        mode_control_flags: transforms(plan) << abi::AV1_MODE_TX_SHIFT,
        tile_cols: tiles.columns.count() as u8,
        tile_rows: tiles.rows.count() as u8,
        bit_offset_qindex: header.quantiser,
        bit_offset_loopfilter_params: header.loop_filter,
        bit_offset_cdef_params: header.cdef,
        size_in_bits_cdef_params: header.cdef_size,
        byte_offset_frame_hdr_obu_size: before as u32 + 1,
        size_in_bits_frame_hdr_obu: header.packed.bit_length,
        tile_group_obu_hdr_info: abi::AV1_TILES_HAVE_SIZE,
        ..PictureParametersAv1::zeroed()
    });
    let places = &mut picture.width_in_sbs_minus_1;
    for (place, size) in places.iter_mut().zip(tiles.columns.sizes()) {
        *place = (size - 1) as u16;
    }
    let places = &mut picture.height_in_sbs_minus_1;
    for (place, size) in places.iter_mut().zip(tiles.rows.sizes()) {
        *place = (size - 1) as u16;
    }
    picture
}

pub fn tile_group(plan: &Plan) -> TileGroupAv1 {
    TileGroupAv1 {
        tg_end: (Tiles::of(plan.width, plan.height).count() - 1) as u8,
        ..TileGroupAv1::zeroed()
    }
}
