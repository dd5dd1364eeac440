//! Bits of headers: Exp-Golomb codes, NAL units with emulation prevention.

#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    /// Bits of the last byte that are written; 0 = all.
    used: u32,
}

impl Writer {
    pub fn bit(&mut self, bit: bool) {
        if self.used == 0 {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (7 - self.used);
        }
        self.used = (self.used + 1) % 8;
    }

    pub fn bits(&mut self, count: u32, value: u32) {
        for place in (0..count).rev() {
            self.bit(value >> place & 1 == 1);
        }
    }

    pub fn ue(&mut self, value: u32) {
        let code = u64::from(value) + 1;
        let length = 63 - code.leading_zeros();
        self.bits(length, 0);
        self.bit(true);
        self.bits(length, code as u32);
    }

    pub fn se(&mut self, value: i32) {
        let magnitude = value.unsigned_abs() * 2;
        self.ue(if value > 0 { magnitude - 1 } else { magnitude });
    }

    /// A one, then zeros to the end of the byte.
    pub fn trailing(&mut self) {
        self.bit(true);
        while self.used != 0 {
            self.bit(false);
        }
    }

    /// Whole bytes, or what is left of the last one zero.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Bits so far.
    pub fn length(&self) -> u32 {
        let whole = self.bytes.len() as u32 * 8;
        if self.used == 0 {
            whole
        } else {
            whole - 8 + self.used
        }
    }
}

/// Headers as the driver takes them: start codes and emulation prevention in place, and how many bits count.
#[derive(Debug, Default)]
pub struct Packed {
    pub bytes: Vec<u8>,
    pub bit_length: u32,
}

impl Packed {
    /// Add a NAL unit, its header included; only the last one may end within a byte.
    pub fn nal(&mut self, unit: &Writer) {
        self.bytes.extend_from_slice(&[0, 0, 0, 1]);
        let mut zeros = 0;
        for &byte in &unit.bytes {
            if zeros >= 2 && byte <= 3 {
                self.bytes.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            self.bytes.push(byte);
        }
        let open = (8 - unit.length() % 8) % 8;
        self.bit_length = self.bytes.len() as u32 * 8 - open;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        let mut writer = Writer::default();
        for value in 0..5 {
            writer.ue(value);
        }
        // 1 010 011 00100 00101
        assert_eq!(writer.bytes, [0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let mut writer = Writer::default();
        for value in [0, 1, -1, 2] {
            writer.se(value);
        }
        assert_eq!(writer.bytes, [0b1010_0110, 0b0100_0000]);
        assert_eq!(writer.length(), 12);
    }

    #[test]
    fn no_start_code_is_made_by_accident() {
        let mut writer = Writer::default();
        writer.bits(8, 0x65);
        writer.bits(32, 1);
        writer.bits(3, 7);
        let mut packed = Packed::default();
        packed.nal(&writer);
        assert_eq!(packed.bytes, [0, 0, 0, 1, 0x65, 0, 0, 3, 0, 1, 0xe0]);
        assert_eq!(packed.bit_length, 11 * 8 - 5);
    }
}
