//! AV1, written by hand behind the headers that were handed over: key frames of grey blocks, and copies of the reference.
//!
//! What is in the pictures is lost; which picture refers to which is in the stream, and in the probabilities that go on from it.
//! As Intel's driver does, it puts quantiser, loop filter and CDEF into the frame header and writes no temporal delimiter; with
//! `VAAPI_DOUBLE_REWRITE` it writes units as Mesa's does, of what it read in the headers.

mod headers;
mod tile;

use crate::{
    abi::{self, PictureParametersAv1, SequenceAv1, TileGroupAv1},
    knobs,
    objects::structure,
    state::misuse,
    status::INVALID_PARAMETER,
    stream::{Decoded, Described, Made, Source, Stream, Surfaces},
};
use headers::{Frame, Sequence};
use punktfunk_coder::range::obu;
use tile::Tables;

const TEMPORAL_DELIMITER: u8 = 2;
const SEQUENCE_HEADER: u8 = 1;
const FRAME_HEADER: u8 = 3;
const TILE_GROUP: u8 = 4;
const FRAME: u8 = 6;

/// Bytes of the sizes of OBUs, and of those of tiles.
const SIZE_BYTES: u32 = 2;
/// The largest transforms, or chosen ones: the former alone. Some tiles.
pub const SIZES: u32 = 3
    | (SIZE_BYTES - 1) << abi::AV1_OBU_SIZE_SHIFT
    | 1 << abi::AV1_TX_LARGEST << abi::AV1_TX_MODES_SHIFT
    | 15 << abi::AV1_MAX_TILES_SHIFT;

/// What one of a decoder's slots holds.
#[derive(Clone)]
struct Slot {
    order: u32,
    number: u64,
    tables: Tables,
}

#[derive(Default)]
pub struct Coder {
    sequence: Option<Sequence>,
    slots: [Option<Slot>; 8],
    /// The slot that was refreshed last, if it was one alone.
    latest: Option<usize>,
    last: u32,
}

fn wrong(text: &str) {
    misuse(INVALID_PARAMETER, text);
}

/// A sequence header that says the same as the structure beside it.
fn sequence(described: &Described, bytes: &[u8]) -> Result<Sequence, i32> {
    let said = described.sequence.as_ref();
    let said = said.ok_or_else(|| misuse(INVALID_PARAMETER, "a key frame without a sequence"))?;
    let said: Box<SequenceAv1> = structure(said, "a sequence")?;
    let found = Sequence::read(headers::payload(
        bytes,
        SEQUENCE_HEADER,
        SIZE_BYTES as usize,
    ));
    let flag = |bit: u32| said.seq_fields & bit != 0;
    let expected = Sequence {
        profile: u32::from(said.seq_profile),
        level: u32::from(said.seq_level_idx),
        tier: u32::from(said.seq_tier),
        order_bits: u32::from(said.order_hint_bits_minus_1) + 1,
        cdef: flag(abi::AV1_SEQ_CDEF),
        bits: (said.seq_fields >> 14 & 7) + 8,
        size: found.size,
    };
    let order = flag(abi::AV1_SEQ_ORDER_HINT);
    if found != expected || found.bits != 8 || !order || said.ip_period != 1 {
        wrong(&format!(
            "a sequence header says {found:?}, not {expected:?}"
        ));
    }
    if said.bits_per_second == 0 {
        wrong("a sequence without a rate");
    }
    Ok(found)
}

/// The frame header against the structure of its picture.
fn compare(found: &Frame, picture: &PictureParametersAv1, size: (u32, u32)) {
    let offset = |at: usize| (8 * (1 + SIZE_BYTES as usize) + at) as u32;
    let kind = picture.picture_flags & 3;
    let names: Vec<u32> = match kind {
        0 => Vec::new(),
        _ => picture.ref_frame_idx.map(u32::from).to_vec(),
    };
    let modes = picture.mode_control_flags;
    let expected = Frame {
        kind,
        order: u32::from(picture.order_hint),
        primary: u32::from(picture.primary_ref_frame),
        refreshed: u32::from(picture.refresh_frame_flags),
        names,
        quantiser: u32::from(picture.base_qindex),
        select_transforms: modes >> abi::AV1_MODE_TX_SHIFT & 3 == abi::AV1_TX_SELECT,
        ..found.clone()
    };
    if *found != expected || found.select_transforms || kind > 1 {
        wrong(&format!("a frame header says {found:?}, not {expected:?}"));
    }
    let said = [
        picture.bit_offset_qindex,
        picture.bit_offset_loopfilter_params,
        picture.bit_offset_cdef_params,
        picture.size_in_bits_cdef_params,
        u32::from(picture.frame_width_minus_1) + 1,
        u32::from(picture.frame_height_minus_1) + 1,
    ];
    let wanted = [
        offset(found.quantiser_at),
        offset(found.loop_filter_at),
        offset(found.cdef_at),
        (found.behind_cdef - found.cdef_at) as u32,
        size.0,
        size.1,
    ];
    if said != wanted {
        wrong(&format!("places and sizes are {said:?}, not {wanted:?}"));
    }
    let tiles = (picture.tile_cols, picture.tile_rows);
    if tiles != (1, 1) || found.tiles != (0, 0) {
        wrong("more tiles than one, which this driver does not write");
    }
    let resilient = picture.picture_flags & abi::AV1_PIC_ERROR_RESILIENT != 0;
    let has_size = picture.tile_group_obu_hdr_info == abi::AV1_TILES_HAVE_SIZE;
    let range = (picture.min_base_qindex, picture.max_base_qindex);
    let searched = (picture.ref_frame_ctrl_l0, picture.ref_frame_ctrl_l1);
    if resilient != (kind == 0) || !has_size || range != (1, 255) || searched != (kind, 0) {
        wrong("a picture that is not searched, measured or divided as its header says");
    }
}

