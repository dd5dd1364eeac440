//! As much of CUDA as the encoder needs: a context of its own, device memory, pinned host memory, a copy.
//!
//! Every encoder has its own context, so that one that is lost takes no other with it. A context is current on a thread only
//! inside of [`Context::enter`].

use super::{
    error::{CUDA_NO_DEVICE, DriverVersion, NvencError},
    library::Driver,
};
use std::{
    ffi::{c_char, c_int, c_uint, c_void},
    ptr,
    sync::Arc,
};

pub type DevicePointer = u64;
pub type RawContext = *mut c_void;

/// CUDA_MEMCPY2D.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Copy2d {
    pub source_x: usize,
    pub source_y: usize,
    pub source_type: c_uint,
    pub source_host: *const c_void,
    pub source_device: DevicePointer,
    pub source_array: *mut c_void,
    pub source_pitch: usize,
    pub target_x: usize,
    pub target_y: usize,
    pub target_type: c_uint,
    pub target_host: *mut c_void,
    pub target_device: DevicePointer,
    pub target_array: *mut c_void,
    pub target_pitch: usize,
    pub width: usize,
    pub height: usize,
}

const MEMORY_HOST: c_uint = 1;
const MEMORY_DEVICE: c_uint = 2;
const MEMORY_ARRAY: c_uint = 3;

impl Copy2d {
    /// Between places that are filled in; everything from its beginning.
    fn of(width: usize, height: usize) -> Self {
        Self {
            source_x: 0,
            source_y: 0,
            source_type: 0,
            source_host: ptr::null(),
            source_device: 0,
            source_array: ptr::null_mut(),
            source_pitch: 0,
            target_x: 0,
            target_y: 0,
            target_type: 0,
            target_host: ptr::null_mut(),
            target_device: 0,
            target_array: ptr::null_mut(),
            target_pitch: 0,
            width,
            height,
        }
    }
}

/// The entry points, each under the name that the library exports.
macro_rules! table {
    ($table:ident: $($field:ident = $name:literal: fn($($argument:ty),*);)*) => {
        #[derive(Clone, Copy)]
        pub struct $table {
            $(pub $field: unsafe extern "C" fn($($argument),*) -> c_int,)*
        }
        impl $table {
            /// # Errors
            /// The name of the first entry point that is missing.
            pub fn of(library: &libloading::Library) -> Result<Self, &'static str> {
                Ok(Self {
                    $($field: {
                        // SAFETY: the type is that of CUDA's documentation for this name, and the library is never unloaded.
                        let found = unsafe { library.get(concat!($name, "\0").as_bytes()) };
                        *found.map_err(|_| $name)?
                    },)*
                })
            }
        }
    };
}
table! {
    Table:
    init = "cuInit": fn(c_uint);
    driver_version = "cuDriverGetVersion": fn(*mut c_int);
    device_count = "cuDeviceGetCount": fn(*mut c_int);
    device = "cuDeviceGet": fn(*mut c_int, c_int);
    device_name = "cuDeviceGetName": fn(*mut c_char, c_int, c_int);
    context_create = "cuCtxCreate_v2": fn(*mut RawContext, c_uint, c_int);
    context_destroy = "cuCtxDestroy_v2": fn(RawContext);
    context_push = "cuCtxPushCurrent_v2": fn(RawContext);
    context_pop = "cuCtxPopCurrent_v2": fn(*mut RawContext);
    alloc_pitch = "cuMemAllocPitch_v2": fn(*mut DevicePointer, *mut usize, usize, usize, c_uint);
    free = "cuMemFree_v2": fn(DevicePointer);
    alloc_host = "cuMemHostAlloc": fn(*mut *mut c_void, usize, c_uint);
    free_host = "cuMemFreeHost": fn(*mut c_void);
    copy_2d = "cuMemcpy2D_v2": fn(*const Copy2d);
}
table! {
    Interop:
    register_image = "cuGraphicsGLRegisterImage": fn(*mut *mut c_void, c_uint, c_uint, c_uint);
    unregister = "cuGraphicsUnregisterResource": fn(*mut c_void);
    map = "cuGraphicsMapResources": fn(c_uint, *mut *mut c_void, *mut c_void);
    unmap = "cuGraphicsUnmapResources": fn(c_uint, *mut *mut c_void, *mut c_void);
    mapped_array = "cuGraphicsSubResourceGetMappedArray": fn(*mut *mut c_void, *mut c_void, c_uint, c_uint);
    wait = "cuStreamSynchronize": fn(*mut c_void);
}

