//! What `nvEncInitializeEncoder` and `nvEncReconfigureEncoder` are told, checked and understood.

use crate::{
    books,
    card::Codec,
    coder::Setup,
    session::{INVALID_PARAM, INVALID_PTR, INVALID_VERSION, UNSUPPORTED_PARAM, fits},
};
use nvidia_video_codec_sdk::sys::nvEncodeAPI::{
    GUID, NV_ENC_AV1_PROFILE_MAIN_GUID, NV_ENC_CONFIG, NV_ENC_CONFIG_VER,
    NV_ENC_H264_PROFILE_HIGH_GUID, NV_ENC_HEVC_PROFILE_MAIN_GUID, NV_ENC_INITIALIZE_PARAMS,
    NV_ENC_INITIALIZE_PARAMS_VER, NV_ENC_PRESET_P1_GUID, NV_ENC_RC_PARAMS_VER,
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
    let (profile, references, repeats, colour, slices) = unsafe { of_codec(codec, config) };
    if config.profileGUID != profile {
        return Err(refuse(
            UNSUPPORTED_PARAM,
            "another profile than this double has",
        ));
    }
    if !(1..=codec.most_references()).contains(&references) || !(1..=32).contains(&slices) {
        return Err(refuse(INVALID_PARAM, "references or slices out of range"));
    }
    let setup = Setup {
        codec,
        width,
        height,
        fps: params.frameRateNum / params.frameRateDen,
        kbps: rc.averageBitRate / 1000,
        references,
        colour,
    };
    Ok((setup, repeats))
}

/// Profile, references, repeated parameter sets, colour, slices.
unsafe fn of_codec(codec: Codec, config: &NV_ENC_CONFIG) -> (GUID, u32, bool, [u32; 4], u32) {
    match codec {
        Codec::H264 => {
            // SAFETY: the caller's contract.
            let h264 = unsafe { &config.encodeCodecConfig.h264Config };
            let vui = &h264.h264VUIParameters;
            let colour = [
                number!(vui.colourPrimaries),
                number!(vui.transferCharacteristics),
                number!(vui.colourMatrix),
                vui.videoFullRangeFlag,
            ];
            let repeats = h264.repeatSPSPPS() == 1;
            (
                NV_ENC_H264_PROFILE_HIGH_GUID,
                h264.maxNumRefFrames,
                repeats,
                colour,
                h264.sliceModeData,
            )
        }
        Codec::Hevc => {
            // SAFETY: the caller's contract.
            let hevc = unsafe { &config.encodeCodecConfig.hevcConfig };
            let vui = &hevc.hevcVUIParameters;
            let colour = [
                number!(vui.colourPrimaries),
                number!(vui.transferCharacteristics),
                number!(vui.colourMatrix),
                vui.videoFullRangeFlag,
            ];
            let repeats = hevc.repeatSPSPPS() == 1;
            (
                NV_ENC_HEVC_PROFILE_MAIN_GUID,
                hevc.maxNumRefFramesInDPB,
                repeats,
                colour,
                hevc.sliceModeData,
            )
        }
        Codec::Av1 => {
            // SAFETY: the caller's contract.
            let av1 = unsafe { &config.encodeCodecConfig.av1Config };
            let colour = [
                number!(av1.colorPrimaries),
                number!(av1.transferCharacteristics),
                number!(av1.matrixCoefficients),
                av1.colorRange,
            ];
            let repeats = av1.repeatSeqHdr() == 1;
            (
                NV_ENC_AV1_PROFILE_MAIN_GUID,
                av1.maxNumRefFramesInDPB,
                repeats,
                colour,
                1,
            )
        }
    }
}
