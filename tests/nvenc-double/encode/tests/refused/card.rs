//! The libraries, and how far a program gets with them that does everything right: each mistake begins there.

use libloading::Library;
use nvidia_video_codec_sdk::sys::nvEncodeAPI::*;
use std::{ffi::c_void, fs, path::PathBuf, ptr};

pub type Handle = *mut c_void;

/// What is done wrong, what that returns, and what the books say of it.
pub type Mistake = (&'static str, fn(&Card) -> u32, u32, &'static str);

pub struct Card {
    pub cuda: Library,
    pub list: NV_ENCODE_API_FUNCTION_LIST,
    /// For the functions beside the list.
    pub encoder: Library,
    pub egl: Library,
    books: PathBuf,
}

/// A function of CUDA's.
macro_rules! cu {
    ($card:expr, $name:ident: fn($($kind:ty),*) -> $result:ty; $($value:expr),*) => {{
        // SAFETY: the type is CUDA's for this name. What is wrong about the arguments is for the double to see.
        unsafe {
            let function = $card.cuda.get::<unsafe extern "C" fn($($kind),*) -> $result>(
                concat!(stringify!($name), "\0").as_bytes());
            function.expect(stringify!($name))($($value),*) as u32
        }
    }};
}

/// A function of the encoder's list.
macro_rules! nv {
    ($card:expr, $name:ident: $($value:expr),*) => {{
        let function = $card.list.$name.expect(stringify!($name));
        // SAFETY: as above, with the types of NVIDIA's header.
        unsafe { function($($value),*) as u32 }
    }};
}

/// A session that is set up for H.264, with one picture on the card, mapped, and a place for what is made of it.
pub struct Ready {
    pub session: Handle,
    pub memory: u64,
    pub pitch: usize,
    pub resource: Handle,
    pub mapped: Handle,
    pub bitstream: Handle,
}

pub const WIDTH: u32 = 320;
pub const HEIGHT: u32 = 192;

impl Card {
    pub fn find() -> Self {
        // SAFETY: the doubles have no initialisers.
        let load = |name: &str| unsafe { Library::new(name) }.expect(name);
        let (cuda, encoder) = (load("libcuda.so.1"), load("libnvidia-encode.so.1"));
        let mut list = NV_ENCODE_API_FUNCTION_LIST {
            version: NV_ENCODE_API_FUNCTION_LIST_VER,
            ..Default::default()
        };
        type Create = unsafe extern "C" fn(*mut NV_ENCODE_API_FUNCTION_LIST) -> u32;
        // SAFETY: the type is NVIDIA's for this name; a list of the version that it says.
        let made = unsafe {
            let create = encoder.get::<Create>(b"NvEncodeAPICreateInstance\0");
            create.expect("NvEncodeAPICreateInstance")(&raw mut list)
        };
        assert_eq!(made, 0);
        let books = std::env::var_os("NVENC_DOUBLE_BOOKS").expect("books");
        Self {
            cuda,
            list,
            encoder,
            egl: load("libEGL.so.1"),
            books: books.into(),
        }
    }

    fn faults(&self) -> String {
        ["cuda.faults", "nvenc.faults", "egl.faults"]
            .map(|name| fs::read_to_string(self.books.join(name)).unwrap_or_default())
            .concat()
    }

    pub fn has_fault(&self) -> bool {
        !self.faults().is_empty()
    }

    /// Each fault is one line, and this one; what went before it was right.
    pub fn makes(&self, (what, mistake, status, line): &Mistake) {
        for name in ["cuda.faults", "nvenc.faults", "egl.faults"] {
            let kept = self.books.join(format!("{name}.before"));
            let _ = fs::rename(self.books.join(name), kept);
        }
        let answered = mistake(self);
        let faults = self.faults();
        assert_eq!(answered, *status, "{what}: {faults}");
        assert!(
            faults.lines().count() == 1 && faults.contains(line),
            "{what} is in the books as: {faults:?}"
        );
        for name in ["cuda.faults", "nvenc.faults", "egl.faults"] {
            let kept = self.books.join(format!("{name}.before"));
            let before = fs::read_to_string(&kept).unwrap_or_default();
            let now = fs::read_to_string(self.books.join(name)).unwrap_or_default();
            let _ = fs::remove_file(kept);
            if !(before.is_empty() && now.is_empty()) {
                fs::write(self.books.join(name), before + &now).expect("books");
            }
        }
    }

