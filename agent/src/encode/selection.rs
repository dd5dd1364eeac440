//! Which encoder a stream gets, and what a machine offers: one rule for both.
//!
//! `auto` takes the best encoder that has the codec and opens in that mode, in the order of [`Kind::ALL`]; a named one is
//! taken or refused, and nothing else is tried.

use super::{
    CODECS, Codec, EncodeError, Encoder, EncoderSettings,
    nvenc::{self, Nvenc},
    openh264::{self, OpenH264},
    vaapi::{self, Vaapi},
};
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
}

impl Kind {
    /// Best first.
    pub const ALL: [Self; 3] = [Self::Nvenc, Self::Vaapi, Self::OpenH264];

    pub fn name(self) -> &'static str {
        match self {
            Self::Nvenc => nvenc::NAME,
            Self::Vaapi => vaapi::NAME,
            Self::OpenH264 => openh264::NAME,
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
                    codecs: card.codecs.iter().map(offer_of_card).collect(),
                }),
                Err(error) => Err(error.to_string()),
            },
            Self::Vaapi => match vaapi::device() {
                Ok(device) => Ok(Found {
                    kind: self,
                    device: device.to_string(),
                    codecs: device.codecs.iter().map(offer_of_device).collect(),
                }),
                Err(error) => Err(error.to_string()),
            },
            Self::OpenH264 => Ok(Found {
                kind: self,
                device: "the processor".to_owned(),
                codecs: vec![CodecOffer {
                    codec: "h264",
                    hdr: false,
                    chroma_444: false,
                    invalidates_refs: false,
                }],
            }),
        }
    }

    fn open(
        self,
        codec: &str,
        settings: &EncoderSettings,
    ) -> Result<Box<dyn Encoder>, EncodeError> {
        match (self, Codec::named(codec)) {
            (Self::Nvenc, Some(codec)) => Ok(Box::new(Nvenc::new(codec, settings)?)),
            (Self::Vaapi, Some(codec)) => Ok(Box::new(Vaapi::new(codec, settings)?)),
            (Self::OpenH264, Some(Codec::H264)) => Ok(Box::new(OpenH264::new(settings)?)),
            _ => Err(EncodeError::Unavailable {
                encoder: self.name(),
                why: format!("it does not encode {codec}"),
            }),
        }
    }
}

/// What an encoder does with a codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodecOffer {
    pub codec: &'static str,
    pub hdr: bool,
    pub chroma_444: bool,
    pub invalidates_refs: bool,
}

fn offer_of_card(card: &nvenc::Capabilities) -> CodecOffer {
    CodecOffer {
        codec: card.codec.name(),
        // pictures are captured with 8 bits, and nothing makes HDR of them
        hdr: false,
        chroma_444: card.chroma_444,
        invalidates_refs: card.invalidation,
    }
}

fn offer_of_device(device: &vaapi::Capabilities) -> CodecOffer {
    CodecOffer {
        codec: device.codec.name(),
        hdr: false,
        chroma_444: false,
        invalidates_refs: device.invalidation,
    }
}

/// An encoder that works on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub kind: Kind,
    /// Card and driver, for a person.
    pub device: String,
    pub codecs: Vec<CodecOffer>,
}

/// Which encoders may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choice {
    /// The best one that works.
    #[default]
    Auto,
    Only(Kind),
}

impl Choice {
    fn kinds(self) -> Vec<Kind> {
        match self {
            Self::Auto => Kind::ALL.to_vec(),
            Self::Only(kind) => vec![kind],
        }
    }

    /// What works here, best first. May take a moment: a driver is loaded and asked.
    pub fn look(self) -> Vec<Found> {
        // an agent looks each time that it registers, which may be often
        let again = LOOKED.swap(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for kind in self.kinds() {
            let name = kind.name();
            let said = match kind.look() {
                Ok(found) => {
                    let said = found.device.clone();
                    all.push(found);
                    said
                }
                Err(why) => format!("not here: {why}"),
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
        for kind in self.kinds() {
            match kind.open(codec, settings) {
                Ok(encoder) => {
                    for error in refused {
                        tracing::info!("{}: {error}", encoder.name());
                    }
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

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |kind: &Kind| kind.name() == text;
        match text {
            "auto" => Ok(Self::Auto),
            "software" => Ok(Self::Only(Kind::OpenH264)),
            _ => Kind::ALL.into_iter().find(named).map(Self::Only).ok_or_else(|| {
                format!("there is no encoder named \"{text}\"; there are: auto, nvenc, vaapi, openh264, software")
            }),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Auto => "auto",
            Self::Only(kind) => kind.name(),
        })
    }
}

/// What a machine says of its encoders, taken together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    pub encoders: Vec<&'static str>,
    pub codecs: Vec<&'static str>,
    pub hdr: Vec<&'static str>,
    pub chroma_444: Vec<&'static str>,
    /// Of every codec.
    pub invalidates_refs: bool,
}

impl Offer {
    /// Each codec counts as what the best encoder makes of it: the one that a stream gets.
    pub fn of(found: &[Found]) -> Self {
        let mut offer = Self::default();
        let mut taken: Vec<CodecOffer> = Vec::new();
        for encoder in found {
            offer.encoders.push(encoder.kind.name());
            for codec in &encoder.codecs {
                if !taken.iter().any(|seen| seen.codec == codec.codec) {
                    taken.push(*codec);
                }
            }
        }
        let names = |wanted: fn(&CodecOffer) -> bool| {
            taken
                .iter()
                .filter(|codec| wanted(codec))
                .map(|codec| codec.codec)
                .collect()
        };
        offer.codecs = names(|_| true);
        offer.hdr = names(|codec| codec.hdr);
        offer.chroma_444 = names(|codec| codec.chroma_444);
        offer.invalidates_refs =
            !taken.is_empty() && taken.iter().all(|codec| codec.invalidates_refs);
        offer
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
        assert_eq!("software".parse(), Ok(Choice::Only(Kind::OpenH264)));
        let error = "quicksync".parse::<Choice>().unwrap_err();
        assert!(
            error.contains("quicksync") && error.contains("nvenc"),
            "{error}"
        );
    }

    #[test]
    fn each_codec_is_offered_as_the_best_encoder_has_it() {
        let codec = |codec, invalidates_refs| CodecOffer {
            codec,
            hdr: false,
            chroma_444: invalidates_refs,
            invalidates_refs,
        };
        let of = |kind, codecs| Found {
            kind,
            device: String::new(),
            codecs,
        };
        let software = of(Kind::OpenH264, vec![codec("h264", false)]);
        let card = of(Kind::Nvenc, vec![codec("h264", true), codec("av1", true)]);
        let both = Offer::of(&[card.clone(), software.clone()]);
        assert_eq!(both.encoders, ["nvenc", "openh264"]);
        assert_eq!(both.codecs, ["h264", "av1"]);
        assert_eq!(both.chroma_444, ["h264", "av1"]);
        assert!(both.invalidates_refs);
        let alone = Offer::of(&[software]);
        assert!(!alone.invalidates_refs && alone.chroma_444.is_empty());
        assert!(!Offer::of(&[]).invalidates_refs);
    }
}
