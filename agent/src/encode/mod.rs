//! Pictures become access units here.
//!
//! [`Encoder`] is what a back end implements: ultra-low latency, infinite group of pictures, key frames only on request,
//! Annex B (AV1: a temporal unit) with parameter sets in front of every key frame. Which back end a stream gets is decided in
//! [`selection`]. Nothing here knows where the pictures come from or where the access units go.

mod codec;
#[cfg(feature = "ffmpeg")]
pub mod ffmpeg;
mod level;
mod loaded;
mod lost;
pub mod nvenc;
mod offer;
mod openh264;
pub mod selection;
pub mod speed;
#[cfg(test)]
mod tests;
pub mod vaapi;

use crate::{
    cli::EncodersArgs,
    convert::Colour,
    source::{DmabufFormat, Picture},
};
use punktfunk_core::control::HdrMetadata;

pub use codec::Codec;
pub use offer::{Found, Offer};
pub use selection::{Choice, Kind};

/// Codecs of the protocol, by their names in `OpenStream`.
pub const CODECS: &[&str] = &["h264", "h265", "av1"];

/// What a stream wants of its encoder. Sizes in pixels; the rate is that of the video alone.
#[derive(Debug, Clone, Default)]
pub struct EncoderSettings {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub bitrate_kbps: u32,
    pub colour: Colour,
    /// 10 bits.
    pub hdr: bool,
    /// With 10 bits: the stream is HDR10, mastered for this (zeros where that is not known). Its colours are then those of BT.2020
    /// with the transfer of ST 2084, in `colour`'s range. None: SDR in more bits.
    pub mastering: Option<HdrMetadata>,
    /// 4:4:4 chroma instead of 4:2:0.
    pub chroma_444: bool,
    /// Slices that the client wants a picture cut into, 0 = no wish. An encoder that makes one only, does that.
    pub slices: u32,
    /// Whoever takes the access units takes them in parts as well: an encoder that makes slices may hand them out one by one.
    pub parts: bool,
    /// Most references that the client's decoder copes with, 0 = the encoder decides.
    pub max_reference_frames: u32,
}

/// What travels with a picture through the encoder. Times are CLOCK_MONOTONIC nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tag {
    /// Presentation time on the wire.
    pub pts_ns: u64,
    /// When the picture was captured.
    pub capture_ns: u64,
    /// The last picture encoded once more.
    pub repeated: bool,
    /// Its number, counted as submitted from 0: what [`Encoder::invalidate_refs`] counts by. It wraps.
    pub picture: u32,
    /// The first picture since an invalidation: set by the pipeline, encoders pass it on.
    pub after_invalidation: bool,
}

/// One encoded picture.
#[derive(Debug)]
pub struct AccessUnit<'a> {
    /// Annex B, beginning with a start code; a key frame begins with its parameter sets.
    pub data: &'a [u8],
    /// An IDR picture.
    pub key: bool,
    pub tag: Tag,
}

/// Takes what is final of a picture while the rest of it is being encoded.
pub trait Parts {
    /// The picture's first bytes are `unit.data`; they end behind a slice, and more than those of the last call. It is cut into so
    /// many parts (2 to 4), of which the last one comes with [`Encoder::poll`] only, as does whatever was not handed out.
    fn part(&mut self, unit: &AccessUnit<'_>, parts: u8);

    /// What was handed out of this picture belongs to nothing: the picture begins anew, or does not come.
    fn void(&mut self);
}

/// Why something could not be encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// No codec has this name.
    #[error("there is no codec named \"{0}\"; the codecs are {codecs}", codecs = CODECS.join(", "))]
    UnknownCodec(String),
    /// This encoder does not work here; the text says why and what to do.
    #[error("{encoder} is not available: {why}")]
    Unavailable { encoder: &'static str, why: String },
    /// No encoder of this machine can do it; the text holds what each of them said.
    #[error("nothing here encodes {codec} at {width}x{height} and {fps} frames a second: {why}")]
    NoEncoder {
        codec: String,
        width: u32,
        height: u32,
        fps: u32,
        why: String,
    },
    /// The mode is outside what the encoder can do; the text says why.
    #[error("{encoder} cannot encode {width}x{height} at {fps} frames a second: {why}")]
    Mode {
        encoder: &'static str,
        width: u32,
        height: u32,
        fps: u32,
        why: String,
    },
    /// A picture's description does not match its bytes.
    #[error("a picture of {width}x{height} with {stride} bytes a line has only {len} bytes")]
    Picture {
        width: u32,
        height: u32,
        stride: usize,
        len: usize,
    },
    /// A picture in GPU memory that cannot be imported. It costs the stream nothing but this picture: the pipeline encodes
    /// the last one again and has the source hand over shared memory from then on.
    #[error("a picture in the memory of the GPU cannot be imported: {0}")]
    Import(String),
    /// The back end failed.
    #[error("{encoder} failed to {what}: {why}")]
    Backend {
        encoder: &'static str,
        what: &'static str,
        why: String,
    },
}

/// An encoder for one stream.
///
/// Each submitted picture comes out of [`Self::poll`] as at most one access unit, in the order of submission; a back end
/// may hold some back until [`Self::flush`].
pub trait Encoder: Send {
    fn name(&self) -> &'static str;

