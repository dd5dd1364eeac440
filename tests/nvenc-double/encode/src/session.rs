//! One session: everything that a real driver keeps track of, and the rules by which it refuses.

mod bitstreams;

use crate::{
    books,
    card::{self, Codec},
    coder::{self, Coder, Setup, Source},
    cuda, knobs, metadata,
    references::{Kind, References},
};
use std::{
    collections::HashMap,
    ffi::{CString, c_void},
};

use bitstreams::{Bitstream, Unit};

pub const SUCCESS: u32 = 0;
pub const UNSUPPORTED_DEVICE: u32 = 2;
pub const INVALID_ENCODERDEVICE: u32 = 3;
pub const DEVICE_NOT_EXIST: u32 = 5;
pub const INVALID_PTR: u32 = 6;
pub const INVALID_PARAM: u32 = 8;
pub const INVALID_CALL: u32 = 9;
pub const OUT_OF_MEMORY: u32 = 10;
pub const NOT_INITIALIZED: u32 = 11;
pub const UNSUPPORTED_PARAM: u32 = 12;
pub const LOCK_BUSY: u32 = 13;
pub const INVALID_VERSION: u32 = 15;
pub const ENCODER_BUSY: u32 = 18;
pub const REGISTER_FAILED: u32 = 23;
pub const NOT_REGISTERED: u32 = 24;
pub const NOT_MAPPED: u32 = 25;

struct Resource {
    address: u64,
    width: u32,
    height: u32,
    pitch: u32,
    format: u32,
    mapped: Option<usize>,
}

/// What `nvEncRegisterResource` is told.
pub struct Registration {
    pub kind: u32,
    pub address: u64,
    pub width: u32,
    pub height: u32,
    pub pitch: u32,
    pub format: u32,
}

/// What `nvEncEncodePicture` is told.
pub struct Submission {
    pub input: usize,
    pub output: usize,
    pub width: u32,
    pub height: u32,
    pub format: u32,
    pub picture_struct: u32,
    pub flags: u32,
    pub stamp: u64,
    pub frame_index: u32,
    /// Where the messages for the stream begin, and how many: the address of an array of `NV_ENC_SEI_PAYLOAD`.
    pub payloads: Payloads,
}

/// By the codec that the session was set up for: the places differ.
pub struct Payloads {
    pub hevc: (usize, u32),
    pub av1: (usize, u32),
}

pub struct Session {
    pub id: usize,
    context: usize,
    setup: Option<(Setup, bool)>,
    coder: Option<Box<dyn Coder>>,
    references: References,
    bitstreams: HashMap<usize, Bitstream>,
    resources: HashMap<usize, Resource>,
    next: usize,
    pictures: u64,
    refused_as_busy: u64,
    lost: bool,
    pub last_error: CString,
}

impl Session {
    pub fn new(id: usize, context: usize) -> Self {
        Self {
            id,
            context,
            setup: None,
            coder: None,
            references: References::default(),
            bitstreams: HashMap::new(),
            resources: HashMap::new(),
            next: id * 0x1000,
            pictures: 0,
            refused_as_busy: 0,
            lost: false,
            last_error: CString::default(),
        }
    }

    /// Registered, mapped, bitstream buffers.
    pub fn holds(&self) -> [usize; 3] {
        let mapped = self
            .resources
            .values()
            .filter(|resource| resource.mapped.is_some());
        [self.resources.len(), mapped.count(), self.bitstreams.len()]
    }

    /// A refusal that a correct program never gets.
    pub fn misuse(&mut self, status: u32, text: &str) -> u32 {
        books::fault(&format!("session {}: {text}", self.id));
        self.last_error = CString::new(text).unwrap_or_default();
        status
    }

    fn number(&mut self) -> usize {
        self.next += 8;
        self.next
    }

    fn context(&self) -> *mut c_void {
        std::ptr::without_provenance_mut(self.context)
    }

    /// Whether the device is still there; every call but those that let go of something asks.
    pub fn alive(&self) -> Result<(), u32> {
        match self.lost {
            true => Err(DEVICE_NOT_EXIST),
            false => Ok(()),
        }
    }

    fn set_up(&mut self) -> Result<(Setup, bool), u32> {
        self.alive()?;
        match self.setup {
            Some(setup) => Ok(setup),
            None => Err(self.misuse(NOT_INITIALIZED, "used before nvEncInitializeEncoder")),
        }
    }

    /// `repeats`: parameter sets come with every IDR.
    pub fn initialize(&mut self, setup: Setup, repeats: bool) -> Result<(), u32> {
        self.alive()?;
        if self.setup.is_some() {
            return Err(self.misuse(INVALID_CALL, "initialised twice"));
        }
        self.references = References::new(setup.references);
        self.coder = Some(coder::open(&setup));
        self.setup = Some((setup, repeats));
        Ok(())
    }

