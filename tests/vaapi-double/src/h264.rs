//! H.264, written by hand behind the headers that were handed over: blocks of 16x16, each either PCM samples or a copy of the
//! reference at the same place, by either way of entropy coding.

mod headers;
mod slice;

use crate::{
    abi::{self, Id, PictureH264, PictureParametersH264, SequenceH264, SliceH264},
    objects::structure,
    state::misuse,
    status::INVALID_PARAMETER,
    stream::{Described, Made, Source, Stream, Surfaces},
};
use headers::Parameters;
use punktfunk_coder::bits::{Writer, nal, unescape};

#[derive(Default)]
pub struct Coder {
    parameters: Option<Parameters>,
    sequence: Option<Box<SequenceH264>>,
    /// Numbers of the pictures that a decoder keeps, latest last.
    window: Vec<u32>,
    last: u32,
}

fn wrong(text: &str) {
    misuse(INVALID_PARAMETER, text);
}

fn named(all: &[PictureH264]) -> impl Iterator<Item = &PictureH264> {
    all.iter()
        .filter(|found| found.flags & abi::PICTURE_INVALID == 0)
}

pub fn encode(
    stream: &mut Stream,
    source: &Source,
    described: &Described,
    surfaces: &Surfaces<'_>,
    packed: u32,
) -> Result<Made, i32> {
    let (Some(picture), Some(slice)) = (&described.picture, &described.slice) else {
        return Err(misuse(
            INVALID_PARAMETER,
            "a picture or its slice is not described",
        ));
    };
    let picture: Box<PictureParametersH264> = structure(picture, "a picture")?;
    let slice: Box<SliceH264> = structure(slice, "a slice")?;
    let key = picture.pic_fields & abi::H264_PIC_IDR != 0;
    let (profile, size) = (stream.profile(), stream.size);
    let coder = &mut stream.h264;
    if key {
        let sequence = described.sequence.as_ref();
        let sequence =
            sequence.ok_or_else(|| misuse(INVALID_PARAMETER, "a key frame without a sequence"))?;
        let sequence: Box<SequenceH264> = structure(sequence, "a sequence")?;
        let blocks = (
            usize::from(sequence.width_in_mbs),
            usize::from(sequence.height_in_mbs),
        );
        if (blocks.0 * 16, blocks.1 * 16) != size || sequence.level_idc > 52 {
            wrong("a sequence of another size than its context, or of a level that does not exist");
        }
        coder.sequence = Some(sequence);
        coder.window.clear();
    }
    let Some(sequence) = &coder.sequence else {
        return Err(misuse(
            INVALID_PARAMETER,
            "the first picture is no key frame",
        ));
    };
    let most = sequence.max_num_ref_frames as usize;
    let order = picture.current.frame_idx;
    let mask = 0xffff;
    if order & mask != u32::from(picture.frame_num)
        || picture.current.top_order as u32 != order.wrapping_mul(2)
        || order != if key { 0 } else { (coder.last + 1) & mask }
    {
        wrong("a picture with a wrong number");
    }
    let references: Vec<Id> = named(&picture.references)
        .map(|found| found.picture_id)
        .collect();
    let mut numbers: Vec<u32> = named(&picture.references)
        .map(|found| found.frame_idx)
        .collect();
    numbers.sort_by_key(|number| order.wrapping_sub(*number) & mask);
    numbers.reverse();
    if numbers != coder.window {
        wrong("other references than a decoder keeps");
    }
    for found in named(&picture.references) {
        surfaces.reference(found.picture_id, found.frame_idx)?;
    }
    surfaces.target(picture.current.picture_id, &references);
    let mut reference = None;
    if key != (slice.slice_type == 2) || slice.num_macroblocks as usize * 256 != size.0 * size.1 {
        wrong("a slice of another kind or size than its picture");
    }
    if !key {
        let mut list = named(&slice.list0);
        let first = list.next();
        let first = first.filter(|first| references.contains(&first.picture_id));
        let first = first.ok_or_else(|| {
            misuse(
                INVALID_PARAMETER,
                "a predicted picture without a reference that it keeps",
            )
        })?;
        if list.next().is_some() {
            wrong("more references than the picture says");
        }
        reference = Some(surfaces.reference(first.picture_id, first.frame_idx)?);
    }

    let mut unit = Vec::new();
    let sets = described.packed(abi::HEADER_SEQUENCE);
    if key {
        let bytes = match sets {
            Some(sets) => sets.bytes.clone(),
            None if packed & abi::PACKED_SEQUENCE != 0 => {
                return Err(misuse(
                    INVALID_PARAMETER,
                    "a key frame without its parameter sets",
                ));
            }
            None => headers::written(sequence, &picture, profile),
        };
        let parameters = Parameters::of(&bytes);
        parameters.compare(sequence, &picture, profile);
        coder.parameters = Some(parameters);
        unit.extend(bytes);
    } else if sets.is_some() {
        wrong("parameter sets within a group of pictures");
    }
    let Some(parameters) = &coder.parameters else {
        return Err(misuse(
            INVALID_PARAMETER,
            "a slice before its parameter sets",
        ));
    };
    let mut writer = Writer::default();
    let wanted = headers::Slice::wanted(
        &picture,
        &slice,
        reference.as_ref().map(|found| found.order),
    );
    match described.packed(abi::HEADER_SLICE) {
        Some(header) => {
            let start = header.bytes.starts_with(&[0, 0, 0, 1]);
            let plain = unescape(header.bytes.get(4..).unwrap_or_default());
            let unused = header.bytes.len() * 8 - header.bits;
            let bits = plain.len() * 8 - unused;
            let (found, used) = headers::Slice::read(&plain, parameters);
            if !start || used != bits || found != wanted {
                wrong(&format!(
                    "a slice header says {found:?} ({used} of {bits} bits), not {wanted:?}"
                ));
            }
            for place in 0..bits {
                writer.bit(u32::from(plain[place / 8] >> (7 - place % 8) & 1));
            }
        }
        None if packed & abi::PACKED_SLICE != 0 => {
            return Err(misuse(INVALID_PARAMETER, "a slice without its header"));
        }
        None => wanted.write(&mut writer, parameters),
    }
    let blocks = source.blocks();
    let copied = reference.as_ref().map(|found| &found.blocks[..]);
    slice::write(&mut writer, &blocks, copied, size.0 / 16, parameters.cabac);
    unit.extend(nal(&writer.bytes));
    coder.last = order;
    if coder.window.len() >= most {
        coder.window.remove(0);
    }
    coder.window.push(order & mask);
    Ok(Made {
        surface: picture.current.picture_id,
        coded: picture.coded_buf,
        key,
        order,
        reference,
        unit,
        blocks,
    })
}
