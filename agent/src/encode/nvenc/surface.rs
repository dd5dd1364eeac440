//! A picture on its way into the encoder: memory of the card, registered with the encoder once for the whole stream, and
//! pinned memory that the converter writes and that is copied there. What is imported is written on the card alone.

use super::{
    abi::{self, MapResource, Plain, RegisterResource},
    cuda::DevicePointer,
    error::NvencError,
    session::Opened,
};
use std::{ffi::c_void, ptr, slice};

/// How the bytes of a picture lie: lines of the same length, one plane below the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub width: u32,
    pub height: u32,
    /// NVENC's number for it.
    pub format: u32,
    /// Bytes a line.
    pub line: usize,
    /// Lines of all planes together.
    pub lines: usize,
}

impl Shape {
    pub fn new(width: u32, height: u32, format: u32) -> Self {
        let (across, down) = (width as usize, height as usize);
        let (line, lines) = match format {
            abi::FORMAT_YUV444 => (across, down * 3),
            abi::FORMAT_YUV420_10 => (across * 2, down * 3 / 2),
            abi::FORMAT_YUV444_10 => (across * 2, down * 3),
            _ => (across, down * 3 / 2),
        };
        Self {
            width,
            height,
            format,
            line,
            lines,
        }
    }

    pub fn bytes(&self) -> usize {
        self.line * self.lines
    }
}

/// Memory and registration. Must be closed with the session that made it.
pub struct Surface {
    pub shape: Shape,
    host: *mut u8,
    device: (DevicePointer, usize),
    registered: *mut c_void,
    /// Where the last picture lies: in pinned memory, on the card.
    in_memory: bool,
    on_card: bool,
}

// SAFETY: the pointers are the surface's own; nothing else holds them.
unsafe impl Send for Surface {}

impl Surface {
    /// # Errors
    /// No memory, or a driver that does not take it.
    pub fn create(session: &Opened, shape: Shape) -> Result<Self, NvencError> {
        let entered = session.context().enter()?;
        let mut surface = Self {
            shape,
            host: ptr::null_mut(),
            device: (0, 0),
            registered: ptr::null_mut(),
            in_memory: false,
            on_card: false,
        };
        let made = (|| {
            surface.host = entered.alloc_host(shape.bytes())?;
            surface.device = entered.alloc(shape.line, shape.lines)?;
            surface.registered = surface.register(session)?;
            Ok(())
        })();
        drop(entered);
        match made {
            Ok(()) => Ok(surface),
            Err(error) => {
                surface.close(session);
                Err(error)
            }
        }
    }

    fn register(&self, session: &Opened) -> Result<*mut c_void, NvencError> {
        let mut resource = RegisterResource {
            version: abi::REGISTER_VERSION,
            resource_type: abi::RESOURCE_CUDA_DEVICE_POINTER,
            width: self.shape.width,
            height: self.shape.height,
            // lines of the card's memory are far below 4 GiB
            pitch: self.device.1 as u32,
            resource: ptr::with_exposed_provenance_mut(self.device.0 as usize),
            format: self.shape.format,
            ..RegisterResource::zeroed()
        };
        let driver = session.driver();
        // SAFETY: the structure is of the version it says; the memory lives until the resource is unregistered.
        let status = unsafe { (driver.nvenc.register)(session.handle(), &raw mut resource) };
        driver.call(session.handle(), "registering a picture", status)?;
        Ok(resource.registered)
    }

    /// Pinned memory for the next picture. It counts once it is [`Self::written`].
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: allocated with that many bytes, zeroed then, and ours alone until close.
        unsafe { slice::from_raw_parts_mut(self.host, self.shape.bytes()) }
    }

    /// The picture is in pinned memory.
    pub fn written(&mut self) {
        (self.in_memory, self.on_card) = (true, false);
    }

    /// See to it that the last picture is on the card. False: there is none any more.
    ///
    /// # Errors
    /// What CUDA says.
    pub fn bring(&mut self, session: &Opened) -> Result<bool, NvencError> {
        if self.in_memory && !self.on_card {
            let (device, shape) = (self.device, self.shape);
            let entered = session.context().enter()?;
            entered.upload(self.bytes(), device, shape.line, shape.lines)?;
            self.on_card = true;
        }
        Ok(self.on_card)
    }

    /// Have a picture of the card's written: `write` is told where the memory is and how far apart its lines are.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn fill(
        &mut self,
        write: impl FnOnce((DevicePointer, usize)) -> Result<(), NvencError>,
    ) -> Result<(), NvencError> {
        self.on_card = false;
        write(self.device)?;
        (self.in_memory, self.on_card) = (false, true);
        Ok(())
    }

    /// The last picture, for another surface; from the card if need be, where that still answers.
    pub fn keep(&mut self, session: &Opened) -> Option<Vec<u8>> {
        if self.in_memory {
            return Some(self.bytes().to_vec());
        }
        let shape = self.shape;
        let mut kept = self.on_card.then(|| vec![0; shape.bytes()])?;
        let entered = session.context().enter().ok()?;
        let read = entered.download(self.device, &mut kept, shape.line, shape.lines);
        read.is_ok().then_some(kept)
    }

    pub fn pitch(&self) -> u32 {
        self.device.1 as u32
    }

    /// Hand it to the encoder for as long as `use_it` runs.
    ///
    /// # Errors
    /// What the driver or `use_it` says.
    pub fn mapped<T>(
        &self,
        session: &Opened,
        use_it: impl FnOnce(*mut c_void) -> Result<T, NvencError>,
    ) -> Result<T, NvencError> {
        let driver = session.driver();
        let mut map = MapResource {
            version: abi::MAP_VERSION,
            registered: self.registered,
            ..MapResource::zeroed()
        };
        // SAFETY: the structure is of the version it says, and the resource is registered.
        let status = unsafe { (driver.nvenc.map)(session.handle(), &raw mut map) };
        driver.call(session.handle(), "mapping a picture", status)?;
        let result = use_it(map.mapped);
        // SAFETY: mapped above, unmapped once, after the encoder has finished with it.
        let status = unsafe { (driver.nvenc.unmap)(session.handle(), map.mapped) };
        let unmapped = driver.call(session.handle(), "unmapping a picture", status);
        result.and_then(|value| unmapped.map(|()| value))
    }

    /// Give everything back; on a lost device as much as can be.
    pub fn close(&mut self, session: &Opened) {
        let registered = std::mem::replace(&mut self.registered, ptr::null_mut());
        if !registered.is_null() {
            // SAFETY: registered by create with this session, and not mapped.
            unsafe { (session.driver().nvenc.unregister)(session.handle(), registered) };
        }
        let host = std::mem::replace(&mut self.host, ptr::null_mut());
        let device = std::mem::take(&mut self.device);
        // a context that cannot be entered takes its memory with it when it is destroyed
        let Ok(entered) = session.context().enter() else {
            return;
        };
        if device.0 != 0 {
            entered.free(device.0);
        }
        if !host.is_null() {
            entered.free_host(host);
        }
    }
}
