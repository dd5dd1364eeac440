//! Displays, configurations, surfaces, contexts, buffers and images: made, used and let go of.

use crate::card::{Card, Encoder, H264, HEIGHT, Mistake, WIDTH};
use std::{ffi::c_void, ptr};
use vaapi_double::abi::{self, Display, Id, Image, ImageFormat, Plain, SurfaceAttrib};

fn terminate(card: &Card, display: Display) -> i32 {
    va!(card, vaTerminate: fn(Display) -> i32; display)
}

fn destroy_surface(card: &Card, display: Display, mut surface: Id) -> i32 {
    va!(card, vaDestroySurfaces: fn(Display, *mut Id, i32) -> i32; display, &raw mut surface, 1)
}

fn map(card: &Card, of: &Encoder) -> i32 {
    let mut memory = ptr::null_mut();
    va!(card, vaMapBuffer: fn(Display, Id, *mut *mut c_void) -> i32;
        of.display, of.coded, &raw mut memory)
}

fn image(card: &Card, display: Display, width: u32) -> Image {
    let mut format = ImageFormat::zeroed();
    (format.fourcc, format.bits_per_pixel) = (abi::FOURCC_NV12, 12);
    let mut image = Image::zeroed();
    let made = va!(card, vaCreateImage: fn(Display, *mut ImageFormat, i32, i32, *mut Image) -> i32;
        display, &raw mut format, width as i32, HEIGHT as i32, &raw mut image);
    assert_eq!(made, 0);
    image
}

/// A whole image into a surface, `more` columns wider there than here.
fn put_image(card: &Card, display: Display, surface: Id, image: Id, more: u32) -> i32 {
    va!(card, vaPutImage: fn(Display, Id, Id, i32, i32, u32, u32, i32, i32, u32, u32) -> i32;
        display, surface, image, 0, 0, WIDTH, HEIGHT, 0, 0, WIDTH + more, HEIGHT)
}

