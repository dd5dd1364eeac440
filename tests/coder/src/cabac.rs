//! The arithmetic encoder that H.264 and HEVC share (ITU-T H.264 and H.265, 9.3.4): contexts, and the bins that end a slice or
//! begin PCM samples.

use super::bits::Writer;

/// Table 9-52: the range of the less probable symbol by state and quarter of the range.
const RANGE_LPS: [[u8; 4]; 64] = [
    [128, 176, 208, 240],
    [128, 167, 197, 227],
    [128, 158, 187, 216],
    [123, 150, 178, 205],
    [116, 142, 169, 195],
    [111, 135, 160, 185],
    [105, 128, 152, 175],
    [100, 122, 144, 166],
    [95, 116, 137, 158],
    [90, 110, 130, 150],
    [85, 104, 123, 142],
    [81, 99, 117, 135],
    [77, 94, 111, 128],
    [73, 89, 105, 122],
    [69, 85, 100, 116],
    [66, 80, 95, 110],
    [62, 76, 90, 104],
    [59, 72, 86, 99],
    [56, 69, 81, 94],
    [53, 65, 77, 89],
    [51, 62, 73, 85],
    [48, 59, 69, 80],
    [46, 56, 66, 76],
    [43, 53, 63, 72],
    [41, 50, 59, 69],
    [39, 48, 56, 65],
    [37, 45, 54, 62],
    [35, 43, 51, 59],
    [33, 41, 48, 56],
    [32, 39, 46, 53],
    [30, 37, 43, 50],
    [29, 35, 41, 48],
    [27, 33, 39, 45],
    [26, 31, 37, 43],
    [24, 30, 35, 41],
    [23, 28, 33, 39],
    [22, 27, 32, 37],
    [21, 26, 30, 35],
    [20, 24, 29, 33],
    [19, 23, 27, 31],
    [18, 22, 26, 30],
    [17, 21, 25, 28],
    [16, 20, 23, 27],
    [15, 19, 22, 25],
    [14, 18, 21, 24],
    [14, 17, 20, 23],
    [13, 16, 19, 22],
    [12, 15, 18, 21],
    [12, 14, 17, 20],
    [11, 14, 16, 19],
    [11, 13, 15, 18],
    [10, 12, 15, 17],
    [10, 12, 14, 16],
    [9, 11, 13, 15],
    [9, 11, 12, 14],
    [8, 10, 12, 14],
    [8, 9, 11, 13],
    [7, 9, 11, 12],
    [7, 9, 10, 12],
    [7, 8, 10, 11],
    [6, 8, 9, 11],
    [6, 7, 9, 10],
    [6, 7, 8, 9],
    [2, 2, 2, 2],
];
/// Table 9-53: the state after a less probable symbol.
const AFTER_LPS: [u8; 64] = [
    0, 0, 1, 2, 2, 4, 4, 5, 6, 7, 8, 9, 9, 11, 11, 12, 13, 13, 15, 15, 16, 16, 18, 18, 19, 19, 21,
    21, 22, 22, 23, 24, 24, 25, 26, 26, 27, 27, 28, 29, 29, 30, 30, 30, 31, 32, 32, 33, 33, 33, 34,
    34, 35, 35, 35, 36, 36, 36, 37, 37, 37, 38, 38, 63,
];

/// An adaptive model of one bin.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    state: u8,
    most_probable: bool,
}

impl Context {
    /// From the standard's table of initial values, for a quantiser.
    pub fn new(value: i32, qp: i32) -> Self {
        let slope = (value >> 4) * 5 - 45;
        let offset = ((value & 15) << 3) - 16;
        Self::sloped(slope, offset, qp)
    }

    /// From H.264's tables: slope and offset.
    pub fn sloped(slope: i32, offset: i32, qp: i32) -> Self {
        let before = (((slope * qp.clamp(0, 51)) >> 4) + offset).clamp(1, 126) as u8;
        let most_probable = before > 63;
        Self {
            state: if most_probable {
                before - 64
            } else {
                63 - before
            },
            most_probable,
        }
    }
}

#[derive(Debug)]
pub struct Arithmetic {
    low: u32,
    range: u32,
    first: bool,
    outstanding: u32,
}

impl Default for Arithmetic {
    fn default() -> Self {
        Self {
            low: 0,
            range: 510,
            first: true,
            outstanding: 0,
        }
    }
}

impl Arithmetic {
    pub fn new() -> Self {
        Self::default()
    }

    fn put(&mut self, bit: u32, out: &mut Writer) {
        if self.first {
            self.first = false;
        } else {
            out.bit(bit);
        }
        for _ in 0..std::mem::take(&mut self.outstanding) {
            out.bit(1 - bit);
        }
    }

    fn renormalise(&mut self, out: &mut Writer) {
        while self.range < 256 {
            if self.low < 256 {
                self.put(0, out);
            } else if self.low >= 512 {
                self.low -= 512;
                self.put(1, out);
            } else {
                self.low -= 256;
                self.outstanding += 1;
            }
            self.range <<= 1;
            self.low <<= 1;
        }
    }

    pub fn bin(&mut self, bin: bool, context: &mut Context, out: &mut Writer) {
        let quarter = (self.range >> 6 & 3) as usize;
        let lps = u32::from(RANGE_LPS[usize::from(context.state)][quarter]);
        self.range -= lps;
        if bin == context.most_probable {
            context.state = (context.state + 1).min(62);
        } else {
            self.low += self.range;
            self.range = lps;
            if context.state == 0 {
                context.most_probable = !context.most_probable;
            }
            context.state = AFTER_LPS[usize::from(context.state)];
        }
        self.renormalise(out);
    }

    /// A bin as probable as the other.
    pub fn bypass(&mut self, bin: bool, out: &mut Writer) {
        self.low <<= 1;
        if bin {
            self.low += self.range;
        }
        if self.low >= 1024 {
            self.low -= 1024;
            self.put(1, out);
        } else if self.low < 512 {
            self.put(0, out);
        } else {
            self.low -= 512;
            self.outstanding += 1;
        }
    }

    /// A bin that ends something, when it is set; [`Self::new`] begins anew behind it. The last bit written is a one: the
    /// stop bit at the end of a slice, or the one in front of the zeros that align PCM samples.
    pub fn terminate(&mut self, bin: bool, out: &mut Writer) {
        self.range -= 2;
        if !bin {
            self.renormalise(out);
            return;
        }
        self.low += self.range;
        self.range = 2;
        self.renormalise(out);
        self.put(self.low >> 9 & 1, out);
        out.bits(2, self.low >> 7 & 3 | 1);
        while !out.aligned() {
            out.bit(0);
        }
    }
}
