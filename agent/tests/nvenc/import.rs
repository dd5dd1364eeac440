//! The compositor's own buffers into the card: what is offered, and every sample that comes of it.

use crate::{
    driver::{Knob, with_driver, with_egl},
    lent::{Pool, TILED},
    pictures::{NVENC, settings},
};
use punktfunk_agent::{
    convert::{Colour, Converter, Layout},
    encode::{EncodeError, Encoder, EncoderSettings, Tag},
    source::{DmabufFormat, Picture},
};
use std::path::Path;

const SIZE: (u32, u32) = (128, 96);
const FORMATS: [u32; 4] = [
    DmabufFormat::XRGB8888,
    DmabufFormat::ARGB8888,
    DmabufFormat::XBGR8888,
    DmabufFormat::ABGR8888,
];
const RAW: Knob = ("NVENC_DOUBLE_RAW", "1");

fn everything() -> Vec<DmabufFormat> {
    let both =
        |fourcc| [TILED, DmabufFormat::LINEAR].map(|modifier| DmabufFormat { fourcc, modifier });
    FORMATS.into_iter().flat_map(both).collect()
}

/// Noise on a slope, with an alpha that means nothing: no two pictures of different numbers are the same.
fn picture((width, height): (u32, u32), number: u32) -> Picture {
    let mut seed = number.wrapping_mul(0x9e37_79b9) | 1;
    let mut data = Vec::with_capacity((width * height * 4) as usize);
    for y in 0..height {
        for x in 0..width {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            let [a, b, c, alpha] = seed.to_le_bytes();
            let slope = (x * 255 / width) as u8;
            // left: smooth; right: every value beside every other
            let pixel = match x * 2 < width {
                true => [slope, (y * 255 / height) as u8, a / 8, alpha],
                false => [a, b, c, alpha],
            };
            data.extend(pixel);
        }
    }
    Picture {
        width,
        height,
        stride: width as usize * 4,
        data,
        ..Picture::default()
    }
}

/// What the encoder was given, sample by sample, is within one code of what the conversion in memory gives.
fn encoded_as_in_memory(
    encoder: &mut dyn Encoder,
    settings: &EncoderSettings,
    picture: &Picture,
    lent: &Picture,
    number: u32,
) {
    let tag = Tag {
        picture: number,
        pts_ns: u64::from(number) * 16_666_667,
        ..Tag::default()
    };
    encoder.submit(lent, tag).unwrap();
    assert!(encoder.poll().unwrap().is_some());
    let books = std::env::var_os("NVENC_DOUBLE_BOOKS").unwrap();
    let raw = std::fs::read(Path::new(&books).join("nvenc.raw")).unwrap();
    let (width, height) = (settings.width as usize, settings.height as usize);
    let (layout, bytes) = match settings.chroma_444 {
        true => (Layout::Yuv444, width * height * 3),
        false => (Layout::Nv12, width * height * 3 / 2),
    };
    let mut wanted = vec![0; bytes];
    let mut converter = Converter::new(width, height, settings.colour);
    converter
        .convert_into(picture, layout, &mut wanted)
        .unwrap();
    assert_eq!(raw.len(), wanted.len());
    for (at, (found, wanted)) in raw.iter().zip(&wanted).enumerate() {
        let (line, column) = (at / width, at % width);
        assert!(
            found.abs_diff(*wanted) <= 1,
            "{settings:?}: {found} instead of {wanted} in line {line}, column {column} of {}x{}",
            picture.width,
            picture.height
        );
    }
}

fn with(colour: u32, chroma_444: bool) -> EncoderSettings {
    EncoderSettings {
        colour: Colour::from_csc_mode(colour).unwrap(),
        chroma_444,
        ..settings(SIZE.0, SIZE.1)
    }
}

#[test]
fn every_format_in_every_matrix_and_range_is_converted_as_in_memory() {
    let body = || {
        for mode in 0..6 {
            let settings = with(mode, false);
            let mut encoder = NVENC.open("h264", &settings).unwrap();
            assert_eq!(encoder.importable(), everything());
            for (number, format) in (0..).zip(everything()) {
                let picture = picture(SIZE, number);
                let lent = Pool::new(1, SIZE, format).lend(&picture);
                encoded_as_in_memory(&mut *encoder, &settings, &picture, &lent, number);
            }
        }
    };
    let name = "import::every_format_in_every_matrix_and_range_is_converted_as_in_memory";
    with_egl(name, &[RAW], body, |rig| {
        assert_eq!(rig.count("imports"), 6 * 8)
    });
}