pub const MISTAKES: &[Mistake] = &[
    (
        "a display before it is initialised",
        |card| card.config(card.found(), abi::PROFILE_H264_HIGH, &H264).0,
        3,
        "a display before vaInitialize",
    ),
    (
        "a display initialised twice",
        |card| card.initialize(card.display()),
        0x12,
        "vaInitialize twice",
    ),
    (
        "a display after its end",
        |card| {
            let display = card.display();
            assert_eq!(terminate(card, display), 0);
            card.config(display, abi::PROFILE_H264_HIGH, &H264).0
        },
        3,
        "a display that does not exist",
    ),
    (
        "a display terminated twice",
        |card| {
            let display = card.display();
            assert_eq!(terminate(card, display), 0);
            terminate(card, display)
        },
        0x12,
        "a display was terminated twice",
    ),
    (
        "a display terminated with an encoder on it",
        |card| terminate(card, card.encoder().display),
        0,
        "a display was terminated with objects on it",
    ),
    (
        "an encoder without constant rate",
        |card| {
            let rate = [H264[0], (abi::ATTRIB_RATE_CONTROL, abi::RC_VBR)];
            card.config(card.display(), abi::PROFILE_H264_HIGH, &rate).0
        },
        0xa,
        "a configuration without constant rate",
    ),
    (
        "an encoder for another format",
        |card| {
            let format = [(abi::ATTRIB_RT_FORMAT, abi::RT_FORMAT_RGB32), H264[1]];
            let display = card.display();
            card.config(display, abi::PROFILE_H264_HIGH, &format).0
        },
        0xe,
        "a configuration of another format",
    ),
    (
        "headers for a driver that writes them itself",
        |card| {
            let packed = [H264[0], H264[1], (abi::ATTRIB_PACKED_HEADERS, 1)];
            let display = card.display();
            card.config(display, abi::PROFILE_H264_HIGH, &packed).0
        },
        0xa,
        "headers are handed over that are not taken",
    ),
    (
        "a configuration let go of before its context",
        |card| {
            let encoder = card.encoder();
            card.on("vaDestroyConfig", encoder.display, encoder.config)
        },
        0,
        "a configuration was let go of before its context",
    ),
    (
        "a configuration let go of twice",
        |card| {
            let display = card.display();
            let (_, config) = card.config(display, abi::PROFILE_H264_HIGH, &H264);
            assert_eq!(card.on("vaDestroyConfig", display, config), 0);
            card.on("vaDestroyConfig", display, config)
        },
        4,
        "a configuration that does not exist",
    ),
    (
        "surfaces of no size",
        |card| {
            let wanted = (abi::RT_FORMAT_YUV420, 0, HEIGHT);
            card.surfaces::<1>(card.display(), wanted, &mut []).0
        },
        0xe,
        "surfaces of a wrong size",
    ),
    (
        "surfaces whose pixels nobody said",
        |card| {
            let wanted = (abi::RT_FORMAT_YUV420, WIDTH, HEIGHT);
            card.surfaces::<1>(card.display(), wanted, &mut []).0
        },
        0xe,
        "surfaces of a wrong kind",
    ),
    (
        "surfaces with an attribute that nobody may set",
        |card| {
            let wanted = (abi::RT_FORMAT_YUV420, WIDTH, HEIGHT);
            let mut odd = [SurfaceAttrib::number(99, 1)];
            card.surfaces::<1>(card.display(), wanted, &mut odd).0
        },
        0xa,
        "a wrong attribute of surfaces",
    ),
    (
        "a surface let go of twice",
        |card| {
            let display = card.display();
            let [surface] = card.nv12(display, WIDTH, HEIGHT);
            assert_eq!(destroy_surface(card, display, surface), 0);
            destroy_surface(card, display, surface)
        },
        6,
        "a surface that does not exist",
    ),
    (
        "a surface let go of before its context",
        |card| {
            let encoder = card.encoder();
            destroy_surface(card, encoder.display, encoder.input)
        },
        0,
        "a surface was let go of before its context",
    ),
    (
        "a context of no configuration",
        |card| card.context(card.display(), 1, (WIDTH, HEIGHT), &mut []).0,
        4,
        "a context of no configuration",
    ),
    (
        "a context of whole pictures that are no whole blocks",
        |card| {
            let encoder = card.encoder();
            let size = (WIDTH + 2, HEIGHT);
            card.context(encoder.display, encoder.config, size, &mut [])
                .0
        },
        0x13,
        "a context of an impossible size",
    ),
    (
        "a context with surfaces of another size",
        |card| {
            let encoder = card.encoder();
            let mut targets: [Id; 1] = card.nv12(encoder.display, WIDTH * 2, HEIGHT);
            let size = (WIDTH, HEIGHT);
            card.context(encoder.display, encoder.config, size, &mut targets)
                .0
        },
        0x12,
        "a context with wrong surfaces or flags",
    ),
    (
        "a context with another display's surfaces",
        |card| {
            let encoder = card.encoder();
            let mut targets: [Id; 1] = card.nv12(card.display(), WIDTH, HEIGHT);
            let size = (WIDTH, HEIGHT);
            card.context(encoder.display, encoder.config, size, &mut targets)
                .0
        },
        0x12,
        "a context with wrong surfaces or flags",
    ),
    (
        "a context let go of twice",
        |card| {
            let encoder = card.encoder();
            assert_eq!(
                card.on("vaDestroyContext", encoder.display, encoder.context),
                0
            );
            card.on("vaDestroyContext", encoder.display, encoder.context)
        },
        5,
        "a context that does not exist",
    ),
    (
        "a buffer of no context",
        |card| {
            card.buffer(card.display(), 1, abi::BUFFER_MISC, &mut 0u32)
                .0
        },
        5,
        "a buffer of no context",
    ),
    (
        "a buffer of no size",
        |card| {
            let encoder = card.encoder();
            card.buffer(encoder.display, encoder.context, abi::BUFFER_MISC, &mut ())
                .0
        },
        0x12,
        "a buffer without a size",
    ),
    (
        "a place for the stream that is filled already",
        |card| {
            let encoder = card.encoder();
            let (display, context) = (encoder.display, encoder.context);
            card.buffer(display, context, abi::BUFFER_CODED, &mut 0u32)
                .0
        },
        0x12,
        "a coded buffer with data, or another one without",
    ),
    (
        "a buffer let go of twice",
        |card| {
            let encoder = card.encoder();
            assert_eq!(
                card.on("vaDestroyBuffer", encoder.display, encoder.coded),
                0
            );
            card.on("vaDestroyBuffer", encoder.display, encoder.coded)
        },
        7,
        "a buffer that does not exist",
    ),
    (
        "a buffer let go of while it is mapped",
        |card| {
            let encoder = card.encoder();
            assert_eq!(map(card, &encoder), 0);
            card.on("vaDestroyBuffer", encoder.display, encoder.coded)
        },
        7,
        "a mapped buffer was let go of",
    ),
    (
        "a buffer mapped twice",
        |card| {
            let encoder = card.encoder();
            assert_eq!(map(card, &encoder), 0);
            map(card, &encoder)
        },
        7,
        "a buffer was mapped twice",
    ),
    (
        "a buffer unmapped twice",
        |card| {
            let encoder = card.encoder();
            card.on("vaUnmapBuffer", encoder.display, encoder.coded)
        },
        7,
        "a buffer was unmapped twice",
    ),
    (
        "an image let go of twice",
        |card| {
            let display = card.display();
            let image = image(card, display, WIDTH).image_id;
            assert_eq!(card.on("vaDestroyImage", display, image), 0);
            card.on("vaDestroyImage", display, image)
        },
        8,
        "an image that does not exist",
    ),
    (
        "the buffer of an image let go of by itself",
        |card| {
            let display = card.display();
            let buffer = image(card, display, WIDTH).buf;
            card.on("vaDestroyBuffer", display, buffer)
        },
        0,
        "the buffer of an image was let go of",
    ),
    (
        "an image of another size than its surface",
        |card| {
            let encoder = card.encoder();
            let image = image(card, encoder.display, WIDTH * 2).image_id;
            put_image(card, encoder.display, encoder.input, image, 0)
        },
        0x12,
        "an image of another size than its surface",
    ),
    (
        "an image that is scaled",
        |card| {
            let encoder = card.encoder();
            let image = image(card, encoder.display, WIDTH).image_id;
            put_image(card, encoder.display, encoder.input, image, 2)
        },
        0x12,
        "an image that is cut or scaled",
    ),
    (
        "an image of a format that surfaces have not got",
        |card| {
            let mut format = ImageFormat::zeroed();
            let mut image = Image::zeroed();
            va!(card, vaCreateImage: fn(Display, *mut ImageFormat, i32, i32, *mut Image) -> i32;
                card.display(), &raw mut format, 64, 32, &raw mut image)
        },
        0x16,
        "an image of a wrong kind",
    ),
];
