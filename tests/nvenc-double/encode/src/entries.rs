//! The functions of the list: pointers and versions are checked here, everything else where it is kept.

use crate::{
    books,
    card::Codec,
    cuda, knobs,
    references::Kind,
    registry,
    session::{self, Payloads, Registration, Session, Submission},
    setup::{self, number},
};
use nvidia_video_codec_sdk::sys::nvEncodeAPI::*;
use std::{
    ffi::{c_char, c_void},
    mem, ptr,
};

type Handle = *mut c_void;

/// The bindings' type for a status that this double gives.
fn status(code: u32) -> NVENCSTATUS {
    // SAFETY: the codes of `session` are all values of the enum, which is `repr(u32)` and begins with 0.
    unsafe { mem::transmute::<u32, NVENCSTATUS>(code.min(26)) }
}

/// A refusal without a session.
fn refuse(code: u32, text: &str) -> NVENCSTATUS {
    books::fault(text);
    status(code)
}

/// Use the session behind a handle.
fn on(handle: Handle, use_it: impl FnOnce(&mut Session) -> Result<(), u32>) -> NVENCSTATUS {
    match registry::with(handle.addr(), use_it) {
        Some(result) => status(result.err().unwrap_or(session::SUCCESS)),
        None => refuse(
            session::INVALID_ENCODERDEVICE,
            "a session that does not exist",
        ),
    }
}

/// As [`on`], with a structure of the caller's that must be there and of this version.
macro_rules! structure {
    ($pointer:ident: $version:expr, $name:literal) => {
        // SAFETY: the caller's contract: null or a structure of this type.
        let Some($pointer) = (unsafe { $pointer.as_mut() }) else {
            return refuse(session::INVALID_PTR, concat!("no ", $name));
        };
        if $pointer.version != $version {
            return refuse(
                session::INVALID_VERSION,
                concat!($name, " of another version"),
            );
        }
    };
}

macro_rules! place {
    ($pointer:ident) => {
        // SAFETY: the caller's contract: null or room for one.
        let Some($pointer) = (unsafe { $pointer.as_mut() }) else {
            return refuse(session::INVALID_PTR, "a result without a place for it");
        };
    };
}

unsafe extern "C" fn open_session(
    params: *mut NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS,
    handle: *mut Handle,
) -> NVENCSTATUS {
    structure!(params: NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER, "NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS");
    place!(handle);
    *handle = ptr::null_mut();
    if params.apiVersion != NVENCAPI_VERSION {
        return refuse(session::INVALID_VERSION, "a session for another version");
    }
    if number!(params.deviceType) != 1 || params.device.is_null() {
        return refuse(
            session::INVALID_ENCODERDEVICE,
            "a session without a CUDA context",
        );
    }
    if cuda::check(params.device) != 0 {
        return refuse(
            session::INVALID_ENCODERDEVICE,
            "a session on a context that does not work",
        );
    }
    if knobs::no_encoder() {
        return status(session::UNSUPPORTED_DEVICE);
    }
    if !registry::is_back() {
        return status(session::DEVICE_NOT_EXIST);
    }
    match registry::open(params.device.addr()) {
        Some(opened) => {
            *handle = ptr::without_provenance_mut(opened);
            registry::write();
            status(session::SUCCESS)
        }
        None => status(session::OUT_OF_MEMORY),
    }
}

unsafe extern "C" fn destroy(handle: Handle) -> NVENCSTATUS {
    match registry::close(handle.addr()) {
        true => status(session::SUCCESS),
        false => refuse(
            session::INVALID_ENCODERDEVICE,
            "a session was destroyed that does not exist",
        ),
    }
}

unsafe extern "C" fn codec_count(handle: Handle, count: *mut u32) -> NVENCSTATUS {
    place!(count);
    on(handle, |session| {
        session.alive()?;
        *count = Codec::all().len() as u32;
        Ok(())
    })
}

unsafe extern "C" fn codecs(
    handle: Handle,
    list: *mut GUID,
    room: u32,
    count: *mut u32,
) -> NVENCSTATUS {
    place!(count);
    if list.is_null() {
        return refuse(session::INVALID_PTR, "a list without a place for it");
    }
    on(handle, |session| {
        session.alive()?;
        let all = Codec::all();
        for (index, codec) in all.iter().take(room as usize).enumerate() {
            // SAFETY: the caller's contract: room for so many.
            unsafe { list.add(index).write(codec.guid()) };
        }
        *count = all.len().min(room as usize) as u32;
        Ok(())
    })
}

