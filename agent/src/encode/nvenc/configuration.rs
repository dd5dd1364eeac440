//! How the encoder is set up: lowest latency, constant rate with a buffer of one picture, no end of the group of pictures.

use super::{
    abi::{self, Config, Guid, Initialize, Plain, RcParams, Vui},
    capabilities::Capabilities,
};
use crate::{
    convert::{Colour, ColourSpace},
    encode::{Codec, EncoderSettings},
};
use punktfunk_core::control::HdrMetadata;

/// References kept where the client sets no limit: losses up to this many pictures back need no key frame, and a 4K stream
/// stays within what H.264 level 5.1 lets decoders keep.
const REFERENCES: u32 = 5;
/// Most references that a stream may keep.
const MAX_REFERENCES: u32 = 16;
const MAX_REFERENCES_AV1: u32 = 8;
/// Slices that make sense.
const MAX_SLICES: u32 = 32;
/// As many as a frame has FEC blocks on the wire.
const MAX_PARTS: u32 = 4;
/// kbit/s that 32-bit fields of bits a second hold.
const MAX_KBPS: u32 = 4_000_000;

/// What of the settings and the card decides the configuration.
#[derive(Debug, Clone)]
pub struct Plan {
    pub codec: Codec,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub kbps: u32,
    pub colour: Colour,
    /// 10 bits.
    pub hdr: bool,
    /// HDR10; `colour` is then BT.2020.
    pub mastering: Option<HdrMetadata>,
    pub chroma_444: bool,
    pub slices: u32,
    /// In how many parts an access unit is handed out while it is encoded; 1 = whole.
    pub parts: u8,
    /// Pictures that stay referable.
    pub references: u32,
    custom_vbv: bool,
}

impl Plan {
    pub fn new(settings: &EncoderSettings, card: &Capabilities) -> Self {
        let most = match card.codec {
            Codec::Av1 => MAX_REFERENCES_AV1,
            _ => MAX_REFERENCES,
        };
        let references = match (card.invalidation, settings.max_reference_frames) {
            (false, _) => 1,
            (true, 0) => REFERENCES,
            (true, limit) => limit.min(REFERENCES).min(most),
        };
        let slices = settings.slices.clamp(1, MAX_SLICES);
        let in_parts = settings.parts && card.sub_frames && card.codec != Codec::Av1;
        let mastering = settings.mastering.filter(|_| settings.hdr);
        let space = match mastering {
            Some(_) => ColourSpace::Bt2020,
            None => settings.colour.space,
        };
        Self {
            codec: card.codec,
            width: settings.width,
            height: settings.height,
            fps: settings.fps,
            kbps: settings.bitrate_kbps,
            colour: Colour {
                space,
                ..settings.colour
            },
            hdr: settings.hdr,
            mastering,
            chroma_444: settings.chroma_444,
            slices,
            parts: if in_parts {
                slices.min(MAX_PARTS) as u8
            } else {
                1
            },
            references,
            custom_vbv: card.custom_vbv,
        }
    }

    /// The format of pictures that go in.
    pub fn format(&self) -> u32 {
        match (self.hdr, self.chroma_444) {
            (false, false) => abi::FORMAT_NV12,
            (false, true) => abi::FORMAT_YUV444,
            (true, false) => abi::FORMAT_YUV420_10,
            (true, true) => abi::FORMAT_YUV444_10,
        }
    }

    fn profile(&self) -> Guid {
        match (self.codec, self.hdr, self.chroma_444) {
            (Codec::H264, _, false) => abi::PROFILE_H264_HIGH,
            (Codec::H264, _, true) => abi::PROFILE_H264_HIGH_444,
            (Codec::Hevc, _, true) => abi::PROFILE_HEVC_FREXT,
            (Codec::Hevc, true, false) => abi::PROFILE_HEVC_MAIN10,
            (Codec::Hevc, false, false) => abi::PROFILE_HEVC_MAIN,
            (Codec::Av1, ..) => abi::PROFILE_AV1_MAIN,
        }
    }

