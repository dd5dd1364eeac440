//! Surfaces of the card, and the way of a picture into one.

use super::{
    abi::{self, Id, Image, ImageFormat, Plain, PrimeDescriptor, SurfaceAttrib},
    display::Display,
    error::VaapiError,
};
use std::{ptr, slice};

/// A tightly packed NV12 picture.
#[derive(Clone, Copy)]
pub struct Nv12<'a> {
    pub width: usize,
    pub height: usize,
    pub bytes: &'a [u8],
}

/// NV12 surfaces of one size.
///
/// # Errors
/// What the driver says.
pub fn create(display: &Display, size: (u32, u32), count: usize) -> Result<Vec<Id>, VaapiError> {
    create_of(
        display,
        (abi::RT_FORMAT_YUV420, abi::FOURCC_NV12),
        size,
        count,
    )
}

/// Surfaces of one size, of a kind of format and a format of that kind.
///
/// # Errors
/// What the driver says.
pub fn create_of(
    display: &Display,
    (kind, fourcc): (u32, u32),
    size: (u32, u32),
    count: usize,
) -> Result<Vec<Id>, VaapiError> {
    let mut attribs = [SurfaceAttrib::number(
        abi::SURFACE_ATTRIB_PIXEL_FORMAT,
        fourcc as i32,
    )];
    create_with(display, kind, size, count, &mut attribs)
}

/// A surface that is the memory of another's buffer; its files stay the caller's.
///
/// # Errors
/// What the driver says.
pub fn import(
    display: &Display,
    kind: u32,
    described: &mut PrimeDescriptor,
) -> Result<Id, VaapiError> {
    let size = (described.width, described.height);
    let mut attribs = [
        SurfaceAttrib::number(
            abi::SURFACE_ATTRIB_MEMORY_TYPE,
            abi::MEMORY_DRM_PRIME_2 as i32,
        ),
        SurfaceAttrib::address(
            abi::SURFACE_ATTRIB_EXTERNAL,
            ptr::from_mut(described).cast(),
        ),
    ];
    let surfaces = create_with(display, kind, size, 1, &mut attribs)?;
    surfaces.first().copied().ok_or_else(|| VaapiError::Stream {
        what: "made no surface",
        driver: display.driver.clone(),
    })
}

fn create_with(
    display: &Display,
    kind: u32,
    (width, height): (u32, u32),
    count: usize,
    attribs: &mut [SurfaceAttrib],
) -> Result<Vec<Id>, VaapiError> {
    let mut surfaces = vec![abi::INVALID_ID; count];
    // SAFETY: room for as many surfaces as the call is told; as many attributes as it is told, read only, and what one of
    // them points to is alive.
    let status = unsafe {
        (display.library.create_surfaces)(
            display.raw(),
            kind,
            width,
            height,
            surfaces.as_mut_ptr(),
            count as u32,
            attribs.as_mut_ptr(),
            attribs.len() as u32,
        )
    };
    display.check("making surfaces", status)?;
    Ok(surfaces)
}

pub fn destroy(display: &Display, surfaces: &mut [Id]) {
    if !surfaces.is_empty() {
        let count = surfaces.len() as i32;
        // SAFETY: made by create, destroyed once, not in use.
        unsafe { (display.library.destroy_surfaces)(display.raw(), surfaces.as_mut_ptr(), count) };
    }
}

/// Put a picture into a surface: through the surface's own memory where the driver shows it, through an image else.
///
/// # Errors
/// What the driver says.
pub fn upload(
    display: &Display,
    surface: Id,
    size: (u32, u32),
    picture: Nv12<'_>,
) -> Result<(), VaapiError> {
    let library = &display.library;
    let mut image = Image::zeroed();
    // SAFETY: the surface is alive; one image is written.
    let status = unsafe { (library.derive_image)(display.raw(), surface, &raw mut image) };
    if status == 0 {
        let shown = image.format.fourcc == abi::FOURCC_NV12 && image.num_planes >= 2;
        let filled = if shown {
            fill(display, &image, picture)
        } else {
            Ok(())
        };
        // SAFETY: derived above, destroyed once, not mapped.
        unsafe { (library.destroy_image)(display.raw(), image.image_id) };
        filled?;
        if shown {
            return Ok(());
        }
    }
    let mut format = ImageFormat {
        fourcc: abi::FOURCC_NV12,
        byte_order: abi::LSB_FIRST,
        bits_per_pixel: 12,
        ..ImageFormat::zeroed()
    };
    let mut image = Image::zeroed();
    let (width, height) = size;
    // SAFETY: the format is read; one image is written.
    let status = unsafe {
        let create = library.create_image;
        create(
            display.raw(),
            &raw mut format,
            width as i32,
            height as i32,
            &raw mut image,
        )
    };
    display.check("making an image", status)?;
    let put = fill(display, &image, picture).and_then(|()| {
        // SAFETY: both are alive and of that size.
        let status = unsafe {
            let put = library.put_image;
            put(
                display.raw(),
                surface,
                image.image_id,
                0,
                0,
                width,
                height,
                0,
                0,
                width,
                height,
            )
        };
        display.check("taking a picture to the card", status)
    });
    // SAFETY: created above, destroyed once, not mapped.
    unsafe { (library.destroy_image)(display.raw(), image.image_id) };
    put
}

