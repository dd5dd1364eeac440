//! What a card encodes: asked of its driver for each codec, never assumed.

use super::{
    abi::{self, ConfigAttrib},
    av1,
    display::{Display, nodes},
    error::VaapiError,
    library::room,
};
use crate::encode::{Codec, EncoderSettings, level};
use std::{ffi::c_int, fmt, path::PathBuf};

/// Sides where the driver names none.
const MAX_SIDE: u32 = 4096;
/// References kept where the client sets no limit: losses up to this many pictures back need no key frame.
const REFERENCES: u32 = 5;

/// What a card does with one codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    pub codec: Codec,
    /// Its references are chosen by us, so that lost ones can be avoided.
    pub invalidation: bool,
    pub(super) profile: c_int,
    pub(super) entry: c_int,
    /// The one mode of rate control that is used.
    pub(super) rate: u32,
    /// Headers that the driver takes from us, of those that we write.
    pub(super) packed: u32,
    /// Predicted pictures have to be B pictures with the same references twice (Intel's HEVC).
    pub(super) both_directions: bool,
    pub(super) hevc_features: Option<u32>,
    pub(super) hevc_blocks: Option<u32>,
    /// How it counts sizes, which transforms it has and how many tiles.
    pub(super) av1_sizes: u32,
    width: u32,
    height: u32,
}

/// What the driver says to one question, `None` where it does not know it.
fn answer(attribs: &[ConfigAttrib], kind: c_int) -> Option<u32> {
    let found = attribs.iter().find(|attrib| attrib.kind == kind)?;
    (found.value != abi::NOT_SUPPORTED).then_some(found.value)
}

/// The header that names the reference.
fn naming(codec: Codec) -> u32 {
    match codec {
        Codec::Av1 => abi::PACKED_PICTURE,
        Codec::H264 | Codec::Hevc => abi::PACKED_SLICE,
    }
}

impl Capabilities {
    /// `None`: not this profile, or not from NV12.
    fn of(
        display: &Display,
        codec: Codec,
        profile: c_int,
        entry: c_int,
    ) -> Result<Option<Self>, VaapiError> {
        let mut asked = [
            abi::ATTRIB_RT_FORMAT,
            abi::ATTRIB_RATE_CONTROL,
            abi::ATTRIB_PACKED_HEADERS,
            abi::ATTRIB_MAX_WIDTH,
            abi::ATTRIB_MAX_HEIGHT,
            abi::ATTRIB_PREDICTION_DIRECTION,
            abi::ATTRIB_HEVC_FEATURES,
            abi::ATTRIB_HEVC_BLOCK_SIZES,
            abi::ATTRIB_AV1_FEATURES,
            abi::ATTRIB_AV1_SIZES,
        ]
        .map(|kind| ConfigAttrib {
            kind,
            value: abi::NOT_SUPPORTED,
        });
        // SAFETY: the display is open; as many attributes as the call is told, of which the values are written.
        let status = unsafe {
            let count = asked.len() as c_int;
            (display.library.attributes)(display.raw(), profile, entry, asked.as_mut_ptr(), count)
        };
        display.check("asking what the card can do", status)?;
        let formats = answer(&asked, abi::ATTRIB_RT_FORMAT).unwrap_or(0);
        if formats & abi::RT_FORMAT_YUV420 == 0 {
            return Ok(None);
        }
        let modes = answer(&asked, abi::ATTRIB_RATE_CONTROL).unwrap_or(0);
        let rate = [abi::RC_CBR, abi::RC_VBR]
            .into_iter()
            .find(|mode| modes & mode != 0)
            .ok_or_else(|| VaapiError::NoRateControl {
                codec: codec.name(),
                driver: display.driver.clone(),
            })?;
        let packed = answer(&asked, abi::ATTRIB_PACKED_HEADERS).unwrap_or(0);
        let av1_sizes = answer(&asked, abi::ATTRIB_AV1_SIZES);
        if codec == Codec::Av1
            && let Some(what) = av1::unsuitable(
                packed,
                answer(&asked, abi::ATTRIB_AV1_FEATURES).unwrap_or(0),
                av1_sizes,
            )
        {
            return Err(VaapiError::Unsuitable {
                codec: codec.name(),
                what,
                driver: display.driver.clone(),
            });
        }
        let directions = answer(&asked, abi::ATTRIB_PREDICTION_DIRECTION).unwrap_or(0);
        // zero is what some drivers say when they have no answer
        let known = |kind| answer(&asked, kind).filter(|value| *value != 0);
        Ok(Some(Self {
            codec,
            // where the driver writes the headers of slices, nobody knows whether they name the reference that was chosen
            invalidation: packed & naming(codec) != 0,
            profile,
            entry,
            rate,
            packed: packed & (abi::PACKED_SEQUENCE | naming(codec)),
            both_directions: directions & abi::PREDICTION_BI_NOT_EMPTY != 0,
            hevc_features: known(abi::ATTRIB_HEVC_FEATURES),
            hevc_blocks: known(abi::ATTRIB_HEVC_BLOCK_SIZES),
            av1_sizes: av1_sizes.unwrap_or(0),
            width: known(abi::ATTRIB_MAX_WIDTH).unwrap_or(MAX_SIDE),
            height: known(abi::ATTRIB_MAX_HEIGHT).unwrap_or(MAX_SIDE),
        }))
    }

