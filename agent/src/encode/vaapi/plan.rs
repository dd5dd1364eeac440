//! How a stream is set up: lowest latency, constant rate with a buffer of one picture, no end of the group of pictures.

use super::{
    abi::{FrameRate, Hrd, Plain, RC_DISABLE_BIT_STUFFING, RC_DISABLE_FRAME_SKIP, RateControl},
    capabilities::Capabilities,
};
use crate::{
    convert::{Colour, ColourSpace},
    encode::{Codec, EncoderSettings},
};

/// kbit/s that 32-bit fields of bits a second hold.
const MAX_KBPS: u32 = 4_000_000;

/// What of the settings and the card decides the stream.
#[derive(Debug, Clone)]
pub struct Plan {
    pub card: Capabilities,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub kbps: u32,
    pub colour: Colour,
    /// Pictures that stay referable.
    pub references: u32,
}

impl Plan {
    pub fn new(settings: &EncoderSettings, card: &Capabilities) -> Self {
        Self {
            card: card.clone(),
            width: settings.width,
            height: settings.height,
            fps: settings.fps,
            kbps: settings.bitrate_kbps,
            colour: settings.colour,
            references: card.references(settings),
        }
    }

    pub fn codec(&self) -> Codec {
        self.card.codec
    }

    /// Whether the driver takes these headers from us.
    pub fn packs(&self, header: u32) -> bool {
        self.card.packed & header != 0
    }

    /// The size of surfaces: whole blocks.
    pub fn coded(&self) -> (u32, u32) {
        let block = match self.codec() {
            Codec::Av1 => 64,
            Codec::H264 | Codec::Hevc => 16,
        };
        (
            self.width.next_multiple_of(block),
            self.height.next_multiple_of(block),
        )
    }

    /// Primaries, transfer and matrix, as streams number them.
    pub fn description(&self) -> [u32; 3] {
        match self.colour.space {
            ColourSpace::Bt601 => [6, 6, 6],
            ColourSpace::Bt709 => [1, 1, 1],
            ColourSpace::Bt2020 => [9, 14, 9],
        }
    }

    pub fn bits_per_second(&self) -> u32 {
        self.kbps.clamp(1, MAX_KBPS) * 1000
    }

    fn bits_per_picture(&self) -> u32 {
        self.bits_per_second() / self.fps.max(1)
    }

    pub fn rate_control(&self) -> RateControl {
        RateControl {
            bits_per_second: self.bits_per_second(),
            target_percentage: 100,
            window_size: (1000 / self.fps.max(1)).max(1),
            // every picture is wanted, and no bits that say nothing
            flags: RC_DISABLE_FRAME_SKIP | RC_DISABLE_BIT_STUFFING,
            ..RateControl::zeroed()
        }
    }

    /// The decoder's buffer holds what one picture may use.
    pub fn hrd(&self) -> Hrd {
        Hrd {
            initial_buffer_fullness: self.bits_per_picture(),
            buffer_size: self.bits_per_picture(),
            ..Hrd::zeroed()
        }
    }

    pub fn frame_rate(&self) -> FrameRate {
        FrameRate {
            framerate: self.fps | 1 << 16,
            ..FrameRate::zeroed()
        }
    }
}