#[test]
fn full_chroma_is_converted_as_in_memory() {
    let body = || {
        for mode in 0..6 {
            let settings = with(mode, true);
            let mut encoder = NVENC.open("h265", &settings).unwrap();
            for (number, format) in (0..).zip(everything().into_iter().step_by(3)) {
                let picture = picture(SIZE, number);
                let lent = Pool::new(1, SIZE, format).lend(&picture);
                encoded_as_in_memory(&mut *encoder, &settings, &picture, &lent, number);
            }
        }
    };
    let name = "import::full_chroma_is_converted_as_in_memory";
    with_egl(name, &[RAW], body, |_| {});
}

#[test]
fn pictures_of_other_sizes_are_fitted_as_in_memory() {
    // smaller, larger, wider, higher, odd, a single pixel, and the size itself
    let sizes = [
        (64, 48),
        (640, 480),
        (300, 97),
        (51, 203),
        (127, 95),
        (129, 96),
        (1, 1),
        SIZE,
    ];
    let body = || {
        for (mode, chroma_444) in [(2, false), (1, false), (0, true)] {
            let settings = with(mode, chroma_444);
            let codec = if chroma_444 { "h265" } else { "h264" };
            let mut encoder = NVENC.open(codec, &settings).unwrap();
            for (number, size) in (0..).zip(sizes) {
                let picture = picture(size, number);
                let lent = Pool::new(1, size, everything()[number as usize % 2]).lend(&picture);
                encoded_as_in_memory(&mut *encoder, &settings, &picture, &lent, number);
            }
        }
    };
    let name = "import::pictures_of_other_sizes_are_fitted_as_in_memory";
    with_egl(name, &[RAW], body, |_| {});
}

/// What a compositor says of a buffer may be wrong: that is a refused import, and no more.
#[test]
fn a_buffer_whose_description_does_not_fit_is_refused() {
    let body = || {
        let settings = with(2, false);
        let mut encoder = NVENC.open("h264", &settings).unwrap();
        let linear = everything()[1];
        let unknown = DmabufFormat {
            modifier: 0x0300_0000_00e0_8014,
            ..linear
        };
        let deep = DmabufFormat {
            fourcc: u32::from_le_bytes(*b"XR30"),
            ..linear
        };
        let refused = |encoder: &mut dyn Encoder, format, claim| {
            let picture = picture(SIZE, 0);
            let lent = Pool::claiming(SIZE, format, claim).lend(&picture);
            let result = encoder.submit(&lent, Tag::default());
            let Err(EncodeError::Import(why)) = result else {
                panic!("{format:?} {claim:?}: {result:?}");
            };
            assert!(why.contains("importing a buffer"), "{why}");
        };
        for claim in [
            (SIZE.0 * 4 - 4, 4096),
            (SIZE.0 * 8, 4096),
            (SIZE.0 * 4, 1 << 20),
        ] {
            refused(&mut *encoder, linear, claim);
        }
        for format in [unknown, deep] {
            refused(&mut *encoder, format, (SIZE.0 * 4, 4096));
        }
        let picture = picture(SIZE, 1);
        let lent = Pool::new(1, SIZE, linear).lend(&picture);
        encoded_as_in_memory(&mut *encoder, &settings, &picture, &lent, 1);
    };
    let name = "import::a_buffer_whose_description_does_not_fit_is_refused";
    with_egl(name, &[RAW], body, |rig| {
        assert_eq!(rig.count("imports"), 1)
    });
}

/// Nothing is offered, and pictures go through memory.
fn offers_nothing(test: &str, knobs: &[Knob], settings: &EncoderSettings) {
    let body = || {
        let mut encoder = NVENC.open("h265", settings).unwrap();
        assert_eq!(encoder.importable(), []);
        let picture = picture(SIZE, 0);
        encoder.submit(&picture, Tag::default()).unwrap();
        assert!(encoder.poll().unwrap().is_some());
        let lent = Pool::new(1, SIZE, everything()[0]);
        drop(lent);
    };
    with_egl(test, knobs, body, |rig| assert_eq!(rig.count("imports"), 0));
}

#[test]
fn whoever_switches_it_off_gets_copies() {
    let test = "import::whoever_switches_it_off_gets_copies";
    offers_nothing(test, &[("PUNKTFUNK_NVENC_IMPORT", "0")], &with(2, false));
}

#[test]
fn ten_bits_are_converted_in_memory() {
    let deep = EncoderSettings {
        hdr: true,
        ..with(2, false)
    };
    offers_nothing("import::ten_bits_are_converted_in_memory", &[], &deep);
}

#[test]
fn an_egl_without_the_card_offers_nothing() {
    let body = || {
        let encoder = NVENC.open("h264", &with(2, false)).unwrap();
        assert_eq!(encoder.importable(), []);
    };
    // whatever EGL this machine has, if any: it does not know the simulated card
    let name = "import::an_egl_without_the_card_offers_nothing";
    with_driver(name, &[("PUNKTFUNK_NVENC_IMPORT", "1")], body, |_| {});
}
