//! HEVC, written by hand behind the headers that were handed over: key frames of grey blocks, and copies of the reference.
//!
//! What is in the pictures is lost; which picture refers to which is in the stream.

mod headers;
mod slice;

use crate::{
    abi::{self, Id, PictureHevc, PictureParametersHevc, SequenceHevc, SliceHevc},
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
    sequence: Option<Box<SequenceHevc>>,
    /// Pictures that a decoder keeps.
    window: Vec<u32>,
    last: u32,
}

fn wrong(text: &str) {
    misuse(INVALID_PARAMETER, text);
}

fn named(all: &[PictureHevc]) -> impl Iterator<Item = &PictureHevc> {
    all.iter()
        .filter(|found| found.flags & abi::PICTURE_INVALID == 0)
}

pub fn encode(
    stream: &mut Stream,
    source: &Source,
    described: &Described,
    surfaces: &Surfaces<'_>,
) -> Result<Made, i32> {
    let refuse = |text: &str| misuse(INVALID_PARAMETER, text);
    let (Some(picture), Some(slice)) = (&described.picture, &described.slice) else {
        return Err(refuse("a picture or its slice is not described"));
    };
    let picture: Box<PictureParametersHevc> = structure(picture, "a picture")?;
    let slice: Box<SliceHevc> = structure(slice, "a slice")?;
    let key = picture.pic_fields & abi::HEVC_PIC_IDR != 0;
    let size = stream.size;
    let coder = &mut stream.hevc;
    if key {
        let sequence = described.sequence.as_ref();
        let sequence = sequence.ok_or_else(|| refuse("a key frame without a sequence"))?;
        let sequence: Box<SequenceHevc> = structure(sequence, "a sequence")?;
        if (usize::from(sequence.width), usize::from(sequence.height)) != size {
            wrong("a sequence of another size than its context");
        }
        coder.sequence = Some(sequence);
        coder.window.clear();
    }
    let Some(sequence) = &coder.sequence else {
        return Err(refuse("the first picture is no key frame"));
    };
    let order = picture.current.order as u32;
    if order != if key { 0 } else { coder.last + 1 } {
        wrong("a picture with a wrong number");
    }
    let references: Vec<Id> = named(&picture.references)
        .map(|found| found.picture_id)
        .collect();
    let kept: Vec<u32> = named(&picture.references)
        .map(|found| found.order as u32)
        .collect();
    if !kept.iter().all(|order| coder.window.contains(order)) {
        wrong("a reference that a decoder does not keep");
    }
    for found in named(&picture.references) {
        surfaces.reference(found.picture_id, found.order as u32)?;
    }
    surfaces.target(picture.current.picture_id, &references);
    let both = crate::knobs::set("BOTH");
    let kind = match (key, both) {
        (true, _) => 2,
        (false, true) => 0,
        (false, false) => 1,
    };
    let unit_type = if key { 19 } else { 1 };
    if slice.slice_type != kind || picture.nal_unit_type != unit_type {
        wrong("a slice of another kind than its picture");
    }
    let mut reference = None;
    if !key {
        let first = named(&slice.list0).next();
        let first = first.filter(|first| references.contains(&first.picture_id));
        let first = first.ok_or_else(|| refuse("a predicted picture without a reference"))?;
        let second = named(&slice.list1).next().map(|second| second.order);
        if second != both.then_some(first.order) {
            wrong("a second list that is not the first one again");
        }
        reference = Some(surfaces.reference(first.picture_id, first.order as u32)?);
    }

    let mut unit = Vec::new();
    if key {
        let sets = described.packed(abi::HEADER_SEQUENCE);
        let sets = sets.ok_or_else(|| refuse("a key frame without its parameter sets"))?;
        let parameters = Parameters::of(&sets.bytes);
        parameters.compare(sequence, &picture);
        coder.parameters = Some(parameters);
        unit.extend(&sets.bytes);
    }
    let Some(parameters) = &coder.parameters else {
        return Err(refuse("a slice before its parameter sets"));
    };
    let header = described.packed(abi::HEADER_SLICE);
    let header = header.ok_or_else(|| refuse("a slice without its header"))?;
    let plain = unescape(header.bytes.get(4..).unwrap_or_default());
    let found = headers::Slice::read(&plain, parameters);
    let wanted = headers::Slice {
        unit: u32::from(unit_type),
        kind: u32::from(kind),
        order,
        kept,
        used: reference.as_ref().map(|found| found.order),
        bytes: plain.len(),
    };
    if found != wanted || header.bits % 8 != 0 {
        wrong(&format!("a slice header says {found:?}, not {wanted:?}"));
    }
    let mut writer = Writer::behind(plain);
    slice::write(&mut writer, &parameters.blocks, size, kind);
    unit.extend(nal(&writer.bytes));
    coder.last = order;
    let most = parameters.references as usize;
    // what the slice header left out is gone
    coder.window = wanted.kept;
    coder.window.truncate(most.saturating_sub(1));
    coder.window.insert(0, order);
    Ok(Made {
        surface: picture.current.picture_id,
        coded: picture.coded_buf,
        key,
        order,
        reference,
        unit,
        blocks: source.blocks(),
    })
}
