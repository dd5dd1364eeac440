//! What a card encodes: asked of the driver for each codec, never assumed.

use super::{
    abi::{self, Caps, Guid, Handle, Plain},
    cuda::{self, Context},
    error::NvencError,
    library::Driver,
    session::Opened,
};
use crate::encode::{Codec, EncoderSettings};
use std::sync::Arc;

/// Cards that are looked at.
const MAX_CARDS: i32 = 16;
/// More codecs or formats than any driver lists.
const MAX_LISTED: u32 = 64;

impl Codec {
    pub(super) fn guid(self) -> Guid {
        match self {
            Self::H264 => abi::CODEC_H264,
            Self::Hevc => abi::CODEC_HEVC,
            Self::Av1 => abi::CODEC_AV1,
        }
    }
}

/// What a card does with one codec. Sizes in pixels, blocks of 16x16.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    pub codec: Codec,
    pub width: std::ops::RangeInclusive<u32>,
    pub height: std::ops::RangeInclusive<u32>,
    /// Blocks in a picture and in a second; 0 = the driver names no limit.
    pub blocks: u32,
    pub blocks_per_second: u32,
    pub ten_bit: bool,
    pub chroma_444: bool,
    pub invalidation: bool,
    pub dynamic_bitrate: bool,
    pub custom_vbv: bool,
    /// Slices can be read while the rest of the picture is encoded.
    pub sub_frames: bool,
    /// Formats of pictures that go in.
    formats: Vec<u32>,
}

impl Capabilities {
    fn of(driver: &Driver, session: Handle, codec: Codec) -> Result<Self, NvencError> {
        let ask = |cap: u32| {
            let mut caps = Caps::zeroed();
            caps.version = abi::CAPS_VERSION;
            caps.caps_to_query = cap;
            let mut value = 0i32;
            // SAFETY: the session is open; the structure is of the version it says, one number is written.
            let status = unsafe {
                (driver.nvenc.get_caps)(session, codec.guid(), &raw mut caps, &raw mut value)
            };
            driver.call(session, "asking what the card can do", status)?;
            Ok(u32::try_from(value).unwrap_or(0))
        };
        let can = |cap| ask(cap).map(|value| value != 0);
        let mut capabilities = Self {
            codec,
            width: ask(abi::CAP_WIDTH_MIN)?..=ask(abi::CAP_WIDTH_MAX)?,
            height: ask(abi::CAP_HEIGHT_MIN)?..=ask(abi::CAP_HEIGHT_MAX)?,
            blocks: ask(abi::CAP_BLOCKS_MAX)?,
            blocks_per_second: ask(abi::CAP_BLOCKS_PER_SECOND_MAX)?,
            ten_bit: can(abi::CAP_10_BIT)?,
            chroma_444: can(abi::CAP_YUV444)?,
            invalidation: can(abi::CAP_INVALIDATION)?,
            dynamic_bitrate: can(abi::CAP_DYNAMIC_BITRATE)?,
            custom_vbv: can(abi::CAP_CUSTOM_VBV)?,
            sub_frames: can(abi::CAP_SUB_FRAME_READBACK)?,
            formats: formats(driver, session, codec)?,
        };
        // no client knows H.264 with 10 bits
        capabilities.ten_bit &= codec != Codec::H264 && capabilities.takes(abi::FORMAT_YUV420_10);
        capabilities.chroma_444 &= capabilities.takes(abi::FORMAT_YUV444);
        Ok(capabilities)
    }

    /// Whether pictures of this format go in.
    pub fn takes(&self, format: u32) -> bool {
        self.formats.contains(&format)
    }

    /// 10 bits and 4:4:4 at once.
    pub fn ten_bit_444(&self) -> bool {
        self.ten_bit && self.chroma_444 && self.takes(abi::FORMAT_YUV444_10)
    }

