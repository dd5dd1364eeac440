//! Buffers of the compositor's as images, and OpenGL without a context.

use crate::card::{Card, Handle, Mistake};
use std::{
    ffi::{CStr, c_char, c_void},
    fs::File,
    os::fd::AsRawFd,
    ptr,
};

/// A function of EGL's or OpenGL's.
macro_rules! gl {
    ($card:expr, $name:literal: fn($($kind:ty),*) $(-> $result:ty)?; $($value:expr),*) => {{
        let found = address($card, $name);
        // SAFETY: the type is Khronos' for this name. What is wrong about the arguments is for the double to see.
        unsafe {
            let function =
                std::mem::transmute::<*const c_void, unsafe extern "C" fn($($kind),*) $(-> $result)?>(found);
            function($($value),*)
        }
    }};
}

fn address(card: &Card, name: &CStr) -> *const c_void {
    type Get = unsafe extern "C" fn(*const c_char) -> *const c_void;
    // SAFETY: the type is EGL's for this name; a text.
    let found = unsafe {
        let get = card.egl.get::<Get>(b"eglGetProcAddress\0");
        get.expect("eglGetProcAddress")(name.as_ptr())
    };
    assert!(!found.is_null(), "{name:?}");
    found
}

const DMA_BUF: u32 = 0x3270;
const NONE: i32 = 0x3038;
/// Not looked into: the double knows no display.
const DISPLAY: Handle = ptr::without_provenance_mut(0x10);

/// What EGL says of an image that it did not make.
fn image(card: &Card, kind: u32, attributes: &[[i32; 2]]) -> u32 {
    let mut list: Vec<i32> = attributes.concat();
    list.push(NONE);
    let made = gl!(card, c"eglCreateImageKHR": fn(Handle, Handle, u32, Handle, *const i32) -> Handle;
        DISPLAY, ptr::null_mut(), kind, ptr::null_mut(), list.as_ptr());
    assert!(made.is_null(), "an image was made");
    error(card)
}

fn error(card: &Card) -> u32 {
    gl!(card, c"eglGetError": fn() -> i32;).cast_unsigned()
}

/// 16 by 16 pixels, line after line.
fn described(file: i32) -> Vec<[i32; 2]> {
    let format = i32::from_le_bytes(*b"XR24");
    [
        [0x3057, 16],
        [0x3056, 16],
        [0x3271, format],
        [0x3272, file],
        [0x3273, 0],
        [0x3274, 64],
        [0x3443, 0],
        [0x3444, 0],
    ]
    .to_vec()
}

pub const MISTAKES: &[Mistake] = &[
    (
        "an image of a texture",
        |card| image(card, 0x30b1, &described(0)),
        0x300c,
        "an image of something else than a buffer of the kernel's",
    ),
    (
        "a buffer without its width",
        |card| image(card, DMA_BUF, &described(0)[1..]),
        0x300c,
        "a buffer without the attribute 0x3057",
    ),
    (
        "a buffer with an attribute that nobody knows",
        |card| {
            let mut list = described(0);
            list.push([0x4000, 1]);
            image(card, DMA_BUF, &list)
        },
        0x3004,
        "an attribute of a buffer that EGL does not know, or twice",
    ),
    (
        "a buffer with an attribute twice",
        |card| {
            let mut list = described(0);
            list.push([0x3057, 16]);
            image(card, DMA_BUF, &list)
        },
        0x3004,
        "an attribute of a buffer that EGL does not know, or twice",
    ),
    (
        "a buffer without a file",
        |card| image(card, DMA_BUF, &described(-1)),
        0x300c,
        "a buffer without a file",
    ),
    (
        "a buffer whose file is closed",
        |card| {
            let file = File::open("/dev/null").expect("/dev/null");
            let number = file.as_raw_fd();
            // a number that is open no more: this thread is the only one that opens anything
            drop(file);
            image(card, DMA_BUF, &described(number))
        },
        0x300c,
        "a file that is not open",
    ),
    (
        "an image destroyed that does not exist",
        |card| {
            let gone = gl!(card, c"eglDestroyImageKHR": fn(Handle, Handle) -> u32;
                DISPLAY, ptr::without_provenance_mut(0x1000));
            assert_eq!(gone, 0);
            error(card)
        },
        0x300c,
        "an image was destroyed that does not exist",
    ),
    (
        "OpenGL on a thread without a context",
        |card| {
            let mut texture = 0;
            gl!(card, c"glGenTextures": fn(i32, *mut u32); 1, &raw mut texture);
            0
        },
        0,
        "OpenGL was used on a thread without a context",
    ),
];