fn known(guid: &GUID) -> Result<Codec, u32> {
    Codec::of(guid).ok_or_else(|| {
        books::fault("asked about a codec that the card does not have");
        session::INVALID_PARAM
    })
}

unsafe extern "C" fn format_count(handle: Handle, guid: GUID, count: *mut u32) -> NVENCSTATUS {
    place!(count);
    on(handle, |session| {
        session.alive()?;
        *count = known(&guid)?.formats().len() as u32;
        Ok(())
    })
}

unsafe extern "C" fn formats(
    handle: Handle,
    guid: GUID,
    list: *mut NV_ENC_BUFFER_FORMAT,
    room: u32,
    count: *mut u32,
) -> NVENCSTATUS {
    place!(count);
    if list.is_null() {
        return refuse(session::INVALID_PTR, "a list without a place for it");
    }
    on(handle, |session| {
        session.alive()?;
        let all = known(&guid)?.formats();
        for (index, format) in all.iter().take(room as usize).enumerate() {
            // SAFETY: the caller's contract: room for so many numbers.
            unsafe { list.cast::<u32>().add(index).write(*format) };
        }
        *count = all.len().min(room as usize) as u32;
        Ok(())
    })
}

unsafe extern "C" fn capability(
    handle: Handle,
    guid: GUID,
    params: *mut NV_ENC_CAPS_PARAM,
    value: *mut i32,
) -> NVENCSTATUS {
    structure!(params: NV_ENC_CAPS_PARAM_VER, "NV_ENC_CAPS_PARAM");
    place!(value);
    let wanted = number!(params.capsToQuery);
    on(handle, |session| {
        session.alive()?;
        *value = known(&guid)?
            .capability(wanted)
            .ok_or(session::INVALID_PARAM)?;
        Ok(())
    })
}

unsafe extern "C" fn preset_config(
    handle: Handle,
    guid: GUID,
    preset: GUID,
    tuning: NV_ENC_TUNING_INFO,
    config: *mut NV_ENC_PRESET_CONFIG,
) -> NVENCSTATUS {
    structure!(config: NV_ENC_PRESET_CONFIG_VER, "NV_ENC_PRESET_CONFIG");
    if config.presetCfg.version != NV_ENC_CONFIG_VER {
        return refuse(session::INVALID_VERSION, "NV_ENC_CONFIG of another version");
    }
    on(handle, |session| {
        session.alive()?;
        let codec = known(&guid)?;
        if preset != NV_ENC_PRESET_P1_GUID
            || tuning != NV_ENC_TUNING_INFO::NV_ENC_TUNING_INFO_ULTRA_LOW_LATENCY
        {
            return Err(session.misuse(
                session::UNSUPPORTED_PARAM,
                "another preset or tuning than this double has",
            ));
        }
        // As a real driver: what the preset stands for, which the program has yet to change for its stream.
        let preset = &mut config.presetCfg;
        preset.gopLength = NVENC_INFINITE_GOPLENGTH;
        preset.frameIntervalP = 1;
        preset.rcParams.version = NV_ENC_RC_PARAMS_VER;
        preset.rcParams.averageBitRate = 2_000_000;
        match codec {
            Codec::H264 => {
                preset.encodeCodecConfig.h264Config.idrPeriod = 250;
                preset.encodeCodecConfig.h264Config.maxNumRefFrames = 0;
            }
            Codec::Hevc => preset.encodeCodecConfig.hevcConfig.idrPeriod = 250,
            Codec::Av1 => preset.encodeCodecConfig.av1Config.idrPeriod = 250,
        }
        Ok(())
    })
}

unsafe extern "C" fn initialize(
    handle: Handle,
    params: *mut NV_ENC_INITIALIZE_PARAMS,
) -> NVENCSTATUS {
    structure!(params: NV_ENC_INITIALIZE_PARAMS_VER, "NV_ENC_INITIALIZE_PARAMS");
    on(handle, |session| {
        // SAFETY: the caller's contract.
        let (setup, repeats) = unsafe { setup::read(params)? };
        session.initialize(setup, repeats)
    })
}

