//! An encoder that is set up wrongly.

use crate::card::{Card, HEIGHT, Handle, Mistake, WIDTH};
use nvidia_video_codec_sdk::sys::nvEncodeAPI::*;
use std::ptr;

const FPS: u32 = 60;
const RATE: u32 = 6_000_000;

/// As an agent would have it.
pub fn config() -> NV_ENC_CONFIG {
    let mut config = NV_ENC_CONFIG {
        version: NV_ENC_CONFIG_VER,
        profileGUID: NV_ENC_H264_PROFILE_HIGH_GUID,
        gopLength: NVENC_INFINITE_GOPLENGTH,
        frameIntervalP: 1,
        ..Default::default()
    };
    let rate = &mut config.rcParams;
    rate.version = NV_ENC_RC_PARAMS_VER;
    rate.rateControlMode = NV_ENC_PARAMS_RC_MODE::NV_ENC_PARAMS_RC_CBR;
    (rate.averageBitRate, rate.maxBitRate) = (RATE, RATE);
    rate.vbvBufferSize = RATE / FPS;
    rate.set_zeroReorderDelay(1);
    let h264 = h264(&mut config);
    (h264.idrPeriod, h264.maxNumRefFrames) = (NVENC_INFINITE_GOPLENGTH, 4);
    (h264.sliceMode, h264.sliceModeData, h264.chromaFormatIDC) = (3, 1, 1);
    config
}

fn h264(config: &mut NV_ENC_CONFIG) -> &mut NV_ENC_CONFIG_H264 {
    // SAFETY: the union's member for this codec; zeros are a value of all of its fields.
    unsafe { &mut config.encodeCodecConfig.h264Config }
}

pub fn params(config: &mut NV_ENC_CONFIG) -> NV_ENC_INITIALIZE_PARAMS {
    NV_ENC_INITIALIZE_PARAMS {
        version: NV_ENC_INITIALIZE_PARAMS_VER,
        encodeGUID: NV_ENC_CODEC_H264_GUID,
        presetGUID: NV_ENC_PRESET_P1_GUID,
        tuningInfo: NV_ENC_TUNING_INFO::NV_ENC_TUNING_INFO_ULTRA_LOW_LATENCY,
        encodeWidth: WIDTH,
        encodeHeight: HEIGHT,
        frameRateNum: FPS,
        frameRateDen: 1,
        enablePTD: 1,
        encodeConfig: config,
        ..Default::default()
    }
}

type Spoil = fn(&mut NV_ENC_INITIALIZE_PARAMS, &mut NV_ENC_CONFIG);

fn initialize(card: &Card, spoil: Spoil) -> u32 {
    let session = card.session(card.context());
    let mut config = config();
    let place: *mut NV_ENC_CONFIG = &raw mut config;
    let mut params = params(&mut config);
    spoil(&mut params, &mut config);
    if !params.encodeConfig.is_null() {
        params.encodeConfig = place;
    }
    nv!(card, nvEncInitializeEncoder: session, &raw mut params)
}

fn reconfigure(card: &Card, spoil: fn(&mut NV_ENC_RECONFIGURE_PARAMS)) -> u32 {
    let (_, session) = card.encoder();
    change(card, session, spoil)
}

fn change(card: &Card, session: Handle, spoil: fn(&mut NV_ENC_RECONFIGURE_PARAMS)) -> u32 {
    let mut config = config();
    let mut change = NV_ENC_RECONFIGURE_PARAMS {
        version: NV_ENC_RECONFIGURE_PARAMS_VER,
        reInitEncodeParams: params(&mut config),
        ..Default::default()
    };
    spoil(&mut change);
    nv!(card, nvEncReconfigureEncoder: session, &raw mut change)
}

