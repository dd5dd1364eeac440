//! A slice's data behind its header.

use crate::stream::Block;
use punktfunk_coder::{
    bits::Writer,
    cabac::{Arithmetic, Context},
};

/// Of the parameter sets, with no difference in slices.
const QP: i32 = 26;

/// `copied`: the reference's blocks; those that are equal are not written again.
pub fn write(
    out: &mut Writer,
    blocks: &[Block],
    copied: Option<&[Block]>,
    across: usize,
    cabac: bool,
) {
    let skips: Vec<bool> = blocks
        .iter()
        .enumerate()
        .map(|(index, block)| copied.is_some_and(|copied| copied[index] == *block))
        .collect();
    match cabac {
        true => arithmetic(out, blocks, &skips, copied.is_some(), across),
        false => by_length(out, blocks, &skips, copied.is_some()),
    }
}

fn samples(out: &mut Writer, block: &Block) {
    for sample in block {
        out.bits(8, u32::from(*sample));
    }
}

fn by_length(out: &mut Writer, blocks: &[Block], skips: &[bool], predicted: bool) {
    let mut run = 0;
    for (block, skip) in blocks.iter().zip(skips) {
        if *skip {
            run += 1;
            continue;
        }
        if predicted {
            out.ue(std::mem::take(&mut run));
        }
        out.ue(if predicted { 30 } else { 25 });
        while !out.aligned() {
            out.bit(0);
        }
        samples(out, block);
    }
    if run > 0 {
        out.ue(run);
    }
    out.trailing();
}

fn arithmetic(out: &mut Writer, blocks: &[Block], skips: &[bool], predicted: bool, across: usize) {
    while !out.aligned() {
        out.bit(1);
    }
    // mb_type of I slices; mb_skip_flag, and mb_type of P slices with its intra suffix
    let mut whole = [(20, -15), (2, 54), (3, 74)].map(|(m, n)| Context::sloped(m, n, QP));
    let mut skipped = [(23, 33), (23, 2), (21, 0)].map(|(m, n)| Context::sloped(m, n, QP));
    let mut intra = Context::sloped(1, 9, QP);
    let mut suffix = Context::sloped(5, 57, QP);
    let mut coder = Arithmetic::new();
    for (index, block) in blocks.iter().enumerate() {
        let counts = |around: usize| usize::from(!skips[around]);
        let left = if index % across > 0 {
            counts(index - 1)
        } else {
            0
        };
        let above = if index >= across {
            counts(index - across)
        } else {
            0
        };
        let place = left + above;
        if predicted {
            coder.bin(skips[index], &mut skipped[place], out);
        }
        if !skips[index] {
            if predicted {
                coder.bin(true, &mut intra, out);
                coder.bin(true, &mut suffix, out);
            } else {
                coder.bin(true, &mut whole[place], out);
            }
            // PCM
            coder.terminate(true, out);
            samples(out, block);
            coder = Arithmetic::new();
        }
        coder.terminate(index + 1 == blocks.len(), out);
    }
}
