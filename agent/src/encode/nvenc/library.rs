//! The driver's two libraries, loaded when they are first needed and never let go: CUDA does not survive being unloaded.

use super::{
    abi::{self, CreateInstance, FunctionList, GetMaxSupportedVersion, Plain, Status},
    cuda,
    error::{DriverVersion, NvencError},
};
use crate::encode::loaded::library;
use libloading::Symbol;
use std::{
    ffi::CStr,
    sync::{Arc, Mutex, PoisonError},
};

const CUDA: &str = "libcuda.so.1";
const ENCODE: &str = "libnvidia-encode.so.1";

/// Entry points that an encoder cannot do without.
macro_rules! functions {
    ($($field:ident: $kind:ty, $name:literal;)*) => {
        #[derive(Clone, Copy)]
        pub struct Functions {
            $(pub $field: $kind,)*
        }
        impl Functions {
            fn of(list: &FunctionList) -> Result<Self, &'static str> {
                Ok(Self { $($field: list.$field.ok_or($name)?,)* })
            }
        }
    };
}
functions! {
    get_codec_count: abi::GetCount, "nvEncGetEncodeGUIDCount";
    get_codecs: abi::GetGuids, "nvEncGetEncodeGUIDs";
    get_format_count: abi::GetFormatCount, "nvEncGetInputFormatCount";
    get_formats: abi::GetFormats, "nvEncGetInputFormats";
    get_caps: abi::GetCaps, "nvEncGetEncodeCaps";
    initialize: abi::On<*mut abi::Initialize>, "nvEncInitializeEncoder";
    create_bitstream: abi::On<*mut abi::CreateBitstream>, "nvEncCreateBitstreamBuffer";
    destroy_bitstream: abi::On<*mut std::ffi::c_void>, "nvEncDestroyBitstreamBuffer";
    encode_picture: abi::On<*mut abi::Picture>, "nvEncEncodePicture";
    lock_bitstream: abi::On<*mut abi::LockBitstream>, "nvEncLockBitstream";
    unlock_bitstream: abi::On<*mut std::ffi::c_void>, "nvEncUnlockBitstream";
    map: abi::On<*mut abi::MapResource>, "nvEncMapInputResource";
    unmap: abi::On<*mut std::ffi::c_void>, "nvEncUnmapInputResource";
    destroy: abi::Alone, "nvEncDestroyEncoder";
    invalidate: abi::On<u64>, "nvEncInvalidateRefFrames";
    open_session_ex: abi::OpenSessionEx, "nvEncOpenEncodeSessionEx";
    register: abi::On<*mut abi::RegisterResource>, "nvEncRegisterResource";
    unregister: abi::On<*mut std::ffi::c_void>, "nvEncUnregisterResource";
    reconfigure: abi::On<*mut abi::Reconfigure>, "nvEncReconfigureEncoder";
    last_error: abi::LastError, "nvEncGetLastErrorString";
    get_preset_config_ex: abi::GetPresetConfigEx, "nvEncGetEncodePresetConfigEx";
}

/// Both libraries, initialised.
pub struct Driver {
    pub cuda: cuda::Table,
    /// Or the name of what is missing.
    pub interop: Result<cuda::Interop, &'static str>,
    pub nvenc: Functions,
    pub version: DriverVersion,
}

/// The one that was loaded; a failure is not kept, so that a driver that is installed meanwhile is found.
static LOADED: Mutex<Option<Arc<Driver>>> = Mutex::new(None);

