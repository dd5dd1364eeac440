//! Parameter sets and slice headers: read, compared with the structures, and written where the program writes none.

use super::wrong;
use crate::abi::{self, PictureParametersH264, SequenceH264, SliceH264};
use punktfunk_coder::bits::{Reader, Writer, nal, unescape};

/// What of the parameter sets is needed for slices.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Parameters {
    profile: u32,
    level: u32,
    number_bits: u32,
    order_bits: u32,
    references: u32,
    blocks: (u32, u32),
    crop: [u32; 4],
    pub cabac: bool,
    transform_8x8: bool,
    init_qp: i32,
}

/// The units behind start codes.
fn units(bytes: &[u8]) -> Vec<Vec<u8>> {
    let starts: Vec<usize> = (0..bytes.len().saturating_sub(3))
        .filter(|at| bytes[*at..].starts_with(&[0, 0, 0, 1]))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(start, end)| unescape(&bytes[start + 4..end]))
        .collect()
}

fn signed(code: u32) -> i32 {
    let half = code.div_ceil(2) as i32;
    if code % 2 == 1 { half } else { -half }
}

impl Parameters {
    pub fn of(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        let kinds: Vec<u8> = units(bytes).iter().map(|unit| unit[0] & 0x1f).collect();
        if kinds != [7, 8] {
            wrong("something else than two parameter sets");
        }
        for unit in units(bytes) {
            match unit[0] & 0x1f {
                7 => found.sequence(&mut Reader::new(&unit[1..])),
                _ => found.picture(&mut Reader::new(&unit[1..])),
            }
        }
        found
    }

    fn sequence(&mut self, from: &mut Reader<'_>) {
        self.profile = from.bits(8);
        from.bits(8);
        self.level = from.bits(8);
        from.ue();
        if self.profile == 100 && (from.ue(), from.ue(), from.ue(), from.bits(2)) != (1, 0, 0, 0) {
            wrong("a sequence that is not 4:2:0 with 8 bits");
        }
        self.number_bits = from.ue() + 4;
        if from.ue() != 0 {
            wrong("another order than by its own count");
        }
        self.order_bits = from.ue() + 4;
        self.references = from.ue();
        // gaps in the numbers
        from.bit();
        self.blocks = (from.ue() + 1, from.ue() + 1);
        if (from.bit(), from.bit()) != (1, 1) {
            wrong("fields, or no 8x8 inference");
        }
        if from.bit() == 1 {
            self.crop = [from.ue(), from.ue(), from.ue(), from.ue()];
        }
    }

    fn picture(&mut self, from: &mut Reader<'_>) {
        from.ue();
        from.ue();
        self.cabac = from.bit() == 1;
        if (from.bit(), from.ue(), from.ue(), from.ue(), from.bits(3)) != (0, 0, 0, 0, 0) {
            wrong("a picture set with slice groups, more references, or weights");
        }
        self.init_qp = 26 + signed(from.ue());
        from.ue();
        from.ue();
        if from.bits(3) != 0b100 {
            wrong("a picture set without control of the deblocking filter");
        }
        if self.profile == 100 {
            self.transform_8x8 = from.bit() == 1;
        }
    }

    /// Whether the structures say the same.
    pub fn compare(&self, sequence: &SequenceH264, picture: &PictureParametersH264, profile: i32) {
        let field = |shift: u32| (sequence.seq_fields >> shift & 15) + 4;
        let flag = |bit: u32| picture.pic_fields & bit != 0;
        let expected = Self {
            profile: match profile {
                abi::PROFILE_H264_HIGH => 100,
                abi::PROFILE_H264_MAIN => 77,
                _ => 66,
            },
            level: u32::from(sequence.level_idc),
            number_bits: field(abi::H264_SEQ_FRAME_NUM_SHIFT),
            order_bits: field(abi::H264_SEQ_ORDER_SHIFT),
            references: sequence.max_num_ref_frames,
            blocks: (
                u32::from(sequence.width_in_mbs),
                u32::from(sequence.height_in_mbs),
            ),
            crop: [
                sequence.crop_left,
                sequence.crop_right,
                sequence.crop_top,
                sequence.crop_bottom,
            ],
            cabac: flag(abi::H264_PIC_CABAC),
            transform_8x8: flag(abi::H264_PIC_TRANSFORM_8X8),
            init_qp: i32::from(picture.pic_init_qp),
        };
        if *self != expected {
            wrong(&format!("parameter sets say {self:?}, not {expected:?}"));
        }
    }
}

/// What a slice header says, as far as it differs from picture to picture.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Slice {
    key: bool,
    number: u32,
    order: u32,
    idr: u32,
    /// The number of the picture that is referred to.
    reference: Option<u32>,
}

impl Slice {
    /// As the structures say.
    pub fn wanted(
        picture: &PictureParametersH264,
        slice: &SliceH264,
        reference: Option<u32>,
    ) -> Self {
        let key = reference.is_none();
        Self {
            key,
            number: u32::from(picture.frame_num),
            order: u32::from(slice.pic_order_cnt_lsb),
            idr: if key { u32::from(slice.idr_pic_id) } else { 0 },
            reference,
        }
    }