/// A code as a result.
pub fn check(what: &'static str, code: c_int, driver: &DriverVersion) -> Result<(), NvencError> {
    match code {
        0 => Ok(()),
        CUDA_NO_DEVICE => Err(NvencError::NoCard {
            driver: driver.clone(),
        }),
        code => Err(NvencError::Cuda {
            what,
            code,
            driver: driver.clone(),
        }),
    }
}

/// How many devices there are.
pub fn device_count(driver: &Driver) -> Result<i32, NvencError> {
    let mut count = 0;
    // SAFETY: CUDA is initialised and writes one number.
    let code = unsafe { (driver.cuda.device_count)(&raw mut count) };
    check("counting the cards", code, &driver.version)?;
    Ok(count)
}

/// A context on one device.
pub struct Context {
    driver: Arc<Driver>,
    raw: RawContext,
    /// Which of CUDA's devices it is on.
    pub ordinal: i32,
    /// What the card is called.
    pub card: String,
}

// SAFETY: a context belongs to no thread; it is current only on the thread that entered it, until it leaves.
unsafe impl Send for Context {}

impl Context {
    /// # Errors
    /// No such device, or what CUDA says.
    pub fn create(driver: &Arc<Driver>, ordinal: i32) -> Result<Self, NvencError> {
        let (mut device, mut name) = (0, [0u8; 128]);
        // SAFETY: CUDA is initialised; each call writes what its pointer points to, the name with its length.
        let code = unsafe { (driver.cuda.device)(&raw mut device, ordinal) };
        check("finding the card", code, &driver.version)?;
        // SAFETY: as above.
        let code = unsafe {
            (driver.cuda.device_name)(name.as_mut_ptr().cast(), name.len() as c_int - 1, device)
        };
        check("asking for the card's name", code, &driver.version)?;
        let length = name.iter().position(|&byte| byte == 0).unwrap_or(0);
        let mut raw = ptr::null_mut();
        // SAFETY: as above. The new context is current on this thread; it is taken off at once.
        unsafe {
            let code = (driver.cuda.context_create)(&raw mut raw, 0, device);
            check("making a context", code, &driver.version)?;
            let mut popped = ptr::null_mut();
            (driver.cuda.context_pop)(&raw mut popped);
        }
        Ok(Self {
            driver: Arc::clone(driver),
            raw,
            ordinal,
            card: String::from_utf8_lossy(&name[..length]).into_owned(),
        })
    }

    pub fn raw(&self) -> RawContext {
        self.raw
    }

    pub fn driver(&self) -> &Arc<Driver> {
        &self.driver
    }

    /// Make it current on this thread until the result is dropped.
    ///
    /// # Errors
    /// A context that is lost.
    pub fn enter(&self) -> Result<Entered<'_>, NvencError> {
        // SAFETY: the context lives as long as self.
        let code = unsafe { (self.driver.cuda.context_push)(self.raw) };
        check("entering the context", code, &self.driver.version)?;
        Ok(Entered(self))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by create, current nowhere (an Entered borrows it), destroyed once. A lost one says so; it is gone
        // either way.
        unsafe { (self.driver.cuda.context_destroy)(self.raw) };
    }
}

/// The context is current on this thread.
pub struct Entered<'a>(&'a Context);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut popped = ptr::null_mut();
        // SAFETY: pushed by enter on this thread (this type is not Send, it borrows a raw pointer's owner), popped once.
        unsafe { (self.0.driver.cuda.context_pop)(&raw mut popped) };
    }
}

