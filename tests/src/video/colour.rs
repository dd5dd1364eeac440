//! Decoded planes to RGB in the colours that the client asked for.

use openh264::formats::YUVSource;

/// What turns luma and chroma of one colourspace and range into RGB.
#[derive(Debug, Clone, Copy)]
pub struct Matrix {
    luma_scale: f32,
    luma_offset: f32,
    chroma_scale: f32,
    red: f32,
    blue: f32,
}

impl Matrix {
    /// Of ANNOUNCE's `encoderCscMode`: (colourspace << 1) + full range; 601, 709, 2020.
    pub fn of_csc_mode(mode: u8) -> Self {
        let (red, blue) = match mode >> 1 {
            0 => (0.299, 0.114),
            1 => (0.2126, 0.0722),
            _ => (0.2627, 0.0593),
        };
        let (luma_scale, luma_offset, chroma_scale) = if mode & 1 == 1 {
            (1.0, 0.0, 1.0)
        } else {
            (255.0 / 219.0, 16.0, 255.0 / 224.0)
        };
        Self {
            luma_scale,
            luma_offset,
            chroma_scale,
            red,
            blue,
        }
    }

    fn rgb(&self, y: u8, u: u8, v: u8) -> [u8; 3] {
        let y = (f32::from(y) - self.luma_offset) * self.luma_scale;
        let u = (f32::from(u) - 128.0) * self.chroma_scale;
        let v = (f32::from(v) - 128.0) * self.chroma_scale;
        let red = y + 2.0 * (1.0 - self.red) * v;
        let blue = y + 2.0 * (1.0 - self.blue) * u;
        let green = (y - self.red * red - self.blue * blue) / (1.0 - self.red - self.blue);
        [red, green, blue].map(|channel| channel.round().clamp(0.0, 255.0) as u8)
    }

    /// Packed RGB of a 4:2:0 picture, into `rgb` of three bytes a pixel.
    pub fn convert(&self, picture: &impl YUVSource, rgb: &mut [u8]) {
        let (width, _) = picture.dimensions();
        let (y_stride, u_stride, v_stride) = picture.strides();
        for (line, pixels) in rgb.chunks_exact_mut(width * 3).enumerate() {
            let y = &picture.y()[line * y_stride..];
            let u = &picture.u()[line / 2 * u_stride..];
            let v = &picture.v()[line / 2 * v_stride..];
            for (x, pixel) in pixels.chunks_exact_mut(3).enumerate() {
                pixel.copy_from_slice(&self.rgb(y[x], u[x / 2], v[x / 2]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_colourspace_has_its_own_red() {
        // What BT.709 and BT.601 in limited range make of (235, 16, 16), by their definitions.
        for (mode, yuv) in [(2, (70, 106, 223)), (0, (86, 96, 224))] {
            let [red, green, blue] = Matrix::of_csc_mode(mode).rgb(yuv.0, yuv.1, yuv.2);
            let near = |is: u8, should: u8| is.abs_diff(should) <= 2;
            assert!(
                near(red, 235) && near(green, 16) && near(blue, 16),
                "{mode}: {red} {green} {blue}"
            );
        }
    }

    #[test]
    fn black_and_white_are_the_ends_of_the_range() {
        for (mode, black, white) in [(2, 16, 235), (3, 0, 255)] {
            let matrix = Matrix::of_csc_mode(mode);
            assert_eq!(matrix.rgb(black, 128, 128), [0; 3]);
            assert_eq!(matrix.rgb(white, 128, 128), [255; 3]);
        }
    }
}
