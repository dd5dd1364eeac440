//! Levels of AV1.

use crate::encode::vaapi::plan::Plan;

/// seq_level_idx, samples a picture, width, height, samples a second, kbit/s of the Main tier (AV1 specification, annex A).
const LEVELS: [(u8, u64, u32, u32, u64, u32); 13] = [
    (0, 147_456, 2048, 1152, 4_423_680, 1_500),
    (1, 278_784, 2816, 1584, 8_363_520, 3_000),
    (4, 665_856, 4352, 2448, 19_975_680, 6_000),
    (5, 1_065_024, 5504, 3096, 31_950_720, 10_000),
    (8, 2_359_296, 6144, 3456, 70_778_880, 12_000),
    (9, 2_359_296, 6144, 3456, 141_557_760, 20_000),
    (12, 8_912_896, 8192, 4352, 267_386_880, 30_000),
    (13, 8_912_896, 8192, 4352, 534_773_760, 40_000),
    (14, 8_912_896, 8192, 4352, 1_069_547_520, 60_000),
    (16, 35_651_584, 16384, 8704, 1_069_547_520, 60_000),
    (17, 35_651_584, 16384, 8704, 2_139_095_040, 100_000),
    (18, 35_651_584, 16384, 8704, 4_278_190_080, 160_000),
    (19, 35_651_584, 16384, 8704, 4_278_190_080, 160_000),
];
/// No level: decoders look at the stream itself.
const NONE: u8 = 31;

/// The lowest level of the mode; a bit rate beyond all that have its size takes the highest of them.
pub fn level_idx(plan: &Plan) -> u8 {
    let samples = u64::from(plan.width) * u64::from(plan.height);
    let fits = |&&(_, most, width, height, rate, _): &&(u8, u64, u32, u32, u64, u32)| {
        samples <= most
            && samples * u64::from(plan.fps) <= rate
            && plan.width <= width
            && plan.height <= height
    };
    LEVELS
        .iter()
        .filter(fits)
        .find(|level| plan.kbps <= level.5)
        .or_else(|| LEVELS.iter().rfind(fits))
        .map_or(NONE, |level| level.0)
}