    pub fn reconfigure(&mut self, new: Setup, repeats: bool, flags: u32) -> Result<(), u32> {
        let (old, _) = self.set_up()?;
        if flags != 0 {
            return Err(self.misuse(
                UNSUPPORTED_PARAM,
                "a change of the rate with a reset or an IDR",
            ));
        }
        if (Setup {
            kbps: old.kbps,
            ..new
        }) != old
        {
            return Err(self.misuse(
                INVALID_PARAM,
                "reconfigured with something else than the rate",
            ));
        }
        books::call(&format!("{} rate {}", self.id, new.kbps));
        if let Some(coder) = &mut self.coder {
            coder.set_rate(new.kbps);
        }
        self.setup = Some((new, repeats));
        Ok(())
    }

    pub fn register(&mut self, wanted: &Registration) -> Result<usize, u32> {
        self.set_up()?;
        if wanted.kind != 1 {
            return Err(self.misuse(
                UNSUPPORTED_PARAM,
                "the double takes CUDA device pointers only",
            ));
        }
        let (line, lines) = shape(wanted.format, wanted.width, wanted.height);
        if (wanted.pitch as usize) < line {
            return Err(self.misuse(INVALID_PARAM, "a pitch shorter than a line"));
        }
        let needed = wanted.pitch as usize * (lines - 1) + line;
        if cuda::room(wanted.address).is_none_or(|room| room < needed) {
            return Err(self.misuse(
                REGISTER_FAILED,
                "registered memory is smaller than its picture",
            ));
        }
        if !cuda::belongs(self.context(), wanted.address) {
            return Err(REGISTER_FAILED);
        }
        let twice = self
            .resources
            .values()
            .any(|known| known.address == wanted.address);
        if twice {
            return Err(self.misuse(REGISTER_FAILED, "memory was registered twice"));
        }
        let number = self.number();
        let resource = Resource {
            address: wanted.address,
            width: wanted.width,
            height: wanted.height,
            pitch: wanted.pitch,
            format: wanted.format,
            mapped: None,
        };
        self.resources.insert(number, resource);
        Ok(number)
    }

    pub fn unregister(&mut self, number: usize) -> Result<(), u32> {
        match self.resources.get(&number) {
            Some(resource) if resource.mapped.is_some() => {
                Err(self.misuse(INVALID_CALL, "a mapped resource was unregistered"))
            }
            Some(_) => {
                self.resources.remove(&number);
                Ok(())
            }
            None => Err(self.misuse(
                NOT_REGISTERED,
                "a resource was unregistered that is not registered",
            )),
        }
    }

    /// The mapped resource, and its format.
    pub fn map(&mut self, number: usize) -> Result<(usize, u32), u32> {
        self.set_up()?;
        let mapped = self.number();
        match self.resources.get_mut(&number) {
            Some(resource) if resource.mapped.is_none() => {
                resource.mapped = Some(mapped);
                Ok((mapped, resource.format))
            }
            Some(_) => Err(self.misuse(INVALID_CALL, "a resource was mapped twice")),
            None => Err(self.misuse(
                NOT_REGISTERED,
                "a resource was mapped that is not registered",
            )),
        }
    }

    pub fn unmap(&mut self, mapped: usize) -> Result<(), u32> {
        if self.encodes_from(mapped) && !self.lost {
            self.misuse(SUCCESS, "a picture was unmapped while it was encoded");
        }
        let mut all = self.resources.values_mut();
        match all.find(|resource| resource.mapped == Some(mapped)) {
            Some(resource) => {
                resource.mapped = None;
                Ok(())
            }
            None => Err(self.misuse(NOT_MAPPED, "a resource was unmapped that is not mapped")),
        }
    }

