//! Parameter sets and slice headers: read, and compared with the structures.

use super::wrong;
use crate::abi::{self, PictureParametersHevc, SequenceHevc};
use punktfunk_coder::bits::{Reader, unescape};

/// How pictures are cut: logarithms of sides.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Blocks {
    pub coding: u32,
    pub tree: u32,
    pub transform_min: u32,
    pub transform_max: u32,
    pub depth_intra: u32,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Parameters {
    level: u32,
    size: (u32, u32),
    order_bits: u32,
    pub references: u32,
    pub blocks: Blocks,
    asymmetric: bool,
    sao: bool,
    init_qp: u32,
    qp_delta: bool,
}

impl Parameters {
    pub fn of(bytes: &[u8]) -> Self {
        let starts: Vec<usize> = (0..bytes.len().saturating_sub(3))
            .filter(|at| bytes[*at..].starts_with(&[0, 0, 0, 1]))
            .collect();
        let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
        let units: Vec<Vec<u8>> = starts
            .iter()
            .zip(ends)
            .map(|(start, end)| unescape(&bytes[start + 4..end]))
            .collect();
        let kinds: Vec<u8> = units.iter().map(|unit| unit[0] >> 1).collect();
        let mut found = Self::default();
        if kinds != [32, 33, 34] {
            wrong("something else than three parameter sets");
            return found;
        }
        found.sequence(&mut Reader::new(&units[1][2..]));
        found.picture(&mut Reader::new(&units[2][2..]));
        found
    }

    fn sequence(&mut self, from: &mut Reader<'_>) {
        from.bits(8);
        from.at += 88;
        self.level = from.bits(8);
        if (from.ue(), from.ue()) != (0, 1) {
            wrong("a sequence that is not 4:2:0");
        }
        self.size = (from.ue(), from.ue());
        if from.bit() == 1 {
            for _ in 0..4 {
                from.ue();
            }
        }
        if (from.ue(), from.ue()) != (0, 0) {
            wrong("a sequence of more than 8 bits");
        }
        self.order_bits = from.ue() + 4;
        from.bit();
        self.references = from.ue();
        if (from.ue(), from.ue()) != (0, 0) {
            wrong("pictures that are reordered");
        }
        self.blocks.coding = from.ue() + 3;
        self.blocks.tree = self.blocks.coding + from.ue();
        self.blocks.transform_min = from.ue() + 2;
        self.blocks.transform_max = self.blocks.transform_min + from.ue();
        from.ue();
        self.blocks.depth_intra = from.ue();
        from.bit();
        self.asymmetric = from.bit() == 1;
        self.sao = from.bit() == 1;
        if (from.bit(), from.ue(), from.bits(2)) != (0, 0, 0) {
            wrong("PCM, prepared sets, long-term references or motion from before");
        }
    }

    fn picture(&mut self, from: &mut Reader<'_>) {
        if (from.ue(), from.ue(), from.bits(7), from.ue(), from.ue()) != (0, 0, 0, 0, 0) {
            wrong("a picture set with what slices are not read for");
        }
        let code = from.ue();
        let half = code.div_ceil(2);
        self.init_qp = if code % 2 == 1 { 26 + half } else { 26 - half };
        from.bits(2);
        self.qp_delta = from.bit() == 1;
    }

    pub fn compare(&self, sequence: &SequenceHevc, picture: &PictureParametersHevc) {
        let flag = |bit: u32| sequence.seq_fields & bit != 0;
        let coding = u32::from(sequence.log2_min_coding_block_minus3) + 3;
        let transform = u32::from(sequence.log2_min_transform_block_minus2) + 2;
        let expected = Self {
            level: u32::from(sequence.general_level_idc),
            size: (u32::from(sequence.width), u32::from(sequence.height)),
            blocks: Blocks {
                coding,
                tree: coding + u32::from(sequence.log2_diff_coding_block),
                transform_min: transform,
                transform_max: transform + u32::from(sequence.log2_diff_transform_block),
                depth_intra: u32::from(sequence.max_transform_hierarchy_depth_intra),
            },
            asymmetric: flag(abi::HEVC_SEQ_AMP),
            sao: flag(abi::HEVC_SEQ_SAO),
            init_qp: u32::from(picture.pic_init_qp),
            qp_delta: picture.pic_fields & abi::HEVC_PIC_CU_QP_DELTA != 0,
            // said by the headers alone
            order_bits: self.order_bits,
            references: self.references,
        };
        if *self != expected {
            wrong(&format!("parameter sets say {self:?}, not {expected:?}"));
        }
        // what this driver says that it does
        if (
            expected.blocks.tree,
            coding,
            expected.asymmetric,
            expected.sao,
        ) != (5, 4, false, false)
        {
            wrong("blocks or tools that the driver does not have");
        }
    }
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Slice {
    pub unit: u32,
    /// 0 = B, 1 = P, 2 = I.
    pub kind: u32,
    pub order: u32,
    /// Pictures that decoders keep, latest first.
    pub kept: Vec<u32>,
    pub used: Option<u32>,
    /// Its length with the alignment.
    pub bytes: usize,
}

impl Slice {
    pub fn read(plain: &[u8], parameters: &Parameters) -> Self {
        let mut from = Reader::new(plain);
        let mut found = Self {
            unit: from.bits(16) >> 9,
            ..Self::default()
        };
        let key = found.unit == 19;
        if from.bit() != 1 {
            wrong("a slice that is not the first");
        }
        if key {
            from.bit();
        }
        from.ue();
        found.kind = from.ue();
        if !key {
            found.order = from.bits(parameters.order_bits);
            if from.bit() != 0 {
                wrong("a prepared set of references");
            }
            let count = from.ue().min(16);
            from.ue();
            let mut before = found.order;
            for _ in 0..count {
                before = before.wrapping_sub(from.ue() + 1);
                found.kept.push(before);
                if from.bit() == 1 && found.used.replace(before).is_some() {
                    wrong("two references");
                }
            }
        }
        if parameters.sao {
            from.bits(2);
        }
        if !key {
            from.bit();
            if found.kind == 0 {
                from.bit();
            }
            from.ue();
        }
        from.ue();
        // the alignment: a one, then zeros
        if from.bit() != 1 {
            wrong("a slice header without its alignment");
        }
        found.bytes = from.at.div_ceil(8);
        found
    }
}
