//! Shared memory that the compositor draws pictures into. It is read with `pread` and never mapped here.

use std::{fs::File, io, os::fd::AsFd, os::unix::fs::FileExt};

use nix::sys::memfd::{MFdFlags, memfd_create};
use wayland_client::{
    Dispatch, QueueHandle,
    protocol::{
        wl_buffer::WlBuffer,
        wl_shm::{Format, WlShm},
        wl_shm_pool::WlShmPool,
    },
};

use crate::capture::MAX_SIDE;

/// The shape of a picture in shared memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub width: u32,
    pub height: u32,
    /// Bytes a line.
    pub stride: u32,
    pub format: Format,
}

impl Shape {
    /// Whether the numbers make a picture of four-byte pixels within the limits.
    pub fn is_sane(&self) -> bool {
        (1..=MAX_SIDE).contains(&self.width)
            && (1..=MAX_SIDE).contains(&self.height)
            && self.stride >= self.width * 4
            && self.stride <= MAX_SIDE * 8
    }

    fn size(&self) -> usize {
        self.stride as usize * self.height as usize
    }
}

/// Formats that can be taken, best first. Their names are those of a little-endian word: memory holds B, G, R, x and
/// R, G, B, x.
pub const FORMATS: [Format; 4] = [
    Format::Xrgb8888,
    Format::Argb8888,
    Format::Xbgr8888,
    Format::Abgr8888,
];

/// One buffer of one shape.
pub struct Buffer {
    memory: File,
    pool: WlShmPool,
    pub proxy: WlBuffer,
    pub shape: Shape,
}

impl Buffer {
    /// Make a buffer of this (sane) shape.
    ///
    /// # Errors
    /// No memory.
    pub fn new<S>(shm: &WlShm, shape: Shape, handle: &QueueHandle<S>) -> io::Result<Self>
    where
        S: Dispatch<WlShmPool, ()> + Dispatch<WlBuffer, ()> + 'static,
    {
        let memory = File::from(memfd_create(c"pf-pictures", MFdFlags::MFD_CLOEXEC)?);
        memory.set_len(shape.size() as u64)?;
        let length = |bytes: u32| i32::try_from(bytes).unwrap_or(i32::MAX);
        let size = i32::try_from(shape.size()).map_err(io::Error::other)?;
        let pool = shm.create_pool(memory.as_fd(), size, handle, ());
        let proxy = pool.create_buffer(
            0,
            length(shape.width),
            length(shape.height),
            length(shape.stride),
            shape.format,
            handle,
            (),
        );
        Ok(Self {
            memory,
            pool,
            proxy,
            shape,
        })
    }

    /// Copy the picture out as tight BGRx lines; `upside_down`: its first line lies last.
    ///
    /// # Errors
    /// A read that fails, which a memory file's does not.
    pub fn read(&self, into: &mut Vec<u8>, upside_down: bool) -> io::Result<()> {
        let Shape {
            width,
            height,
            stride,
            format,
        } = self.shape;
        let line = width as usize * 4;
        into.resize(line * height as usize, 0);
        if stride as usize == line && !upside_down {
            self.memory.read_exact_at(into, 0)?;
        } else {
            for (row, bytes) in into.chunks_exact_mut(line).enumerate() {
                let row = row as u64;
                let row = match upside_down {
                    true => u64::from(height) - 1 - row,
                    false => row,
                };
                self.memory.read_exact_at(bytes, row * u64::from(stride))?;
            }
        }
        if matches!(format, Format::Xbgr8888 | Format::Abgr8888) {
            for pixel in into.chunks_exact_mut(4) {
                pixel.swap(0, 2);
            }
        }
        Ok(())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.proxy.destroy();
        self.pool.destroy();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_make_no_picture_are_refused() {
        let good = Shape {
            width: 1366,
            height: 768,
            stride: 1366 * 4,
            format: Format::Xrgb8888,
        };
        assert!(good.is_sane());
        for bad in [
            Shape { width: 0, ..good },
            Shape { height: 0, ..good },
            Shape {
                stride: 1366 * 4 - 1,
                ..good
            },
            Shape {
                width: MAX_SIDE + 1,
                stride: (MAX_SIDE + 1) * 4,
                ..good
            },
            Shape {
                stride: u32::MAX,
                ..good
            },
        ] {
            assert!(!bad.is_sane(), "{bad:?}");
        }
    }
}
