//! PNG and JPEG files of other programs, decoded within bounds.
use super::canvas::Picture;
use std::io::Cursor;
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

/// Longest side in pixels.
const MAX_SIDE: u32 = 4096;

/// Decode what these bytes begin like.
///
/// # Errors
/// Neither PNG nor JPEG, too large, or damaged.
pub fn picture(bytes: &[u8]) -> Result<Picture, String> {
    let picture = if bytes.starts_with(b"\x89PNG") {
        png(bytes)?
    } else if bytes.starts_with(&[0xff, 0xd8]) {
        jpeg(bytes)?
    } else {
        return Err("neither PNG nor JPEG".into());
    };
    let pixels = picture.width as usize * picture.height as usize;
    if pixels == 0 || picture.rgba.len() != pixels * 4 {
        return Err("it has another size than it says".into());
    }
    Ok(picture)
}

fn png(bytes: &[u8]) -> Result<Picture, String> {
    let mut decoder =
        png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: 256 << 20 });
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
    let (width, height) = (reader.info().width, reader.info().height);
    if width.max(height) > MAX_SIDE {
        return Err(format!("larger than {MAX_SIDE} pixels"));
    }
    let size = reader.output_buffer_size().ok_or("too large")?;
    let mut raw = vec![0; size];
    let frame = reader
        .next_frame(&mut raw)
        .map_err(|error| error.to_string())?;
    raw.truncate(frame.buffer_size());
    let rgba = match frame.color_type {
        png::ColorType::Rgba => raw,
        png::ColorType::Rgb => raw
            .chunks_exact(3)
            .flat_map(|p| [p[0], p[1], p[2], 255])
            .collect(),
        png::ColorType::Grayscale => raw.iter().flat_map(|&g| [g, g, g, 255]).collect(),
        png::ColorType::GrayscaleAlpha => raw
            .chunks_exact(2)
            .flat_map(|p| [p[0], p[0], p[0], p[1]])
            .collect(),
        png::ColorType::Indexed => return Err("a palette that was not resolved".into()),
    };
    Ok(Picture {
        width,
        height,
        rgba,
    })
}

fn jpeg(bytes: &[u8]) -> Result<Picture, String> {
    let side = MAX_SIDE as usize;
    let options = DecoderOptions::default()
        .set_max_width(side)
        .set_max_height(side)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let raw = decoder.decode().map_err(|error| error.to_string())?;
    let info = decoder.info().ok_or("no size")?;
    let rgba = raw
        .chunks_exact(3)
        .flat_map(|p| [p[0], p[1], p[2], 255])
        .collect();
    Ok(Picture {
        width: info.width.into(),
        height: info.height.into(),
        rgba,
    })
}