    /// Pictures that stay referable in this mode; one where references are not ours to choose.
    pub(super) fn references(&self, settings: &EncoderSettings) -> u32 {
        let most = match self.codec {
            Codec::H264 => level::lowest(
                settings.width,
                settings.height,
                settings.fps,
                settings.bitrate_kbps,
            )
            .map_or(1, |needed| needed.kept),
            _ => REFERENCES,
        };
        let wanted = match (self.invalidation, settings.max_reference_frames) {
            (false, _) => 1,
            (true, 0) => REFERENCES,
            (true, limit) => limit.min(REFERENCES),
        };
        wanted.min(most).max(1)
    }

    /// Why a mode is out of reach; `None` when it is not. What a card does in a second is not asked: what drivers say of it is
    /// far below what they do.
    pub fn refusal(&self, settings: &EncoderSettings) -> Option<String> {
        let &EncoderSettings {
            width, height, fps, ..
        } = settings;
        if width % 2 == 1 || height % 2 == 1 || width < 32 || height < 32 {
            Some("the sides must be even, and 32 or more".to_owned())
        } else if width > self.width || height > self.height {
            Some(format!(
                "for {} this card ends at {}x{}",
                self.codec.name(),
                self.width,
                self.height
            ))
        } else if !(1..=1000).contains(&fps) {
            Some("the rate must be 1 to 1000 frames a second".to_owned())
        } else if settings.bitrate_kbps == 0 {
            Some("the bit rate is zero".to_owned())
        } else if settings.hdr || settings.chroma_444 {
            Some("only 8 bits and 4:2:0 are done through VAAPI yet".to_owned())
        } else if self.codec == Codec::H264
            && level::lowest(width, height, fps, settings.bitrate_kbps).is_none()
        {
            Some("H.264 through VAAPI ends at level 5.2; take HEVC".to_owned())
        } else if self.codec == Codec::Av1 && !av1::tiles_fit(width, height, self.av1_sizes) {
            Some("it takes more tiles than this card makes of AV1".to_owned())
        } else {
            None
        }
    }
}

/// The first card with an encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub node: PathBuf,
    /// What the driver calls itself.
    pub driver: String,
    /// What it encodes.
    pub codecs: Vec<Capabilities>,
    /// Codecs that it has but not as they are needed, and why.
    refused: Vec<(Codec, VaapiError)>,
}

impl fmt::Display for Device {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}, {}", self.driver, self.node.display())
    }
}

