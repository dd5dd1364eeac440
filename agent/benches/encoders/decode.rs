//! What a receiver sees: FFmpeg's decoders, in a build without them OpenH264's own.

#[cfg(feature = "ffmpeg")]
pub use foreign::Decoder;
#[cfg(not(feature = "ffmpeg"))]
pub use own::Decoder;

/// Of a decoded picture.
pub struct Luma {
    pub bytes: Vec<u8>,
    pub stride: usize,
}

#[cfg(feature = "ffmpeg")]
mod foreign {
    use super::Luma;
    use ffmpeg_next::{self as ffmpeg, Packet, codec, frame};

    pub struct Decoder(ffmpeg::decoder::Video);

    impl Decoder {
        /// For the streams of this encoder.
        pub fn new(encoder: &str) -> Self {
            let id = match encoder {
                "x265" => codec::Id::HEVC,
                "aom" => codec::Id::AV1,
                _ => codec::Id::H264,
            };
            let found = ffmpeg::decoder::find(id).expect("a decoder");
            let mut context = codec::Context::new_with_codec(found).decoder();
            context.set_flags(codec::Flags::LOW_DELAY);
            context.set_threading(codec::threading::Config {
                count: 1,
                ..Default::default()
            });
            Self(context.video().expect("a decoder"))
        }

        /// Every access unit has to come by; the picture's luma where it is `wanted`.
        pub fn decode(&mut self, unit: &[u8], wanted: bool) -> Option<Luma> {
            self.0.send_packet(&Packet::copy(unit)).expect("decodes");
            let mut decoded = frame::Video::empty();
            let shown = self.0.receive_frame(&mut decoded).is_ok();
            (shown && wanted).then(|| Luma {
                bytes: decoded.data(0).to_vec(),
                stride: decoded.stride(0),
            })
        }
    }
}

#[cfg(not(feature = "ffmpeg"))]
mod own {
    use super::Luma;
    use openh264::formats::YUVSource;

    pub struct Decoder(openh264::decoder::Decoder);

    impl Decoder {
        pub fn new(_encoder: &str) -> Self {
            Self(openh264::decoder::Decoder::new().expect("a decoder"))
        }

        /// Every access unit has to come by; the picture's luma where it is `wanted`.
        pub fn decode(&mut self, unit: &[u8], wanted: bool) -> Option<Luma> {
            let decoded = self.0.decode(unit).expect("decodes")?;
            wanted.then(|| Luma {
                bytes: decoded.y().to_vec(),
                stride: decoded.strides().0,
            })
        }
    }
}
