//! H.264: OpenH264 underneath.
//!
//! OpenH264 refers to the picture before and to no other. Where an older one is to be referred to, the double encodes the
//! picture without any reference: an IDR of the library, rewritten into an ordinary picture of intra blocks whose number
//! follows that of the older picture. A decoder that never saw the invalidated pictures goes on without a gap; one that did
//! see them would find their numbers twice, which a real encoder's stream does not have.

use super::{Coder, Setup, Source};
use crate::references::Kind;
use openh264::{
    OpenH264API,
    encoder::{
        BitRate, Complexity, Encoder, EncoderConfig, FrameRate, IntraFramePeriod, RateControlMode,
        SpsPpsStrategy, UsageType, VuiConfig,
    },
    formats::YUVSource,
    nal_units,
};
use openh264_sys2::{
    ENCODER_OPTION_BITRATE, ENCODER_OPTION_MAX_BITRATE, ENCODER_OPTION_SVC_ENCODE_PARAM_EXT,
    ENCODER_OPTION_TRACE_LEVEL, SBitrateInfo, SEncParamExt, SM_FIXEDSLCNUM_SLICE, SPATIAL_LAYER_0,
    SPATIAL_LAYER_ALL, WELS_LOG_QUIET,
};
use punktfunk_coder::bits::{Reader, Writer, nal, unescape};
use std::collections::VecDeque;

/// Pictures whose number is remembered: as many as H.264 can refer to.
const REMEMBERED: usize = 32;

pub struct H264 {
    library: Encoder,
    fps: u32,
    kbps: u32,
    planes: Planes,
    numbering: Option<Numbering>,
    /// Added to the library's count of pictures since its last IDR.
    base: u32,
    /// Pictures since the library's last IDR.
    since: u32,
    /// Stamps with the number that the stream gives them.
    numbers: VecDeque<(u64, u32)>,
    begun: bool,
    slices: u32,
}

#[derive(Default)]
struct Planes {
    width: usize,
    height: usize,
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

impl YUVSource for Planes {
    fn dimensions(&self) -> (usize, usize) {
        (self.width, self.height)
    }
    fn strides(&self) -> (usize, usize, usize) {
        (self.width, self.width / 2, self.width / 2)
    }
    fn y(&self) -> &[u8] {
        &self.y
    }
    fn u(&self) -> &[u8] {
        &self.u
    }
    fn v(&self) -> &[u8] {
        &self.v
    }
}

impl H264 {
    pub fn new(setup: &Setup) -> Self {
        let vui = match setup.colour[2] {
            1 => VuiConfig::bt709(),
            9 => VuiConfig::bt2020(),
            _ => VuiConfig::bt601(),
        };
        let config = EncoderConfig::new()
            .usage_type(UsageType::CameraVideoRealTime)
            .complexity(Complexity::Low)
            .rate_control_mode(RateControlMode::Bitrate)
            .bitrate(BitRate::from_bps(told(setup.kbps, setup.fps)))
            .max_frame_rate(FrameRate::from_hz(setup.fps.min(60) as f32))
            .sps_pps_strategy(SpsPpsStrategy::ConstantId)
            .intra_frame_period(IntraFramePeriod::from_num_frames(0))
            .skip_frames(false)
            .scene_change_detect(false)
            .adaptive_quantization(false)
            .background_detection(false)
            .num_threads(1)
            .vui(vui.full_range(setup.colour[3] == 1));
        let mut library =
            Encoder::with_api_config(OpenH264API::from_source(), config).expect("OpenH264");
        let mut level = WELS_LOG_QUIET;
        // SAFETY: may be set before the first picture and takes a pointer to an int, which is not kept.
        unsafe {
            library
                .raw_api()
                .set_option(ENCODER_OPTION_TRACE_LEVEL, (&raw mut level).cast());
        }
        Self {
            library,
            fps: setup.fps,
            kbps: setup.kbps,
            planes: Planes::default(),
            numbering: None,
            base: 0,
            since: 0,
            numbers: VecDeque::new(),
            begun: false,
            slices: setup.slices,
        }
    }

    /// The library is told of slices when it has begun, which it does with a picture that nobody gets.
    fn cut(&mut self) {
        self.library.encode(&self.planes).expect("OpenH264 encodes");
        let mut params = SEncParamExt::default();
        // SAFETY: both options take a pointer to this structure, which is not kept; a picture was encoded before.
        unsafe {
            let library = self.library.raw_api();
            let option = ENCODER_OPTION_SVC_ENCODE_PARAM_EXT;
            library.get_option(option, (&raw mut params).cast());
            let cut = &mut params.sSpatialLayers[0].sSliceArgument;
            cut.uiSliceMode = SM_FIXEDSLCNUM_SLICE;
            cut.uiSliceNum = self.slices;
            library.set_option(option, (&raw mut params).cast());
        }
        self.library.force_intra_frame();
    }

