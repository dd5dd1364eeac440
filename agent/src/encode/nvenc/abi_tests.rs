//! Sizes and places against bindings that were generated from NVIDIA's header.

use super::abi;
use nvidia_video_codec_sdk::sys::nvEncodeAPI as sdk;
use std::mem::{align_of, offset_of, size_of};

macro_rules! same {
    ($ours:ident, $theirs:ident: $($field:ident = $name:ident),* $(,)?) => {
        assert_eq!(size_of::<abi::$ours>(), size_of::<sdk::$theirs>(), stringify!($ours));
        assert_eq!(align_of::<abi::$ours>(), align_of::<sdk::$theirs>(), stringify!($ours));
        $(assert_eq!(
            offset_of!(abi::$ours, $field),
            offset_of!(sdk::$theirs, $name),
            concat!(stringify!($ours), ".", stringify!($field)),
        );)*
    };
}

#[test]
fn every_structure_lies_as_in_the_header() {
    same!(OpenSession, NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS: device_type = deviceType, device = device, api_version = apiVersion);
    same!(Caps, NV_ENC_CAPS_PARAM: caps_to_query = capsToQuery);
    same!(RcParams, NV_ENC_RC_PARAMS: mode = rateControlMode, average_bit_rate = averageBitRate, max_bit_rate = maxBitRate,
        vbv_buffer_size = vbvBufferSize, vbv_initial_delay = vbvInitialDelay, flags = _bitfield_1, min_qp = minQP,
        lookahead_depth = lookaheadDepth, low_delay_key_frame_scale = lowDelayKeyFrameScale, multi_pass = multiPass);
    same!(Vui, NV_ENC_CONFIG_H264_VUI_PARAMETERS: video_format = videoFormat, full_range = videoFullRangeFlag,
        primaries = colourPrimaries, transfer = transferCharacteristics, matrix = colourMatrix,
        bitstream_restriction = bitstreamRestrictionFlag);
    same!(ConfigH264, NV_ENC_CONFIG_H264: flags = _bitfield_1, idr_period = idrPeriod, intra_refresh_period = intraRefreshPeriod,
        intra_refresh_count = intraRefreshCnt, max_num_ref_frames = maxNumRefFrames, slice_mode = sliceMode,
        slice_mode_data = sliceModeData, vui = h264VUIParameters, chroma_format_idc = chromaFormatIDC, num_ref_l0 = numRefL0);
    same!(ConfigHevc, NV_ENC_CONFIG_HEVC: tier = tier, flags = _bitfield_1, idr_period = idrPeriod,
        intra_refresh_period = intraRefreshPeriod, intra_refresh_count = intraRefreshCnt,
        max_num_ref_frames = maxNumRefFramesInDPB, slice_mode = sliceMode, slice_mode_data = sliceModeData,
        vui = hevcVUIParameters, num_ref_l0 = numRefL0);
    same!(ConfigAv1, NV_ENC_CONFIG_AV1: tier = tier, flags = _bitfield_1, idr_period = idrPeriod,
        intra_refresh_period = intraRefreshPeriod, intra_refresh_count = intraRefreshCnt,
        max_num_ref_frames = maxNumRefFramesInDPB, primaries = colorPrimaries, transfer = transferCharacteristics,
        matrix = matrixCoefficients, full_range = colorRange, num_forward_refs = numFwdRefs);
    same!(Config, NV_ENC_CONFIG: profile = profileGUID, gop_length = gopLength, frame_interval_p = frameIntervalP,
        frame_field_mode = frameFieldMode, rc = rcParams, codec = encodeCodecConfig);
    same!(PresetConfig, NV_ENC_PRESET_CONFIG: config = presetCfg);
    same!(Initialize, NV_ENC_INITIALIZE_PARAMS: codec = encodeGUID, preset = presetGUID, width = encodeWidth,
        dar_width = darWidth, frame_rate_num = frameRateNum, enable_ptd = enablePTD, flags = _bitfield_1, config = encodeConfig,
        max_width = maxEncodeWidth, tuning = tuningInfo, buffer_format = bufferFormat);
    same!(Reconfigure, NV_ENC_RECONFIGURE_PARAMS: initialize = reInitEncodeParams, flags = _bitfield_1);
    same!(CreateBitstream, NV_ENC_CREATE_BITSTREAM_BUFFER: buffer = bitstreamBuffer);
    same!(RegisterResource, NV_ENC_REGISTER_RESOURCE: resource_type = resourceType, pitch = pitch, resource = resourceToRegister,
        registered = registeredResource, format = bufferFormat, usage = bufferUsage);
    same!(MapResource, NV_ENC_MAP_INPUT_RESOURCE: registered = registeredResource, mapped = mappedResource,
        format = mappedBufferFmt);
    same!(Payload, NV_ENC_SEI_PAYLOAD: kind = payloadType, bytes = payload);
    same!(PictureH264, NV_ENC_PIC_PARAMS_H264: force_intra_refresh = forceIntraRefreshWithFrameCnt,
        sei_count = seiPayloadArrayCnt, sei = seiPayloadArray);
    same!(PictureHevc, NV_ENC_PIC_PARAMS_HEVC: force_intra_refresh = forceIntraRefreshWithFrameCnt,
        sei_count = seiPayloadArrayCnt, sei = seiPayloadArray);
    same!(PictureAv1, NV_ENC_PIC_PARAMS_AV1: force_intra_refresh = forceIntraRefreshWithFrameCnt,
        obu_count = obuPayloadArrayCnt, obus = obuPayloadArray);
    same!(Picture, NV_ENC_PIC_PARAMS: flags = encodePicFlags, frame_index = frameIdx, time_stamp = inputTimeStamp,
        input = inputBuffer, output = outputBitstream, format = bufferFmt, picture_struct = pictureStruct,
        picture_type = pictureType, codec = codecPicParams, reserved4 = reserved4);
    same!(LockBitstream, NV_ENC_LOCK_BITSTREAM: slice_offsets = sliceOffsets, num_slices = numSlices, output = outputBitstream, size = bitstreamSizeInBytes,
        time_stamp = outputTimeStamp, bytes = bitstreamBufferPtr, picture_type = pictureType, stats = outputStatsPtr);
    same!(FunctionList, NV_ENCODE_API_FUNCTION_LIST: get_codec_count = nvEncGetEncodeGUIDCount, get_codecs = nvEncGetEncodeGUIDs,
        get_formats = nvEncGetInputFormats, get_caps = nvEncGetEncodeCaps, initialize = nvEncInitializeEncoder,
        create_bitstream = nvEncCreateBitstreamBuffer, encode_picture = nvEncEncodePicture,
        lock_bitstream = nvEncLockBitstream, unlock_bitstream = nvEncUnlockBitstream, map = nvEncMapInputResource,
        unmap = nvEncUnmapInputResource, destroy = nvEncDestroyEncoder, invalidate = nvEncInvalidateRefFrames,
        open_session_ex = nvEncOpenEncodeSessionEx, register = nvEncRegisterResource, unregister = nvEncUnregisterResource,
        reconfigure = nvEncReconfigureEncoder, last_error = nvEncGetLastErrorString,
        get_preset_config_ex = nvEncGetEncodePresetConfigEx);
}