    pub fn encode(&mut self, wanted: &Submission) -> Result<(), u32> {
        let (setup, repeats) = self.set_up()?;
        if let Some(every) = knobs::busy()
            && (self.pictures + 1).is_multiple_of(every)
            && self.refused_as_busy < 3
        {
            self.refused_as_busy += 1;
            return Err(ENCODER_BUSY);
        }
        self.refused_as_busy = 0;
        let mut all = self.resources.values();
        let Some(resource) = all.find(|resource| resource.mapped == Some(wanted.input)) else {
            return Err(self.misuse(NOT_MAPPED, "a picture that is not mapped"));
        };
        let (address, pitch) = (resource.address, resource.pitch as usize);
        let same = (resource.width, resource.height, resource.format)
            == (wanted.width, wanted.height, wanted.format)
            && (wanted.width, wanted.height) == (setup.width, setup.height);
        if !same || wanted.picture_struct != 1 {
            return Err(self.misuse(
                INVALID_PARAM,
                "a picture of another size, format or structure",
            ));
        }
        let set_up_for = match (setup.chroma_444, setup.bits) {
            (false, 8) => card::NV12,
            (true, 8) => card::YUV444,
            (false, _) => card::YUV420_10,
            (true, _) => card::YUV444_10,
        };
        if wanted.format != set_up_for {
            return Err(self.misuse(
                UNSUPPORTED_PARAM,
                "a format that the encoder was not set up for",
            ));
        }
        if !matches!(self.bitstreams.get(&wanted.output), Some(Bitstream::Free)) {
            return Err(self.misuse(
                INVALID_PARAM,
                "a bitstream buffer that is missing or in use",
            ));
        }
        if self
            .references
            .last()
            .is_some_and(|last| wanted.stamp <= last)
        {
            return Err(self.misuse(
                INVALID_PARAM,
                "a time stamp that is not later than the last one",
            ));
        }
        if knobs::lose(self.pictures) {
            self.lost = true;
            crate::registry::lost();
            cuda::lose(self.context());
            return Err(DEVICE_NOT_EXIST);
        }
        let (line, lines) = shape(wanted.format, wanted.width, wanted.height);
        let bytes = cuda::read(self.context(), address, pitch, line, lines)
            .map_err(|_| DEVICE_NOT_EXIST)?;
        let low_bits = |word: &[u8]| word[0] & 0x3f != 0;
        if setup.bits == 10 && bytes.chunks_exact(2).any(low_bits) {
            return Err(self.misuse(
                INVALID_PARAM,
                "samples of 10 bits that are not in the upper bits of their words",
            ));
        }
        let metadata = match metadata::read(&setup, &wanted.payloads) {
            Ok(metadata) => metadata,
            Err(text) => return Err(self.misuse(INVALID_PARAM, text)),
        };
        let kind = match wanted.flags & 2 {
            0 => self.references.next(),
            _ => Kind::Idr,
        };
        let headers = kind == Kind::Idr && (repeats || wanted.flags & 4 != 0 || self.pictures == 0);
        let source = Source {
            width: wanted.width as usize,
            height: wanted.height as usize,
            bytes: &bytes,
            metadata: &metadata,
        };
        let Some(coder) = &mut self.coder else {
            return Err(NOT_INITIALIZED);
        };
        let bytes = coder.encode(&source, wanted.stamp, kind, headers);
        self.references.encoded(wanted.stamp, kind);
        self.pictures += 1;
        let (name, from) = match kind {
            Kind::Idr => ("IDR", "-".to_owned()),
            Kind::Intra => ("I", "-".to_owned()),
            Kind::From { stamp, .. } => ("P", stamp.to_string()),
        };
        books::picture(&format!(
            "{} {} {name} {from} {} {}",
            self.id,
            wanted.stamp,
            setup.kbps,
            bytes.len()
        ));
        let unit = Unit::new(setup.codec, bytes, wanted, kind, self.pictures - 1);
        self.bitstreams
            .insert(wanted.output, Bitstream::Waiting(unit));
        Ok(())
    }

    pub fn invalidate(&mut self, stamp: u64) -> Result<(), u32> {
        self.set_up()?;
        if !knobs::invalidation() {
            return Err(self.misuse(UNSUPPORTED_PARAM, "invalidation on a card that cannot"));
        }
        if self.references.last().is_none_or(|last| stamp > last) {
            return Err(self.misuse(
                INVALID_PARAM,
                "a picture was invalidated that was never encoded",
            ));
        }
        books::call(&format!("{} invalidate {stamp}", self.id));
        self.references.invalidate(stamp);
        Ok(())
    }

    /// Before it goes: nothing may be left.
    pub fn close(&mut self) {
        let [registered, mapped, bitstreams] = self.holds();
        if registered + mapped + bitstreams > 0 && !self.lost {
            self.misuse(
                SUCCESS,
                &format!("destroyed with {registered} resources, {mapped} mapped, {bitstreams} bitstreams"),
            );
        }
    }
}

/// Bytes of a line, and lines of all planes.
fn shape(format: u32, width: u32, height: u32) -> (usize, usize) {
    let (width, height) = (width as usize, height as usize);
    match format {
        card::YUV444 => (width, height * 3),
        card::YUV420_10 => (width * 2, height * 3 / 2),
        card::YUV444_10 => (width * 2, height * 3),
        _ => (width, height * 3 / 2),
    }
}

/// Whether the codec is one of this card and the mode within its limits.
pub fn fits(codec: Codec, width: u32, height: u32) -> bool {
    let within = |cap: u32, value: u32| {
        codec
            .capability(cap)
            .is_some_and(|limit| value as i32 <= limit)
    };
    let at_least = |cap: u32, value: u32| {
        codec
            .capability(cap)
            .is_some_and(|limit| value as i32 >= limit)
    };
    within(16, width) && within(17, height) && at_least(45, width) && at_least(46, height)
}
