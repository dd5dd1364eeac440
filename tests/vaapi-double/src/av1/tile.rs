//! A tile's data: grey blocks, or copies of the reference, in blocks of 64.
//!
//! Blocks at the edge reach over it by less than half: a size where one does not is refused.

use punktfunk_coder::range::{Adaptive, Symbols};

const BLOCK: usize = 64;

/// The distributions that are used, as a picture leaves them to those that go on from it. By what they depend on here: how many
/// of the neighbours above and to the left there are.
#[derive(Clone)]
pub struct Tables {
    partition: Adaptive,
    skip: [Adaptive; 3],
    luma_mode: Adaptive,
    chroma_mode: Adaptive,
    inter: Adaptive,
    /// Of a forward reference, of the last two of these, of the last one; without and with a neighbour.
    reference: [[Adaptive; 2]; 3],
    new_motion: [Adaptive; 3],
    no_motion: Adaptive,
}

impl Default for Tables {
    /// The default distributions of the AV1 specification (9.3).
    fn default() -> Self {
        let one = |value: u32| Adaptive::new(&[value]);
        Self {
            partition: Adaptive::new(&[
                20137, 21547, 23078, 29566, 29837, 30261, 30524, 30892, 31724,
            ]),
            skip: [31671, 16515, 4576].map(one),
            luma_mode: Adaptive::new(&[
                15588, 17027, 19338, 20218, 20682, 21110, 21825, 23244, 24189, 28165, 29093, 30466,
            ]),
            chroma_mode: Adaptive::new(&[
                22631, 24152, 25378, 25661, 25986, 26520, 27055, 27923, 28244, 30059, 30941, 31961,
            ]),
            inter: one(806),
            reference: [[16973, 29744], [19647, 31194], [24773, 31895]].map(|both| both.map(one)),
            new_motion: [24035, 8386, 4676].map(one),
            no_motion: one(2175),
        }
    }
}

impl Tables {
    pub fn kept(&self) -> Self {
        Self {
            partition: self.partition.kept(),
            skip: self.skip.each_ref().map(Adaptive::kept),
            luma_mode: self.luma_mode.kept(),
            chroma_mode: self.chroma_mode.kept(),
            inter: self.inter.kept(),
            reference: (self.reference.each_ref()).map(|both| both.each_ref().map(Adaptive::kept)),
            new_motion: self.new_motion.each_ref().map(Adaptive::kept),
            no_motion: self.no_motion.kept(),
        }
    }
}

/// Whether a picture of this size can be written.
pub fn possible(size: (usize, usize)) -> bool {
    let side = |side: usize| (side.next_multiple_of(8) - 1) % BLOCK >= BLOCK / 2;
    side(size.0) && side(size.1)
}

/// Grey, or the picture that is referred to.
pub fn write(tables: &mut Tables, size: (usize, usize), key: bool) -> Vec<u8> {
    let mut out = Symbols::default();
    for row in 0..size.1.div_ceil(BLOCK) {
        for column in 0..size.0.div_ceil(BLOCK) {
            let around = usize::from(row > 0) + usize::from(column > 0);
            // one block, without a residual
            tables.partition.write(0, &mut out);
            tables.skip[around].write(1, &mut out);
            if key {
                // from the mean of its neighbours
                tables.luma_mode.write(0, &mut out);
                tables.chroma_mode.write(0, &mut out);
            } else {
                // from the first name, where it lies there
                tables.inter.write(1, &mut out);
                for reference in &mut tables.reference {
                    reference[around.min(1)].write(0, &mut out);
                }
                tables.new_motion[around].write(1, &mut out);
                tables.no_motion.write(0, &mut out);
            }
        }
    }
    out.finish()
}