#[test]
fn versions_and_identifiers_are_the_headers() {
    for (ours, theirs) in [
        (abi::API_VERSION, sdk::NVENCAPI_VERSION),
        (
            abi::FUNCTION_LIST_VERSION,
            sdk::NV_ENCODE_API_FUNCTION_LIST_VER,
        ),
        (
            abi::OPEN_SESSION_VERSION,
            sdk::NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER,
        ),
        (abi::CAPS_VERSION, sdk::NV_ENC_CAPS_PARAM_VER),
        (abi::RC_VERSION, sdk::NV_ENC_RC_PARAMS_VER),
        (abi::CONFIG_VERSION, sdk::NV_ENC_CONFIG_VER),
        (abi::INITIALIZE_VERSION, sdk::NV_ENC_INITIALIZE_PARAMS_VER),
        (abi::RECONFIGURE_VERSION, sdk::NV_ENC_RECONFIGURE_PARAMS_VER),
        (abi::PRESET_CONFIG_VERSION, sdk::NV_ENC_PRESET_CONFIG_VER),
        (abi::PICTURE_VERSION, sdk::NV_ENC_PIC_PARAMS_VER),
        (abi::LOCK_BITSTREAM_VERSION, sdk::NV_ENC_LOCK_BITSTREAM_VER),
        (
            abi::CREATE_BITSTREAM_VERSION,
            sdk::NV_ENC_CREATE_BITSTREAM_BUFFER_VER,
        ),
        (abi::REGISTER_VERSION, sdk::NV_ENC_REGISTER_RESOURCE_VER),
        (abi::MAP_VERSION, sdk::NV_ENC_MAP_INPUT_RESOURCE_VER),
        (
            abi::AV1_LEVEL_AUTOSELECT,
            sdk::NV_ENC_LEVEL::NV_ENC_LEVEL_AV1_AUTOSELECT as u32,
        ),
    ] {
        assert_eq!(ours, theirs, "{ours:#x} {theirs:#x}");
    }
    let same = |ours: abi::Guid, theirs: sdk::GUID| {
        assert_eq!(
            (ours.0, ours.1, ours.2, ours.3),
            (theirs.Data1, theirs.Data2, theirs.Data3, theirs.Data4)
        );
    };
    same(abi::CODEC_H264, sdk::NV_ENC_CODEC_H264_GUID);
    same(abi::CODEC_HEVC, sdk::NV_ENC_CODEC_HEVC_GUID);
    same(abi::CODEC_AV1, sdk::NV_ENC_CODEC_AV1_GUID);
    same(abi::PROFILE_H264_HIGH, sdk::NV_ENC_H264_PROFILE_HIGH_GUID);
    same(
        abi::PROFILE_H264_HIGH_444,
        sdk::NV_ENC_H264_PROFILE_HIGH_444_GUID,
    );
    same(abi::PROFILE_HEVC_MAIN, sdk::NV_ENC_HEVC_PROFILE_MAIN_GUID);
    same(
        abi::PROFILE_HEVC_MAIN10,
        sdk::NV_ENC_HEVC_PROFILE_MAIN10_GUID,
    );
    same(abi::PROFILE_HEVC_FREXT, sdk::NV_ENC_HEVC_PROFILE_FREXT_GUID);
    same(abi::PROFILE_AV1_MAIN, sdk::NV_ENC_AV1_PROFILE_MAIN_GUID);
    same(abi::PRESET_P1, sdk::NV_ENC_PRESET_P1_GUID);
}

#[test]
fn the_bits_for_slices_are_the_headers() {
    let flags = |set: fn(&mut sdk::NV_ENC_INITIALIZE_PARAMS)| {
        // SAFETY: numbers and pointers; nothing of it is read but what was set.
        let mut params: sdk::NV_ENC_INITIALIZE_PARAMS = unsafe { std::mem::zeroed() };
        set(&mut params);
        // SAFETY: of the size and layout that the test above compares.
        unsafe { (&raw const params).cast::<abi::Initialize>().read() }.flags
    };
    assert_eq!(
        flags(|params| params.set_reportSliceOffsets(1)),
        abi::REPORT_SLICE_OFFSETS
    );
    assert_eq!(
        flags(|params| params.set_enableSubFrameWrite(1)),
        abi::ENABLE_SUB_FRAME_WRITE
    );
    assert_eq!(
        abi::CAP_SUB_FRAME_READBACK,
        sdk::NV_ENC_CAPS::NV_ENC_CAPS_SUPPORT_SUBFRAME_READBACK as u32
    );
}
