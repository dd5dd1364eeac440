//! One encode session: opened on a context, set up for a stream, one picture at a time in and out.
//!
//! A picture is encoded and its bitstream fetched in one call, which may hand out slices meanwhile: nothing is ever under way between two calls, which is the
//! lowest latency there is and makes tearing down simple. All calls come from the thread that owns the encoder.

use super::{
    abi::{
        self, CreateBitstream, Handle, LockBitstream, OpenSession, Picture, Plain, PresetConfig,
        Reconfigure,
    },
    configuration::Plan,
    cuda::Context,
    error::{INCOMPATIBLE_CLIENT_KEY, NvencError, OUT_OF_MEMORY},
    import::Importer,
    library::Driver,
    metadata::{self, Metadata},
    slices::Slices,
    surface::{Shape, Surface},
};
use crate::source::{Dmabuf, DmabufFormat};
use std::{ffi::c_void, ptr, slice, sync::Arc, thread, time::Duration};

/// The largest access unit that is taken from the driver, in bytes: more than any ring slot holds.
const MAX_UNIT: usize = 64 << 20;
/// The status of a card that is busy with other programs, how long it is given, and how often.
const BUSY: abi::Status = 18;
const BUSY_PAUSE: Duration = Duration::from_millis(1);
const BUSY_RETRIES: u32 = 100;

/// A session without an encoder in it yet: enough to ask what the card can do.
pub struct Opened {
    context: Context,
    handle: Handle,
}

// SAFETY: the driver lets one thread after the other use a session; only its owner does.
unsafe impl Send for Opened {}

impl Opened {
    /// # Errors
    /// No encoder on the card, too many sessions, or what the driver says.
    pub fn open(context: Context) -> Result<Self, NvencError> {
        let driver = Arc::clone(context.driver());
        let mut open = OpenSession {
            version: abi::OPEN_SESSION_VERSION,
            device_type: abi::DEVICE_TYPE_CUDA,
            device: context.raw(),
            api_version: abi::API_VERSION,
            ..OpenSession::zeroed()
        };
        let mut handle = ptr::null_mut();
        // SAFETY: the structure is of the version it says; the context outlives the session, see Drop and the field order.
        let status = unsafe { (driver.nvenc.open_session_ex)(&raw mut open, &raw mut handle) };
        let version = driver.version.clone();
        let card = || context.card.clone();
        let refused = match status {
            0 if handle.is_null() => Some(NvencError::NoEncoder {
                card: card(),
                driver: version,
            }),
            // no encode device, unsupported device
            1 | 2 => Some(NvencError::NoEncoder {
                card: card(),
                driver: version,
            }),
            OUT_OF_MEMORY | INCOMPATIBLE_CLIENT_KEY => Some(NvencError::TooManySessions {
                card: card(),
                driver: version,
            }),
            _ => driver
                .call(ptr::null_mut(), "opening an encoder", status)
                .err(),
        };
        if let Some(error) = refused {
            // the header asks for this even after a failure that left a handle
            if !handle.is_null() {
                // SAFETY: the driver's own handle, not used again.
                unsafe { (driver.nvenc.destroy)(handle) };
            }
            return Err(error);
        }
        Ok(Self { context, handle })
    }

    pub fn handle(&self) -> Handle {
        self.handle
    }

    pub fn context(&self) -> &Context {
        &self.context
    }

    pub fn driver(&self) -> &Arc<Driver> {
        self.context.driver()
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // SAFETY: opened by open, destroyed once; the context is destroyed after it.
        unsafe { (self.driver().nvenc.destroy)(self.handle) };
    }
}

/// What came out for a picture; the bytes are in the buffer that was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoded {
    pub key: bool,
    /// What was handed out early is the beginning of it.
    pub continues: bool,
}

/// An encoder that takes pictures.
pub struct Session {
    surface: Surface,
    /// From the first question for it, or the first picture in the memory of the GPU, on.
    importer: Option<Importer>,
    bitstream: *mut c_void,
    plan: Plan,
    /// Where slices are handed out.
    slices: Option<Slices>,
    /// Goes with every key frame.
    metadata: Vec<Metadata>,
    /// Nothing was encoded yet: the next picture is a key frame unasked.
    fresh: bool,
    /// As handed to the driver, for changes of the rate.
    config: Box<abi::Config>,
    opened: Opened,
}

// SAFETY: as for Opened.
unsafe impl Send for Session {}

