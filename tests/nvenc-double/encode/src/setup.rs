//! What `nvEncInitializeEncoder` and `nvEncReconfigureEncoder` are told, checked and understood.

use crate::{
    books,
    card::Codec,
    coder::Setup,
    session::{INVALID_PARAM, INVALID_PTR, INVALID_VERSION, UNSUPPORTED_PARAM, fits},
};
use nvidia_video_codec_sdk::sys::nvEncodeAPI::{
    GUID, NV_ENC_AV1_PROFILE_MAIN_GUID, NV_ENC_CONFIG, NV_ENC_CONFIG_H264_VUI_PARAMETERS,
    NV_ENC_CONFIG_VER, NV_ENC_H264_PROFILE_HIGH_GUID, NV_ENC_HEVC_PROFILE_FREXT_GUID,
    NV_ENC_HEVC_PROFILE_MAIN_GUID, NV_ENC_HEVC_PROFILE_MAIN10_GUID, NV_ENC_INITIALIZE_PARAMS,
    NV_ENC_INITIALIZE_PARAMS_VER, NV_ENC_LEVEL, NV_ENC_PRESET_P1_GUID, NV_ENC_RC_PARAMS_VER,
    NVENC_INFINITE_GOPLENGTH,
};

/// A field that the bindings have as a Rust enum, as the number that the program wrote: it may be none of the enum's.
macro_rules! number {
    ($place:expr) => {{
        // SAFETY: a field of four bytes of a structure that the caller lent.
        unsafe { (&raw const $place).cast::<u32>().read() }
    }};
}
pub(crate) use number;

fn refuse(status: u32, text: &str) -> u32 {
    books::fault(text);
    status
}

/// The setup, and whether parameter sets come with every IDR.
///
/// # Errors
/// The status for what is wrong.
pub unsafe fn read(params: &NV_ENC_INITIALIZE_PARAMS) -> Result<(Setup, bool), u32> {
    if params.version != NV_ENC_INITIALIZE_PARAMS_VER {
        return Err(refuse(
            INVALID_VERSION,
            "NV_ENC_INITIALIZE_PARAMS of another version",
        ));
    }
    let codec = Codec::of(&params.encodeGUID)
        .ok_or_else(|| refuse(INVALID_PARAM, "a codec that the card does not have"))?;
    if params.presetGUID != NV_ENC_PRESET_P1_GUID || number!(params.tuningInfo) != 3 {
        return Err(refuse(
            UNSUPPORTED_PARAM,
            "another preset or tuning than this double has",
        ));
    }
    let (width, height) = (params.encodeWidth, params.encodeHeight);
    if !fits(codec, width, height) || width % 2 + height % 2 != 0 {
        return Err(refuse(
            INVALID_PARAM,
            "a size that the card does not encode",
        ));
    }
    if params.frameRateNum == 0 || params.frameRateDen == 0 || params.enableEncodeAsync != 0 {
        return Err(refuse(
            INVALID_PARAM,
            "no frame rate, or events, which Linux does not have",
        ));
    }
    if params.enablePTD != 1 {
        return Err(refuse(
            UNSUPPORTED_PARAM,
            "picture types that the program decides",
        ));
    }
    // SAFETY: the caller's contract: null or a configuration.
    let config = unsafe { params.encodeConfig.as_ref() }
        .ok_or_else(|| refuse(INVALID_PTR, "no configuration"))?;
    if config.version != NV_ENC_CONFIG_VER || config.rcParams.version != NV_ENC_RC_PARAMS_VER {
        return Err(refuse(
            INVALID_VERSION,
            "a configuration of another version",
        ));
    }
    if config.gopLength != NVENC_INFINITE_GOPLENGTH || config.frameIntervalP != 1 {
        return Err(refuse(
            UNSUPPORTED_PARAM,
            "a finite group of pictures, or B frames",
        ));
    }
    let rc = &config.rcParams;
    let frame = rc.averageBitRate / (params.frameRateNum / params.frameRateDen).max(1);
    if number!(rc.rateControlMode) != 2
        || rc.averageBitRate == 0
        || rc.maxBitRate < rc.averageBitRate
    {
        return Err(refuse(INVALID_PARAM, "no constant rate"));
    }
    if rc.vbvBufferSize < frame
        || rc.vbvBufferSize > frame.saturating_mul(2)
        || rc.zeroReorderDelay() != 1
    {
        return Err(refuse(
            INVALID_PARAM,
            "a buffer that is not about one picture",
        ));
    }
    // SAFETY: the union's member for this codec, as the caller filled it in.
    let found = unsafe { of_codec(codec, config) };
    if config.profileGUID != found.profile {
        return Err(refuse(
            UNSUPPORTED_PARAM,
            "another profile than this double has",
        ));
    }
    if !(1..=codec.most_references()).contains(&found.references)
        || !(1..=32).contains(&found.slices)
    {
        return Err(refuse(INVALID_PARAM, "references or slices out of range"));
    }
    if params.enableSubFrameWrite() == 1
        && (codec.capability(23) != Some(1)
            || params.reportSliceOffsets() != 1
            || found.slices < 2
            || found.slice_mode != 3)
    {
        return Err(refuse(
            UNSUPPORTED_PARAM,
            "slices that can be fetched one by one, on a card without, or without their places",
        ));
    }
    if found.level != found.any_level {
        return Err(refuse(INVALID_PARAM, "a level that the stream may not fit"));
    }
    let full = found.chroma == 3;
    if ![0, 2].contains(&found.depth) || !(full || found.chroma == 1) {
        return Err(refuse(
            UNSUPPORTED_PARAM,
            "another depth or chroma than this double has",
        ));
    }
    if found.depth != 0 && codec.capability(39) != Some(1) {
        return Err(refuse(
            UNSUPPORTED_PARAM,
            "10 bits with a codec that the card has not got them for",
        ));
    }
    if full && codec.capability(33) != Some(1) {
        return Err(refuse(
            UNSUPPORTED_PARAM,
            "4:4:4 with a codec that the card has not got it for",
        ));
    }
    let setup = Setup {
        codec,
        width,
        height,
        fps: params.frameRateNum / params.frameRateDen,
        kbps: rc.averageBitRate / 1000,
        references: found.references,
        slices: found.slices,
        sub_frames: params.enableSubFrameWrite() == 1,
        chroma_444: full,
        bits: found.depth + 8,
        colour: found.colour,
    };
    Ok((setup, found.repeats))
}