    /// Why a mode is out of reach; `None` when it is not.
    pub fn refusal(&self, settings: &EncoderSettings) -> Option<String> {
        let &EncoderSettings {
            width, height, fps, ..
        } = settings;
        let blocks = u64::from(width.div_ceil(16)) * u64::from(height.div_ceil(16));
        let above = |limit: u32, value: u64| limit > 0 && value > u64::from(limit);
        if width % 2 == 1 || height % 2 == 1 {
            Some("the sides must be even".to_owned())
        } else if !self.width.contains(&width) || !self.height.contains(&height) {
            Some(format!(
                "for {} this card takes {}x{} to {}x{}",
                self.codec.name(),
                self.width.start(),
                self.height.start(),
                self.width.end(),
                self.height.end()
            ))
        } else if !(1..=1000).contains(&fps) {
            Some("the rate must be 1 to 1000 frames a second".to_owned())
        } else if above(self.blocks, blocks) {
            Some(format!(
                "this card ends at {} blocks a picture",
                self.blocks
            ))
        } else if above(self.blocks_per_second, blocks * u64::from(fps)) {
            Some(format!(
                "this card ends at {} blocks a second",
                self.blocks_per_second
            ))
        } else if settings.bitrate_kbps == 0 {
            Some("the bit rate is zero".to_owned())
        } else if settings.hdr && !self.ten_bit {
            Some(format!(
                "this card has no 10 bits for {}",
                self.codec.name()
            ))
        } else if settings.chroma_444 && !self.chroma_444 {
            Some(format!("this card has no 4:4:4 for {}", self.codec.name()))
        } else if settings.chroma_444 && settings.hdr && !self.ten_bit_444() {
            Some(format!(
                "this card has no 4:4:4 with 10 bits for {}",
                self.codec.name()
            ))
        } else {
            None
        }
    }
}

/// The first card with an encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    pub ordinal: i32,
    pub name: String,
    /// What it encodes.
    pub codecs: Vec<Capabilities>,
}

impl Card {
    /// Look for one; opens a session for as long as it takes to ask.
    ///
    /// # Errors
    /// What the last card looked at said.
    pub fn find(driver: &Arc<Driver>) -> Result<Self, NvencError> {
        let mut said = NvencError::NoCard {
            driver: driver.version.clone(),
        };
        for ordinal in 0..cuda::device_count(driver)?.min(MAX_CARDS) {
            match Self::ask(driver, ordinal) {
                Ok(card) => return Ok(card),
                Err(error) => said = error,
            }
        }
        Err(said)
    }

    fn ask(driver: &Arc<Driver>, ordinal: i32) -> Result<Self, NvencError> {
        let context = Context::create(driver, ordinal)?;
        let name = context.card.clone();
        let session = Opened::open(context)?;
        let listed = codecs(driver, session.handle())?;
        let codecs = Codec::ALL
            .into_iter()
            .filter(|codec| listed.contains(&codec.guid()))
            .map(|codec| Capabilities::of(driver, session.handle(), codec))
            .filter(|found| {
                found
                    .as_ref()
                    .map_or(true, |found| found.takes(abi::FORMAT_NV12))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if codecs.is_empty() {
            return Err(NvencError::NoEncoder {
                card: name,
                driver: driver.version.clone(),
            });
        }
        Ok(Self {
            ordinal,
            name,
            codecs,
        })
    }

    /// # Errors
    /// [`NvencError::Codec`].
    pub fn capabilities(&self, codec: Codec) -> Result<&Capabilities, NvencError> {
        let mut all = self.codecs.iter();
        all.find(|found| found.codec == codec)
            .ok_or_else(|| NvencError::Codec {
                card: self.name.clone(),
                codec: codec.name(),
            })
    }
}

fn codecs(driver: &Driver, session: Handle) -> Result<Vec<Guid>, NvencError> {
    let mut count = 0;
    // SAFETY: the session is open; one number is written.
    let status = unsafe { (driver.nvenc.get_codec_count)(session, &raw mut count) };
    driver.call(session, "counting the codecs", status)?;
    let mut list = vec![Guid(0, 0, 0, [0; 8]); count.min(MAX_LISTED) as usize];
    // SAFETY: room for as many as the call is told.
    let status = unsafe {
        let room = list.len() as u32;
        (driver.nvenc.get_codecs)(session, list.as_mut_ptr(), room, &raw mut count)
    };
    driver.call(session, "listing the codecs", status)?;
    list.truncate(count as usize);
    Ok(list)
}

fn formats(driver: &Driver, session: Handle, codec: Codec) -> Result<Vec<u32>, NvencError> {
    let (mut count, codec) = (0, codec.guid());
    // SAFETY: the session is open; one number is written.
    let status = unsafe { (driver.nvenc.get_format_count)(session, codec, &raw mut count) };
    driver.call(session, "counting the formats", status)?;
    let mut list = vec![0u32; count.min(MAX_LISTED) as usize];
    // SAFETY: room for as many as the call is told.
    let status = unsafe {
        let room = list.len() as u32;
        (driver.nvenc.get_formats)(session, codec, list.as_mut_ptr(), room, &raw mut count)
    };
    driver.call(session, "listing the formats", status)?;
    list.truncate(count as usize);
    Ok(list)
}
