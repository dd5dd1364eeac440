//! The planes of a converted picture: drawn by OpenGL, registered with CUDA once, copied to where the encoder reads.

use super::{
    context::Current,
    conversion::Weights,
    gl::{Canvas, TEXTURE_2D},
    refused,
};
use crate::encode::nvenc::{
    abi,
    cuda::{DevicePointer, Entered},
    error::NvencError,
    surface::Shape,
};
use std::{
    ffi::{c_uint, c_void},
    ptr,
};

/// CUDA only reads what it registers so.
const READ_ONLY: c_uint = 1;
/// The order in which everything is done that names no other.
const DEFAULT_STREAM: *mut c_void = ptr::null_mut();

pub struct Plane {
    pub canvas: Canvas,
    /// Pixels a side that a sample stands for.
    pub cell: usize,
    pub weights: [Weights; 2],
    /// Bytes a line, and lines.
    line: usize,
    lines: usize,
    resource: *mut c_void,
}

// SAFETY: the resource is the plane's own; it is used with its contexts current alone.
unsafe impl Send for Plane {}

/// Canvases for each plane of that shape, the upper one first. `None`: samples of more than 8 bits.
///
/// # Errors
/// What OpenGL says.
pub fn create(
    current: &Current<'_>,
    shape: Shape,
    [luma, blue, red]: [Weights; 3],
) -> Result<Vec<Plane>, NvencError> {
    let unused = [0.0; 4];
    // pixels a side of a sample, and what its one or two codes are made of
    let planes = match shape.format {
        abi::FORMAT_NV12 => vec![(1, vec![luma]), (2, vec![blue, red])],
        abi::FORMAT_YUV444 => [luma, blue, red].map(|plane| (1, vec![plane])).to_vec(),
        _ => {
            return Err(refused(
                "pictures of 10 bits are converted in memory".to_owned(),
            ));
        }
    };
    let made = planes.into_iter().map(|(cell, codes)| {
        let (width, height) = (shape.width / cell, shape.height / cell);
        Ok(Plane {
            canvas: current.canvas(codes.len(), (width, height))?,
            cell: cell as usize,
            line: width as usize * codes.len(),
            lines: height as usize,
            weights: [codes[0], codes.get(1).copied().unwrap_or(unused)],
            resource: ptr::null_mut(),
        })
    });
    made.collect()
}

/// Register them, for as long as the stream lasts; both contexts are current. On a failure some may be.
///
/// # Errors
/// A CUDA that cannot do so with this OpenGL.
pub fn register(
    entered: &Entered<'_>,
    _: &Current<'_>,
    planes: &mut [Plane],
) -> Result<(), NvencError> {
    let interop = entered.interop()?;
    for plane in planes {
        let (resource, texture) = (&raw mut plane.resource, plane.canvas.texture);
        // SAFETY: the texture is of the current context, and outlives the registration; one pointer is written.
        let code = unsafe { (interop.register_image)(resource, texture, TEXTURE_2D, READ_ONLY) };
        // whatever it says: CUDA alone still works
        let result = entered.check("sharing a plane with OpenGL", code);
        result.map_err(|error| refused(error.to_string()))?;
    }
    Ok(())
}

/// The opposite; none may be mapped.
pub fn unregister(entered: &Entered<'_>, planes: &mut [Plane]) {
    for plane in planes {
        let resource = std::mem::replace(&mut plane.resource, ptr::null_mut());
        if let (false, Ok(interop)) = (resource.is_null(), entered.interop()) {
            // SAFETY: registered by register, not mapped, and forgotten just now.
            unsafe { (interop.unregister)(resource) };
        }
    }
}

/// Copy what was drawn to memory of the card, one plane below the other. When this returns all of it is done, the drawing
/// included.
///
/// # Errors
/// What CUDA says.
pub fn copy(
    entered: &Entered<'_>,
    _: &Current<'_>,
    planes: &[Plane],
    to: (DevicePointer, usize),
) -> Result<(), NvencError> {
    let interop = entered.interop()?;
    let mut resources: Vec<*mut c_void> = planes.iter().map(|plane| plane.resource).collect();
    let (count, list) = (resources.len() as c_uint, resources.as_mut_ptr());
    // SAFETY: registered, and not mapped: what maps them here unmaps them. CUDA waits for the drawing.
    let code = unsafe { (interop.map)(count, list, DEFAULT_STREAM) };
    entered.check("taking the planes over from OpenGL", code)?;
    let mut below = 0;
    let mut copied = Ok(());
    for plane in planes {
        let target = (to.0 + (below * to.1) as DevicePointer, to.1);
        copied = copied.and_then(|()| {
            let mut array = ptr::null_mut();
            // SAFETY: mapped; the only layer and level; one pointer is written.
            let code = unsafe { (interop.mapped_array)(&raw mut array, plane.resource, 0, 0) };
            entered.check("finding a plane", code)?;
            // SAFETY: the array is of the canvas, which has that size; the encoder's memory has the lines of all planes.
            unsafe { entered.copy_array(array, target, plane.line, plane.lines) }
        });
        below += plane.lines;
    }
    // SAFETY: mapped above.
    let code = unsafe { (interop.unmap)(count, list, DEFAULT_STREAM) };
    let unmapped = entered.check("giving the planes back to OpenGL", code);
    // SAFETY: the context's own stream.
    let code = unsafe { (interop.wait)(DEFAULT_STREAM) };
    let done = entered.check("waiting for a picture", code);
    copied.and(unmapped).and(done)
}
