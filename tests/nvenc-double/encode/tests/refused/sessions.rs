//! Sessions, what is asked before they are set up, and structures of every kind.

use crate::card::{Card, Mistake};
use nvidia_video_codec_sdk::sys::nvEncodeAPI::*;
use std::ptr;

fn open(card: &Card, spoil: fn(&Card, &mut NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS)) -> u32 {
    let mut params = NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS {
        version: NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER,
        apiVersion: NVENCAPI_VERSION,
        deviceType: NV_ENC_DEVICE_TYPE::NV_ENC_DEVICE_TYPE_CUDA,
        device: card.context(),
        ..Default::default()
    };
    spoil(card, &mut params);
    let mut session = ptr::null_mut();
    let status = nv!(card, nvEncOpenEncodeSessionEx: &raw mut params, &raw mut session);
    assert!(session.is_null(), "a session came with the refusal");
    status
}

fn capability(card: &Card, guid: GUID, version: u32) -> u32 {
    let session = card.session(card.context());
    let mut value = 0;
    let mut params = NV_ENC_CAPS_PARAM {
        version,
        ..Default::default()
    };
    nv!(card, nvEncGetEncodeCaps: session, guid, &raw mut params, &raw mut value)
}

fn preset(card: &Card, preset: GUID, version: u32) -> u32 {
    let session = card.session(card.context());
    let mut config = NV_ENC_PRESET_CONFIG {
        version,
        ..Default::default()
    };
    config.presetCfg.version = NV_ENC_CONFIG_VER;
    nv!(card, nvEncGetEncodePresetConfigEx: session, NV_ENC_CODEC_H264_GUID, preset,
        NV_ENC_TUNING_INFO::NV_ENC_TUNING_INFO_ULTRA_LOW_LATENCY, &raw mut config)
}

fn list(card: &Card, list: *mut NV_ENCODE_API_FUNCTION_LIST) -> u32 {
    type Create = unsafe extern "C" fn(*mut NV_ENCODE_API_FUNCTION_LIST) -> u32;
    // SAFETY: the type is NVIDIA's for this name; null or a list.
    unsafe {
        let create = card.encoder.get::<Create>(b"NvEncodeAPICreateInstance\0");
        create.expect("NvEncodeAPICreateInstance")(list)
    }
}

pub const MISTAKES: &[Mistake] = &[
    (
        "a list of functions nowhere",
        |card| list(card, ptr::null_mut()),
        6,
        "a list of functions without a place",
    ),
    (
        "a list of functions of another version",
        |card| list(card, &mut NV_ENCODE_API_FUNCTION_LIST::default()),
        15,
        "a list of functions of another version",
    ),
    (
        "a session with another version of the structure",
        |card| open(card, |_, params| params.version += 1),
        15,
        "NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS of another version",
    ),
    (
        "a session for another version of the interface",
        |card| open(card, |_, params| params.apiVersion = 11),
        15,
        "a session for another version",
    ),
    (
        "a session without a context",
        |card| open(card, |_, params| params.device = ptr::null_mut()),
        3,
        "a session without a CUDA context",
    ),
    (
        "a session on a context of OpenGL",
        |card| {
            open(card, |_, params| {
                params.deviceType = NV_ENC_DEVICE_TYPE::NV_ENC_DEVICE_TYPE_OPENGL;
            })
        },
        3,
        "a session without a CUDA context",
    ),
    (
        "a session without a place for its handle",
        |card| {
            let mut params = NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS {
                version: NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER,
                ..Default::default()
            };
            nv!(card, nvEncOpenEncodeSessionEx: &raw mut params, ptr::null_mut())
        },
        6,
        "a result without a place for it",
    ),
    (
        "a session destroyed twice",
        |card| {
            let session = card.session(card.context());
            assert_eq!(nv!(card, nvEncDestroyEncoder: session), 0);
            nv!(card, nvEncDestroyEncoder: session)
        },
        3,
        "a session was destroyed that does not exist",
    ),
    (
        "a session used after it was destroyed",
        |card| {
            let (_, session) = card.encoder();
            assert_eq!(nv!(card, nvEncDestroyEncoder: session), 0);
            nv!(card, nvEncInvalidateRefFrames: session, 0)
        },
        3,
        "a session that does not exist",
    ),
    (
        "a session destroyed with all that it holds",
        |card| nv!(card, nvEncDestroyEncoder: card.ready().session),
        0,
        "destroyed with 1 resources, 1 mapped, 1 bitstreams",
    ),
    (
        "codecs without a place for their number",
        |card| {
            let session = card.session(card.context());
            nv!(card, nvEncGetEncodeGUIDCount: session, ptr::null_mut())
        },
        6,
        "a result without a place for it",
    ),
    (
        "a capability of a codec that nobody has",
        |card| capability(card, NV_ENC_PRESET_P1_GUID, NV_ENC_CAPS_PARAM_VER),
        8,
        "asked about a codec that the card does not have",
    ),
    (
        "a capability asked for in another version",
        |card| capability(card, NV_ENC_CODEC_H264_GUID, 0),
        15,
        "NV_ENC_CAPS_PARAM of another version",
    ),
    (
        "a preset in a structure of another version",
        |card| preset(card, NV_ENC_PRESET_P1_GUID, NV_ENC_PRESET_CONFIG_VER - 1),
        15,
        "NV_ENC_PRESET_CONFIG of another version",
    ),
    (
        "a preset that this card has not got",
        |card| preset(card, NV_ENC_CODEC_H264_GUID, NV_ENC_PRESET_CONFIG_VER),
        12,
        "another preset or tuning",
    ),
    (
        "a place for a stream before there is an encoder",
        |card| {
            let session = card.session(card.context());
            let mut bitstream = NV_ENC_CREATE_BITSTREAM_BUFFER {
                version: NV_ENC_CREATE_BITSTREAM_BUFFER_VER,
                ..Default::default()
            };
            nv!(card, nvEncCreateBitstreamBuffer: session, &raw mut bitstream)
        },
        11,
        "used before nvEncInitializeEncoder",
    ),
    (
        "a structure that is not there",
        |card| nv!(card, nvEncLockBitstream: card.encoder().1, ptr::null_mut()),
        6,
        "no NV_ENC_LOCK_BITSTREAM",
    ),
];