pub fn encode(
    stream: &mut Stream,
    source: &Source,
    described: &Described,
    surfaces: &Surfaces<'_>,
) -> Result<Made, i32> {
    let refuse = |text: &str| misuse(INVALID_PARAMETER, text);
    let (Some(picture), Some(group)) = (&described.picture, &described.slice) else {
        return Err(refuse("a picture or its tiles are not described"));
    };
    let picture: Box<PictureParametersAv1> = structure(picture, "a picture")?;
    let group: Box<TileGroupAv1> = structure(group, "a group of tiles")?;
    let number = stream.encoded;
    let coded = stream.size;
    let coder = &mut stream.av1;
    let key = picture.picture_flags & 3 == 0;
    let set = described.packed(abi::HEADER_SEQUENCE);
    if key {
        let set = set.ok_or_else(|| refuse("a key frame without its sequence header"))?;
        coder.sequence = Some(sequence(described, &set.bytes)?);
        coder.slots = Default::default();
    }
    let Some(sequence) = coder.sequence.clone() else {
        return Err(refuse("the first picture is no key frame"));
    };
    let size = (sequence.size.0 as usize, sequence.size.1 as usize);
    let whole = (size.0.next_multiple_of(64), size.1.next_multiple_of(64));
    if whole != coded || !tile::possible(size) {
        return Err(refuse("a size that this driver cannot write"));
    }
    let header = described.packed(abi::HEADER_PICTURE);
    let header = header.ok_or_else(|| refuse("a picture without its frame header"))?;
    let payload = headers::payload(&header.bytes, FRAME_HEADER, SIZE_BYTES as usize);
    let frame = Frame::read(payload, &sequence);
    compare(&frame, &picture, sequence.size);
    let before = set.filter(|_| key).map_or(0, |set| set.bytes.len());
    let bits = (header.bits, picture.size_in_bits_frame_hdr_obu as usize);
    if bits != (8 * header.bytes.len(), 8 * header.bytes.len())
        || picture.byte_offset_frame_hdr_obu_size as usize != before + 1
        || (group.tg_start, group.tg_end) != (0, 0)
    {
        wrong("a header or a group of tiles of another length or place");
    }
    let order = frame.order;
    let wanted = if key { 0 } else { (coder.last + 1) & 0xff };
    if order != wanted || frame.refreshed.count_ones() != if key { 8 } else { 1 } {
        wrong("a picture with a wrong number, or which is kept in other slots");
    }

    // what the structure says lies in slots, against what does
    let mut references = Vec::new();
    for (slot, id) in picture.reference_frames.iter().enumerate() {
        if *id != abi::INVALID_ID {
            let held = coder.slots[slot].as_ref();
            let held = held.ok_or_else(|| refuse("a reference in a slot that is empty"))?;
            let decoded = surfaces.reference(*id, held.order)?;
            if decoded.number != held.number {
                wrong("a slot that holds another picture than it is said to");
            }
            references.push(*id);
        }
    }
    surfaces.target(picture.reconstructed_frame, &references);
    let (mut tables, mut reference, mut name) = (Tables::default(), None, None);
    if !key {
        let first = frame.names[0];
        if !frame.names.iter().all(|name| *name == first) || frame.primary == 7 {
            wrong("names of several references, or probabilities from nowhere");
        }
        // an older Mesa's: always the last one
        if knobs::rewrites().as_deref() == Some("latest") {
            name = coder.latest.map(|slot| slot as u32);
        }
        let used = name.unwrap_or(first) as usize;
        let id = picture.reference_frames[first as usize];
        if id == abi::INVALID_ID {
            return Err(refuse("a predicted picture without a reference"));
        }
        let slot = coder.slots[used].as_ref();
        let slot = slot.ok_or_else(|| refuse("a predicted picture without a reference"))?;
        tables = slot.tables.clone();
        let named = coder.slots[first as usize].as_ref();
        let held = surfaces.reference(id, named.map_or(0, |named| named.order))?;
        reference = Some(Decoded {
            number: slot.number,
            ..held
        });
    }

    let quantiser = 40 + (number % 100) as u8;
    let mut decided = frame.decided(payload, quantiser, name);
    let tiles = tile::write(&mut tables, size, key);
    let mut unit = Vec::new();
    if knobs::rewrites().is_some() {
        unit.extend(obu(u32::from(TEMPORAL_DELIMITER), &[]));
    }
    if key {
        unit.extend(&set.map(|set| set.bytes.clone()).unwrap_or_default());
    }
    if knobs::rewrites().is_some() {
        let mut whole = decided.bytes;
        whole.extend(tiles);
        unit.extend(obu(u32::from(FRAME), &whole));
    } else {
        decided.trailing();
        unit.extend(obu(u32::from(FRAME_HEADER), &decided.bytes));
        unit.extend(obu(u32::from(TILE_GROUP), &tiles));
    }
    for (slot, place) in coder.slots.iter_mut().enumerate() {
        if frame.refreshed >> slot & 1 == 1 {
            *place = Some(Slot {
                order,
                number,
                tables: tables.kept(),
            });
            coder.latest = (!key).then_some(slot);
        }
    }
    coder.last = order;
    Ok(Made {
        surface: picture.reconstructed_frame,
        coded: picture.coded_buf,
        key,
        order,
        reference,
        unit,
        blocks: source.blocks(),
    })
}
