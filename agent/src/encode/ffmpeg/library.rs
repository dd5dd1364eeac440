//! Which library of FFmpeg's is meant, and how it is set up: no delay, constant rate with a buffer of one picture, no B
//! pictures, no look-ahead, key frames on request alone.

use crate::{
    convert::{Colour, ColourSpace},
    encode::{EncodeError, EncoderSettings, level},
};
use std::ops::RangeInclusive;

/// Rates in kbit/s whose bits a second fit FFmpeg's `int` fields.
pub const RATES_KBPS: RangeInclusive<u32> = 100..=2_000_000;
/// Threads that a picture of ours keeps busy.
const MAX_THREADS: usize = 8;
/// Slices that make sense.
const MAX_SLICES: u32 = 32;
/// x265 wants a whole block of its largest size.
const MIN_SIDE: u32 = 64;
/// AV1's tiles are at least so wide.
const MIN_TILE: usize = 256;
/// Longer and shorter side in pixels.
const MAX_SIDES: (u32, u32) = (8192, 4320);

/// An encoder library that FFmpeg may have been built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// H.264.
    X264,
    /// HEVC.
    X265,
    /// AV1 by libaom in its real-time mode. Not SVT-AV1: that of Debian 12 (1.4) holds back four pictures in its
    /// lowest-delay mode.
    Aom,
}

/// How much x264 tries; the others have one setting that is fast enough for anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Effort {
    #[default]
    Superfast,
    Ultrafast,
}

impl Library {
    pub fn name(self) -> &'static str {
        match self {
            Self::X264 => "x264",
            Self::X265 => "x265",
            Self::Aom => "aom",
        }
    }

    /// As in `OpenStream`.
    pub fn codec(self) -> &'static str {
        match self {
            Self::X264 => "h264",
            Self::X265 => "h265",
            Self::Aom => "av1",
        }
    }

    /// What FFmpeg calls it.
    pub fn encoder(self) -> &'static str {
        match self {
            Self::X264 => "libx264",
            Self::X265 => "libx265",
            Self::Aom => "libaom-av1",
        }
    }

    /// Whether a new rate holds without opening it anew. FFmpeg passes a changed rate on to x264 alone.
    pub fn changes_rate(self) -> bool {
        self == Self::X264
    }

    /// Threads that it is given. x264 without delay cuts a picture into exactly one slice for each.
    pub fn threads(self, slices: u32, cores: usize) -> usize {
        match self {
            Self::X264 => slices.clamp(1, MAX_SLICES) as usize,
            Self::X265 | Self::Aom => cores.clamp(1, MAX_THREADS),
        }
    }

    /// # Errors
    /// [`EncodeError::Mode`] for what it cannot do.
    pub fn check(self, settings: &EncoderSettings) -> Result<(), EncodeError> {
        let &EncoderSettings {
            width,
            height,
            fps,
            bitrate_kbps,
            ..
        } = settings;
        let refuse = |why: &str| {
            Err(EncodeError::Mode {
                encoder: self.name(),
                width,
                height,
                fps,
                why: why.to_owned(),
            })
        };
        if settings.hdr || settings.chroma_444 {
            return refuse("it is used with 8 bits and 4:2:0 only, no HDR and no 4:4:4");
        }
        if width < MIN_SIDE || height < MIN_SIDE {
            return refuse("the sides must be at least 64 pixels");
        }
        if width % 2 == 1 || height % 2 == 1 {
            return refuse("the sides must be even");
        }
        if width.max(height) > MAX_SIDES.0 || width.min(height) > MAX_SIDES.1 {
            return refuse("it ends at 8192x4320");
        }
        if !(1..=240).contains(&fps) {
            return refuse("the rate must be 1 to 240 frames a second");
        }
        if self == Self::X264 && level::lowest(width, height, fps, bitrate_kbps).is_none() {
            return refuse("H.264 has no level for so many pixels a second");
        }
        Ok(())
    }

    /// FFmpeg's options, by their names there.
    pub fn options(
        self,
        settings: &EncoderSettings,
        effort: Effort,
        threads: usize,
    ) -> Vec<(&'static str, String)> {
        let rate = Rate::of(settings.bitrate_kbps, settings.fps);
        let slices = settings.slices.clamp(1, MAX_SLICES);
        let tiles = threads.min(settings.width as usize / MIN_TILE).max(1);
        let (primaries, transfer, matrix) = colour_numbers(settings.colour);
        let mut options = vec![
            ("b", rate.bits.to_string()),
            ("maxrate", rate.bits.to_string()),
            ("bufsize", rate.buffer.to_string()),
            ("bf", "0".to_owned()),
            ("threads", threads.to_string()),
            ("color_primaries", primaries.to_string()),
            ("color_trc", transfer.to_string()),
            ("colorspace", matrix.to_string()),
            (
                "color_range",
                if settings.colour.full_range { "2" } else { "1" }.to_owned(),
            ),
        ];
        match self {
            Self::X264 => {
                let preset = match effort {
                    Effort::Superfast => "superfast",
                    Effort::Ultrafast => "ultrafast",
                };
                options.extend([
                    ("preset", preset.to_owned()),
                    ("tune", "zerolatency".to_owned()),
                    ("forced-idr", "1".to_owned()),
                    ("slices", slices.to_string()),
                    ("x264-params", "keyint=infinite:scenecut=0".to_owned()),
                ]);
                let level = level::lowest(
                    settings.width,
                    settings.height,
                    settings.fps,
                    settings.bitrate_kbps,
                );
                options.extend(level.map(|needed| ("level", needed.idc.to_string())));
            }
            // one slice: with more it holds back a picture
            Self::X265 => options.extend([
                ("preset", "ultrafast".to_owned()),
                ("tune", "zerolatency".to_owned()),
                ("forced-idr", "1".to_owned()),
                (
                    "x265-params",
                    format!(
                        "log-level=error:keyint=-1:min-keyint=1:scenecut=0:open-gop=0:frame-threads=1:pools={threads}:\
                         info=0"
                    ),
                ),
            ]),
            Self::Aom => options.extend([
                ("usage", "realtime".to_owned()),
                // the most that FFmpeg 5.1 lets through by its own option; the library's goes to 10
                ("cpu-used", "8".to_owned()),
                ("lag-in-frames", "0".to_owned()),
                ("row-mt", "1".to_owned()),
                ("tile-columns", tiles.ilog2().min(2).to_string()),
                ("error-resilience", "0".to_owned()),
                ("aq-mode", "3".to_owned()),
                ("aom-params", "cpu-used=10".to_owned()),
                ("g", "-1".to_owned()),
                ("keyint_min", "-1".to_owned()),
            ]),
        }
        options
    }
}

/// Bits of the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// A second.
    pub bits: u32,
    /// What one picture may use.
    pub buffer: u32,
}

impl Rate {
    pub fn of(kbps: u32, fps: u32) -> Self {
        let bits = kbps.clamp(*RATES_KBPS.start(), *RATES_KBPS.end()) * 1000;
        Self {
            bits,
            buffer: bits / fps.max(1),
        }
    }
}

/// Primaries, transfer and matrix (ITU-T H.273), which are FFmpeg's numbers too.
fn colour_numbers(colour: Colour) -> (u32, u32, u32) {
    match colour.space {
        ColourSpace::Bt601 => (6, 6, 6),
        ColourSpace::Bt709 => (1, 1, 1),
        ColourSpace::Bt2020 => (9, 14, 9),
    }
}