/// Write a picture into an image; what is beyond the picture's edges is its edge again, which costs the encoder nothing.
fn fill(display: &Display, image: &Image, picture: Nv12<'_>) -> Result<(), VaapiError> {
    let mut memory = ptr::null_mut();
    // SAFETY: the image's buffer is alive and not mapped; one pointer is written.
    let status = unsafe { (display.library.map_buffer)(display.raw(), image.buf, &raw mut memory) };
    display.check("mapping an image", status)?;
    let size = image.data_size as usize;
    let fits = !memory.is_null() && {
        // SAFETY: the driver says that so many bytes lie there until the buffer is unmapped; nothing else writes them.
        let target = unsafe { slice::from_raw_parts_mut(memory.cast::<u8>(), size) };
        write(target, image, picture).is_some()
    };
    // SAFETY: mapped above.
    let status = unsafe { (display.library.unmap_buffer)(display.raw(), image.buf) };
    display.check("releasing an image", status)?;
    match fits {
        true => Ok(()),
        false => Err(VaapiError::Stream {
            what: "shows an image that is smaller than its picture",
            driver: display.driver.clone(),
        }),
    }
}

/// `None` where the image's description does not match its size.
fn write(target: &mut [u8], image: &Image, picture: Nv12<'_>) -> Option<()> {
    let (width, height) = (usize::from(image.width), usize::from(image.height));
    let (luma, chroma) = picture
        .bytes
        .split_at_checked(picture.width * picture.height)?;
    for (plane, source, lines, room) in [
        (0, luma, picture.height, height),
        (1, chroma, picture.height / 2, height / 2),
    ] {
        let (offset, pitch) = (image.offsets[plane] as usize, image.pitches[plane] as usize);
        for line in 0..room.max(lines) {
            let from = line.min(lines.checked_sub(1)?) * picture.width;
            let from = source.get(from..from + picture.width)?;
            let start = offset + line * pitch;
            let to = target.get_mut(start..start + width.max(picture.width))?;
            let (own, beyond) = to.split_at_mut(picture.width);
            own.copy_from_slice(from);
            // the last pixel, or the last pair
            let edge = from.get(picture.width.checked_sub(2)?..)?;
            for pair in beyond.chunks_mut(2) {
                let edge = if plane == 0 {
                    [edge[1]; 2]
                } else {
                    [edge[0], edge[1]]
                };
                pair.copy_from_slice(&edge[..pair.len()]);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(pitch: u32) -> Image {
        Image {
            width: 6,
            height: 4,
            num_planes: 2,
            pitches: [pitch, pitch, 0],
            offsets: [0, pitch * 4, 0],
            ..Image::zeroed()
        }
    }

    #[test]
    fn the_edge_goes_on_beyond_the_picture() {
        let picture = Nv12 {
            width: 4,
            height: 2,
            bytes: &[1, 2, 3, 4, 5, 6, 7, 8, 20, 30, 21, 31],
        };
        let mut target = [99; 8 * 6];
        write(&mut target, &image(8), picture).unwrap();
        let lines: Vec<_> = target.chunks(8).collect();
        assert_eq!(lines[0], [1, 2, 3, 4, 4, 4, 99, 99]);
        assert_eq!(lines[3], [5, 6, 7, 8, 8, 8, 99, 99]);
        assert_eq!(lines[4], [20, 30, 21, 31, 21, 31, 99, 99]);
        assert_eq!(lines[5], lines[4]);
        assert!(write(&mut target[..45], &image(8), picture).is_none());
        let short = Nv12 {
            bytes: &picture.bytes[..11],
            ..picture
        };
        assert!(write(&mut target, &image(8), short).is_none());
    }
}