    /// What [`Self::submit`] takes in GPU memory ([`Picture::dmabuf`]), best first. Asked once, before a source is opened.
    fn importable(&self) -> Vec<DmabufFormat> {
        Vec::new()
    }

    /// Encode a picture. One of another size than the stream's is fitted into it, with black bars. One in GPU memory may
    /// be kept until the next one is submitted.
    ///
    /// # Errors
    /// A picture that contradicts itself, a failing back end, or [`EncodeError::Import`].
    fn submit(&mut self, picture: &Picture, tag: Tag) -> Result<(), EncodeError>;

    /// Encode the last submitted picture once more; nothing happens when there was none.
    ///
    /// # Errors
    /// A failing back end.
    fn submit_again(&mut self, tag: Tag) -> Result<(), EncodeError>;

    /// As [`Self::submit`], or without a picture as [`Self::submit_again`], handing out what is ready before all of it is. An encoder
    /// that cannot do so leaves `parts` alone.
    ///
    /// # Errors
    /// As for these.
    fn submit_in_parts(
        &mut self,
        picture: Option<&Picture>,
        tag: Tag,
        _parts: &mut dyn Parts,
    ) -> Result<(), EncodeError> {
        match picture {
            Some(picture) => self.submit(picture, tag),
            None => self.submit_again(tag),
        }
    }

    /// The next access unit that is ready.
    ///
    /// # Errors
    /// A failing back end.
    fn poll(&mut self) -> Result<Option<AccessUnit<'_>>, EncodeError>;

    /// The next submitted picture becomes an IDR.
    fn request_keyframe(&mut self);

    /// Whether [`Self::invalidate_refs`] can ever succeed: clients are told so before the stream begins.
    fn can_invalidate_refs(&self) -> bool {
        false
    }

    /// Never again refer to pictures `first..=last` ([`Tag::picture`]); `last` is the latest one submitted. False: this
    /// encoder cannot, or has nothing else left to refer to; the caller asks for a key frame instead.
    fn invalidate_refs(&mut self, first: u32, last: u32) -> bool;

    /// Aim at this rate from the next picture on.
    ///
    /// # Errors
    /// A back end that refuses it; the old rate then stays.
    fn set_bitrate(&mut self, kbps: u32) -> Result<(), EncodeError>;

    /// No more pictures follow: let go of everything that is held back.
    ///
    /// # Errors
    /// A failing back end.
    fn flush(&mut self) -> Result<(), EncodeError>;
}

/// Print what [`report`] says, if asked for after the speeds that are missing were measured.
///
/// # Errors
/// A measurement that cannot be kept.
pub fn print_report(args: EncodersArgs) -> anyhow::Result<()> {
    if args.measure {
        speed::step_back();
        speed::measure_missing().map_err(anyhow::Error::msg)?;
    }
    if !args.quiet {
        println!("{}", report());
    }
    Ok(())
}

/// What every encoder of this build does on this machine, or why it does nothing: lines for a person.
pub fn report() -> String {
    let line = |kind: &Kind| match kind.look() {
        Ok(found) => {
            let codecs = found.codecs.iter().map(|codec| {
                let mut text = codec.codec.to_owned();
                for (has, what) in [
                    (codec.hdr, "10 bits"),
                    (codec.chroma_444, "4:4:4"),
                    (codec.hdr_chroma_444, "both at once"),
                    (codec.invalidates_refs, "reference invalidation"),
                ] {
                    if has {
                        text = format!("{text} + {what}");
                    }
                }
                text
            });
            let codecs: Vec<String> = codecs.collect();
            let speed = match (speed::of(*kind), kind.software_codec()) {
                (Some(measured), _) if measured.holds_reference() => {
                    format!(", {}", measured.text())
                }
                (Some(measured), _) => format!(", {}: too slow for more", measured.text()),
                (None, Some(_)) => ", not measured yet: --measure does it now".to_owned(),
                (None, None) => String::new(),
            };
            format!(
                "{}: {} ({}{speed})",
                kind.name(),
                codecs.join(", "),
                found.device
            )
        }
        Err(why) => format!("{}: not here: {why}", kind.name()),
    };
    let lines: Vec<String> = Kind::ALL.iter().map(line).collect();
    lines.join("\n")
}
