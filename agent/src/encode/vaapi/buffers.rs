//! Buffers that the driver reads for one picture, destroyed when it is done.

use super::{
    abi::{self, Id},
    bits::Packed,
    display::Display,
    error::VaapiError,
};
use std::{ffi::c_void, mem::size_of, ptr};

/// In the order in which they are rendered.
pub struct Batch<'a> {
    display: &'a Display,
    context: Id,
    ids: Vec<Id>,
}

impl<'a> Batch<'a> {
    pub fn new(display: &'a Display, context: Id) -> Self {
        Self {
            display,
            context,
            ids: Vec::new(),
        }
    }

    /// A structure, copied by the driver.
    ///
    /// # Errors
    /// What the driver says.
    pub fn add<T>(&mut self, kind: i32, structure: &T) -> Result<(), VaapiError> {
        self.copy(kind, ptr::from_ref(structure).cast(), size_of::<T>())
    }

    /// A structure for rate control, with its kind in front.
    ///
    /// # Errors
    /// What the driver says.
    pub fn add_misc<T>(&mut self, kind: u32, data: T) -> Result<(), VaapiError> {
        self.add(abi::BUFFER_MISC, &abi::Misc { kind, data })
    }

    /// Headers that were written here.
    ///
    /// # Errors
    /// What the driver says.
    pub fn add_packed(&mut self, kind: u32, packed: &Packed) -> Result<(), VaapiError> {
        let parameter = abi::PackedHeader {
            kind,
            bit_length: packed.bit_length,
            has_emulation_bytes: 1,
            reserved: [0; 4],
        };
        self.add(abi::BUFFER_PACKED_PARAMETER, &parameter)?;
        let bytes = packed.bytes.as_ptr().cast();
        self.copy(abi::BUFFER_PACKED_DATA, bytes, packed.bytes.len())
    }

    fn copy(&mut self, kind: i32, from: *const c_void, size: usize) -> Result<(), VaapiError> {
        let mut id = abi::INVALID_ID;
        // SAFETY: the context is open; `size` bytes lie at `from`, which the driver copies and does not write.
        let status = unsafe {
            let create = self.display.library.create_buffer;
            let raw = self.display.raw();
            create(
                raw,
                self.context,
                kind,
                size as u32,
                1,
                from.cast_mut(),
                &raw mut id,
            )
        };
        self.display.check("making a buffer", status)?;
        self.ids.push(id);
        Ok(())
    }

    /// Hand them to the picture that was begun.
    ///
    /// # Errors
    /// What the driver says.
    pub fn render(&mut self, what: &'static str) -> Result<(), VaapiError> {
        // SAFETY: the buffers are this context's, alive until the picture has ended.
        let status = unsafe {
            let render = self.display.library.render_picture;
            let count = self.ids.len() as i32;
            render(
                self.display.raw(),
                self.context,
                self.ids.as_mut_ptr(),
                count,
            )
        };
        self.display.check(what, status)
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        for &id in &self.ids {
            // SAFETY: made above, destroyed once.
            unsafe { (self.display.library.destroy_buffer)(self.display.raw(), id) };
        }
    }
}