    fn take(&mut self, source: &Source<'_>) {
        let (width, height) = (source.width, source.height);
        let (luma, chroma) = source.bytes.split_at(width * height);
        self.planes.width = width;
        self.planes.height = height;
        self.planes.y.clear();
        self.planes.y.extend_from_slice(luma);
        let pairs = || chroma.chunks_exact(2);
        self.planes.u = pairs().map(|pair| pair[0]).collect();
        self.planes.v = pairs().map(|pair| pair[1]).collect();
    }

    fn number(&self, stamp: u64) -> Option<u32> {
        let mut all = self.numbers.iter();
        all.find(|(known, _)| *known == stamp)
            .map(|(_, number)| *number)
    }
}

impl Coder for H264 {
    fn encode(&mut self, source: &Source<'_>, stamp: u64, kind: Kind, headers: bool) -> Vec<u8> {
        self.take(source);
        if self.slices > 1 && !self.begun {
            self.cut();
        }
        let restarts = !matches!(kind, Kind::From { latest: true, .. });
        if restarts && self.begun {
            self.library.force_intra_frame();
        }
        let stream = self.library.encode(&self.planes).expect("OpenH264 encodes");
        let library = stream.to_vec();
        if !self.begun || restarts {
            self.since = 0;
        } else {
            self.since += 1;
        }
        self.begun = true;
        match kind {
            Kind::Idr => self.base = 0,
            Kind::From {
                stamp,
                latest: false,
            } => {
                self.base = self.number(stamp).map_or(0, |number| number + 1);
            }
            Kind::Intra => self.base = self.numbers.back().map_or(0, |last| last.1 + 1),
            Kind::From { .. } => {}
        }
        if self.numbers.len() == REMEMBERED {
            self.numbers.pop_front();
        }
        self.numbers.push_back((stamp, self.base + self.since));
        let mut unit = Vec::new();
        for nal_unit in nal_units(&library) {
            let start = nal_unit
                .iter()
                .position(|byte| *byte == 1)
                .map_or(0, |at| at + 1);
            let plain = unescape(&nal_unit[start..]);
            match plain.first().map_or(0, |header| header & 0x1f) {
                7 => {
                    self.numbering = Some(Numbering::of(&plain));
                    if headers {
                        unit.extend(nal(&plain));
                    }
                }
                8 if headers => unit.extend(nal(&plain)),
                1 | 5 => {
                    let numbering = self.numbering.expect("a parameter set came first");
                    unit.extend(nal(&numbering.rewrite(
                        &plain,
                        self.base,
                        kind == Kind::Idr,
                    )));
                }
                _ => {}
            }
        }
        unit
    }

    fn set_rate(&mut self, kbps: u32) {
        let bps = told(kbps, self.fps);
        let mut options = [
            (ENCODER_OPTION_MAX_BITRATE, SPATIAL_LAYER_0),
            (ENCODER_OPTION_BITRATE, SPATIAL_LAYER_ALL),
        ];
        // the target must never stand above the ceiling
        if kbps < self.kbps {
            options.reverse();
        }
        self.kbps = kbps;
        for (option, layer) in options {
            let mut info = SBitrateInfo {
                iLayer: layer,
                iBitrate: i32::try_from(bps).unwrap_or(i32::MAX),
            };
            // SAFETY: a picture was encoded before (the agent changes the rate of a running stream; before that the library
            // answers with an error), and both options take a pointer to this structure, which is not kept.
            unsafe {
                self.library
                    .raw_api()
                    .set_option(option, (&raw mut info).cast());
            }
        }
    }
}

/// OpenH264 believes in at most 60 pictures a second.
fn told(kbps: u32, fps: u32) -> u32 {
    let bps = u64::from(kbps.clamp(100, 2_000_000)) * 1000;
    (bps * u64::from(fps.min(60)) / u64::from(fps.max(1))) as u32
}

/// How pictures are numbered in slice headers.
#[derive(Debug, Clone, Copy)]
struct Numbering {
    frame_bits: u32,
    /// Bits of the picture order count, where it is written.
    order_bits: Option<u32>,
}

impl Numbering {
    /// From a sequence parameter set of the Baseline or Main profile.
    fn of(sps: &[u8]) -> Self {
        let mut reader = Reader::new(sps);
        reader.bits(32);
        reader.ue();
        let frame_bits = reader.ue() + 4;
        let order_bits = match reader.ue() {
            0 => Some(reader.ue() + 4),
            _ => None,
        };
        Self {
            frame_bits,
            order_bits,
        }
    }

