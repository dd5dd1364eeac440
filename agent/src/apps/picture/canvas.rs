//! A small canvas: gradients, pictures scaled onto it, glyphs, and PNG at the end.

use crate::glyphs::Glyph;

/// A decoded picture: RGBA, row after row.
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub rgba: Vec<u8>,
}

/// Where something goes, in pixels.
#[derive(Debug, Clone, Copy)]
pub struct Rect {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// RGB pixels.
pub struct Canvas {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Canvas {
    /// A black one. Sides are of the order of a thousand.
    pub fn new(width: u32, height: u32) -> Self {
        let rgb = vec![0; width as usize * height as usize * 3];
        Self { width, height, rgb }
    }

    /// From one colour at the top to another at the bottom.
    pub fn gradient(&mut self, top: [u8; 3], bottom: [u8; 3]) {
        let row_bytes = self.width as usize * 3;
        let last = f64::from(self.height.max(2) - 1);
        for (row, y) in self.rgb.chunks_exact_mut(row_bytes).zip(0u32..) {
            let share = f64::from(y) / last;
            let colour = [0, 1, 2].map(|i| {
                let (from, to) = (f64::from(top[i]), f64::from(bottom[i]));
                (from + (to - from) * share) as u8
            });
            row.chunks_exact_mut(3)
                .for_each(|pixel| pixel.copy_from_slice(&colour));
        }
    }

    /// Fill the canvas with the middle of a picture, keeping its shape.
    pub fn cover(&mut self, picture: &Picture) {
        let scale = (f64::from(self.width) / f64::from(picture.width))
            .max(f64::from(self.height) / f64::from(picture.height));
        self.draw(
            picture,
            scale,
            f64::from(self.width) / 2.0,
            f64::from(self.height) / 2.0,
        );
    }

    /// Put a picture into the middle of `into`, as large as fits, but icons at most four times their size.
    pub fn place(&mut self, picture: &Picture, into: Rect) {
        let scale = (f64::from(into.width) / f64::from(picture.width))
            .min(f64::from(into.height) / f64::from(picture.height))
            .min(4.0);
        let centre = |start: u32, length: u32| f64::from(start) + f64::from(length) / 2.0;
        self.draw(
            picture,
            scale,
            centre(into.x, into.width),
            centre(into.y, into.height),
        );
    }

    /// Blend a scaled picture around a centre.
    fn draw(&mut self, picture: &Picture, scale: f64, centre_x: f64, centre_y: f64) {
        let left = centre_x - f64::from(picture.width) * scale / 2.0;
        let top = centre_y - f64::from(picture.height) * scale / 2.0;
        let range = |start: f64, length: u32, most: u32| {
            let end = (start + f64::from(length) * scale).min(f64::from(most)) as u32;
            start.max(0.0) as u32..end
        };
        for y in range(top, picture.height, self.height) {
            for x in range(left, picture.width, self.width) {
                let from = ((f64::from(x) - left) / scale, (f64::from(y) - top) / scale);
                let [r, g, b, a] = picture.area(from.0, from.1, 1.0 / scale);
                let at = (y as usize * self.width as usize + x as usize) * 3;
                for (under, over) in self.rgb[at..at + 3].iter_mut().zip([r, g, b]) {
                    *under = (f64::from(*under) * (1.0 - a) + over * a) as u8;
                }
            }
        }
    }

    /// Draw a glyph as round dots, `scale` pixels apart, from its upper left corner.
    pub fn glyph(&mut self, glyph: &Glyph, x: u32, y: u32, scale: u32, colour: [u8; 3]) {
        let radius = f64::from(scale) * 0.46;
        for (row, bits) in (0u32..).zip(glyph) {
            for column in (0..5u32).filter(|column| bits & (0b10000 >> column) != 0) {
                let (left, top) = (x + column * scale, y + row * scale);
                let middle = f64::from(scale) / 2.0;
                for (dy, dx) in (0..scale).flat_map(|dy| (0..scale).map(move |dx| (dy, dx))) {
                    let distance =
                        (f64::from(dx) + 0.5 - middle).hypot(f64::from(dy) + 0.5 - middle);
                    if distance <= radius {
                        self.set(left + dx, top + dy, colour);
                    }
                }
            }
        }
    }

    fn set(&mut self, x: u32, y: u32, colour: [u8; 3]) {
        if x < self.width && y < self.height {
            let at = (y as usize * self.width as usize + x as usize) * 3;
            self.rgb[at..at + 3].copy_from_slice(&colour);
        }
    }

    /// The same at another size.
    pub fn scaled(&self, width: u32, height: u32) -> Self {
        let mut other = Self::new(width, height);
        if (width, height) == (self.width, self.height) {
            other.rgb.copy_from_slice(&self.rgb);
            return other;
        }
        let rgba = self
            .rgb
            .chunks_exact(3)
            .flat_map(|p| [p[0], p[1], p[2], 255])
            .collect();
        other.cover(&Picture {
            width: self.width,
            height: self.height,
            rgba,
        });
        other
    }

    /// As a PNG file; `None` only if the encoder fails.
    pub fn png(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Balanced);
        let mut writer = encoder.write_header().ok()?;
        writer.write_image_data(&self.rgb).ok()?;
        writer.finish().ok()?;
        Some(bytes)
    }

    #[cfg(test)]
    pub fn fill(&mut self, mut next: impl FnMut() -> u8) {
        self.rgb.iter_mut().for_each(|byte| *byte = next());
    }
}

impl Picture {
    /// The mean of a square of `side` pixels from (x, y), as 0..=255, and its alpha as 0..=1.
    fn area(&self, x: f64, y: f64, side: f64) -> [f64; 4] {
        let span = |from: f64, most: u32| {
            let first = (from as u32).min(most.saturating_sub(1));
            let last = ((from + side).ceil() as u32).clamp(first + 1, most.max(first + 1));
            first..last
        };
        let (columns, rows) = (span(x, self.width), span(y, self.height));
        let mut sum = [0.0; 4];
        let mut count = 0.0;
        for row in rows {
            for column in columns.clone() {
                let at = (row as usize * self.width as usize + column as usize) * 4;
                let Some(&[r, g, b, a]) = self.rgba.get(at..at + 4) else {
                    continue;
                };
                let alpha = f64::from(a) / 255.0;
                sum[0] += f64::from(r) * alpha;
                sum[1] += f64::from(g) * alpha;
                sum[2] += f64::from(b) * alpha;
                sum[3] += alpha;
                count += 1.0;
            }
        }
        if sum[3] <= 0.0 {
            return [0.0; 4];
        }
        [
            sum[0] / sum[3],
            sum[1] / sum[3],
            sum[2] / sum[3],
            sum[3] / count,
        ]
    }
}

/// Hue in degrees, saturation and value as 0..=1.
pub fn colour(hue: f64, saturation: f64, value: f64) -> [u8; 3] {
    [5.0, 3.0, 1.0].map(|n| {
        let k: f64 = (n + hue / 60.0) % 6.0;
        let share = value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0);
        (share * 255.0) as u8
    })
}
