//! Memory of a GPU, as far as PipeWire can tell: files of the kernel's that are declared as DMA-BUFs and mapped for nobody. Who
//! imports one reads it, as the doubles of EGL and libva do. A consumer that takes no modifier gets the same as shared memory.

use nix::sys::memfd::{MFdFlags, memfd_create};
use pipewire::{spa::sys as spa, sys::pw_buffer};
use std::{collections::HashMap, fs::File, io, os::fd::AsRawFd};

/// The files by their descriptors.
#[derive(Default)]
pub struct Pool(HashMap<i64, File>);

impl Pool {
    pub fn file(&self, descriptor: i64) -> Option<&File> {
        self.0.get(&descriptor)
    }

    /// Give a new buffer its memory.
    ///
    /// # Errors
    /// The kernel has none.
    pub fn add(&mut self, buffer: *mut pw_buffer, bytes: u64, on_gpu: bool) -> io::Result<()> {
        let file = File::from(memfd_create(c"gamescope-double", MFdFlags::MFD_CLOEXEC)?);
        file.set_len(bytes)?;
        let descriptor = i64::from(file.as_raw_fd());
        let data = first(buffer).ok_or(io::ErrorKind::InvalidInput)?;
        data.type_ = if on_gpu {
            spa::SPA_DATA_DmaBuf
        } else {
            spa::SPA_DATA_MemFd
        };
        data.flags = spa::SPA_DATA_FLAG_READWRITE;
        data.fd = descriptor;
        data.mapoffset = 0;
        data.maxsize = u32::try_from(bytes).map_err(io::Error::other)?;
        data.data = std::ptr::null_mut();
        self.0.insert(descriptor, file);
        Ok(())
    }

    /// The buffer goes, and its memory as soon as nobody else has it open.
    pub fn remove(&mut self, buffer: *mut pw_buffer) {
        if let Some(data) = first(buffer) {
            self.0.remove(&data.fd);
        }
    }
}

/// The one block of a buffer, while PipeWire hands it over.
#[allow(
    unsafe_code,
    reason = "PipeWire hands buffers over as pointers, and its bindings leave them so"
)]
fn first<'a>(buffer: *mut pw_buffer) -> Option<&'a mut spa::spa_data> {
    // SAFETY: PipeWire calls with a buffer that it has just made or is about to let go of, and touches it again when we
    // have returned; as many blocks as it says.
    unsafe {
        let inner = buffer.as_ref()?.buffer.as_ref()?;
        (inner.n_datas > 0).then_some(inner.datas)?.as_mut()
    }
}