pub const MISTAKES: &[Mistake] = &[
    (
        "an encoder set up with another version of the structure",
        |card| initialize(card, |params, _| params.version -= 1),
        15,
        "NV_ENC_INITIALIZE_PARAMS of another version",
    ),
    (
        "one without a configuration",
        |card| initialize(card, |params, _| params.encodeConfig = ptr::null_mut()),
        6,
        "no configuration",
    ),
    (
        "a configuration of another version",
        |card| initialize(card, |_, config| config.version -= 1),
        15,
        "a configuration of another version",
    ),
    (
        "rate control of another version",
        |card| initialize(card, |_, config| config.rcParams.version += 1),
        15,
        "a configuration of another version",
    ),
    (
        "a codec that nobody has",
        |card| initialize(card, |params, _| params.encodeGUID = NV_ENC_PRESET_P1_GUID),
        8,
        "a codec that the card does not have",
    ),
    (
        "another preset",
        |card| initialize(card, |params, _| params.presetGUID = NV_ENC_PRESET_P7_GUID),
        12,
        "another preset or tuning",
    ),
    (
        "an odd width",
        |card| initialize(card, |params, _| params.encodeWidth = 321),
        8,
        "a size that the card does not encode",
    ),
    (
        "a width beyond the card's",
        |card| initialize(card, |params, _| params.encodeWidth = 4098),
        8,
        "a size that the card does not encode",
    ),
    (
        "no frame rate",
        |card| initialize(card, |params, _| params.frameRateNum = 0),
        8,
        "no frame rate",
    ),
    (
        "events, which Linux does not have",
        |card| initialize(card, |params, _| params.enableEncodeAsync = 1),
        8,
        "events, which Linux does not have",
    ),
    (
        "picture types of the program's own",
        |card| initialize(card, |params, _| params.enablePTD = 0),
        12,
        "picture types that the program decides",
    ),
    (
        "B frames",
        |card| initialize(card, |_, config| config.frameIntervalP = 3),
        12,
        "B frames",
    ),
    (
        "a finite group of pictures",
        |card| initialize(card, |_, config| config.gopLength = 60),
        12,
        "a finite group of pictures",
    ),
    (
        "no rate",
        |card| initialize(card, |_, config| config.rcParams.averageBitRate = 0),
        8,
        "no constant rate",
    ),
    (
        "a buffer of half a second",
        |card| {
            initialize(card, |_, config| {
                config.rcParams.vbvBufferSize = RATE / 2;
            })
        },
        8,
        "a buffer that is not about one picture",
    ),
    (
        "HEVC's profile for H.264",
        |card| {
            initialize(card, |_, config| {
                config.profileGUID = NV_ENC_HEVC_PROFILE_MAIN_GUID;
            })
        },
        12,
        "another profile",
    ),
    (
        "more references than decoders keep",
        |card| initialize(card, |_, config| h264(config).maxNumRefFrames = 17),
        8,
        "references or slices out of range",
    ),
    (
        "a level of the program's own",
        |card| initialize(card, |_, config| h264(config).level = 10),
        8,
        "a level that the stream may not fit",
    ),
    (
        "slices that can be fetched one by one without their places",
        |card| initialize(card, |params, _| params.set_enableSubFrameWrite(1)),
        12,
        "without their places",
    ),
    (
        "4:4:4 for H.264 on a card without",
        |card| initialize(card, |_, config| h264(config).chromaFormatIDC = 3),
        12,
        "4:4:4 with a codec that the card has not got it for",
    ),
    (
        "set up twice",
        |card| {
            let (_, session) = card.encoder();
            let mut config = config();
            let mut params = params(&mut config);
            nv!(card, nvEncInitializeEncoder: session, &raw mut params)
        },
        9,
        "initialised twice",
    ),
    (
        "a new rate before there is an encoder",
        |card| change(card, card.session(card.context()), |_| {}),
        11,
        "used before nvEncInitializeEncoder",
    ),
    (
        "a new rate in a structure of another version",
        |card| reconfigure(card, |change| change.version = 1),
        15,
        "NV_ENC_RECONFIGURE_PARAMS of another version",
    ),
    (
        "a new rate with an IDR",
        |card| reconfigure(card, |change| change.set_forceIDR(1)),
        12,
        "a change of the rate with a reset or an IDR",
    ),
    (
        "a new size as if it were a new rate",
        |card| reconfigure(card, |change| change.reInitEncodeParams.encodeWidth = 256),
        8,
        "reconfigured with something else than the rate",
    ),
];