    /// The driver's preset with what a stream needs on top.
    pub fn apply(&self, config: &mut Config) {
        config.version = abi::CONFIG_VERSION;
        config.profile = self.profile();
        config.gop_length = abi::INFINITE_GOP;
        config.frame_interval_p = 1;
        config.frame_field_mode = 1;
        self.rate(&mut config.rc);
        let chroma = if self.chroma_444 { 3 } else { 1 };
        let depth = if self.hdr { 2 } else { 0 };
        match self.codec {
            Codec::H264 => {
                // SAFETY: every field of the union is numbers and pointers; the driver filled in the one of this codec.
                let h264 = unsafe { &mut config.codec.h264 };
                h264.flags &= !(abi::H264_OUTPUT_AUD | abi::H264_INTRA_REFRESH);
                h264.flags |= abi::H264_REPEAT_PARAMETER_SETS;
                h264.level = 0;
                h264.idr_period = abi::INFINITE_GOP;
                h264.max_num_ref_frames = self.references;
                h264.num_ref_l0 = 1;
                h264.slice_mode = abi::SLICES_PER_PICTURE;
                h264.slice_mode_data = self.slices;
                h264.chroma_format_idc = chroma;
                h264.vui = self.vui();
            }
            Codec::Hevc => {
                // SAFETY: as above.
                let hevc = unsafe { &mut config.codec.hevc };
                hevc.flags &= !(abi::HEVC_OUTPUT_AUD
                    | abi::HEVC_INTRA_REFRESH
                    | 3 << abi::HEVC_CHROMA_FORMAT_SHIFT
                    | 7 << abi::HEVC_BIT_DEPTH_SHIFT);
                hevc.flags |= abi::HEVC_REPEAT_PARAMETER_SETS
                    | chroma << abi::HEVC_CHROMA_FORMAT_SHIFT
                    | depth << abi::HEVC_BIT_DEPTH_SHIFT;
                hevc.level = 0;
                hevc.tier = 0;
                hevc.idr_period = abi::INFINITE_GOP;
                hevc.max_num_ref_frames = self.references;
                hevc.num_ref_l0 = 1;
                hevc.slice_mode = abi::SLICES_PER_PICTURE;
                hevc.slice_mode_data = self.slices;
                hevc.vui = self.vui();
            }
            Codec::Av1 => {
                let vui = self.vui();
                // SAFETY: as above.
                let av1 = unsafe { &mut config.codec.av1 };
                av1.flags &= !(abi::AV1_INTRA_REFRESH
                    | 3 << abi::AV1_CHROMA_FORMAT_SHIFT
                    | 7 << abi::AV1_INPUT_BIT_DEPTH_SHIFT
                    | 7 << abi::AV1_BIT_DEPTH_SHIFT);
                av1.flags |= abi::AV1_REPEAT_SEQUENCE_HEADER
                    | chroma << abi::AV1_CHROMA_FORMAT_SHIFT
                    | depth << abi::AV1_INPUT_BIT_DEPTH_SHIFT
                    | depth << abi::AV1_BIT_DEPTH_SHIFT;
                av1.level = abi::AV1_LEVEL_AUTOSELECT;
                av1.tier = 0;
                av1.idr_period = abi::INFINITE_GOP;
                av1.max_num_ref_frames = self.references;
                av1.num_forward_refs = 1;
                (av1.primaries, av1.transfer, av1.matrix) =
                    (vui.primaries, vui.transfer, vui.matrix);
                av1.full_range = vui.full_range;
            }
        }
    }

    /// Constant rate; the buffer holds what one picture may use.
    fn rate(&self, rc: &mut RcParams) {
        let bits = self.kbps.clamp(1, MAX_KBPS) * 1000;
        rc.version = abi::RC_VERSION;
        rc.mode = abi::RC_CBR;
        rc.average_bit_rate = bits;
        rc.max_bit_rate = bits;
        if self.custom_vbv {
            rc.vbv_buffer_size = bits / self.fps.max(1);
            rc.vbv_initial_delay = rc.vbv_buffer_size;
        }
        rc.flags &= !(abi::RC_LOOKAHEAD | abi::RC_ENABLE_AQ | abi::RC_TEMPORAL_AQ);
        rc.flags |= abi::RC_ZERO_REORDER_DELAY;
        rc.lookahead_depth = 0;
        rc.multi_pass = 0;
        // an IDR gets no more than any other picture
        rc.low_delay_key_frame_scale = 1;
    }

    fn vui(&self) -> Vui {
        let mut vui = Vui {
            video_signal_type_present: 1,
            video_format: 5,
            full_range: u32::from(self.colour.full_range),
            colour_description_present: 1,
            // nothing is reordered: decoders need not wait to be sure of that
            bitstream_restriction: 1,
            ..Vui::zeroed()
        };
        (vui.primaries, vui.transfer, vui.matrix) =
            match (self.colour.space, self.mastering.is_some()) {
                (ColourSpace::Bt601, _) => (6, 6, 6),
                (ColourSpace::Bt709, _) => (1, 1, 1),
                (ColourSpace::Bt2020, false) => (9, 14, 9),
                (ColourSpace::Bt2020, true) => (9, 16, 9),
            };
        vui
    }

    /// For opening the encoder, and for changing its rate. `config` is read when it is handed to the driver.
    pub fn initialize(&self, config: &mut Config) -> Initialize {
        Initialize {
            version: abi::INITIALIZE_VERSION,
            codec: self.codec.guid(),
            preset: abi::PRESET_P1,
            width: self.width,
            height: self.height,
            dar_width: self.width,
            dar_height: self.height,
            frame_rate_num: self.fps,
            frame_rate_den: 1,
            enable_ptd: 1,
            flags: match self.parts {
                1 => 0,
                _ => abi::REPORT_SLICE_OFFSETS | abi::ENABLE_SUB_FRAME_WRITE,
            },
            config,
            max_width: self.width,
            max_height: self.height,
            tuning: abi::TUNING_ULTRA_LOW_LATENCY,
            ..Initialize::zeroed()
        }
    }
}
