//! The embedded software encoder: H.264 Constrained Baseline through OpenH264.
//!
//! Facts about the library that shape this file: it emits one access unit per picture at once (nothing is held back); it
//! cannot forget single references, so an invalidation becomes a key frame at the caller; its idea of the frame rate ends
//! at 60, so above that the bit rate it is told is scaled down to what 60 pictures a second would use; it has no buffer
//! model, so a key frame may be large; and left alone it uses four fifths of its rate, so what it is told follows what it makes.

use super::{AccessUnit, EncodeError, Encoder, EncoderSettings, Tag, level};
use crate::{
    convert::{Colour, ColourSpace, Converter, Planes},
    source::Picture,
};
use openh264::{
    OpenH264API, Timestamp,
    encoder::{
        BitRate, Complexity, Encoder as Library, EncoderConfig, FrameRate, FrameType,
        IntraFramePeriod, Profile, QpRange, RateControlMode, SpsPpsStrategy, UsageType, VuiConfig,
    },
    formats::YUVSource,
};
use openh264_sys2::{
    ENCODER_OPTION, ENCODER_OPTION_BITRATE, ENCODER_OPTION_MAX_BITRATE, ENCODER_OPTION_TRACE_LEVEL,
    SBitrateInfo, SPATIAL_LAYER_0, SPATIAL_LAYER_ALL, WELS_LOG_QUIET,
};

pub const NAME: &str = "openh264";

/// The highest frame rate that the library's rate control knows.
const MAX_KNOWN_FPS: u32 = 60;
/// The library's limits in pixels, longer and shorter side.
const MAX_SIDES: (u32, u32) = (3840, 2160);
/// Below this its macroblock loops have nothing to do.
const MIN_SIDE: u32 = 32;
/// Rates in kbit/s that the library takes: its highest level has no more. Beyond it opens, and encodes nothing.
const RATES_KBPS: std::ops::RangeInclusive<u32> = 100..=240_000;
const MOST_BPS: u32 = *RATES_KBPS.end() * 1000;

/// Pictures over which what is missing or too much is made up for.
const MADE_UP_IN: f64 = 25.0;
/// Pictures' worth of bits that are remembered as missing.
const REMEMBERED: f64 = 7.0;
/// Most of it that is made up for, in pictures' worth: a key frame's and some more.
const MOST_DEBT: f64 = 50.0;
/// Of a picture's share, below which a picture is one of a still screen: it leaves over what nobody misses.
const STILL: f64 = 0.25;
/// Of the rate, what the library may be told.
const TOLD: std::ops::RangeInclusive<f64> = 0.8..=1.3;
/// What it is told later on is a multiple of this, in bit/s: the library passes it through an f32, whose rounding would put other
/// rates above their own ceiling, and such a rate is refused.
const STEP_BPS: u32 = 1024;

pub struct OpenH264 {
    library: Library,
    converter: Converter,
    planes: Planes,
    fps: u32,
    bitrate_kbps: u32,
    /// A picture has been converted.
    filled: bool,
    keyframe_wanted: bool,
    /// Bits that were made above the rate.
    debt: f64,
    /// What the library was told last, in bit/s.
    told_bps: u32,
    /// More than this it is not told.
    most_bps: u32,
    /// A picture has been encoded: only then the library takes another rate.
    started: bool,
    first_pts_ns: Option<u64>,
    output: Vec<u8>,
    /// The access unit in `output`, not yet polled.
    ready: Option<(Tag, bool)>,
}