unsafe extern "C" fn reconfigure(
    handle: Handle,
    params: *mut NV_ENC_RECONFIGURE_PARAMS,
) -> NVENCSTATUS {
    structure!(params: NV_ENC_RECONFIGURE_PARAMS_VER, "NV_ENC_RECONFIGURE_PARAMS");
    let flags = params.resetEncoder() | params.forceIDR() << 1;
    on(handle, |session| {
        // SAFETY: the caller's contract.
        let (setup, repeats) = unsafe { setup::read(&params.reInitEncodeParams)? };
        session.reconfigure(setup, repeats, flags)
    })
}

unsafe extern "C" fn create_bitstream(
    handle: Handle,
    params: *mut NV_ENC_CREATE_BITSTREAM_BUFFER,
) -> NVENCSTATUS {
    structure!(params: NV_ENC_CREATE_BITSTREAM_BUFFER_VER, "NV_ENC_CREATE_BITSTREAM_BUFFER");
    let result = on(handle, |session| {
        params.bitstreamBuffer = ptr::without_provenance_mut(session.create_bitstream()?);
        Ok(())
    });
    registry::write();
    result
}

unsafe extern "C" fn destroy_bitstream(handle: Handle, buffer: NV_ENC_OUTPUT_PTR) -> NVENCSTATUS {
    let result = on(handle, |session| session.destroy_bitstream(buffer.addr()));
    registry::write();
    result
}

unsafe extern "C" fn register(
    handle: Handle,
    params: *mut NV_ENC_REGISTER_RESOURCE,
) -> NVENCSTATUS {
    structure!(params: NV_ENC_REGISTER_RESOURCE_VER, "NV_ENC_REGISTER_RESOURCE");
    let wanted = Registration {
        kind: number!(params.resourceType),
        address: params.resourceToRegister.addr() as u64,
        width: params.width,
        height: params.height,
        pitch: params.pitch,
        format: number!(params.bufferFormat),
    };
    let result = on(handle, |session| {
        params.registeredResource = ptr::without_provenance_mut(session.register(&wanted)?);
        Ok(())
    });
    registry::write();
    result
}

unsafe extern "C" fn unregister(handle: Handle, resource: NV_ENC_REGISTERED_PTR) -> NVENCSTATUS {
    let result = on(handle, |session| session.unregister(resource.addr()));
    registry::write();
    result
}

unsafe extern "C" fn map(handle: Handle, params: *mut NV_ENC_MAP_INPUT_RESOURCE) -> NVENCSTATUS {
    structure!(params: NV_ENC_MAP_INPUT_RESOURCE_VER, "NV_ENC_MAP_INPUT_RESOURCE");
    on(handle, |session| {
        let (mapped, format) = session.map(params.registeredResource.addr())?;
        params.mappedResource = ptr::without_provenance_mut(mapped);
        // SAFETY: a field of four bytes; the format was the caller's.
        unsafe {
            (&raw mut params.mappedBufferFmt)
                .cast::<u32>()
                .write(format)
        };
        Ok(())
    })
}

unsafe extern "C" fn unmap(handle: Handle, mapped: NV_ENC_INPUT_PTR) -> NVENCSTATUS {
    on(handle, |session| session.unmap(mapped.addr()))
}

unsafe extern "C" fn encode(handle: Handle, params: *mut NV_ENC_PIC_PARAMS) -> NVENCSTATUS {
    structure!(params: NV_ENC_PIC_PARAMS_VER, "NV_ENC_PIC_PARAMS");
    let codec = &params.codecPicParams;
    // SAFETY: a pointer and a number each, whichever member of the union was meant.
    let (sei, sei_count, obus, obu_count) = unsafe {
        (
            codec.hevcPicParams.seiPayloadArray,
            codec.hevcPicParams.seiPayloadArrayCnt,
            codec.av1PicParams.obuPayloadArray,
            codec.av1PicParams.obuPayloadArrayCnt,
        )
    };
    let wanted = Submission {
        payloads: Payloads {
            hevc: (sei.expose_provenance(), sei_count),
            av1: (obus.expose_provenance(), obu_count),
        },
        input: params.inputBuffer.addr(),
        output: params.outputBitstream.addr(),
        width: params.inputWidth,
        height: params.inputHeight,
        format: number!(params.bufferFmt),
        picture_struct: number!(params.pictureStruct),
        flags: params.encodePicFlags,
        stamp: params.inputTimeStamp,
        frame_index: params.frameIdx,
    };
    on(handle, |session| session.encode(&wanted))
}

