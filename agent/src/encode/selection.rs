//! Which encoder a stream gets, and what a machine offers: one rule for both.
//!
//! `auto` takes the best encoder that has the codec and opens in that mode, in the order of [`Kind::ALL`]; a named one is
//! taken or refused, and nothing else is tried. Of the software encoders only those are offered that are fast enough here;
//! OpenH264 always is, for without H.264 no client connects.

#[cfg(feature = "ffmpeg")]
use super::ffmpeg::{self, Ffmpeg, Library};
use super::{
    CODECS, Codec, EncodeError, Encoder, EncoderSettings,
    nvenc::{self, Nvenc},
    offer::{self, CodecOffer, Found},
    openh264::{self, OpenH264},
    speed,
    vaapi::{self, Vaapi},
};
use punktfunk_dbus::encoder_speeds::Measured;
use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
};

/// What works here was told once.
static LOOKED: AtomicBool = AtomicBool::new(false);

/// An encoder of this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Nvenc,
    Vaapi,
    OpenH264,
    #[cfg(feature = "ffmpeg")]
    Ffmpeg(Library),
}

impl Kind {
    /// Best first.
    #[cfg(not(feature = "ffmpeg"))]
    pub const ALL: [Self; 3] = [Self::Nvenc, Self::Vaapi, Self::OpenH264];
    /// Best first.
    #[cfg(feature = "ffmpeg")]
    pub const ALL: [Self; 6] = [
        Self::Nvenc,
        Self::Vaapi,
        Self::OpenH264,
        Self::Ffmpeg(Library::X264),
        Self::Ffmpeg(Library::X265),
        Self::Ffmpeg(Library::Aom),
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Nvenc => nvenc::NAME,
            Self::Vaapi => vaapi::NAME,
            Self::OpenH264 => openh264::NAME,
            #[cfg(feature = "ffmpeg")]
            Self::Ffmpeg(library) => library.name(),
        }
    }

    /// The one codec of a software encoder.
    pub fn software_codec(self) -> Option<&'static str> {
        match self {
            Self::OpenH264 => Some("h264"),
            #[cfg(feature = "ffmpeg")]
            Self::Ffmpeg(library) => Some(library.codec()),
            _ => None,
        }
    }

    /// What encodes, for a software encoder that there is: a speed was measured with that.
    pub fn library(self) -> Option<String> {
        match self {
            Self::OpenH264 => Some("built in".to_owned()),
            #[cfg(feature = "ffmpeg")]
            Self::Ffmpeg(library) => ffmpeg::find(library).ok(),
            _ => None,
        }
    }

    /// A software encoder that works in the caller's thread alone, with the settings that are measured.
    pub fn one_thread(self) -> bool {
        #[cfg(feature = "ffmpeg")]
        if self == Self::Ffmpeg(Library::X264) {
            return true;
        }
        self == Self::OpenH264
    }

    /// Whether it is fast enough, as it was measured, to be offered without being asked for.
    fn fast_enough(self, measured: Option<Measured>) -> Result<(), String> {
        if self.software_codec().is_none() || self == Self::OpenH264 {
            return Ok(());
        }
        match measured {
            Some(measured) if measured.holds_reference() => Ok(()),
            Some(measured) => Err(format!("not offered: {} is too slow", measured.text())),
            None => Err("not offered before its speed is known".to_owned()),
        }
    }

    /// What it does on this machine.
    ///
    /// # Errors
    /// Why it does nothing here, and what to do about it.
    pub fn look(self) -> Result<Found, String> {
        match self {
            Self::Nvenc => match nvenc::card() {
                Ok(card) => Ok(Found {
                    kind: self,
                    device: match nvenc::driver_version() {
                        Some(version) => format!("{}, {version}", card.name),
                        None => card.name.clone(),
                    },
                    codecs: card.codecs.iter().map(offer::of_card).collect(),
                }),
                Err(error) => Err(error.to_string()),
            },
            Self::Vaapi => match vaapi::device() {
                Ok(device) => Ok(Found {
                    kind: self,
                    device: device.to_string(),
                    codecs: device.codecs.iter().map(offer::of_device).collect(),
                }),
                Err(error) => Err(error.to_string()),
            },
            Self::OpenH264 => Ok(self.on_processor("h264", "the processor".to_owned())),
            #[cfg(feature = "ffmpeg")]
            Self::Ffmpeg(library) => {
                let version = ffmpeg::find(library)?;
                Ok(self.on_processor(library.codec(), format!("the processor, {version}")))
            }
        }
    }

    fn on_processor(self, codec: &'static str, device: String) -> Found {
        Found {
            kind: self,
            device,
            codecs: vec![CodecOffer {
                codec,
                hdr: false,
                chroma_444: false,
                hdr_chroma_444: false,
                invalidates_refs: false,
            }],
        }
    }

    /// # Errors
    /// Another codec than its own, no such encoder here, or a mode that it cannot do.
    pub fn open(
        self,
        codec: &str,
        settings: &EncoderSettings,
    ) -> Result<Box<dyn Encoder>, EncodeError> {
        match (self, Codec::named(codec)) {
            (Self::Nvenc, Some(codec)) => Ok(Box::new(Nvenc::new(codec, settings)?)),
            (Self::Vaapi, Some(codec)) => Ok(Box::new(Vaapi::new(codec, settings)?)),
            (Self::OpenH264, Some(Codec::H264)) => Ok(Box::new(OpenH264::new(settings)?)),
            #[cfg(feature = "ffmpeg")]
            (Self::Ffmpeg(library), Some(codec)) if library.codec() == codec.name() => {
                Ok(Box::new(Ffmpeg::new(library, settings)?))
            }
            _ => Err(EncodeError::Unavailable {
                encoder: self.name(),
                why: format!("it does not encode {codec}"),
            }),
        }
    }
}

