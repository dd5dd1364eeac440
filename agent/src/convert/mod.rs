//! Captured pictures become planes in the colours that the client announced, fitted to the stream's size.

mod deep;
mod fit;
mod surface;
pub mod transfer;

use crate::{
    encode::EncodeError,
    source::{Picture, PixelFormat},
};
use fit::Fit;
pub use fit::{Placement, placement};
pub use surface::Layout;
use yuv::{
    BufferStoreMut, YuvConversionMode, YuvPlanarImageMut, YuvRange, YuvStandardMatrix,
    bgra_to_yuv420,
};

/// Bytes of a pixel, in either format.
const PIXEL: usize = 4;

/// Which matrix turns RGB into luma and chroma.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColourSpace {
    Bt601,
    #[default]
    Bt709,
    Bt2020,
}

/// Matrix and range of the encoded picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Colour {
    pub space: ColourSpace,
    pub full_range: bool,
}

impl Colour {
    /// From ANNOUNCE's `encoderCscMode`: (colourspace << 1) + full range. None for a colourspace that does not exist.
    pub fn from_csc_mode(mode: u32) -> Option<Self> {
        let space = match mode >> 1 {
            0 => ColourSpace::Bt601,
            1 => ColourSpace::Bt709,
            2 => ColourSpace::Bt2020,
            _ => return None,
        };
        Some(Self {
            space,
            full_range: mode & 1 == 1,
        })
    }
}

/// A planar 4:2:0 picture, lines without padding; both sides even.
#[derive(Debug, Clone)]
pub struct Planes {
    pub width: usize,
    pub height: usize,
    pub y: Vec<u8>,
    pub u: Vec<u8>,
    pub v: Vec<u8>,
}

impl Planes {
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            y: vec![0; width * height],
            u: vec![0; width / 2 * (height / 2)],
            v: vec![0; width / 2 * (height / 2)],
        }
    }
}

/// The planes of a 4:2:0 picture in somebody's memory, each with the bytes of its lines.
pub struct PlanesMut<'a> {
    pub width: usize,
    pub height: usize,
    pub y: (&'a mut [u8], usize),
    pub u: (&'a mut [u8], usize),
    pub v: (&'a mut [u8], usize),
}

impl<'a> From<&'a mut Planes> for PlanesMut<'a> {
    fn from(planes: &'a mut Planes) -> Self {
        let (width, chroma) = (planes.width, planes.width / 2);
        Self {
            width,
            height: planes.height,
            y: (&mut planes.y, width),
            u: (&mut planes.u, chroma),
            v: (&mut planes.v, chroma),
        }
    }
}

/// Converts to one size and one colour description.
#[derive(Default)]
pub struct Converter {
    width: usize,
    height: usize,
    colour: Colour,
    /// The stream is in HDR10; its space is then BT.2020.
    hdr: bool,
    /// For pictures of another size; made again when that size changes.
    fit: Option<Fit>,
    strips: deep::Strips,
}

impl Converter {
    pub fn new(width: usize, height: usize, colour: Colour) -> Self {
        Self {
            width,
            height,
            colour,
            ..Self::default()
        }
    }

    /// Whether the stream is in HDR10: its pictures may be, and others are shown at reference white.
    #[must_use]
    pub fn hdr(self, hdr: bool) -> Self {
        Self { hdr, ..self }
    }

    /// Fill `planes`, which must have this converter's size.
    ///
    /// # Errors
    /// A picture whose bytes do not cover its size.
    pub fn convert(&mut self, picture: &Picture, planes: &mut Planes) -> Result<(), EncodeError> {
        self.convert_to_planes(picture, planes.into())
    }

    /// As [`Self::convert`], into memory of another.
    ///
    /// # Errors
    /// As there.
    pub fn convert_to_planes(
        &mut self,
        picture: &Picture,
        planes: PlanesMut<'_>,
    ) -> Result<(), EncodeError> {
        let colour = self.colour;
        if self.hdr {
            return Err(unfit("planes of 8 bits hold no HDR"));
        }
        let (bgrx, stride) = self.fitted(picture)?;
        to_planes(bgrx, stride, colour, planes).map_err(failed)
    }

    /// The picture's bytes in this converter's size, and the distance of its lines.
    fn fitted<'a>(&'a mut self, picture: &'a Picture) -> Result<(&'a [u8], usize), EncodeError> {
        if picture.dmabuf.is_some() {
            return Err(EncodeError::Import(
                "this encoder reads main memory only".to_owned(),
            ));
        }
        if picture.format == PixelFormat::Rgb10Pq && !self.hdr {
            return Err(unfit("the source gives HDR, and the stream is in SDR"));
        }
        let (width, height) = (picture.width as usize, picture.height as usize);
        let inconsistent = || EncodeError::Picture {
            width: picture.width,
            height: picture.height,
            stride: picture.stride,
            len: picture.data.len(),
        };
        let line = width.checked_mul(PIXEL).ok_or_else(inconsistent)?;
        let needed = (picture.stride)
            .checked_mul(height.saturating_sub(1))
            .and_then(|bytes| bytes.checked_add(line))
            .ok_or_else(inconsistent)?;
        if width == 0 || height == 0 || picture.stride < line || picture.data.len() < needed {
            return Err(inconsistent());
        }
        if (width, height) == (self.width, self.height) {
            Ok((&picture.data[..], picture.stride))
        } else {
            let target = (self.width, self.height);
            if !(self.fit.as_ref()).is_some_and(|fit| fit.is_from(width, height)) {
                tracing::info!(
                    "captured {width}x{height}, streaming {}x{}: pictures are scaled",
                    self.width,
                    self.height
                );
                self.fit = None;
            }
            let fit = self
                .fit
                .get_or_insert_with(|| Fit::new((width, height), target));
            let stride = self.width * PIXEL;
            let fitted = match picture.format {
                PixelFormat::Bgrx => fit.apply::<fit::Bytes>(&picture.data, picture.stride),
                PixelFormat::Rgb10Pq => fit.apply::<fit::Tens>(&picture.data, picture.stride),
            };
            Ok((fitted, stride))
        }
    }
}

