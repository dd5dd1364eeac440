//! A slice's data behind its header.

use super::headers::Blocks;
use punktfunk_coder::{
    bits::Writer,
    cabac::{Arithmetic, Context},
};

/// Of the parameter sets, with no difference in slices.
const QP: i32 = 26;

struct Slice<'a> {
    out: &'a mut Writer,
    coder: Arithmetic,
    blocks: &'a Blocks,
    size: (usize, usize),
    predicted: bool,
    /// How deep the block at each smallest block is, once it is written.
    depths: Vec<Option<u32>>,
    across: usize,
    split: [Context; 3],
    skip: [Context; 3],
    merge: Context,
    whole: Context,
    mode: Context,
    chroma_mode: Context,
    transform_split: [Context; 3],
    luma: [Context; 2],
    chroma: Context,
}

/// Grey blocks, or copies of the reference; `kind`: 0 = B, 1 = P, 2 = I.
pub fn write(out: &mut Writer, blocks: &Blocks, size: (usize, usize), kind: u8) {
    let context = |values: [i32; 3]| Context::new(values[usize::from(2 - kind.min(2))], QP);
    let min = 1 << blocks.coding;
    let across = size.0.div_ceil(min);
    let mut slice = Slice {
        out,
        coder: Arithmetic::new(),
        blocks,
        size,
        predicted: kind != 2,
        depths: vec![None; across * size.1.div_ceil(min)],
        across,
        split: [[139, 107, 107], [141, 139, 139], [157, 126, 126]].map(context),
        skip: [197, 185, 201].map(|value| Context::new(value, QP)),
        merge: context([154, 122, 137]),
        whole: context([184, 154, 154]),
        mode: context([184, 154, 183]),
        chroma_mode: context([63, 152, 152]),
        transform_split: [[153, 124, 224], [138, 138, 167], [138, 94, 122]].map(context),
        luma: [[111, 153, 153], [141, 111, 111]].map(context),
        chroma: context([94, 149, 149]),
    };
    let side = 1 << blocks.tree;
    let trees = (size.0.div_ceil(side), size.1.div_ceil(side));
    for tree in 0..trees.0 * trees.1 {
        slice.tree(tree % trees.0 * side, tree / trees.0 * side, blocks.tree, 0);
        let last = tree + 1 == trees.0 * trees.1;
        slice.coder.terminate(last, slice.out);
    }
}

impl Slice<'_> {
    fn depth(&self, x: Option<usize>, y: Option<usize>) -> Option<u32> {
        let index = (y? >> self.blocks.coding) * self.across + (x? >> self.blocks.coding);
        self.depths[index]
    }

    fn tree(&mut self, x: usize, y: usize, log: u32, depth: u32) {
        let side = 1 << log;
        let around = [
            self.depth(x.checked_sub(1), Some(y)),
            self.depth(Some(x), y.checked_sub(1)),
        ];
        let fits = x + side <= self.size.0 && y + side <= self.size.1;
        if log > self.blocks.coding {
            if fits {
                let deeper = |found: &&Option<u32>| found.is_some_and(|found| found > depth);
                let place = around.iter().filter(deeper).count();
                self.coder.bin(false, &mut self.split[place], self.out);
            } else {
                let half = side / 2;
                for (x, y) in [(x, y), (x + half, y), (x, y + half), (x + half, y + half)] {
                    if x < self.size.0 && y < self.size.1 {
                        self.tree(x, y, log - 1, depth + 1);
                    }
                }
                return;
            }
        }
        if self.predicted {
            // skipped, from the first candidate
            let place = around.iter().flatten().count();
            self.coder.bin(true, &mut self.skip[place], self.out);
            self.coder.bin(false, &mut self.merge, self.out);
        } else {
            self.grey(log);
        }
        let min = 1 << self.blocks.coding;
        for line in (y..y + side).step_by(min) {
            for column in (x..x + side).step_by(min) {
                let index = line / min * self.across + column / min;
                self.depths[index] = Some(depth);
            }
        }
    }

    /// A block from the mean of its neighbours, without a residual.
    fn grey(&mut self, log: u32) {
        if log == self.blocks.coding {
            self.coder.bin(true, &mut self.whole, self.out);
        }
        // the second most probable direction is the mean
        self.coder.bin(true, &mut self.mode, self.out);
        self.coder.bypass(true, self.out);
        self.coder.bypass(false, self.out);
        // chroma as luma
        self.coder.bin(false, &mut self.chroma_mode, self.out);
        let may_split = log <= self.blocks.transform_max
            && log > self.blocks.transform_min
            && self.blocks.depth_intra > 0;
        if may_split {
            let place = 5 - log as usize;
            self.coder
                .bin(false, &mut self.transform_split[place], self.out);
        }
        for _ in 0..2 {
            self.coder.bin(false, &mut self.chroma, self.out);
        }
        self.coder.bin(false, &mut self.luma[1], self.out);
    }
}
