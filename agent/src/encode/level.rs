//! The H.264 level that a mode needs (ITU-T H.264, table A-1; bit rates for Baseline and Main).

use openh264::encoder::Level;

/// The level, level_idc, macroblocks a second, macroblocks a picture, kbit/s of the NAL stream, macroblocks that decoders keep.
const LEVELS: &[(Level, u8, u64, u64, u64, u32)] = &[
    (Level::Level_1_0, 10, 1_485, 99, 77, 396),
    (Level::Level_1_1, 11, 3_000, 396, 230, 900),
    (Level::Level_1_2, 12, 6_000, 396, 461, 2_376),
    (Level::Level_1_3, 13, 11_880, 396, 922, 2_376),
    (Level::Level_2_0, 20, 11_880, 396, 2_400, 2_376),
    (Level::Level_2_1, 21, 19_800, 792, 4_800, 4_752),
    (Level::Level_2_2, 22, 20_250, 1_620, 4_800, 8_100),
    (Level::Level_3_0, 30, 40_500, 1_620, 12_000, 8_100),
    (Level::Level_3_1, 31, 108_000, 3_600, 16_800, 18_000),
    (Level::Level_3_2, 32, 216_000, 5_120, 24_000, 20_480),
    (Level::Level_4_0, 40, 245_760, 8_192, 24_000, 32_768),
    (Level::Level_4_1, 41, 245_760, 8_192, 60_000, 32_768),
    (Level::Level_4_2, 42, 522_240, 8_704, 60_000, 34_816),
    (Level::Level_5_0, 50, 589_824, 22_080, 162_000, 110_400),
    (Level::Level_5_1, 51, 983_040, 36_864, 288_000, 184_320),
    (Level::Level_5_2, 52, 2_073_600, 36_864, 288_000, 184_320),
];

/// What a mode needs.
#[derive(Debug, Clone, Copy)]
pub struct Needed {
    pub level: Level,
    /// As streams carry it.
    pub idc: u8,
    /// How many pictures of that size a decoder of the level keeps.
    pub kept: u32,
}

/// The lowest level for the mode; None when even 5.2 is too low for its size and rate. A bit rate beyond every level
/// takes the highest: decoders of this kind of stream do not model the buffer.
pub fn lowest(width: u32, height: u32, fps: u32, kbps: u32) -> Option<Needed> {
    let blocks = |pixels: u32| u64::from(pixels.div_ceil(16));
    let (across, down) = (blocks(width), blocks(height));
    let picture = across * down;
    let second = picture * u64::from(fps);
    let fits = |&&(_, _, a_second, a_picture, _, _): &&(Level, u8, u64, u64, u64, u32)| {
        second <= a_second
            && picture <= a_picture
            // no side longer than sqrt(8 * MaxFS)
            && across * across <= 8 * a_picture
            && down * down <= 8 * a_picture
    };
    LEVELS
        .iter()
        .filter(fits)
        .find(|level| u64::from(kbps) <= level.4)
        .or_else(|| LEVELS.iter().rfind(fits))
        .map(|&(level, idc, .., kept)| Needed {
            level,
            idc,
            kept: (kept / (picture as u32).max(1)).clamp(1, 16),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_table() {
        let name = |needed: Option<Needed>| format!("{:?}", needed.map(|needed| needed.level));
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

    #[test]
    fn a_level_says_how_many_pictures_are_kept() {
        let of = |width, height, fps| {
            let needed = lowest(width, height, fps, 2_000).unwrap();
            (needed.idc, needed.kept)
        };
        assert_eq!(of(1920, 1080, 60), (42, 4));
        assert_eq!(of(3840, 2160, 60), (52, 5));
        assert_eq!(of(640, 360, 30), (30, 8));
        assert_eq!(of(64, 64, 30), (20, 16));
    }
}
