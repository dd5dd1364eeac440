//! The H.264 level that a mode needs (ITU-T H.264, table A-1; bit rates for Baseline and Main).

use openh264::encoder::Level;

/// level_idc, macroblocks a second, macroblocks a picture, kbit/s of the NAL stream.
const LEVELS: &[(Level, u64, u64, u64)] = &[
    (Level::Level_1_0, 1_485, 99, 77),
    (Level::Level_1_1, 3_000, 396, 230),
    (Level::Level_1_2, 6_000, 396, 461),
    (Level::Level_1_3, 11_880, 396, 922),
    (Level::Level_2_0, 11_880, 396, 2_400),
    (Level::Level_2_1, 19_800, 792, 4_800),
    (Level::Level_2_2, 20_250, 1_620, 4_800),
    (Level::Level_3_0, 40_500, 1_620, 12_000),
    (Level::Level_3_1, 108_000, 3_600, 16_800),
    (Level::Level_3_2, 216_000, 5_120, 24_000),
    (Level::Level_4_0, 245_760, 8_192, 24_000),
    (Level::Level_4_1, 245_760, 8_192, 60_000),
    (Level::Level_4_2, 522_240, 8_704, 60_000),
    (Level::Level_5_0, 589_824, 22_080, 162_000),
    (Level::Level_5_1, 983_040, 36_864, 288_000),
    (Level::Level_5_2, 2_073_600, 36_864, 288_000),
];

/// The lowest level for the mode; None when even 5.2 is too low for its size and rate. A bit rate beyond every level
/// takes the highest: decoders of this kind of stream do not model the buffer.
pub fn lowest(width: u32, height: u32, fps: u32, kbps: u32) -> Option<Level> {
    let blocks = |pixels: u32| u64::from(pixels.div_ceil(16));
    let (across, down) = (blocks(width), blocks(height));
    let picture = across * down;
    let second = picture * u64::from(fps);
    let fits = |&&(_, a_second, a_picture, _): &&(Level, u64, u64, u64)| {
        second <= a_second
            && picture <= a_picture
            // no side longer than sqrt(8 * MaxFS)
            && across * across <= 8 * a_picture
            && down * down <= 8 * a_picture
    };
    LEVELS
        .iter()
        .filter(fits)
        .find(|level| u64::from(kbps) <= level.3)
        .or_else(|| LEVELS.iter().rfind(fits))
        .map(|level| level.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_table() {
        let name = |level: Option<Level>| format!("{level:?}");
        for (mode, expected) in [
            ((640, 360, 30, 2_000), "Some(Level_3_0)"),
            ((1280, 720, 30, 10_000), "Some(Level_3_1)"),
            ((1280, 720, 60, 20_000), "Some(Level_3_2)"),
            ((1280, 720, 60, 40_000), "Some(Level_4_1)"),
            ((1920, 1080, 60, 20_000), "Some(Level_4_2)"),
            ((3840, 2160, 60, 80_000), "Some(Level_5_2)"),
            ((1920, 1080, 60, 900_000), "Some(Level_5_2)"),
            ((3840, 2160, 120, 80_000), "None"),
        ] {
            let (width, height, fps, kbps) = mode;
            assert_eq!(name(lowest(width, height, fps, kbps)), expected, "{mode:?}");
        }
    }
}