impl Driver {
    /// The driver of this machine.
    ///
    /// # Errors
    /// What is missing or too old, with what to do about it.
    pub fn get() -> Result<Arc<Self>, NvencError> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(driver) = &*loaded {
            return Ok(Arc::clone(driver));
        }
        let driver = Arc::new(Self::load()?);
        *loaded = Some(Arc::clone(&driver));
        Ok(driver)
    }

    fn load() -> Result<Self, NvencError> {
        let cuda_library = library(CUDA).map_err(NvencError::NoDriver)?;
        let mut version = DriverVersion {
            module: module_version(),
            cuda: 0,
        };
        let missing = |library, version: &DriverVersion| {
            let driver = version.clone();
            move |name| NvencError::MissingEntry {
                library,
                name,
                driver,
            }
        };
        let cuda = cuda::Table::of(cuda_library).map_err(missing(CUDA, &version))?;
        // SAFETY: may be asked before cuInit; writes one number.
        unsafe { (cuda.driver_version)(&raw mut version.cuda) };
        let encode = library(ENCODE).map_err(|why| NvencError::NoEncodeLibrary {
            driver: version.clone(),
            why,
        })?;
        // SAFETY: the type is that of the header for this name, and the library is never unloaded.
        let highest: Symbol<'_, GetMaxSupportedVersion> =
            unsafe { encode.get(b"NvEncodeAPIGetMaxSupportedVersion\0") }
                .map_err(|_| missing(ENCODE, &version)("NvEncodeAPIGetMaxSupportedVersion"))?;
        // SAFETY: as above.
        let create: Symbol<'_, CreateInstance> =
            unsafe { encode.get(b"NvEncodeAPICreateInstance\0") }
                .map_err(|_| missing(ENCODE, &version)("NvEncodeAPICreateInstance"))?;
        let mut spoken = 0u32;
        // SAFETY: writes one number.
        let status = unsafe { highest(&raw mut spoken) };
        called("asking for NVENC's version", status, &version)?;
        let (major, minor) = (spoken >> 4, spoken & 0xf);
        if (major, minor) < (abi::MAJOR, abi::MINOR) {
            return Err(NvencError::OldDriver {
                driver: version,
                major,
                minor,
            });
        }
        let mut list = FunctionList::zeroed();
        list.version = abi::FUNCTION_LIST_VERSION;
        // SAFETY: the list has the size that its version says; the driver fills in pointers that stay valid while it is loaded.
        let status = unsafe { create(&raw mut list) };
        called("asking for NVENC's functions", status, &version)?;
        let nvenc = Functions::of(&list).map_err(missing(ENCODE, &version))?;
        // last, as it may take long and wakes the card
        // SAFETY: takes a number; may be called again.
        let code = unsafe { (cuda.init)(0) };
        cuda::check("starting CUDA", code, &version)?;
        Ok(Self {
            cuda,
            interop: cuda::Interop::of(cuda_library),
            nvenc,
            version,
        })
    }

    /// A status as a result, with what the driver adds to it.
    pub fn call(
        &self,
        session: abi::Handle,
        what: &'static str,
        status: Status,
    ) -> Result<(), NvencError> {
        called(what, status, &self.version).map_err(|error| match error {
            NvencError::Call {
                what,
                status,
                driver,
                ..
            } if !session.is_null() => NvencError::Call {
                what,
                status,
                detail: self.last_error(session),
                driver,
            },
            other => other,
        })
    }

    fn last_error(&self, session: abi::Handle) -> String {
        // SAFETY: the session is open; the text belongs to it and is copied before anything else is called.
        let text = unsafe {
            let text = (self.nvenc.last_error)(session);
            if text.is_null() {
                return String::new();
            }
            CStr::from_ptr(text).to_string_lossy().into_owned()
        };
        let text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
        match text.is_empty() {
            true => text,
            false => format!(": {text}"),
        }
    }
}

fn called(what: &'static str, status: Status, driver: &DriverVersion) -> Result<(), NvencError> {
    match status {
        0 => Ok(()),
        status => Err(NvencError::Call {
            what,
            status,
            detail: String::new(),
            driver: driver.clone(),
        }),
    }
}

/// What the kernel module says; `None` where it is not loaded.
fn module_version() -> Option<String> {
    let text = std::fs::read_to_string("/sys/module/nvidia/version").ok()?;
    let text = text.trim();
    (!text.is_empty() && text.len() < 32).then(|| text.to_owned())
}
