//! Light and codes: the transfer of HDR10 (SMPTE ST 2084, "PQ"), and how sRGB is shown in it.

/// Constants of ST 2084.
const M1: f64 = 2610.0 / 16384.0;
const M2: f64 = 2523.0 / 32.0;
const C1: f64 = 3424.0 / 4096.0;
const C2: f64 = 2413.0 / 128.0;
const C3: f64 = 2392.0 / 128.0;
/// Nits of the highest code.
const PEAK: f64 = 10_000.0;
/// The highest 10-bit code.
const TOP: f64 = 1023.0;

/// Nits of reference white in HDR10 (ITU-R BT.2408): where what was white in SDR belongs.
pub const REFERENCE_WHITE: f64 = 203.0;

/// From linear light with the primaries of BT.709 to those of BT.2020 (ITU-R BT.2087).
const WIDER: [[f64; 3]; 3] = [
    [0.627_404, 0.329_283, 0.043_313],
    [0.069_097, 0.919_541, 0.011_362],
    [0.016_391, 0.088_013, 0.895_595],
];

/// The full-range 10-bit code of a light.
pub fn pq(nits: f64) -> u16 {
    let light = (nits / PEAK).clamp(0.0, 1.0).powf(M1);
    let code = ((C1 + C2 * light) / (1.0 + C3 * light)).powf(M2);
    (code * TOP).round() as u16
}

/// The light of a full-range 10-bit code, in nits.
pub fn nits(code: u16) -> f64 {
    let root = (f64::from(code) / TOP).clamp(0.0, 1.0).powf(1.0 / M2);
    PEAK * ((root - C1).max(0.0) / (C2 - C3 * root)).powf(1.0 / M1)
}

/// sRGB pixels as HDR10 shows them. Exact and slow: for placeholders, which have few colours beside each other.
pub struct FromSrgb {
    linear: [f64; 256],
    /// The last pixel and what became of it.
    last: ([u8; 3], [u16; 3]),
}

impl Default for FromSrgb {
    fn default() -> Self {
        let linear = std::array::from_fn(|code| {
            let code = code as f64 / 255.0;
            if code <= 0.040_45 {
                code / 12.92
            } else {
                ((code + 0.055) / 1.055).powf(2.4)
            }
        });
        Self {
            linear,
            // black is black
            last: ([0; 3], [0; 3]),
        }
    }
}

impl FromSrgb {
    /// Red, green and blue.
    pub fn of(&mut self, rgb: [u8; 3]) -> [u16; 3] {
        if self.last.0 != rgb {
            let light = rgb.map(|code| self.linear[usize::from(code)]);
            let codes = WIDER.map(|row| {
                let sum: f64 = row.iter().zip(light).map(|(a, b)| a * b).sum();
                pq(sum * REFERENCE_WHITE)
            });
            self.last = (rgb, codes);
        }
        self.last.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // BT.2408, table 1, in percent of the signal: 203 nits = 58, 1000 = 75, 100 = 51
        for (light, code) in [(0.0, 0), (100.0, 520), (203.0, 594), (1000.0, 769)] {
            assert!(pq(light).abs_diff(code) <= 1, "{light} nits: {}", pq(light));
        }
        assert_eq!(pq(10_000.0), 1023);
        assert_eq!(pq(1e9), 1023);
        for code in 0..=1023 {
            assert_eq!(pq(nits(code)), code);
        }
    }

    #[test]
    fn what_is_white_in_srgb_is_reference_white_and_colours_lose_nothing() {
        let mut shown = FromSrgb::default();
        assert_eq!(shown.of([0; 3]), [0; 3]);
        assert_eq!(shown.of([255; 3]), [pq(REFERENCE_WHITE); 3]);
        // red of BT.709 lies within BT.2020: all three are lit, red most
        let [red, green, blue] = shown.of([255, 0, 0]);
        assert_eq!(red, pq(0.627_404 * REFERENCE_WHITE));
        assert!(red > green && green > blue && blue > 0);
        assert_eq!(shown.of([255; 3]), [pq(REFERENCE_WHITE); 3]);
    }
}