/// Which encoders may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// The best one that works.
    #[default]
    Auto,
    /// The best one on the processor.
    Software,
    Only(Kind),
}

impl Choice {
    fn kinds(self) -> Vec<Kind> {
        match self {
            Self::Auto => Kind::ALL.to_vec(),
            Self::Software => {
                let software = |kind: &Kind| kind.software_codec().is_some();
                Kind::ALL.into_iter().filter(software).collect()
            }
            Self::Only(kind) => vec![kind],
        }
    }

    /// The same for one mode: of two software encoders of a codec the one that holds it goes first.
    fn kinds_for(self, settings: &EncoderSettings) -> Vec<Kind> {
        order(self.kinds(), settings, speed::of)
    }

    /// What works here, best first. May take a moment: a driver is loaded and asked.
    pub fn look(self) -> Vec<Found> {
        // an agent looks each time that it registers, which may be often
        let again = LOOKED.swap(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for kind in self.kinds() {
            let name = kind.name();
            let offered = match self {
                Self::Only(_) => Ok(()),
                Self::Auto | Self::Software => kind.fast_enough(speed::of(kind)),
            };
            let said = match (kind.look(), offered) {
                (Ok(found), Ok(())) => {
                    let said = found.device.clone();
                    all.push(found);
                    said
                }
                (Ok(found), Err(why)) => format!("{}, {why}", found.device),
                (Err(why), _) => format!("not here: {why}"),
            };
            match again {
                true => tracing::debug!(encoder = name, "{said}"),
                false => tracing::info!(encoder = name, "{said}"),
            }
        }
        all
    }

    /// An encoder for `codec` (`h264`, …).
    ///
    /// # Errors
    /// [`EncodeError::UnknownCodec`], or why the best encoder that could have done it did not, with what would work.
    pub fn open(
        self,
        codec: &str,
        settings: &EncoderSettings,
    ) -> Result<Box<dyn Encoder>, EncodeError> {
        if !CODECS.contains(&codec) {
            return Err(EncodeError::UnknownCodec(codec.to_owned()));
        }
        let mut refused: Vec<EncodeError> = Vec::new();
        for kind in self.kinds_for(settings) {
            match kind.open(codec, settings) {
                Ok(encoder) => {
                    for error in refused {
                        tracing::info!("{}: {error}", encoder.name());
                    }
                    warn_of_slowness(kind, settings);
                    return Ok(encoder);
                }
                Err(error) => refused.push(error),
            }
        }
        if refused.len() == 1 {
            return Err(refused.remove(0));
        }
        let reasons: Vec<String> = refused.iter().map(ToString::to_string).collect();
        Err(EncodeError::NoEncoder {
            codec: codec.to_owned(),
            width: settings.width,
            height: settings.height,
            fps: settings.fps,
            why: reasons.join("; "),
        })
    }
}

/// Move a software encoder that was measured and does not hold the mode behind one that does.
fn order(
    mut kinds: Vec<Kind>,
    settings: &EncoderSettings,
    speed: impl Fn(Kind) -> Option<Measured>,
) -> Vec<Kind> {
    let too_slow = |kind: &Kind| {
        kind.software_codec().is_some()
            && speed(*kind).is_some_and(|measured| {
                !measured.holds(settings.width, settings.height, settings.fps)
            })
    };
    let slow: Vec<Kind> = kinds.iter().copied().filter(too_slow).collect();
    kinds.retain(|kind| !slow.contains(kind));
    kinds.extend(slow);
    kinds
}

/// A stream that this processor cannot keep up with says so once, at its start.
fn warn_of_slowness(kind: Kind, settings: &EncoderSettings) {
    let &EncoderSettings {
        width, height, fps, ..
    } = settings;
    if let Some(measured) = speed::of(kind)
        && !measured.holds(width, height, fps)
    {
        tracing::warn!(
            encoder = kind.name(),
            "{width}x{height} at {fps} frames a second is more than this processor encodes ({}): the picture will not be \
             smooth. A smaller mode, or a card with a video encoder, helps",
            measured.text()
        );
    }
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |kind: &Kind| kind.name() == text;
        match text {
            "auto" => Ok(Self::Auto),
            "software" => Ok(Self::Software),
            #[cfg(not(feature = "ffmpeg"))]
            "x264" | "x265" | "aom" => Err(format!(
                "{text} comes with FFmpeg, which this program was built without (the Cargo feature is \"ffmpeg\")"
            )),
            _ => Kind::ALL
                .into_iter()
                .find(named)
                .map(Self::Only)
                .ok_or_else(|| {
                    let names = Kind::ALL.map(Kind::name).join(", ");
                    format!(
                        "there is no encoder named \"{text}\"; there are: auto, software, {names}"
                    )
                }),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Auto => "auto",
            Self::Software => "software",
            Self::Only(kind) => kind.name(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_a_name_that_exists() {
        assert_eq!("auto".parse(), Ok(Choice::Auto));
        assert_eq!("nvenc".parse(), Ok(Choice::Only(Kind::Nvenc)));
        assert_eq!("vaapi".parse(), Ok(Choice::Only(Kind::Vaapi)));
        assert_eq!("software".parse(), Ok(Choice::Software));
        for text in ["auto", "software", "openh264"] {
            assert_eq!(text.parse::<Choice>().unwrap().to_string(), text);
        }
        let error = "quicksync".parse::<Choice>().unwrap_err();
        assert!(
            error.contains("quicksync") && error.contains("nvenc"),
            "{error}"
        );
    }

    #[test]
    fn software_that_does_not_hold_a_mode_goes_behind_what_may() {
        let mode = |fps| EncoderSettings {
            width: 1920,
            height: 1080,
            fps,
            ..EncoderSettings::default()
        };
        let speed = |kind| {
            (kind == Kind::OpenH264).then(|| Measured {
                library: String::new(),
                pixels_per_second: 1920 * 1080 * 80,
            })
        };
        let all = Kind::ALL.to_vec();
        assert_eq!(order(all.clone(), &mode(60), speed), all);
        let slow = order(all.clone(), &mode(120), speed);
        assert_eq!(slow.first(), Some(&Kind::Nvenc));
        assert_eq!(slow.last(), Some(&Kind::OpenH264));
        assert_eq!(slow.len(), all.len());
    }

    #[cfg(feature = "ffmpeg")]
    #[test]
    fn heavy_codecs_are_offered_only_where_they_were_measured_to_be_fast_enough() {
        let measured = |fps: u64| {
            Some(Measured {
                library: String::new(),
                pixels_per_second: 1920 * 1080 * fps,
            })
        };
        for library in [Library::X264, Library::X265, Library::Aom] {
            let kind = Kind::Ffmpeg(library);
            assert!(kind.fast_enough(None).is_err());
            assert!(kind.fast_enough(measured(59)).is_err());
            assert!(kind.fast_enough(measured(60)).is_ok());
        }
        assert!(Kind::OpenH264.fast_enough(None).is_ok());
        assert!(Kind::OpenH264.fast_enough(measured(5)).is_ok());
    }
}