    /// A context, which is not current anywhere.
    pub fn context(&self) -> Handle {
        let mut context = ptr::null_mut();
        assert_eq!(cu!(self, cuInit: fn(u32) -> i32; 0), 0);
        let made =
            cu!(self, cuCtxCreate_v2: fn(*mut Handle, u32, i32) -> i32; &raw mut context, 0, 0);
        assert_eq!(made, 0);
        self.leave();
        context
    }

    pub fn enter(&self, context: Handle) {
        assert_eq!(
            cu!(self, cuCtxPushCurrent_v2: fn(Handle) -> i32; context),
            0
        );
    }

    pub fn leave(&self) {
        let mut popped = ptr::null_mut();
        let left = cu!(self, cuCtxPopCurrent_v2: fn(*mut Handle) -> i32; &raw mut popped);
        assert_eq!(left, 0);
    }

    /// So many lines of so many bytes, and their distance.
    pub fn memory(&self, context: Handle, line: usize, lines: usize) -> (u64, usize) {
        let (mut memory, mut pitch) = (0, 0);
        self.enter(context);
        let made = cu!(self, cuMemAllocPitch_v2: fn(*mut u64, *mut usize, usize, usize, u32) -> i32;
            &raw mut memory, &raw mut pitch, line, lines, 16);
        assert_eq!(made, 0);
        self.leave();
        (memory, pitch)
    }

    /// On a context.
    pub fn session(&self, context: Handle) -> Handle {
        let mut params = NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS {
            version: NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER,
            apiVersion: NVENCAPI_VERSION,
            deviceType: NV_ENC_DEVICE_TYPE::NV_ENC_DEVICE_TYPE_CUDA,
            device: context,
            ..Default::default()
        };
        let mut session = ptr::null_mut();
        let opened = nv!(self, nvEncOpenEncodeSessionEx: &raw mut params, &raw mut session);
        assert_eq!(opened, 0);
        session
    }

    /// Set up for H.264.
    pub fn encoder(&self) -> (Handle, Handle) {
        let context = self.context();
        let session = self.session(context);
        let mut config = crate::setup::config();
        let mut params = crate::setup::params(&mut config);
        let status = nv!(self, nvEncInitializeEncoder: session, &raw mut params);
        assert_eq!(status, 0);
        (context, session)
    }

    pub fn ready(&self) -> Ready {
        let (context, session) = self.encoder();
        let (memory, pitch) = self.memory(context, WIDTH as usize, HEIGHT as usize * 3 / 2);
        let mut resource = resource(memory, pitch);
        assert_eq!(
            nv!(self, nvEncRegisterResource: session, &raw mut resource),
            0
        );
        let resource = resource.registeredResource;
        let mut map = NV_ENC_MAP_INPUT_RESOURCE {
            version: NV_ENC_MAP_INPUT_RESOURCE_VER,
            registeredResource: resource,
            ..Default::default()
        };
        assert_eq!(nv!(self, nvEncMapInputResource: session, &raw mut map), 0);
        let mut bitstream = NV_ENC_CREATE_BITSTREAM_BUFFER {
            version: NV_ENC_CREATE_BITSTREAM_BUFFER_VER,
            ..Default::default()
        };
        let created = nv!(self, nvEncCreateBitstreamBuffer: session, &raw mut bitstream);
        assert_eq!(created, 0);
        Ready {
            session,
            memory,
            pitch,
            resource,
            mapped: map.mappedResource,
            bitstream: bitstream.bitstreamBuffer,
        }
    }
}

pub fn resource(memory: u64, pitch: usize) -> NV_ENC_REGISTER_RESOURCE {
    NV_ENC_REGISTER_RESOURCE {
        version: NV_ENC_REGISTER_RESOURCE_VER,
        resourceType: NV_ENC_INPUT_RESOURCE_TYPE::NV_ENC_INPUT_RESOURCE_TYPE_CUDADEVICEPTR,
        resourceToRegister: ptr::without_provenance_mut(memory as usize),
        width: WIDTH,
        height: HEIGHT,
        pitch: pitch as u32,
        bufferFormat: NV_ENC_BUFFER_FORMAT::NV_ENC_BUFFER_FORMAT_NV12,
        ..Default::default()
    }
}
