//! The driver's functions, and the list that it fills in.

use super::{
    Caps, CreateBitstream, Guid, Initialize, LockBitstream, MapResource, OpenSession, Picture,
    PresetConfig, Reconfigure, RegisterResource, Status,
};
use std::ffi::{c_char, c_void};

/// The driver's encoder object.
pub type Handle = *mut c_void;
/// An entry that nothing here calls.
type Unused = *const c_void;

pub type GetCount = unsafe extern "C" fn(Handle, *mut u32) -> Status;
pub type GetGuids = unsafe extern "C" fn(Handle, *mut Guid, u32, *mut u32) -> Status;
pub type GetFormatCount = unsafe extern "C" fn(Handle, Guid, *mut u32) -> Status;
pub type GetFormats = unsafe extern "C" fn(Handle, Guid, *mut u32, u32, *mut u32) -> Status;
pub type GetCaps = unsafe extern "C" fn(Handle, Guid, *mut Caps, *mut i32) -> Status;
pub type GetPresetConfigEx =
    unsafe extern "C" fn(Handle, Guid, Guid, u32, *mut PresetConfig) -> Status;
pub type On<T> = unsafe extern "C" fn(Handle, T) -> Status;
pub type OpenSessionEx = unsafe extern "C" fn(*mut OpenSession, *mut Handle) -> Status;
pub type Alone = unsafe extern "C" fn(Handle) -> Status;
pub type LastError = unsafe extern "C" fn(Handle) -> *const c_char;

#[derive(Clone, Copy)]
#[repr(C)]
pub struct FunctionList {
    pub version: u32,
    pub reserved: u32,
    pub open_encode_session: Unused,
    pub get_codec_count: Option<GetCount>,
    pub get_profile_count: Unused,
    pub get_profiles: Unused,
    pub get_codecs: Option<GetGuids>,
    pub get_format_count: Option<GetFormatCount>,
    pub get_formats: Option<GetFormats>,
    pub get_caps: Option<GetCaps>,
    pub get_preset_count: Unused,
    pub get_presets: Unused,
    pub get_preset_config: Unused,
    pub initialize: Option<On<*mut Initialize>>,
    pub create_input_buffer: Unused,
    pub destroy_input_buffer: Unused,
    pub create_bitstream: Option<On<*mut CreateBitstream>>,
    pub destroy_bitstream: Option<On<*mut c_void>>,
    pub encode_picture: Option<On<*mut Picture>>,
    pub lock_bitstream: Option<On<*mut LockBitstream>>,
    pub unlock_bitstream: Option<On<*mut c_void>>,
    pub lock_input_buffer: Unused,
    pub unlock_input_buffer: Unused,
    pub get_stats: Unused,
    pub get_sequence_params: Unused,
    pub register_event: Unused,
    pub unregister_event: Unused,
    pub map: Option<On<*mut MapResource>>,
    pub unmap: Option<On<*mut c_void>>,
    pub destroy: Option<Alone>,
    pub invalidate: Option<On<u64>>,
    pub open_session_ex: Option<OpenSessionEx>,
    pub register: Option<On<*mut RegisterResource>>,
    pub unregister: Option<On<*mut c_void>>,
    pub reconfigure: Option<On<*mut Reconfigure>>,
    pub reserved1: Unused,
    pub create_mv_buffer: Unused,
    pub destroy_mv_buffer: Unused,
    pub run_motion_estimation: Unused,
    pub last_error: Option<LastError>,
    pub set_io_streams: Unused,
    pub get_preset_config_ex: Option<GetPresetConfigEx>,
    pub get_sequence_params_ex: Unused,
    pub restore_state: Unused,
    pub lookahead_picture: Unused,
    pub reserved2: [*mut c_void; 275],
}

/// `NvEncodeAPIGetMaxSupportedVersion`: major << 4 | minor.
pub type GetMaxSupportedVersion = unsafe extern "C" fn(*mut u32) -> Status;
/// `NvEncodeAPICreateInstance`.
pub type CreateInstance = unsafe extern "C" fn(*mut FunctionList) -> Status;
