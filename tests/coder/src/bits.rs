//! Bits in and out, Exp-Golomb codes, emulation prevention.

/// Reads from the most significant bit down. Beyond the end there are zeros.
pub struct Reader<'a> {
    bytes: &'a [u8],
    pub at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn bit(&mut self) -> u32 {
        let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0);
        self.at += 1;
        u32::from(byte >> (7 - (self.at - 1) % 8) & 1)
    }

    pub fn bits(&mut self, count: u32) -> u32 {
        (0..count).fold(0, |value, _| value << 1 | self.bit())
    }

    pub fn ue(&mut self) -> u32 {
        let mut zeros = 0;
        while zeros < 32 && self.bit() == 0 {
            zeros += 1;
        }
        (1u32.wrapping_shl(zeros) - 1) + self.bits(zeros)
    }

    pub fn left(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.at)
    }
}

#[derive(Debug, Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
    used: u32,
}

impl Writer {
    /// Goes on behind whole bytes.
    pub fn behind(bytes: Vec<u8>) -> Self {
        Self { bytes, used: 0 }
    }

    pub fn bit(&mut self, bit: u32) {
        if self.used == 0 {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= ((bit & 1) as u8) << (7 - self.used);
        }
        self.used = (self.used + 1) % 8;
    }

    pub fn bits(&mut self, count: u32, value: u32) {
        (0..count).rev().for_each(|place| self.bit(value >> place));
    }

    pub fn ue(&mut self, value: u32) {
        let length = 31 - (value + 1).leading_zeros();
        self.bits(length, 0);
        self.bits(length + 1, value + 1);
    }

    pub fn se(&mut self, value: i32) {
        let magnitude = value.unsigned_abs() * 2;
        self.ue(if value > 0 { magnitude - 1 } else { magnitude });
    }

    pub fn aligned(&self) -> bool {
        self.used == 0
    }

    /// A one, then zeros to the end of the byte.
    pub fn trailing(&mut self) {
        self.bit(1);
        while !self.aligned() {
            self.bit(0);
        }
    }
}

/// A NAL unit's payload without its emulation prevention.
pub fn unescape(nal: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(nal.len());
    let mut zeros = 0;
    for &byte in nal {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        plain.push(byte);
    }
    plain
}

/// A NAL unit with a start code of four bytes and its emulation prevention.
pub fn nal(plain: &[u8]) -> Vec<u8> {
    let mut unit = vec![0, 0, 0, 1];
    let mut zeros = 0;
    for &byte in plain {
        if zeros >= 2 && byte <= 3 {
            unit.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        unit.push(byte);
    }
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        writer.bits(3, 5);
        for value in [0u32, 1, 2, 7, 255, 65_534] {
            writer.ue(value);
            writer.se(value as i32);
            writer.se(-(value as i32));
        }
        writer.trailing();
        let mut reader = Reader::new(&writer.bytes);
        assert_eq!(reader.bits(3), 5);
        for value in [0u32, 1, 2, 7, 255, 65_534] {
            // a signed code is an unsigned one: 1, -1, 2, -2, …
            let codes = (reader.ue(), reader.ue(), reader.ue());
            assert_eq!(codes, (value, (2 * value).saturating_sub(1), 2 * value));
        }
        let plain = [1, 0, 0, 0, 0, 1, 0, 0, 3, 0, 0, 2, 0, 0, 4];
        assert_eq!(unescape(&nal(&plain)[4..]), plain);
    }
}
