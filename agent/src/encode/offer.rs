//! What the encoders of a machine do with each codec, as it is told to the service.

use super::{nvenc, selection::Kind, vaapi};

/// What an encoder does with a codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodecOffer {
    pub codec: &'static str,
    /// With 10 bits.
    pub hdr: bool,
    pub chroma_444: bool,
    /// Both at once.
    pub hdr_chroma_444: bool,
    pub invalidates_refs: bool,
}

pub(super) fn of_card(card: &nvenc::Capabilities) -> CodecOffer {
    CodecOffer {
        codec: card.codec.name(),
        hdr: card.ten_bit,
        chroma_444: card.chroma_444,
        hdr_chroma_444: card.ten_bit_444(),
        invalidates_refs: card.invalidation,
    }
}

pub(super) fn of_device(device: &vaapi::Capabilities) -> CodecOffer {
    CodecOffer {
        codec: device.codec.name(),
        hdr: false,
        chroma_444: false,
        hdr_chroma_444: false,
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

/// What a machine says of its encoders, taken together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Offer {
    pub encoders: Vec<&'static str>,
    pub codecs: Vec<&'static str>,
    pub hdr: Vec<&'static str>,
    pub chroma_444: Vec<&'static str>,
    pub hdr_chroma_444: Vec<&'static str>,
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
        offer.hdr_chroma_444 = names(|codec| codec.hdr_chroma_444);
        offer.invalidates_refs =
            !taken.is_empty() && taken.iter().all(|codec| codec.invalidates_refs);
        offer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_codec_is_offered_as_the_best_encoder_has_it() {
        let codec = |codec, invalidates_refs| CodecOffer {
            codec,
            hdr: false,
            chroma_444: invalidates_refs,
            hdr_chroma_444: false,
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