impl Entered<'_> {
    /// Device memory for `lines` of `bytes` each: where it is, and the distance of its lines.
    ///
    /// # Errors
    /// What CUDA says.
    pub fn alloc(&self, bytes: usize, lines: usize) -> Result<(DevicePointer, usize), NvencError> {
        let (mut at, mut pitch) = (0, 0);
        let cuda = &self.0.driver.cuda;
        // SAFETY: a context is current; two numbers are written. 16 is the widest access that the driver may expect.
        let code = unsafe { (cuda.alloc_pitch)(&raw mut at, &raw mut pitch, bytes, lines, 16) };
        check(
            "allocating memory of the card",
            code,
            &self.0.driver.version,
        )?;
        Ok((at, pitch))
    }

    /// Give device memory back.
    pub fn free(&self, at: DevicePointer) {
        // SAFETY: a context is current; the caller has `at` from alloc and forgets it.
        unsafe { (self.0.driver.cuda.free)(at) };
    }

    /// Pinned host memory, zeroed.
    ///
    /// # Errors
    /// What CUDA says.
    pub fn alloc_host(&self, bytes: usize) -> Result<*mut u8, NvencError> {
        let mut at = ptr::null_mut();
        // SAFETY: a context is current; one pointer is written, to `bytes` bytes that are ours until free_host.
        let code = unsafe { (self.0.driver.cuda.alloc_host)(&raw mut at, bytes, 0) };
        check("pinning memory", code, &self.0.driver.version)?;
        let at = at.cast::<u8>();
        // SAFETY: just allocated, so large.
        unsafe { ptr::write_bytes(at, 0, bytes) };
        Ok(at)
    }

    /// Give pinned memory back.
    pub fn free_host(&self, at: *mut u8) {
        // SAFETY: a context is current; the caller has `at` from alloc_host and forgets it.
        unsafe { (self.0.driver.cuda.free_host)(at.cast()) };
    }

    /// `lines` of `bytes` each from host to device; done when this returns.
    ///
    /// # Errors
    /// What CUDA says.
    pub fn upload(
        &self,
        from: &[u8],
        to: (DevicePointer, usize),
        bytes: usize,
        lines: usize,
    ) -> Result<(), NvencError> {
        assert!(
            from.len() >= bytes * lines && to.1 >= bytes,
            "a copy within its bounds"
        );
        let copy = Copy2d {
            source_type: MEMORY_HOST,
            source_host: from.as_ptr().cast(),
            source_pitch: bytes,
            target_type: MEMORY_DEVICE,
            target_device: to.0,
            target_pitch: to.1,
            ..Copy2d::of(bytes, lines)
        };
        // SAFETY: a context is current; the source is a slice of at least that size, the target comes from alloc with that
        // many lines. The call returns when the copy is done.
        let code = unsafe { (self.0.driver.cuda.copy_2d)(&raw const copy) };
        self.check("copying a picture to the card", code)
    }

    /// `lines` of `bytes` each from device to host; done when this returns.
    ///
    /// # Errors
    /// What CUDA says.
    pub fn download(
        &self,
        from: (DevicePointer, usize),
        to: &mut [u8],
        bytes: usize,
        lines: usize,
    ) -> Result<(), NvencError> {
        assert!(
            to.len() >= bytes * lines && from.1 >= bytes,
            "a copy within its bounds"
        );
        let copy = Copy2d {
            source_type: MEMORY_DEVICE,
            source_device: from.0,
            source_pitch: from.1,
            target_type: MEMORY_HOST,
            target_host: to.as_mut_ptr().cast(),
            target_pitch: bytes,
            ..Copy2d::of(bytes, lines)
        };
        // SAFETY: as for upload, with the places changed.
        let code = unsafe { (self.0.driver.cuda.copy_2d)(&raw const copy) };
        self.check("copying a picture from the card", code)
    }

    /// `lines` of `bytes` each from an array of the card to device memory, in the order of the context's default stream.
    ///
    /// # Safety
    /// The array is mapped and so large; the target has that many lines from there on.
    ///
    /// # Errors
    /// What CUDA says.
    pub unsafe fn copy_array(
        &self,
        from: *mut c_void,
        to: (DevicePointer, usize),
        bytes: usize,
        lines: usize,
    ) -> Result<(), NvencError> {
        let copy = Copy2d {
            source_type: MEMORY_ARRAY,
            source_array: from,
            target_type: MEMORY_DEVICE,
            target_device: to.0,
            target_pitch: to.1,
            ..Copy2d::of(bytes, lines)
        };
        // SAFETY: a context is current; the rest is the caller's promise.
        let code = unsafe { (self.0.driver.cuda.copy_2d)(&raw const copy) };
        self.check("copying a picture on the card", code)
    }

    /// What is done together with OpenGL.
    ///
    /// # Errors
    /// A driver without it.
    pub fn interop(&self) -> Result<Interop, NvencError> {
        (self.0.driver.interop).map_err(|name| {
            NvencError::Import(format!("the NVIDIA driver's libcuda.so.1 lacks {name}"))
        })
    }

    /// # Errors
    /// The code, if it is one of a failure.
    pub fn check(&self, what: &'static str, code: c_int) -> Result<(), NvencError> {
        check(what, code, &self.0.driver.version)
    }
}