fn failed(error: yuv::YuvError) -> EncodeError {
    unfit(&error.to_string())
}

fn unfit(why: &str) -> EncodeError {
    EncodeError::Backend {
        encoder: "yuv",
        what: "convert a picture",
        why: why.to_owned(),
    }
}

impl Colour {
    fn range(self) -> YuvRange {
        if self.full_range {
            YuvRange::Full
        } else {
            YuvRange::Limited
        }
    }

    fn matrix(self) -> YuvStandardMatrix {
        match self.space {
            ColourSpace::Bt601 => YuvStandardMatrix::Bt601,
            ColourSpace::Bt709 => YuvStandardMatrix::Bt709,
            ColourSpace::Bt2020 => YuvStandardMatrix::Bt2020,
        }
    }
}

fn to_planes(
    bgrx: &[u8],
    stride: usize,
    colour: Colour,
    planes: PlanesMut<'_>,
) -> Result<(), yuv::YuvError> {
    let mut image = YuvPlanarImageMut {
        y_plane: BufferStoreMut::Borrowed(planes.y.0),
        y_stride: planes.y.1 as u32,
        u_plane: BufferStoreMut::Borrowed(planes.u.0),
        u_stride: planes.u.1 as u32,
        v_plane: BufferStoreMut::Borrowed(planes.v.0),
        v_stride: planes.v.1 as u32,
        width: planes.width as u32,
        height: planes.height as u32,
    };
    bgra_to_yuv420(
        &mut image,
        bgrx,
        stride as u32,
        colour.range(),
        colour.matrix(),
        YuvConversionMode::Balanced,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(width: u32, height: u32, padding: usize, bgrx: [u8; PIXEL]) -> Picture {
        let stride = width as usize * PIXEL + padding;
        let mut data = vec![77; stride * height as usize];
        for line in data.chunks_mut(stride) {
            for pixel in line[..width as usize * PIXEL].chunks_mut(PIXEL) {
                pixel.copy_from_slice(&bgrx);
            }
        }
        Picture {
            width,
            height,
            stride,
            data,
            ..Picture::default()
        }
    }

    fn convert(picture: &Picture, width: usize, height: usize, mode: u32) -> Planes {
        let mut planes = Planes::new(width, height);
        Converter::new(width, height, Colour::from_csc_mode(mode).unwrap())
            .convert(picture, &mut planes)
            .unwrap();
        planes
    }

    #[test]
    fn white_is_235_in_limited_and_255_in_full_range() {
        let white = flat(64, 32, 0, [255; 4]);
        for (mode, luma) in [(0, 235), (1, 255), (2, 235), (3, 255), (4, 235)] {
            let planes = convert(&white, 64, 32, mode);
            assert!(planes.y.iter().all(|&y| y == luma), "mode {mode}");
            assert!(
                planes
                    .u
                    .iter()
                    .chain(&planes.v)
                    .all(|&c| c.abs_diff(128) <= 1)
            );
        }
    }

    #[test]
    fn the_announced_matrix_is_the_one_used() {
        // pure green: kg * 219 + 16
        let green = flat(64, 32, 0, [0, 255, 0, 255]);
        for (mode, luma) in [(0, 145), (2, 173), (4, 164)] {
            let planes = convert(&green, 64, 32, mode);
            assert!(
                planes.y[0].abs_diff(luma) <= 1,
                "mode {mode}: {}",
                planes.y[0]
            );
        }
        assert_eq!(Colour::from_csc_mode(6), None);
    }

    #[test]
    fn padded_lines_leave_no_trace() {
        let grey = flat(64, 32, 36, [128, 128, 128, 0]);
        let planes = convert(&grey, 64, 32, 2);
        assert!(planes.y.iter().all(|&y| y == planes.y[0]));
    }

    #[test]
    fn another_shape_gets_black_bars_and_keeps_its_middle() {
        let white = flat(64, 64, 0, [255; 4]);
        let planes = convert(&white, 128, 64, 2);
        assert_eq!(planes.y[32 * 128 + 4], 16);
        assert_eq!(planes.y[32 * 128 + 64], 235);
        assert_eq!(planes.y[32 * 128 + 124], 16);
    }

    #[test]
    fn a_picture_with_too_few_bytes_is_refused() {
        let mut planes = Planes::new(64, 32);
        let mut converter = Converter::new(64, 32, Colour::default());
        for (stride, len) in [(256, 256 * 31), (255, 256 * 32), (usize::MAX, 10)] {
            let picture = Picture {
                width: 64,
                height: 32,
                stride,
                data: vec![0; len],
                ..Picture::default()
            };
            assert!(converter.convert(&picture, &mut planes).is_err());
        }
    }
}
