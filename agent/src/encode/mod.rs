//! Pictures become access units here.
//!
//! [`Encoder`] is what a back end implements: ultra-low latency, infinite group of pictures, key frames only on request,
//! Annex B with parameter sets in front of every key frame. Which back ends exist is decided in [`open`]. Nothing here
//! knows where the pictures come from or where the access units go.

mod level;
mod openh264;
#[cfg(test)]
mod tests;

use crate::{convert::Colour, source::Picture};

/// Codecs that some back end of this build produces, by their names in `OpenStream`.
pub const CODECS: &[&str] = &["h264"];
/// Those of [`CODECS`] that come with 10 bits.
pub const HDR_CODECS: &[&str] = &[];
/// Those of [`CODECS`] that come with 4:4:4 chroma.
pub const CHROMA_444_CODECS: &[&str] = &[];
/// Back ends of this build, best first.
pub const ENCODERS: &[&str] = &[openh264::NAME];
/// Whether every back end can leave lost pictures out of its references.
pub const INVALIDATES_REFS: bool = false;

/// What a stream wants of its encoder. Sizes in pixels; the rate is that of the video alone.
#[derive(Debug, Clone)]
pub struct EncoderSettings {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub bitrate_kbps: u32,
    pub colour: Colour,
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

/// Why something could not be encoded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// No codec has this name.
    #[error("there is no codec named \"{0}\"; this build encodes {codecs}", codecs = CODECS.join(", "))]
    UnknownCodec(String),
    /// A codec of the protocol that no back end of this build produces.
    #[error("this build cannot encode {0}, only {codecs}", codecs = CODECS.join(", "))]
    UnsupportedCodec(&'static str),
    /// The mode is outside what the encoder can do; the text says why.
    #[error("{encoder} cannot encode {width}x{height} at {fps} frames a second: {why}")]
    Mode {
        encoder: &'static str,
        width: u32,
        height: u32,
        fps: u32,
        why: &'static str,
    },
    /// A picture's description does not match its bytes.
    #[error("a picture of {width}x{height} with {stride} bytes a line has only {len} bytes")]
    Picture {
        width: u32,
        height: u32,
        stride: usize,
        len: usize,
    },
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

    /// Encode a picture. One of another size than the stream's is fitted into it, with black bars.
    ///
    /// # Errors
    /// A picture that contradicts itself, or a failing back end.
    fn submit(&mut self, picture: &Picture, tag: Tag) -> Result<(), EncodeError>;

    /// Encode the last submitted picture once more; nothing happens when there was none.
    ///
    /// # Errors
    /// A failing back end.
    fn submit_again(&mut self, tag: Tag) -> Result<(), EncodeError>;

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

/// An encoder for `codec` (`h264`, …).
///
/// # Errors
/// [`EncodeError::UnknownCodec`], [`EncodeError::UnsupportedCodec`] or [`EncodeError::Mode`], each with what would work.
pub fn open(codec: &str, settings: &EncoderSettings) -> Result<Box<dyn Encoder>, EncodeError> {
    match codec {
        "h264" => Ok(Box::new(openh264::OpenH264::new(settings)?)),
        "h265" => Err(EncodeError::UnsupportedCodec("h265")),
        "av1" => Err(EncodeError::UnsupportedCodec("av1")),
        other => Err(EncodeError::UnknownCodec(other.to_owned())),
    }
}