unsafe extern "C" fn lock(handle: Handle, params: *mut NV_ENC_LOCK_BITSTREAM) -> NVENCSTATUS {
    structure!(params: NV_ENC_LOCK_BITSTREAM_VER, "NV_ENC_LOCK_BITSTREAM");
    let waits = params.doNotWait() == 0;
    if waits {
        knobs::wait_while_held();
    }
    on(handle, |session| {
        let (unit, shown) = session.lock(params.outputBitstream.addr(), waits)?;
        params.bitstreamSizeInBytes = unit.end(shown) as u32;
        params.numSlices = shown as u32;
        params.hwEncodeStatus = if shown == unit.slices.len() { 2 } else { 1 };
        if !params.sliceOffsets.is_null() {
            for (place, start) in unit.slices.iter().take(shown).enumerate() {
                // SAFETY: the caller's contract: a place for each block of the picture, which has at least one in each slice.
                unsafe { params.sliceOffsets.add(place).write(*start as u32) };
            }
        }
        params.bitstreamBufferPtr = unit.bytes.as_ptr().cast_mut().cast();
        params.outputTimeStamp = unit.stamp;
        params.frameIdx = unit.frame_index;
        params.pictureStruct = NV_ENC_PIC_STRUCT::NV_ENC_PIC_STRUCT_FRAME;
        params.pictureType = match unit.kind {
            Kind::Idr => NV_ENC_PIC_TYPE::NV_ENC_PIC_TYPE_IDR,
            Kind::Intra => NV_ENC_PIC_TYPE::NV_ENC_PIC_TYPE_I,
            Kind::From { .. } => NV_ENC_PIC_TYPE::NV_ENC_PIC_TYPE_P,
        };
        Ok(())
    })
}

unsafe extern "C" fn unlock(handle: Handle, buffer: NV_ENC_OUTPUT_PTR) -> NVENCSTATUS {
    on(handle, |session| session.unlock(buffer.addr()))
}

unsafe extern "C" fn invalidate(handle: Handle, stamp: u64) -> NVENCSTATUS {
    on(handle, |session| session.invalidate(stamp))
}

unsafe extern "C" fn last_error(handle: Handle) -> *const c_char {
    let text = registry::with(handle.addr(), |session| session.last_error.as_ptr());
    text.unwrap_or(ptr::null())
}

/// The list, as far as the double goes: other entries stay empty, which a real driver's are not.
pub fn fill(list: &mut NV_ENCODE_API_FUNCTION_LIST) {
    let missing = knobs::missing();
    macro_rules! entries {
        ($($name:ident = $function:ident;)*) => {
            $(if missing != stringify!($name) {
                list.$name = Some($function);
            })*
        };
    }
    entries! {
        nvEncOpenEncodeSessionEx = open_session;
        nvEncDestroyEncoder = destroy;
        nvEncGetEncodeGUIDCount = codec_count;
        nvEncGetEncodeGUIDs = codecs;
        nvEncGetInputFormatCount = format_count;
        nvEncGetInputFormats = formats;
        nvEncGetEncodeCaps = capability;
        nvEncGetEncodePresetConfigEx = preset_config;
        nvEncInitializeEncoder = initialize;
        nvEncReconfigureEncoder = reconfigure;
        nvEncCreateBitstreamBuffer = create_bitstream;
        nvEncDestroyBitstreamBuffer = destroy_bitstream;
        nvEncRegisterResource = register;
        nvEncUnregisterResource = unregister;
        nvEncMapInputResource = map;
        nvEncUnmapInputResource = unmap;
        nvEncEncodePicture = encode;
        nvEncLockBitstream = lock;
        nvEncUnlockBitstream = unlock;
        nvEncInvalidateRefFrames = invalidate;
        nvEncGetLastErrorString = last_error;
    }
}
