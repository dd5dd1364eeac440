//! Conversion to 10 bits: HDR10 as it comes, sRGB shown in HDR10, or sRGB in the colours of an SDR stream.
//!
//! In strips of a few lines, so that what is unpacked stays in the cache.

use super::{Colour, Converter, PIXEL, failed, transfer::FromSrgb};
use crate::{
    encode::EncodeError,
    source::{Picture, PixelFormat},
};
use yuv::{
    BufferStoreMut, YuvBiPlanarImageMut, YuvError, YuvPlanarImageMut, rgba10_to_i410,
    rgba10_to_p010,
};

/// Lines of a strip: even, for chroma.
const STRIP: usize = 16;
/// Samples of an unpacked pixel: red, green, blue and one that nobody looks at.
const SAMPLES: usize = 4;
/// Bytes of a sample in the target.
const WORD: usize = 2;

/// What a converter to 10 bits needs beside its target.
#[derive(Default)]
pub struct Strips {
    rgba: Vec<u16>,
    planes: Vec<u16>,
    srgb: FromSrgb,
}

/// A picture of 10 bits: where its samples go, the upper ten bits of each word.
pub enum Target<'a> {
    /// Luma, then both chroma in turns at half size.
    P010 {
        luma: &'a mut [u8],
        chroma: &'a mut [u8],
    },
    /// Three planes of the same size.
    Planes([&'a mut [u8]; 3]),
}

impl<'a> Target<'a> {
    /// `bytes` begins with the luma. `None`: it is too small.
    pub fn p010(bytes: &'a mut [u8], width: usize, height: usize) -> Option<Self> {
        let (luma, rest) = bytes.split_at_mut_checked(width * height * WORD)?;
        let chroma = rest.get_mut(..width * height / 2 * WORD)?;
        Some(Self::P010 { luma, chroma })
    }

    /// As [`Self::p010`].
    pub fn planes(bytes: &'a mut [u8], width: usize, height: usize) -> Option<Self> {
        let plane = width * height * WORD;
        let (luma, rest) = bytes.split_at_mut_checked(plane)?;
        let (u, rest) = rest.split_at_mut_checked(plane)?;
        Some(Self::Planes([luma, u, rest.get_mut(..plane)?]))
    }
}

impl Converter {
    /// Fill a target of this converter's size, both of whose sides are even.
    ///
    /// # Errors
    /// A picture whose bytes do not cover its size, or one in HDR for a stream in SDR.
    pub(super) fn convert_deep(
        &mut self,
        picture: &Picture,
        mut target: Target<'_>,
    ) -> Result<(), EncodeError> {
        let (width, height, hdr, colour) = (self.width, self.height, self.hdr, self.colour);
        let mut strips = std::mem::take(&mut self.strips);
        let (bytes, stride) = self.fitted(picture)?;
        strips.rgba.resize(width * STRIP * SAMPLES, 0);
        strips.planes.resize(width * STRIP * 3, 0);
        for top in (0..height).step_by(STRIP) {
            let lines = STRIP.min(height - top);
            let rgba = &mut strips.rgba[..width * lines * SAMPLES];
            for (line, samples) in rgba.chunks_exact_mut(width * SAMPLES).enumerate() {
                let pixels = &bytes[(top + line) * stride..][..width * PIXEL];
                match (picture.format, hdr) {
                    (PixelFormat::Rgb10Pq, _) => unpack(pixels, samples),
                    (PixelFormat::Bgrx, true) => show(pixels, samples, &mut strips.srgb),
                    (PixelFormat::Bgrx, false) => widen(pixels, samples),
                }
            }
            let strip = (width, lines);
            convert(rgba, strip, colour, &mut strips.planes, &mut target, top).map_err(failed)?;
        }
        self.strips = strips;
        Ok(())
    }
}

fn unpack(pixels: &[u8], samples: &mut [u16]) {
    let pixels = pixels.chunks_exact(PIXEL);
    for (pixel, sample) in pixels.zip(samples.chunks_exact_mut(SAMPLES)) {
        let word = u32::from_le_bytes([pixel[0], pixel[1], pixel[2], pixel[3]]);
        sample[0] = (word & 0x3ff) as u16;
        sample[1] = (word >> 10 & 0x3ff) as u16;
        sample[2] = (word >> 20 & 0x3ff) as u16;
    }
}

fn show(pixels: &[u8], samples: &mut [u16], srgb: &mut FromSrgb) {
    let pixels = pixels.chunks_exact(PIXEL);
    for (pixel, sample) in pixels.zip(samples.chunks_exact_mut(SAMPLES)) {
        sample[..3].copy_from_slice(&srgb.of([pixel[2], pixel[1], pixel[0]]));
    }
}

fn widen(pixels: &[u8], samples: &mut [u16]) {
    let pixels = pixels.chunks_exact(PIXEL);
    for (pixel, sample) in pixels.zip(samples.chunks_exact_mut(SAMPLES)) {
        let ten = |code: u8| ((u32::from(code) * 1023 + 127) / 255) as u16;
        (sample[0], sample[1], sample[2]) = (ten(pixel[2]), ten(pixel[1]), ten(pixel[0]));
    }
}

fn convert(
    rgba: &[u16],
    (width, lines): (usize, usize),
    colour: Colour,
    planes: &mut [u16],
    target: &mut Target<'_>,
    top: usize,
) -> Result<(), YuvError> {
    let (across, down) = (width as u32, lines as u32);
    let (range, matrix) = (colour.range(), colour.matrix());
    let (y, rest) = planes.split_at_mut(width * lines);
    match target {
        Target::P010 { luma, chroma } => {
            let uv = &mut rest[..width * lines / 2];
            let mut image = YuvBiPlanarImageMut {
                y_plane: BufferStoreMut::Borrowed(&mut *y),
                y_stride: across,
                uv_plane: BufferStoreMut::Borrowed(&mut *uv),
                uv_stride: across,
                width: across,
                height: down,
            };
            rgba10_to_p010(&mut image, rgba, across * SAMPLES as u32, range, matrix)?;
            store(y, &mut luma[top * width * WORD..], 0);
            store(uv, &mut chroma[top / 2 * width * WORD..], 0);
        }
        Target::Planes(targets) => {
            let (u, rest) = rest.split_at_mut(width * lines);
            let v = &mut rest[..width * lines];
            let mut image = YuvPlanarImageMut {
                y_plane: BufferStoreMut::Borrowed(&mut *y),
                y_stride: across,
                u_plane: BufferStoreMut::Borrowed(&mut *u),
                u_stride: across,
                v_plane: BufferStoreMut::Borrowed(&mut *v),
                v_stride: across,
                width: across,
                height: down,
            };
            rgba10_to_i410(&mut image, rgba, across * SAMPLES as u32, range, matrix)?;
            for (plane, target) in [&*y, u, v].into_iter().zip(targets) {
                // the library leaves these in the lower bits
                store(plane, &mut target[top * width * WORD..], 6);
            }
        }
    }
    Ok(())
}

/// Words into bytes, `up` bits higher.
fn store(words: &[u16], bytes: &mut [u8], up: u32) {
    for (word, place) in words.iter().zip(bytes.chunks_exact_mut(WORD)) {
        place.copy_from_slice(&(word << up).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::{ColourSpace, Layout, transfer};

    /// As the standards have it, in floating point: BT.601, BT.709 and BT.2020 (non-constant luminance) at 10 bits.
    fn reference(rgb: [f64; 3], colour: Colour) -> [f64; 3] {
        let (kr, kb) = match colour.space {
            ColourSpace::Bt601 => (0.299, 0.114),
            ColourSpace::Bt709 => (0.2126, 0.0722),
            ColourSpace::Bt2020 => (0.2627, 0.0593),
        };
        let [r, g, b] = rgb.map(|code| code / 1023.0);
        let y = kr * r + (1.0 - kr - kb) * g + kb * b;
        let (u, v) = ((b - y) / (2.0 - 2.0 * kb), (r - y) / (2.0 - 2.0 * kr));
        match colour.full_range {
            true => [1023.0 * y, 512.0 + 1023.0 * u, 512.0 + 1023.0 * v],
            false => [64.0 + 876.0 * y, 512.0 + 896.0 * u, 512.0 + 896.0 * v],
        }
        .map(|code| code.clamp(0.0, 1023.0))
    }

    /// Any colour, the same in every run.
    fn noise(count: usize) -> impl Iterator<Item = [u16; 3]> {
        let mut state = 1u32;
        (0..count).map(move |index| {
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 22) as u16
            };
            match index % 7 {
                // the corners too
                0 => [next() % 2 * 1023, next() % 2 * 1023, next() % 2 * 1023],
                _ => [next(), next(), next()],
            }
        })
    }

    fn picture(width: usize, colours: &[[u16; 3]], padding: usize) -> Picture {
        let mut data = Vec::new();
        for line in colours.chunks(width) {
            for &[r, g, b] in line {
                // the two upper bits mean nothing
                let word = u32::from(r) | u32::from(g) << 10 | u32::from(b) << 20 | 3 << 30;
                data.extend(word.to_le_bytes());
            }
            data.extend(vec![0xab; padding]);
        }
        Picture {
            width: width as u32,
            height: (colours.len() / width) as u32,
            stride: width * PIXEL + padding,
            data,
            format: PixelFormat::Rgb10Pq,
            ..Picture::default()
        }
    }

    fn word(bytes: &[u8], index: usize) -> f64 {
        let word = u16::from_le_bytes([bytes[2 * index], bytes[2 * index + 1]]);
        assert_eq!(word & 0x3f, 0, "the lower bits of a word are zero");
        f64::from(word >> 6)
    }

    const COLOURS: [Colour; 4] = [
        Colour {
            space: ColourSpace::Bt2020,
            full_range: false,
        },
        Colour {
            space: ColourSpace::Bt2020,
            full_range: true,
        },
        Colour {
            space: ColourSpace::Bt709,
            full_range: false,
        },
        Colour {
            space: ColourSpace::Bt601,
            full_range: true,
        },
    ];

    #[test]
    fn p010_is_within_one_code_of_the_standards() {
        // not a multiple of a strip, and padded lines
        let (width, height) = (66, 50);
        let colours: Vec<[u16; 3]> = noise(width * height).collect();
        let picture = picture(width, &colours, 12);
        for colour in COLOURS {
            let mut converter = Converter::new(width, height, colour).hdr(true);
            let mut target = vec![0x55; width * height * 3];
            converter
                .convert_into(&picture, Layout::P010, &mut target)
                .unwrap();
            for (index, rgb) in colours.iter().enumerate() {
                let wanted = reference(rgb.map(f64::from), colour)[0];
                let got = word(&target, index);
                assert!((got - wanted).abs() <= 1.0, "{rgb:?}: {got} for {wanted}");
            }
            for (y, x) in (0..height / 2).flat_map(|y| (0..width / 2).map(move |x| (y, x))) {
                let mut mean = [0.0; 3];
                for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    let rgb = colours[(2 * y + dy) * width + 2 * x + dx];
                    (0..3).for_each(|channel| mean[channel] += f64::from(rgb[channel]) / 4.0);
                }
                let wanted = reference(mean, colour);
                for part in 0..2 {
                    let got = word(&target, width * height + y * width + 2 * x + part);
                    assert!(
                        (got - wanted[1 + part]).abs() <= 1.0,
                        "{got} for {wanted:?}"
                    );
                }
            }
            let short = target.len() - 1;
            let refused = converter.convert_into(&picture, Layout::P010, &mut target[..short]);
            assert!(refused.is_err());
        }
    }

    #[test]
    fn three_planes_of_ten_bits_are_within_one_code_of_the_standards() {
        let (width, height) = (64, 34);
        let colours: Vec<[u16; 3]> = noise(width * height).collect();
        let picture = picture(width, &colours, 0);
        for colour in COLOURS {
            let mut converter = Converter::new(width, height, colour).hdr(true);
            let mut target = vec![0; width * height * 6];
            converter
                .convert_into(&picture, Layout::Yuv444Deep, &mut target)
                .unwrap();
            for (index, rgb) in colours.iter().enumerate() {
                let wanted = reference(rgb.map(f64::from), colour);
                for (plane, wanted) in wanted.into_iter().enumerate() {
                    let got = word(&target, plane * width * height + index);
                    assert!((got - wanted).abs() <= 1.0, "{rgb:?}: {got} for {wanted}");
                }
            }
        }
    }

    /// Luma and both chroma of a picture of one colour.
    fn flat(bgrx: [u8; 4], colour: Colour, hdr: bool) -> [f64; 3] {
        let picture = Picture {
            width: 32,
            height: 32,
            stride: 128,
            data: bgrx.repeat(32 * 32),
            ..Picture::default()
        };
        let mut target = vec![0; 32 * 32 * 3];
        let mut converter = Converter::new(32, 32, colour).hdr(hdr);
        converter
            .convert_into(&picture, Layout::P010, &mut target)
            .unwrap();
        [word(&target, 0), word(&target, 1024), word(&target, 1025)]
    }

    #[test]
    fn srgb_is_shown_at_its_own_light_in_hdr_and_with_its_own_colours_in_sdr() {
        let [hdr, _, sdr, _] = COLOURS;
        let mut shown = transfer::FromSrgb::default();
        for bgrx in [
            [255; 4],
            [0, 0, 0, 255],
            [40, 32, 28, 255],
            [0, 160, 220, 0],
        ] {
            let [b, g, r, _] = bgrx;
            let light = reference(shown.of([r, g, b]).map(f64::from), hdr);
            let plain = reference([r, g, b].map(|code| f64::from(code) / 255.0 * 1023.0), sdr);
            for (got, wanted) in [
                (flat(bgrx, hdr, true), light),
                (flat(bgrx, sdr, false), plain),
            ] {
                let near = got.iter().zip(wanted).all(|(a, b)| (a - b).abs() <= 1.0);
                assert!(near, "{bgrx:?}: {got:?} for {wanted:?}");
            }
        }
        // white of SDR is far below what HDR can show
        assert!(flat([255; 4], hdr, true)[0] < 600.0 && flat([255; 4], sdr, false)[0] == 940.0);
    }

    #[test]
    fn hdr_pictures_do_not_pass_for_sdr() {
        let picture = picture(32, &vec![[512; 3]; 32 * 32], 0);
        let mut converter = Converter::new(32, 32, Colour::default());
        for layout in [Layout::Nv12, Layout::Yuv444, Layout::P010] {
            let mut target = vec![0; 32 * 32 * 6];
            let refused = converter.convert_into(&picture, layout, &mut target);
            assert!(refused.is_err(), "{layout:?}");
        }
    }

    #[test]
    fn an_hdr_picture_of_another_size_is_fitted_with_all_its_bits() {
        let colours: Vec<[u16; 3]> = vec![[601, 602, 603]; 64 * 64];
        let picture = picture(64, &colours, 0);
        let mut target = vec![0; 128 * 64 * 6];
        Converter::new(128, 64, COLOURS[1])
            .hdr(true)
            .convert_into(&picture, Layout::Yuv444Deep, &mut target)
            .unwrap();
        let wanted = reference([601.0, 602.0, 603.0], COLOURS[1])[0];
        let got = word(&target, 32 * 128 + 64);
        assert!((got - wanted).abs() <= 1.0, "{got} for {wanted}");
        assert_eq!(word(&target, 32 * 128 + 4), 0.0);
    }
}