/// Profiles that are used for a codec, best first.
fn profiles(codec: Codec) -> &'static [c_int] {
    match codec {
        Codec::H264 => &[
            abi::PROFILE_H264_HIGH,
            abi::PROFILE_H264_MAIN,
            abi::PROFILE_H264_CONSTRAINED_BASELINE,
        ],
        Codec::Hevc => &[abi::PROFILE_HEVC_MAIN],
        Codec::Av1 => &[abi::PROFILE_AV1_MAIN],
    }
}

impl Device {
    /// Look for one.
    ///
    /// # Errors
    /// What the last node that was looked at said.
    pub fn find() -> Result<Self, VaapiError> {
        // first, so that a missing library is named before a missing node
        super::library::Library::get()?;
        let mut said = VaapiError::NoNode;
        for node in nodes()? {
            match Self::ask(node) {
                Ok(device) => return Ok(device),
                Err(error) => said = error,
            }
        }
        Err(said)
    }

    fn ask(node: PathBuf) -> Result<Self, VaapiError> {
        let display = Display::open(&node)?;
        let listed = listed_profiles(&display)?;
        let (mut codecs, mut refused) = (Vec::new(), Vec::new());
        for codec in Codec::ALL {
            match best(&display, codec, &listed) {
                Ok(Some(found)) => codecs.push(found),
                Ok(None) => {}
                Err(error) => refused.push((codec, error)),
            }
        }
        if codecs.is_empty() {
            let driver = display.driver.clone();
            let node = node.display().to_string();
            let first = refused.into_iter().next();
            return Err(first.map_or(VaapiError::NoEncoder { node, driver }, |(_, error)| error));
        }
        Ok(Self {
            node,
            driver: display.driver.clone(),
            codecs,
            refused,
        })
    }

    /// # Errors
    /// Why it does not encode that.
    pub fn capabilities(&self, codec: Codec) -> Result<&Capabilities, VaapiError> {
        let mut all = self.codecs.iter();
        all.find(|found| found.codec == codec).ok_or_else(|| {
            let mut refused = self.refused.iter();
            let known = refused.find(|(refused, _)| *refused == codec);
            known.map_or(
                VaapiError::Codec {
                    codec: codec.name(),
                    driver: self.driver.clone(),
                },
                |(_, error)| error.clone(),
            )
        })
    }
}

/// The best profile and entry point for a codec.
fn best(
    display: &Display,
    codec: Codec,
    listed: &[c_int],
) -> Result<Option<Capabilities>, VaapiError> {
    let mut refused = None;
    for &profile in profiles(codec) {
        if !listed.contains(&profile) {
            continue;
        }
        let entries = entry_points(display, profile)?;
        for entry in [abi::ENTRY_ENC_SLICE, abi::ENTRY_ENC_SLICE_LP] {
            if !entries.contains(&entry) {
                continue;
            }
            match Capabilities::of(display, codec, profile, entry) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                Err(error) => refused = Some(error),
            }
        }
    }
    refused.map_or(Ok(None), Err)
}

fn listed_profiles(display: &Display) -> Result<Vec<c_int>, VaapiError> {
    let (library, raw) = (&display.library, display.raw());
    // SAFETY: the display is open.
    let mut list = vec![0; room(unsafe { (library.max_profiles)(raw) })];
    let mut count = 0;
    // SAFETY: as much room as the driver asks for, and how much of it is used is written; none is no room.
    let status = unsafe { (library.profiles)(raw, list.as_mut_ptr(), &raw mut count) };
    display.check("listing the profiles", status)?;
    list.truncate(room(count));
    Ok(list)
}

fn entry_points(display: &Display, profile: c_int) -> Result<Vec<c_int>, VaapiError> {
    let (library, raw) = (&display.library, display.raw());
    // SAFETY: the display is open.
    let mut list = vec![0; room(unsafe { (library.max_entrypoints)(raw) })];
    let mut count = 0;
    // SAFETY: as for the profiles.
    let status = unsafe { (library.entrypoints)(raw, profile, list.as_mut_ptr(), &raw mut count) };
    display.check("listing the entry points", status)?;
    list.truncate(room(count));
    Ok(list)
}