impl Session {
    /// # Errors
    /// What of it failed.
    pub fn open(context: Context, plan: Plan) -> Result<Self, NvencError> {
        let opened = Opened::open(context)?;
        let driver = Arc::clone(opened.driver());
        let handle = opened.handle();
        let mut preset = Box::new(PresetConfig::zeroed());
        preset.version = abi::PRESET_CONFIG_VERSION;
        preset.config.version = abi::CONFIG_VERSION;
        // SAFETY: the session is open, both structures are of the versions they say.
        let status = unsafe {
            (driver.nvenc.get_preset_config_ex)(
                handle,
                plan.codec.guid(),
                abi::PRESET_P1,
                abi::TUNING_ULTRA_LOW_LATENCY,
                &raw mut *preset,
            )
        };
        driver.call(handle, "asking for the fastest preset", status)?;
        let mut config = Box::new(preset.config);
        plan.apply(&mut config);
        let mut initialize = plan.initialize(&mut config);
        // SAFETY: the structure is of the version it says and points to a configuration that lives through the call.
        let status = unsafe { (driver.nvenc.initialize)(handle, &raw mut initialize) };
        driver.call(handle, "setting up the encoder", status)?;
        let mut create = CreateBitstream {
            version: abi::CREATE_BITSTREAM_VERSION,
            ..CreateBitstream::zeroed()
        };
        // SAFETY: the encoder is set up; the structure is of the version it says.
        let status = unsafe { (driver.nvenc.create_bitstream)(handle, &raw mut create) };
        driver.call(handle, "making room for the bitstream", status)?;
        let shape = Shape::new(plan.width, plan.height, plan.format());
        let surface = match Surface::create(&opened, shape) {
            Ok(surface) => surface,
            Err(error) => {
                // SAFETY: made above, not in use.
                unsafe { (driver.nvenc.destroy_bitstream)(handle, create.buffer) };
                return Err(error);
            }
        };
        Ok(Self {
            surface,
            importer: None,
            bitstream: create.buffer,
            metadata: metadata::of(plan.codec, plan.mastering.as_ref()),
            fresh: true,
            slices: Slices::of(&plan),
            plan,
            config,
            opened,
        })
    }

    /// Where the converter writes the next picture.
    pub fn picture(&mut self) -> &mut [u8] {
        self.surface.bytes()
    }

    /// It has done so.
    pub fn written(&mut self) {
        self.surface.written();
    }

    /// See to it that the last picture is on the card. False: there is none any more.
    ///
    /// # Errors
    /// What CUDA says.
    pub fn bring(&mut self) -> Result<bool, NvencError> {
        if let Some(importer) = &mut self.importer {
            importer.forget_gone();
        }
        self.surface.bring(&self.opened)
    }

    /// The last picture, for another session; `None` where there is none any more.
    pub fn keep(&mut self) -> Option<Vec<u8>> {
        self.surface.keep(&self.opened)
    }

    /// What [`Self::import`] takes, best first: everything that it needs was made.
    ///
    /// # Errors
    /// Why nothing.
    pub fn importable(&mut self) -> Result<Vec<DmabufFormat>, NvencError> {
        let importer = self.take_importer()?;
        let formats = importer.formats().to_vec();
        self.importer = Some(importer);
        Ok(formats)
    }

    /// Bring a picture of the GPU's memory to the card. When this returns it was read.
    ///
    /// # Errors
    /// What EGL, OpenGL or CUDA say.
    pub fn import(&mut self, picture: &Dmabuf) -> Result<(), NvencError> {
        let mut importer = self.take_importer()?;
        let imported = importer.convert(self.opened.context(), picture, &mut self.surface);
        self.importer = Some(importer);
        imported
    }

    fn take_importer(&mut self) -> Result<Importer, NvencError> {
        match self.importer.take() {
            Some(importer) => Ok(importer),
            None => Importer::create(self.opened.context(), self.surface.shape, self.plan.colour),
        }
    }

