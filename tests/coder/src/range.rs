//! AV1: OBUs, and the coder of their symbols.

/// An OBU with its size.
pub fn obu(kind: u32, payload: &[u8]) -> Vec<u8> {
    let mut unit = vec![(kind << 3 | 2) as u8];
    let mut size = payload.len();
    loop {
        let low = (size & 0x7f) as u8;
        size >>= 7;
        if size == 0 {
            unit.push(low);
            break;
        }
        unit.push(low | 0x80);
    }
    unit.extend_from_slice(payload);
    unit
}

/// A distribution that follows what is written.
#[derive(Debug, Clone)]
pub struct Adaptive {
    values: Vec<u32>,
    count: u32,
}

impl Adaptive {
    /// Of all values but the last, which is always 32768.
    pub fn new(values: &[u32]) -> Self {
        Self {
            values: values.iter().copied().chain([32768]).collect(),
            count: 0,
        }
    }

    pub fn write(&mut self, symbol: usize, out: &mut Symbols) {
        out.symbol(symbol, &self.values);
        let many = self.values.len().ilog2().min(2);
        let rate = 3 + u32::from(self.count > 15) + u32::from(self.count > 31) + many;
        let last = self.values.len() - 1;
        for (index, value) in self.values[..last].iter_mut().enumerate() {
            if index < symbol {
                *value -= *value >> rate;
            } else {
                *value += (32768 - *value) >> rate;
            }
        }
        self.count = (self.count + 1).min(32);
    }

    /// As it goes on in another picture.
    pub fn kept(&self) -> Self {
        Self {
            count: 0,
            ..self.clone()
        }
    }
}

/// The range coder of AV1, its carries put off to the end.
pub struct Symbols {
    low: u64,
    range: u32,
    /// Bits in `low` beyond the next whole byte.
    count: i32,
    digits: Vec<u16>,
}

impl Default for Symbols {
    fn default() -> Self {
        Self {
            low: 0,
            range: 0x8000,
            count: -9,
            digits: Vec::new(),
        }
    }
}

impl Symbols {
    /// One symbol, of a distribution that grows to 32768.
    pub fn symbol(&mut self, symbol: usize, distribution: &[u32]) {
        let last = distribution.len() as u32 - 1;
        let place = |index: usize| {
            let above = 32768 - distribution[index];
            (((self.range >> 8) * (above >> 6)) >> 1) + 4 * (last - index as u32)
        };
        let lower = place(symbol);
        if symbol > 0 {
            let upper = place(symbol - 1);
            self.low += u64::from(self.range - upper);
            self.range = upper - lower;
        } else {
            self.range -= lower;
        }
        self.normalise();
    }

    fn normalise(&mut self) {
        let shift = self.range.leading_zeros() as i32 - 16;
        let mut have = self.count + shift;
        if have >= 0 {
            let mut bits = self.count + 16;
            let mut mask = (1u64 << bits) - 1;
            if have >= 8 {
                self.digits.push((self.low >> bits) as u16);
                self.low &= mask;
                bits -= 8;
                mask >>= 8;
            }
            self.digits.push((self.low >> bits) as u16);
            have = bits + shift - 24;
            self.low &= mask;
        }
        self.low <<= shift;
        self.range <<= shift;
        self.count = have;
    }

    /// The bytes of a tile.
    pub fn finish(mut self) -> Vec<u8> {
        let mask = 0x3fff;
        let mut end = (self.low + mask) & !mask | (mask + 1);
        let mut count = self.count;
        let mut left = 10 + count;
        let mut rest = (1u64 << (count + 16)) - 1;
        while left > 0 {
            self.digits.push((end >> (count + 16)) as u16);
            end &= rest;
            left -= 8;
            count -= 8;
            rest >>= 8;
        }
        let mut carry = 0;
        let mut bytes = vec![0; self.digits.len()];
        for (byte, digit) in bytes.iter_mut().zip(&self.digits).rev() {
            carry += u32::from(*digit);
            *byte = carry as u8;
            carry >>= 8;
        }
        bytes
    }
}