    /// From the header's plain bytes; also how many bits it has.
    pub fn read(plain: &[u8], parameters: &Parameters) -> (Self, usize) {
        let mut from = Reader::new(plain);
        let mut found = Self {
            key: from.bits(8) & 0x1f == 5,
            ..Self::default()
        };
        let kind = if found.key { 7 } else { 5 };
        if (from.ue(), from.ue(), from.ue()) != (0, kind, 0) {
            wrong("a slice that is not the first, or of another kind than its unit");
        }
        found.number = from.bits(parameters.number_bits);
        if found.key {
            found.idr = from.ue();
        }
        found.order = from.bits(parameters.order_bits);
        if found.key {
            from.bits(2);
        } else {
            from.bit();
            let mut behind = 1;
            if from.bit() == 1 {
                if from.ue() != 0 {
                    wrong("a list that is reordered to a later picture");
                }
                behind = from.ue() + 1;
                if from.ue() != 3 {
                    wrong("a list that is reordered more than once");
                }
            }
            let mask = (1 << parameters.number_bits) - 1;
            found.reference = Some(found.number.wrapping_sub(behind) & mask);
            if from.bit() != 0 {
                wrong("references that do not slide");
            }
            if parameters.cabac {
                from.ue();
            }
        }
        if (from.ue(), from.ue(), from.ue(), from.ue()) != (0, 0, 0, 0) {
            wrong("a slice with a quantiser or filter of its own");
        }
        (found, from.at)
    }

    pub fn write(&self, out: &mut Writer, parameters: &Parameters) {
        out.bits(8, if self.key { 0x65 } else { 0x61 });
        out.ue(0);
        out.ue(if self.key { 7 } else { 5 });
        out.ue(0);
        out.bits(parameters.number_bits, self.number);
        if self.key {
            out.ue(self.idr);
        }
        out.bits(parameters.order_bits, self.order);
        match self.reference {
            None => out.bits(2, 0),
            Some(reference) => {
                out.bit(0);
                let mask = (1 << parameters.number_bits) - 1;
                let behind = self.number.wrapping_sub(reference) & mask;
                out.bit(u32::from(behind > 1));
                if behind > 1 {
                    out.ue(0);
                    out.ue(behind - 1);
                    out.ue(3);
                }
                out.bit(0);
                if parameters.cabac {
                    out.ue(0);
                }
            }
        }
        for _ in 0..4 {
            out.ue(0);
        }
    }
}

/// Parameter sets from the structures, as a driver writes them that takes none.
pub fn written(sequence: &SequenceH264, picture: &PictureParametersH264, profile: i32) -> Vec<u8> {
    let high = profile == abi::PROFILE_H264_HIGH;
    let mut sps = Writer::default();
    sps.bits(8, 0x67);
    sps.bits(
        8,
        if high {
            100
        } else if profile == abi::PROFILE_H264_MAIN {
            77
        } else {
            66
        },
    );
    sps.bits(8, 0);
    sps.bits(8, u32::from(sequence.level_idc));
    sps.ue(0);
    if high {
        sps.ue(1);
        sps.ue(0);
        sps.ue(0);
        sps.bits(2, 0);
    }
    sps.ue(sequence.seq_fields >> abi::H264_SEQ_FRAME_NUM_SHIFT & 15);
    sps.ue(0);
    sps.ue(sequence.seq_fields >> abi::H264_SEQ_ORDER_SHIFT & 15);
    sps.ue(sequence.max_num_ref_frames);
    sps.bit(0);
    sps.ue(u32::from(sequence.width_in_mbs) - 1);
    sps.ue(u32::from(sequence.height_in_mbs) - 1);
    sps.bits(2, 0b11);
    sps.bit(u32::from(sequence.frame_cropping_flag));
    if sequence.frame_cropping_flag == 1 {
        for cut in [
            sequence.crop_left,
            sequence.crop_right,
            sequence.crop_top,
            sequence.crop_bottom,
        ] {
            sps.ue(cut);
        }
    }
    sps.bit(0);
    sps.trailing();
    let mut pps = Writer::default();
    pps.bits(8, 0x68);
    pps.ue(0);
    pps.ue(0);
    pps.bit(u32::from(picture.pic_fields & abi::H264_PIC_CABAC != 0));
    pps.bit(0);
    for _ in 0..3 {
        pps.ue(0);
    }
    pps.bits(3, 0);
    pps.se(i32::from(picture.pic_init_qp) - 26);
    pps.se(0);
    pps.se(0);
    pps.bits(3, 0b100);
    if picture.pic_fields & abi::H264_PIC_TRANSFORM_8X8 != 0 {
        pps.bits(2, 0b10);
        pps.se(0);
    }
    pps.trailing();
    [nal(&sps.bytes), nal(&pps.bytes)].concat()
}