impl OpenH264 {
    /// # Errors
    /// [`EncodeError::Mode`] for a mode outside the library's limits.
    pub fn new(settings: &EncoderSettings) -> Result<Self, EncodeError> {
        let &EncoderSettings {
            width,
            height,
            fps,
            bitrate_kbps,
            colour,
            hdr,
            chroma_444,
            ..
        } = settings;
        let refuse = |why: &str| EncodeError::Mode {
            encoder: NAME,
            width,
            height,
            fps,
            why: why.to_owned(),
        };
        if hdr || chroma_444 {
            return Err(refuse(
                "it knows 8 bits and 4:2:0 only, no HDR and no 4:4:4",
            ));
        }
        if width < MIN_SIDE || height < MIN_SIDE {
            return Err(refuse("the sides must be at least 32 pixels"));
        }
        if width % 2 == 1 || height % 2 == 1 {
            return Err(refuse("the sides must be even"));
        }
        if width.max(height) > MAX_SIDES.0 || width.min(height) > MAX_SIDES.1 {
            return Err(refuse("it ends at 3840x2160"));
        }
        if !(1..=240).contains(&fps) {
            return Err(refuse("the rate must be 1 to 240 frames a second"));
        }
        let level = level::lowest(width, height, fps, bitrate_kbps)
            .ok_or_else(|| refuse("H.264 has no level for so many pixels a second"))?;
        let config = EncoderConfig::new()
            .usage_type(UsageType::CameraVideoRealTime)
            .complexity(Complexity::Low)
            .rate_control_mode(RateControlMode::Bitrate)
            .bitrate(BitRate::from_bps(told_bps(bitrate_kbps, fps)))
            .max_frame_rate(FrameRate::from_hz(fps.min(MAX_KNOWN_FPS) as f32))
            .profile(Profile::Baseline)
            .level(level.level)
            .sps_pps_strategy(SpsPpsStrategy::ConstantId)
            .intra_frame_period(IntraFramePeriod::from_num_frames(0))
            .qp(QpRange::new(12, 51))
            .skip_frames(false)
            .scene_change_detect(false)
            .adaptive_quantization(false)
            .background_detection(false)
            .long_term_reference(false)
            .num_threads(1)
            .vui(vui(colour));
        let mut library = Library::with_api_config(OpenH264API::from_source(), config)
            .map_err(failed("start"))?;
        quiet(&mut library);
        Ok(Self {
            library,
            converter: Converter::new(width as usize, height as usize, colour),
            planes: Planes::new(width as usize, height as usize),
            fps,
            bitrate_kbps: bitrate_kbps.clamp(*RATES_KBPS.start(), *RATES_KBPS.end()),
            filled: false,
            keyframe_wanted: false,
            debt: 0.0,
            told_bps: told_bps(bitrate_kbps, fps),
            most_bps: MOST_BPS,
            started: false,
            first_pts_ns: None,
            output: Vec::new(),
            ready: None,
        })
    }

    fn encode(&mut self, tag: Tag) -> Result<(), EncodeError> {
        let first = *self.first_pts_ns.get_or_insert(tag.pts_ns);
        let since_ms = tag.pts_ns.saturating_sub(first) / 1_000_000;
        if std::mem::take(&mut self.keyframe_wanted) {
            self.library.force_intra_frame();
        }
        self.steer();
        let stream = self
            .library
            .encode_at(&I420(&self.planes), Timestamp::from_millis(since_ms))
            .map_err(failed("encode a picture"))?;
        self.output.clear();
        stream.write_vec(&mut self.output);
        let key = stream.frame_type() == FrameType::IDR;
        // an empty one would be a picture that the rate control left out, which is switched off
        self.ready = (!self.output.is_empty()).then_some((tag, key));
        self.started = true;
        self.account(self.output.len() as f64 * 8.0);
        Ok(())
    }

    fn account(&mut self, bits: f64) {
        let share = self.share();
        let least = match bits < STILL * share {
            true => self.debt.min(0.0) / 2.0,
            false => -REMEMBERED * share,
        };
        // Nor more than can be made up for before it is forgotten: key frames one after the other.
        self.debt = (self.debt + bits - share).max(least).min(MOST_DEBT * share);
    }

    /// Bits of one picture.
    fn share(&self) -> f64 {
        f64::from(self.bitrate_kbps) * 1000.0 / f64::from(self.fps)
    }

    /// Tell the library the rate, and as much more or less as it takes to hold it. What it refuses is its ceiling.
    fn steer(&mut self) {
        let rate = told_bps(self.bitrate_kbps, self.fps);
        let part = 1.0 - self.debt / (MADE_UP_IN * self.share());
        let wanted = f64::from(rate) * part.clamp(*TOLD.start(), *TOLD.end());
        let wanted = (wanted as u32).min(self.most_bps) / STEP_BPS * STEP_BPS;
        let differs = u64::from(wanted.abs_diff(self.told_bps)) * 100 > u64::from(self.told_bps);
        if !self.started || !differs {
            return;
        }
        match self.tell(wanted) {
            Ok(()) => self.told_bps = wanted,
            Err(error) => {
                tracing::debug!("{} bit/s stay: {error}", self.told_bps);
                if wanted > self.told_bps {
                    self.most_bps = self.told_bps;
                }
                // halfway there it would have a target above its ceiling
                let _ = self.tell(self.told_bps / STEP_BPS * STEP_BPS);
            }
        }
    }

    fn tell(&mut self, bps: u32) -> Result<(), EncodeError> {
        // the target must never stand above the ceiling, not even between two calls
        let mut order = [ENCODER_OPTION_MAX_BITRATE, ENCODER_OPTION_BITRATE];
        if bps < self.told_bps {
            order.reverse();
        }
        order
            .into_iter()
            .try_for_each(|option| self.set_rate_option(option, bps))
    }

