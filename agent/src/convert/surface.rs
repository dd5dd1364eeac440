//! Conversion into the memory of an encoder that wants its planes one below the other, lines without padding.

use super::{Converter, deep::Target, failed, unfit};
use crate::{encode::EncodeError, source::Picture};
use yuv::{
    BufferStoreMut, YuvBiPlanarImageMut, YuvConversionMode, YuvPlanarImageMut, bgra_to_yuv_nv12,
    bgra_to_yuv444,
};

/// How an encoder wants its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Luma, then both chroma in turns at half size.
    Nv12,
    /// Three planes of the same size.
    Yuv444,
    /// As NV12 with 10 bits: the upper ones of little-endian words.
    P010,
    /// Three planes of the same size, with 10 bits as in P010.
    Yuv444Deep,
}

impl Converter {
    /// Fill `target` in that layout; both sides of the stream are even.
    ///
    /// # Errors
    /// A picture whose bytes do not cover its size, or a target that is too small.
    pub fn convert_into(
        &mut self,
        picture: &Picture,
        layout: Layout,
        target: &mut [u8],
    ) -> Result<(), EncodeError> {
        let (colour, width, height) = (self.colour, self.width, self.height);
        let too_small = || unfit(&format!("no room for {width}x{height}"));
        let deep = match layout {
            Layout::P010 => Some(Target::p010(target, width, height)),
            Layout::Yuv444Deep => Some(Target::planes(target, width, height)),
            Layout::Nv12 | Layout::Yuv444 => None,
        };
        if let Some(target) = deep {
            return self.convert_deep(picture, target.ok_or_else(too_small)?);
        }
        if self.hdr {
            return Err(unfit("planes of 8 bits hold no HDR"));
        }
        let (bgrx, stride) = self.fitted(picture)?;
        let (range, matrix) = (colour.range(), colour.matrix());
        let (mode, line) = (YuvConversionMode::Balanced, width as u32);
        let (luma, chroma) = target
            .split_at_mut_checked(width * height)
            .ok_or_else(too_small)?;
        let converted = if layout == Layout::Nv12 {
            let uv = chroma.get_mut(..width * height / 2).ok_or_else(too_small)?;
            let mut image = YuvBiPlanarImageMut {
                y_plane: BufferStoreMut::Borrowed(luma),
                y_stride: line,
                uv_plane: BufferStoreMut::Borrowed(uv),
                uv_stride: line,
                width: line,
                height: height as u32,
            };
            bgra_to_yuv_nv12(&mut image, bgrx, stride as u32, range, matrix, mode)
        } else {
            let (u, v) = chroma
                .split_at_mut_checked(width * height)
                .ok_or_else(too_small)?;
            let v = v.get_mut(..width * height).ok_or_else(too_small)?;
            let mut image = YuvPlanarImageMut {
                y_plane: BufferStoreMut::Borrowed(luma),
                y_stride: line,
                u_plane: BufferStoreMut::Borrowed(u),
                u_stride: line,
                v_plane: BufferStoreMut::Borrowed(v),
                v_stride: line,
                width: line,
                height: height as u32,
            };
            bgra_to_yuv444(&mut image, bgrx, stride as u32, range, matrix, mode)
        };
        converted.map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::Colour;

    #[test]
    fn both_layouts_hold_the_same_colours_as_the_planes() {
        let bgrx = [30, 160, 220, 255].repeat(64 * 32);
        let picture = Picture {
            width: 64,
            height: 32,
            stride: 256,
            data: bgrx,
            ..Picture::default()
        };
        for mode in 0..=5 {
            let mut converter = Converter::new(64, 32, Colour::from_csc_mode(mode).unwrap());
            let mut planes = crate::convert::Planes::new(64, 32);
            converter.convert(&picture, &mut planes).unwrap();
            let colour = [planes.y[0], planes.u[0], planes.v[0]];
            let mut nv12 = vec![0; 64 * 32 * 3 / 2];
            converter
                .convert_into(&picture, Layout::Nv12, &mut nv12)
                .unwrap();
            assert_eq!([nv12[0], nv12[64 * 32], nv12[64 * 32 + 1]], colour);
            let mut full = vec![0; 64 * 32 * 3];
            converter
                .convert_into(&picture, Layout::Yuv444, &mut full)
                .unwrap();
            let planes = [full[0], full[64 * 32], full[2 * 64 * 32]];
            assert!(planes.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= 1));
            let short = full.len() - 1;
            assert!(
                converter
                    .convert_into(&picture, Layout::Yuv444, &mut full[..short])
                    .is_err()
            );
        }
    }
}
