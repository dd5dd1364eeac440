//! The library, and how far a program gets with it that does everything right: each mistake begins there.

use libloading::Library;
use std::{fs, path::PathBuf, ptr};
use vaapi_double::abi::{self, ConfigAttrib, Display, Id, SurfaceAttrib};

/// What is done wrong, what that returns, and what the books say of it.
pub type Mistake = (&'static str, fn(&Card) -> i32, i32, &'static str);

pub struct Card {
    pub library: Library,
    books: PathBuf,
}

/// A function of libva's.
macro_rules! va {
    ($card:expr, $name:ident: fn($($kind:ty),*) -> $result:ty; $($value:expr),*) => {{
        let card: &$crate::card::Card = &$card;
        // SAFETY: the type is libva's for this name. What is wrong about the arguments is for the double to see.
        unsafe {
            let function = card.library.get::<unsafe extern "C" fn($($kind),*) -> $result>(
                concat!(stringify!($name), "\0").as_bytes());
            function.expect(stringify!($name))($($value),*)
        }
    }};
}

pub const WIDTH: u32 = 64;
pub const HEIGHT: u32 = 32;

/// An encoder for H.264: a surface for what goes in, two for what is reconstructed, and a place for the stream.
pub struct Encoder {
    pub display: Display,
    pub config: Id,
    pub input: Id,
    pub kept: [Id; 2],
    pub context: Id,
    pub coded: Id,
}

impl Card {
    pub fn find() -> Self {
        // SAFETY: the double has no initialisers.
        let library = unsafe { Library::new("libva.so.2") }.expect("libva.so.2");
        let books = std::env::var_os("VAAPI_DOUBLE_BOOKS").expect("books");
        Self {
            library,
            books: books.into(),
        }
    }

    /// The fault is one line, and this one; what went before it was right.
    pub fn makes(&self, (what, mistake, status, line): &Mistake) {
        let path = self.books.join("vaapi.faults");
        let before = fs::read_to_string(&path).unwrap_or_default();
        let answered = mistake(self);
        let after = fs::read_to_string(&path).unwrap_or_default();
        let faults = after.strip_prefix(&before).expect("books that grow");
        assert_eq!(answered, *status, "{what}: {faults}");
        assert!(
            faults.lines().count() == 1 && faults.contains(line),
            "{what} is in the books as: {faults:?}"
        );
    }

    /// A display that is not initialised.
    pub fn found(&self) -> Display {
        va!(self, vaGetDisplayDRM: fn(i32) -> Display; 3)
    }

    pub fn display(&self) -> Display {
        let display = self.found();
        assert_eq!(self.initialize(display), 0);
        display
    }

    pub fn initialize(&self, display: Display) -> i32 {
        let (mut major, mut minor) = (0, 0);
        va!(self, vaInitialize: fn(Display, *mut i32, *mut i32) -> i32;
            display, &raw mut major, &raw mut minor)
    }

    /// Its status, and the configuration.
    pub fn config(&self, display: Display, profile: i32, attribs: &[(i32, u32)]) -> (i32, Id) {
        let mut attribs: Vec<ConfigAttrib> = attribs
            .iter()
            .map(|(kind, value)| ConfigAttrib {
                kind: *kind,
                value: *value,
            })
            .collect();
        let entry = match profile {
            abi::PROFILE_NONE => abi::ENTRY_VIDEO_PROC,
            _ => abi::ENTRY_ENC_SLICE,
        };
        let mut config = 0;
        let status = va!(self, vaCreateConfig: fn(Display, i32, i32, *mut ConfigAttrib, i32, *mut Id) -> i32;
            display, profile, entry, attribs.as_mut_ptr(), attribs.len() as i32, &raw mut config);
        (status, config)
    }

    /// Its status, and the first of so many.
    pub fn surfaces<const N: usize>(
        &self,
        display: Display,
        (format, width, height): (u32, u32, u32),
        attribs: &mut [SurfaceAttrib],
    ) -> (i32, [Id; N]) {
        let mut surfaces = [0; N];
        let status = va!(self, vaCreateSurfaces: fn(Display, u32, u32, u32, *mut Id, u32, *mut SurfaceAttrib, u32) -> i32;
            display, format, width, height, surfaces.as_mut_ptr(), N as u32, attribs.as_mut_ptr(), attribs.len() as u32);
        (status, surfaces)
    }

    pub fn nv12<const N: usize>(&self, display: Display, width: u32, height: u32) -> [Id; N] {
        let mut nv12 = [SurfaceAttrib::number(
            abi::SURFACE_ATTRIB_PIXEL_FORMAT,
            abi::FOURCC_NV12 as i32,
        )];
        let (status, made) =
            self.surfaces(display, (abi::RT_FORMAT_YUV420, width, height), &mut nv12);
        assert_eq!(status, 0);
        made
    }

    /// Its status, and the context.
    pub fn context(
        &self,
        display: Display,
        config: Id,
        (width, height): (u32, u32),
        targets: &mut [Id],
    ) -> (i32, Id) {
        let mut context = 0;
        let status = va!(self, vaCreateContext: fn(Display, Id, i32, i32, i32, *mut Id, i32, *mut Id) -> i32;
            display, config, width as i32, height as i32, abi::PROGRESSIVE,
            targets.as_mut_ptr(), targets.len() as i32, &raw mut context);
        (status, context)
    }

    /// Its status, and the buffer.
    pub fn buffer<T>(&self, display: Display, context: Id, kind: i32, data: &mut T) -> (i32, Id) {
        let mut buffer = 0;
        let status = va!(self, vaCreateBuffer: fn(Display, Id, i32, u32, u32, *mut T, *mut Id) -> i32;
            display, context, kind, size_of::<T>() as u32, 1, &raw mut *data, &raw mut buffer);
        (status, buffer)
    }

    /// For what is encoded.
    pub fn coded(&self, display: Display, context: Id) -> Id {
        let mut coded = 0;
        let status = va!(self, vaCreateBuffer: fn(Display, Id, i32, u32, u32, *mut u8, *mut Id) -> i32;
            display, context, abi::BUFFER_CODED, 1 << 16, 1, ptr::null_mut(), &raw mut coded);
        assert_eq!(status, 0);
        coded
    }

    pub fn encoder(&self) -> Encoder {
        let display = self.display();
        let (status, config) = self.config(display, abi::PROFILE_H264_HIGH, &H264);
        assert_eq!(status, 0);
        let [mut input, one, other] = self.nv12(display, WIDTH, HEIGHT);
        let targets = std::slice::from_mut(&mut input);
        let (status, context) = self.context(display, config, (WIDTH, HEIGHT), targets);
        assert_eq!(status, 0);
        Encoder {
            display,
            config,
            input,
            kept: [one, other],
            context,
            coded: self.coded(display, context),
        }
    }

    pub fn on(&self, call: &str, display: Display, id: Id) -> i32 {
        // SAFETY: each function that is called by this has the type; numbers alone.
        unsafe {
            let function = self.library.get::<abi::OnId>(call.as_bytes());
            function.expect(call)(display, id)
        }
    }
}

/// What an encoder is made with.
pub const H264: [(i32, u32); 2] = [
    (abi::ATTRIB_RT_FORMAT, abi::RT_FORMAT_YUV420),
    (abi::ATTRIB_RATE_CONTROL, abi::RC_CBR),
];