    /// A slice with its numbers moved on by `base`; one of an IDR picture that is to be none loses what marks it.
    fn rewrite(self, slice: &[u8], base: u32, idr: bool) -> Vec<u8> {
        let was_idr = slice[0] & 0x1f == 5;
        let mut reader = Reader::new(slice);
        let mut writer = Writer::default();
        let header = reader.bits(8);
        let plain = was_idr && !idr;
        writer.bits(8, if plain { header & 0xe0 | 1 } else { header });
        for _ in 0..3 {
            writer.ue(reader.ue());
        }
        let mask = |bits: u32| (1u32 << bits) - 1;
        let frame = reader.bits(self.frame_bits).wrapping_add(base);
        writer.bits(self.frame_bits, frame & mask(self.frame_bits));
        if was_idr {
            let id = reader.ue();
            if idr {
                writer.ue(id);
            }
        }
        if let Some(bits) = self.order_bits {
            let order = reader.bits(bits).wrapping_add(2 * base);
            writer.bits(bits, order & mask(bits));
        }
        if plain {
            // an I slice has nothing between here and the marking of references
            let _ = reader.bits(2);
            writer.bit(0);
        }
        // The end of the payload is the last one: what follows it is not copied.
        let mut left = reader.left();
        for &byte in slice.iter().rev() {
            if byte != 0 {
                left -= byte.trailing_zeros() as usize + 1;
                break;
            }
            left -= 8;
        }
        for _ in 0..left {
            writer.bit(reader.bit());
        }
        writer.trailing();
        writer.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::Codec;
    use openh264::decoder::Decoder;

    /// A grey picture with a bright bar whose place tells the number.
    fn picture(number: usize) -> Vec<u8> {
        let mut bytes = vec![60u8; 320 * 192];
        for line in bytes.chunks_mut(320) {
            line[number % 18 * 16..][..16].fill(220);
        }
        bytes.extend([128; 320 * 96]);
        bytes
    }

    fn shown(decoder: &mut Decoder, unit: &[u8]) -> Option<usize> {
        let picture = decoder.decode(unit).expect("decodes")?;
        let luma = picture.y();
        (0..18).find(|place| luma[place * 16 + 8] > 150)
    }

    #[test]
    fn a_decoder_that_lost_pictures_goes_on_from_one_that_avoids_them_without_an_idr() {
        [1, 4].into_iter().for_each(goes_on);
    }

    fn goes_on(slices: u32) {
        let mut coder = H264::new(&Setup {
            codec: Codec::H264,
            width: 320,
            height: 192,
            fps: 60,
            kbps: 3000,
            references: 5,
            slices,
            sub_frames: false,
            chroma_444: false,
            bits: 8,
            colour: [1, 1, 1, 0],
        });
        let mut decoder = Decoder::new().expect("decoder");
        let mut encode = |stamp: u64, kind| {
            let bytes = picture(stamp as usize);
            let source = Source {
                width: 320,
                height: 192,
                bytes: &bytes,
                metadata: &[],
            };
            let unit = coder.encode(&source, stamp, kind, kind == Kind::Idr);
            assert_eq!(
                crate::coder::slices(Codec::H264, &unit).len(),
                slices as usize
            );
            unit
        };
        let from = |stamp, latest| Kind::From { stamp, latest };
        for stamp in 0..12 {
            let kind = if stamp == 0 {
                Kind::Idr
            } else {
                from(stamp - 1, true)
            };
            let unit = encode(stamp, kind);
            // 9, 10 and 11 are lost
            if stamp < 9 {
                assert_eq!(shown(&mut decoder, &unit), Some(stamp as usize));
            }
        }
        let unit = encode(12, from(8, false));
        assert_eq!(unit[4] & 0x1f, 1, "no IDR");
        assert_eq!(shown(&mut decoder, &unit), Some(12));
        for stamp in 13..40 {
            let unit = encode(stamp, from(stamp - 1, true));
            assert_eq!(shown(&mut decoder, &unit), Some(stamp as usize % 18));
        }
        let unit = encode(40, Kind::Idr);
        assert_eq!(shown(&mut decoder, &unit), Some(40 % 18));
        let unit = encode(41, from(40, true));
        assert_eq!(shown(&mut decoder, &unit), Some(41 % 18));
    }
}