    /// Encode the picture on the card under a time stamp; `unit` becomes its access unit. `early` gets its beginning, and into how
    /// many parts it is cut, whenever one more of these is final.
    ///
    /// # Errors
    /// What the driver says.
    pub fn encode(
        &mut self,
        stamp: u64,
        idr: bool,
        unit: &mut Vec<u8>,
        early: &mut dyn FnMut(&[u8], u8),
    ) -> Result<Encoded, NvencError> {
        let (shape, pitch) = (self.surface.shape, self.surface.pitch());
        let mut picture = Picture {
            version: abi::PICTURE_VERSION,
            width: shape.width,
            height: shape.height,
            pitch,
            // the driver's own counter is 32 bits and wraps
            frame_index: stamp as u32,
            time_stamp: stamp,
            output: self.bitstream,
            format: shape.format,
            picture_struct: abi::PICTURE_STRUCT_FRAME,
            ..Picture::zeroed()
        };
        if idr {
            picture.flags = abi::FLAG_FORCE_IDR | abi::FLAG_OUTPUT_PARAMETER_SETS;
        }
        let mut payloads = Vec::new();
        if idr || self.fresh {
            payloads.extend(self.metadata.iter().map(Metadata::payload));
            metadata::attach(self.plan.codec, &mut payloads, &mut picture.codec);
        }
        let (driver, handle) = (self.opened.driver(), self.opened.handle());
        // taken out, as the rest of the session is looked at meanwhile
        let mut slices = self.slices.take();
        let encoded = self.surface.mapped(&self.opened, |input| {
            picture.input = input;
            let mut status = BUSY;
            for _ in 0..BUSY_RETRIES {
                // SAFETY: the structure is of the version it says; input is mapped, output is this session's, not locked; the
                // payloads, and the bytes that they point to, live through the call.
                status = unsafe { (driver.nvenc.encode_picture)(handle, &raw mut picture) };
                if status != BUSY {
                    break;
                }
                thread::sleep(BUSY_PAUSE);
            }
            driver.call(handle, "encoding a picture", status)?;
            let locked = match &mut slices {
                Some(slices) => slices.watch(driver, handle, self.bitstream, unit, early)?,
                None => None,
            };
            self.fetch(unit, slices.as_mut(), locked)
        });
        self.slices = slices;
        let encoded = encoded?;
        if let Some(slices) = self.slices.as_mut().filter(|_| !encoded.continues) {
            slices.give_up();
        }
        self.fresh = false;
        Ok(encoded)
    }

    fn fetch(
        &self,
        unit: &mut Vec<u8>,
        mut slices: Option<&mut Slices>,
        locked: Option<LockBitstream>,
    ) -> Result<Encoded, NvencError> {
        let (driver, handle) = (self.opened.driver(), self.opened.handle());
        // a driver that was told to report places may do so whether they are looked at or not
        let slice_offsets = (slices.as_mut()).map_or(ptr::null_mut(), |slices| slices.offsets());
        let is_locked = locked.is_some();
        let mut lock = locked.unwrap_or(LockBitstream {
            version: abi::LOCK_BITSTREAM_VERSION,
            output: self.bitstream,
            slice_offsets,
            ..LockBitstream::zeroed()
        });
        if !is_locked {
            // SAFETY: the structure is of the version it says; the call waits for the picture.
            let status = unsafe { (driver.nvenc.lock_bitstream)(handle, &raw mut lock) };
            driver.call(handle, "fetching a picture", status)?;
        }
        let size = lock.size as usize;
        let bytes: &[u8] = if size <= MAX_UNIT && !lock.bytes.is_null() {
            // SAFETY: the driver says that so many bytes lie there until the buffer is unlocked.
            unsafe { slice::from_raw_parts(lock.bytes.cast::<u8>(), size) }
        } else {
            &[]
        };
        let continues = slices.is_none_or(|slices| slices.continue_in(unit, bytes));
        unit.clear();
        unit.extend_from_slice(bytes);
        // SAFETY: locked above.
        let status = unsafe { (driver.nvenc.unlock_bitstream)(handle, self.bitstream) };
        driver.call(handle, "releasing a picture", status)?;
        Ok(Encoded {
            key: lock.picture_type == abi::PICTURE_TYPE_IDR,
            continues,
        })
    }

    /// Never refer to the picture with this time stamp again.
    ///
    /// # Errors
    /// What the driver says.
    pub fn invalidate(&mut self, stamp: u64) -> Result<(), NvencError> {
        let (driver, handle) = (self.opened.driver(), self.opened.handle());
        // SAFETY: the encoder is set up.
        let status = unsafe { (driver.nvenc.invalidate)(handle, stamp) };
        driver.call(handle, "leaving out a lost picture", status)
    }

    /// Aim at this rate from the next picture on, without a key frame.
    ///
    /// # Errors
    /// What the driver says; the old rate stays.
    pub fn set_bitrate(&mut self, kbps: u32) -> Result<(), NvencError> {
        let mut plan = self.plan.clone();
        plan.kbps = kbps;
        let mut config = self.config.clone();
        plan.apply(&mut config);
        let mut reconfigure = Reconfigure {
            version: abi::RECONFIGURE_VERSION,
            initialize: plan.initialize(&mut config),
            flags: 0,
        };
        let (driver, handle) = (self.opened.driver(), self.opened.handle());
        // SAFETY: the structures are of the versions they say; the configuration lives through the call.
        let status = unsafe { (driver.nvenc.reconfigure)(handle, &raw mut reconfigure) };
        driver.call(handle, "changing the bit rate", status)?;
        (self.plan, self.config) = (plan, config);
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(importer) = &mut self.importer {
            importer.close(self.opened.context());
        }
        self.surface.close(&self.opened);
        let (driver, handle) = (self.opened.driver(), self.opened.handle());
        // SAFETY: made by open, not locked, destroyed once, before the session.
        unsafe { (driver.nvenc.destroy_bitstream)(handle, self.bitstream) };
    }
}