/// What the codecs have in common, at different places.
struct OfCodec {
    /// The profile that belongs to the chroma.
    profile: GUID,
    references: u32,
    repeats: bool,
    level: u32,
    /// What leaves the choice to the driver.
    any_level: u32,
    /// chroma_format_idc, and bits beyond 8.
    chroma: u32,
    depth: u32,
    colour: [u32; 4],
    slices: u32,
    slice_mode: u32,
}

unsafe fn of_codec(codec: Codec, config: &NV_ENC_CONFIG) -> OfCodec {
    let colour = |vui: &NV_ENC_CONFIG_H264_VUI_PARAMETERS| {
        [
            number!(vui.colourPrimaries),
            number!(vui.transferCharacteristics),
            number!(vui.colourMatrix),
            vui.videoFullRangeFlag,
        ]
    };
    match codec {
        Codec::H264 => {
            // SAFETY: the caller's contract.
            let h264 = unsafe { &config.encodeCodecConfig.h264Config };
            OfCodec {
                profile: NV_ENC_H264_PROFILE_HIGH_GUID,
                references: h264.maxNumRefFrames,
                repeats: h264.repeatSPSPPS() == 1,
                level: h264.level,
                any_level: 0,
                chroma: h264.chromaFormatIDC,
                depth: 0,
                colour: colour(&h264.h264VUIParameters),
                slices: h264.sliceModeData,
                slice_mode: h264.sliceMode,
            }
        }
        Codec::Hevc => {
            // SAFETY: the caller's contract.
            let hevc = unsafe { &config.encodeCodecConfig.hevcConfig };
            OfCodec {
                profile: match (hevc.chromaFormatIDC(), hevc.pixelBitDepthMinus8()) {
                    (3, _) => NV_ENC_HEVC_PROFILE_FREXT_GUID,
                    (_, 0) => NV_ENC_HEVC_PROFILE_MAIN_GUID,
                    _ => NV_ENC_HEVC_PROFILE_MAIN10_GUID,
                },
                references: hevc.maxNumRefFramesInDPB,
                repeats: hevc.repeatSPSPPS() == 1,
                level: hevc.level,
                any_level: 0,
                chroma: hevc.chromaFormatIDC(),
                depth: hevc.pixelBitDepthMinus8(),
                colour: colour(&hevc.hevcVUIParameters),
                slices: hevc.sliceModeData,
                slice_mode: hevc.sliceMode,
            }
        }
        Codec::Av1 => {
            // SAFETY: the caller's contract.
            let av1 = unsafe { &config.encodeCodecConfig.av1Config };
            OfCodec {
                profile: NV_ENC_AV1_PROFILE_MAIN_GUID,
                references: av1.maxNumRefFramesInDPB,
                repeats: av1.repeatSeqHdr() == 1,
                level: av1.level,
                any_level: NV_ENC_LEVEL::NV_ENC_LEVEL_AV1_AUTOSELECT as u32,
                chroma: av1.chromaFormatIDC(),
                // both the same, or something that no card has
                depth: match (av1.pixelBitDepthMinus8(), av1.inputPixelBitDepthMinus8()) {
                    (stream, input) if stream == input => stream,
                    _ => u32::MAX,
                },
                colour: [
                    number!(av1.colorPrimaries),
                    number!(av1.transferCharacteristics),
                    number!(av1.matrixCoefficients),
                    av1.colorRange,
                ],
                slices: 1,
                slice_mode: 0,
            }
        }
    }
}
