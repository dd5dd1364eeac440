//! What each codec can carry: picture sizes and rates beyond which no conforming stream exists.
use super::Codec;

/// Smallest side; below it some encoders refuse and no client has a use for it.
const MIN_SIDE: u32 = 64;
/// Highest frame rate of the host.
pub(super) const MAX_FPS: u32 = 240;
/// Largest side of H.264 that encoders and decoders agree on.
const MAX_SIDE_H264: u32 = 4096;
/// Largest side for HEVC and AV1 (level 6.2 and 6.3 allow wider, no encoder does).
const MAX_SIDE: u32 = 8192;
/// Largest picture of HEVC level 6.2 (MaxLumaPs) and AV1 level 6.3 (MaxPicSize), in luma samples.
const MAX_PICTURE: u64 = 35_651_584;
/// Highest luma sample rate of the same levels (MaxLumaSr, MaxDisplayRate), in samples a second.
const MAX_RATE: u64 = 4_278_190_080;

/// H.264 levels (ITU-T H.264, table A-1): level_idc, macroblocks a second, macroblocks a picture.
const H264_LEVELS: [(u8, u64, u64); 12] = [
    (30, 40_500, 1_620),
    (31, 108_000, 3_600),
    (32, 216_000, 5_120),
    (40, 245_760, 8_192),
    (41, 245_760, 8_192),
    (42, 522_240, 8_704),
    (50, 589_824, 22_080),
    (51, 983_040, 36_864),
    (52, 2_073_600, 36_864),
    (60, 4_177_920, 139_264),
    (61, 8_355_840, 139_264),
    (62, 16_711_680, 139_264),
];

/// The lowest H.264 level (as level_idc) from 3.0 on that carries this mode; `None` beyond level 6.2.
#[must_use]
pub fn h264_level(width: u32, height: u32, fps: u32) -> Option<u8> {
    let columns = u64::from(width).div_ceil(16);
    let rows = u64::from(height).div_ceil(16);
    let picture = columns.saturating_mul(rows);
    let rate = picture.saturating_mul(u64::from(fps));
    H264_LEVELS
        .iter()
        .find(|(_, max_rate, max_picture)| {
            let longest = max_picture.saturating_mul(8);
            picture <= *max_picture
                && rate <= *max_rate
                && columns.saturating_mul(columns) <= longest
                && rows.saturating_mul(rows) <= longest
        })
        .map(|(level, ..)| *level)
}

/// Why a mode cannot be had in this codec; `None` when it can.
pub(super) fn refusal(codec: Codec, width: u32, height: u32, fps: u32) -> Option<&'static str> {
    if !(1..=MAX_FPS).contains(&fps) {
        return Some("the frame rate must be 1 to 240");
    }
    if width.min(height) < MIN_SIDE {
        return Some("width and height must be at least 64");
    }
    let longest = width.max(height);
    if codec == Codec::H264 {
        if longest > MAX_SIDE_H264 {
            return Some(
                "H.264 is limited to 4096 pixels a side; choose HEVC or AV1, or a smaller size",
            );
        }
        return h264_level(width, height, fps)
            .is_none()
            .then_some("size and rate are beyond H.264 level 6.2");
    }
    let picture = u64::from(width).saturating_mul(u64::from(height));
    if longest > MAX_SIDE || picture > MAX_PICTURE {
        return Some("the picture is larger than the codec's highest level");
    }
    (picture.saturating_mul(u64::from(fps)) > MAX_RATE)
        .then_some("size and rate are beyond the codec's highest level")
}
