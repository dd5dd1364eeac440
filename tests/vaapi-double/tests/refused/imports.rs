//! Buffers of other programs as surfaces, and the card's conversion.

use crate::card::{Card, HEIGHT, Mistake, WIDTH};
use std::{
    fs::{self, File},
    os::fd::AsRawFd,
    ptr,
};
use vaapi_double::abi::{
    self, Display, Id, Pipeline, Plain, PrimeDescriptor, Rectangle, SurfaceAttrib,
};

/// Memory of another program's: a file, as large as a picture, under a name of its own.
fn memory(bytes: u64) -> File {
    let name = format!("punktfunk-refused-{}-{bytes}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let file = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&path);
    let file = file.expect("a temporary file");
    fs::remove_file(&path).expect("its name is not needed");
    file.set_len(bytes).expect("room");
    file
}

/// The status, and the surface.
fn import(card: &Card, display: Display, spoil: fn(&mut PrimeDescriptor)) -> (i32, Id) {
    let bytes = WIDTH * HEIGHT * 4;
    let file = memory(u64::from(bytes));
    let mut described = PrimeDescriptor::zeroed();
    described.fourcc = abi::FOURCC_BGRX;
    (described.width, described.height) = (WIDTH, HEIGHT);
    (described.num_objects, described.num_layers) = (1, 1);
    (described.objects[0].fd, described.objects[0].size) = (file.as_raw_fd(), bytes);
    let layer = &mut described.layers[0];
    layer.drm_format = u32::from_le_bytes(*b"XR24");
    (layer.num_planes, layer.pitch[0]) = (1, WIDTH * 4);
    spoil(&mut described);
    let memory = abi::MEMORY_DRM_PRIME_2 as i32;
    let mut attribs = [
        SurfaceAttrib::number(abi::SURFACE_ATTRIB_MEMORY_TYPE, memory),
        SurfaceAttrib::address(abi::SURFACE_ATTRIB_EXTERNAL, (&raw mut described).cast()),
    ];
    let wanted = (abi::RT_FORMAT_RGB32, WIDTH, HEIGHT);
    let (status, [surface]) = card.surfaces(display, wanted, &mut attribs);
    (status, surface)
}

fn imported(card: &Card, spoil: fn(&mut PrimeDescriptor)) -> i32 {
    import(card, card.display(), spoil).0
}

/// A conversion of an imported picture.
fn convert(card: &Card, spoil: fn(&mut Pipeline)) -> i32 {
    let display = card.display();
    let (status, source) = import(card, display, |_| {});
    assert_eq!(status, 0);
    let (status, config) = card.config(display, abi::PROFILE_NONE, &[]);
    assert_eq!(status, 0);
    let mut targets: [Id; 1] = card.nv12(display, WIDTH, HEIGHT);
    let (status, context) = card.context(display, config, (WIDTH, HEIGHT), &mut targets);
    assert_eq!(status, 0);
    let mut pipeline = Pipeline::zeroed();
    pipeline.surface = source;
    pipeline.surface_standard = abi::STANDARD_BT709;
    pipeline.output_standard = abi::STANDARD_BT709;
    pipeline.input_colour.range = abi::RANGE_FULL;
    pipeline.output_colour.range = abi::RANGE_REDUCED;
    spoil(&mut pipeline);
    let (status, mut buffer) = card.buffer(display, context, abi::BUFFER_PIPELINE, &mut pipeline);
    assert_eq!(status, 0);
    let begun = va!(card, vaBeginPicture: fn(Display, Id, Id) -> i32; display, context, targets[0]);
    assert_eq!(begun, 0);
    let rendered = va!(card, vaRenderPicture: fn(Display, Id, *mut Id, i32) -> i32;
        display, context, &raw mut buffer, 1);
    assert_eq!(rendered, 0);
    card.on("vaEndPicture", display, context)
}

static BEYOND: Rectangle = Rectangle {
    x: 16,
    y: 0,
    width: WIDTH as u16,
    height: HEIGHT as u16,
};
static PART: Rectangle = Rectangle {
    x: 0,
    y: 0,
    width: 32,
    height: HEIGHT as u16,
};

pub const MISTAKES: &[Mistake] = &[
    (
        "a buffer in several parts",
        |card| imported(card, |described| described.num_objects = 2),
        0x12,
        "in more or fewer parts than one",
    ),
    (
        "a buffer with two formats",
        |card| imported(card, |described| described.fourcc = abi::FOURCC_RGBX),
        0x12,
        "with two formats",
    ),
    (
        "a buffer of another size than its surface",
        |card| imported(card, |described| described.height -= 2),
        0x12,
        "of another size than its surface",
    ),
    (
        "a buffer in a layout of another driver's",
        |card| imported(card, |described| described.objects[0].modifier = 7),
        0x12,
        "in a layout that is not this driver's",
    ),
    (
        "lines that overlap",
        |card| imported(card, |described| described.layers[0].pitch[0] = 64),
        0x12,
        "that is smaller than its picture",
    ),
    (
        "a picture that ends behind its buffer",
        |card| imported(card, |described| described.layers[0].offset[0] = 4),
        0x12,
        "that is smaller than its picture",
    ),
    (
        "a buffer without a descriptor",
        |card| imported(card, |described| described.objects[0].fd = -1),
        0x12,
        "that is smaller than its picture",
    ),
    (
        "a buffer of another size than it says",
        |card| imported(card, |described| described.objects[0].size += 4096),
        0x12,
        "of another size than it says",
    ),
    (
        "a conversion of another standard",
        |card| {
            convert(card, |pipeline| {
                pipeline.output_standard = abi::STANDARD_BT601
            })
        },
        0,
        "a conversion that drivers differ about",
    ),
    (
        "a conversion to no range",
        |card| convert(card, |pipeline| pipeline.output_colour.range = 0),
        0,
        "a conversion to no range",
    ),
    (
        "a desktop of another range",
        |card| convert(card, |pipeline| pipeline.input_colour.range = 1),
        0,
        "a desktop of another range",
    ),
    (
        "a conversion from nothing",
        |card| convert(card, |pipeline| pipeline.surface = 1),
        6,
        "a conversion from no surface",
    ),
    (
        "a conversion beyond the edges",
        |card| convert(card, |pipeline| pipeline.output_region = &raw const BEYOND),
        0x12,
        "a conversion beyond the edges of a surface",
    ),
    (
        "a conversion of a part",
        |card| convert(card, |pipeline| pipeline.surface_region = &raw const PART),
        0,
        "a conversion of a part",
    ),
    (
        "an export to nowhere",
        |card| {
            let display = card.display();
            let mut rgb = [SurfaceAttrib::number(
                abi::SURFACE_ATTRIB_PIXEL_FORMAT,
                abi::FOURCC_BGRX as i32,
            )];
            let wanted = (abi::RT_FORMAT_RGB32, WIDTH, HEIGHT);
            let (status, [surface]) = card.surfaces(display, wanted, &mut rgb);
            assert_eq!(status, 0);
            va!(card, vaExportSurfaceHandle: fn(Display, Id, u32, u32, *mut PrimeDescriptor) -> i32;
                display, surface, abi::MEMORY_DRM_PRIME_2,
                abi::EXPORT_READ_ONLY | abi::EXPORT_COMPOSED, ptr::null_mut())
        },
        0x12,
        "an export of a wrong kind",
    ),
];