    fn set_rate_option(&mut self, option: ENCODER_OPTION, bps: u32) -> Result<(), EncodeError> {
        let mut info = SBitrateInfo {
            iLayer: SPATIAL_LAYER_ALL,
            iBitrate: i32::try_from(bps).unwrap_or(i32::MAX),
        };
        if option == ENCODER_OPTION_MAX_BITRATE {
            // the ceiling of the layer is what the rate control looks at, and only this selector reaches it
            info.iLayer = SPATIAL_LAYER_0;
        }
        // SAFETY: the library was initialised by the first encoded picture (the caller checks that), and both options take
        // a pointer to an SBitrateInfo, which lives until the call returns and is not kept.
        #[expect(unsafe_code, reason = "the safe API has no way to change the rate")]
        let result = unsafe {
            self.library
                .raw_api()
                .set_option(option, std::ptr::from_mut(&mut info).cast())
        };
        if result == 0 {
            Ok(())
        } else {
            Err(EncodeError::Backend {
                encoder: NAME,
                what: "change the rate",
                why: format!("code {result} for {bps} bit/s"),
            })
        }
    }
}

impl Encoder for OpenH264 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn submit(&mut self, picture: &Picture, tag: Tag) -> Result<(), EncodeError> {
        self.converter.convert(picture, &mut self.planes)?;
        self.filled = true;
        self.encode(tag)
    }

    fn submit_again(&mut self, tag: Tag) -> Result<(), EncodeError> {
        if self.filled {
            self.encode(tag)?;
        }
        Ok(())
    }

    fn poll(&mut self) -> Result<Option<AccessUnit<'_>>, EncodeError> {
        Ok(self.ready.take().map(|(tag, key)| AccessUnit {
            data: &self.output,
            key,
            tag,
        }))
    }

    fn request_keyframe(&mut self) {
        // before the first picture there is no library state to force, and the first one is an IDR anyway
        self.keyframe_wanted = self.filled;
    }

    fn invalidate_refs(&mut self, _first: u32, _last: u32) -> bool {
        false
    }

    fn set_bitrate(&mut self, kbps: u32) -> Result<(), EncodeError> {
        let kbps = kbps.clamp(*RATES_KBPS.start(), *RATES_KBPS.end());
        if kbps != self.bitrate_kbps {
            self.bitrate_kbps = kbps;
            self.debt = 0.0;
            self.most_bps = MOST_BPS;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), EncodeError> {
        Ok(())
    }
}

/// Keep the library from writing to standard error, which it otherwise does until its first picture.
fn quiet(library: &mut Library) {
    let mut level = WELS_LOG_QUIET;
    #[expect(
        unsafe_code,
        reason = "the safe API sets the level only after the first picture"
    )]
    // SAFETY: the trace level may be set before the library is initialised and takes a pointer to an int, which lives until
    // the call returns and is not kept.
    unsafe {
        library.raw_api().set_option(
            ENCODER_OPTION_TRACE_LEVEL,
            std::ptr::from_mut(&mut level).cast(),
        );
    }
}

/// What the library is told in bit/s, given that it believes in at most 60 pictures a second.
fn told_bps(kbps: u32, fps: u32) -> u32 {
    let bps = u64::from(kbps.clamp(*RATES_KBPS.start(), *RATES_KBPS.end())) * 1000;
    let scaled = bps * u64::from(fps.min(MAX_KNOWN_FPS)) / u64::from(fps);
    scaled as u32
}

/// The colour description that goes into the sequence parameter set.
fn vui(colour: Colour) -> VuiConfig {
    let config = match colour.space {
        ColourSpace::Bt601 => VuiConfig::bt601(),
        ColourSpace::Bt709 => VuiConfig::bt709(),
        ColourSpace::Bt2020 => VuiConfig::bt2020(),
    };
    config.full_range(colour.full_range)
}

fn failed(what: &'static str) -> impl FnOnce(openh264::Error) -> EncodeError {
    move |error| EncodeError::Backend {
        encoder: NAME,
        what,
        why: error.to_string(),
    }
}

/// Our planes as the library wants to see them.
struct I420<'a>(&'a Planes);

impl YUVSource for I420<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.0.width, self.0.height)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.0.width, self.0.width / 2, self.0.width / 2)
    }

    fn y(&self) -> &[u8] {
        &self.0.y
    }

    fn u(&self) -> &[u8] {
        &self.0.u
    }

    fn v(&self) -> &[u8] {
        &self.0.v
    }
}
