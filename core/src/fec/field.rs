//! GF(2^8) with polynomial 0x11D: logarithms, inverses and the tables that kernels multiply with, made by the compiler.

const POLYNOMIAL: u16 = 0x11D;

/// One more than the order of the multiplicative group's generator powers: logarithms count modulo this.
pub const ORDER: usize = 255;

const fn times_two(x: u8) -> u8 {
    let wide = (x as u16) << 1;
    (if wide > 0xFF { wide ^ POLYNOMIAL } else { wide }) as u8
}

/// a times b, bit by bit: for a handful of products.
pub const fn product(a: u8, b: u8) -> u8 {
    let (mut power, mut bit, mut sum) = (a, 0, 0);
    while bit < 8 {
        if b >> bit & 1 == 1 {
            sum ^= power;
        }
        power = times_two(power);
        bit += 1;
    }
    sum
}

/// `EXP[n]` is 2 to the power n; long enough for the sum of three logarithms, and a power of two long, so that no look-up is checked.
pub static EXP: [u8; 1024] = {
    let mut table = [0; 1024];
    let (mut n, mut power) = (0, 1);
    while n < table.len() {
        table[n] = power;
        power = times_two(power);
        n += 1;
    }
    table
};

/// The logarithm to base 2; 0 has none and reads as 0.
pub static LOG: [u8; 256] = {
    let mut table = [0; 256];
    let (mut n, mut power) = (0u8, 1);
    while (n as usize) < ORDER {
        table[power as usize] = n;
        power = times_two(power);
        n += 1;
    }
    table
};

/// The inverse; 0 has none and reads as 0.
pub static INVERSE: [u8; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < ORDER {
        table[EXP_AT_COMPILE_TIME[n] as usize] = EXP_AT_COMPILE_TIME[(ORDER - n) % ORDER];
        n += 1;
    }
    table
};

const EXP_AT_COMPILE_TIME: [u8; ORDER] = {
    let mut table = [0; ORDER];
    let (mut n, mut power) = (0, 1);
    while n < ORDER {
        table[n] = power;
        power = times_two(power);
        n += 1;
    }
    table
};

/// For each factor its multiplication as a bit matrix in the form of the instruction `gf2p8affineqb`: byte 7 - i holds
/// the input bits that output bit i sums up. The instruction's own product is that of another polynomial.
pub static BIT_MATRICES: [u64; 256] = {
    let mut tables = [0; 256];
    let mut factor = 0;
    while factor < 256 {
        let (mut column, mut image) = (0, factor as u8);
        while column < 8 {
            let mut bit = 0;
            while bit < 8 {
                tables[factor] |= ((image >> bit & 1) as u64) << ((7 - bit) * 8 + column);
                bit += 1;
            }
            image = times_two(image);
            column += 1;
        }
        factor += 1;
    }
    tables
};

/// Products of one factor with all low nibbles, then with all high nibbles.
#[repr(align(32))]
pub struct Nibbles(pub [u8; 32]);

/// [`Nibbles`] of each factor.
pub static NIBBLES: [Nibbles; 256] = {
    let mut tables = [const { Nibbles([0; 32]) }; 256];
    let mut factor = 0;
    while factor < 256 {
        let mut n = 0;
        while n < 16 {
            tables[factor].0[n as usize] = product(factor as u8, n);
            tables[factor].0[16 + n as usize] = product(factor as u8, n << 4);
            n += 1;
        }
        factor += 1;
    }
    tables
};

/// The logarithm of x, for adding up.
pub fn log(x: u8) -> usize {
    LOG.get(usize::from(x)).map_or(0, |&n| usize::from(n))
}

/// 2 to the power n, n below 3 * 255.
pub fn exp(n: usize) -> u8 {
    EXP[n & (EXP.len() - 1)]
}

/// The inverse of x, which is not 0.
pub fn inverse(x: u8) -> u8 {
    INVERSE.get(usize::from(x)).copied().unwrap_or(0)
}
