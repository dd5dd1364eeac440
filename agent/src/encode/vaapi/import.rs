//! The compositor's own buffers as surfaces, converted by the card: no copy through memory.
//!
//! What may be imported is asked of the driver. Offered are two layouts of each format: the one that the driver gives surfaces
//! of its own, and line after line. A buffer is imported once and remembered for as long as the compositor keeps it.

use super::{
    abi::{
        self, Id, Pipeline, Plain, PrimeDescriptor, PrimeLayer, PrimeObject, Rectangle,
        SurfaceAttrib,
    },
    buffers::Batch,
    display::Display,
    error::VaapiError,
    plan::Plan,
    surface,
};
use crate::{
    convert::{Colour, ColourSpace, placement},
    source::{Dmabuf, DmabufFormat, dmabuf::DmabufBuffer},
};
use nix::{
    sys::stat::fstat,
    unistd::{Whence, lseek},
};
use std::{
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
    sync::{Arc, Weak},
};

/// Formats of pictures with what libva calls them.
const FORMATS: [(u32, u32); 4] = [
    (DmabufFormat::XRGB8888, abi::FOURCC_BGRX),
    (DmabufFormat::ARGB8888, abi::FOURCC_BGRA),
    (DmabufFormat::XBGR8888, abi::FOURCC_RGBX),
    (DmabufFormat::ABGR8888, abi::FOURCC_RGBA),
];
/// A usual desktop: small surfaces may be laid out in another way than its own.
const USUAL: (u32, u32) = (1920, 1088);
/// Attributes of surfaces that are looked at.
const MAX_ATTRIBUTES: u32 = 256;
/// Buffers that are remembered: more than any compositor's pool has.
const MAX_IMPORTED: usize = 32;
/// Set to 0, all pictures go through memory.
const SWITCH: &str = "PUNKTFUNK_VAAPI_IMPORT";

struct Imported {
    buffer: Weak<DmabufBuffer>,
    id: u64,
    size: (u32, u32),
    surface: Id,
}

/// The card's conversion, and what it was given to convert. Must be closed before its display.
pub struct Importer {
    config: Id,
    context: Id,
    imported: Vec<Imported>,
}

/// What may be imported here, best first; nothing where the card does not convert as we do. Older Mesa converts to BT.709
/// whatever it is told, and a driver may take BT.2020 for more than a matrix, and change the primaries as well, which
/// conversion in memory does not: pictures in other colours than BT.709 go that way.
pub fn formats(display: &Display, colour: Colour) -> Vec<DmabufFormat> {
    let off = std::env::var_os(SWITCH).is_some_and(|value| value == "0");
    if off || colour.space != ColourSpace::Bt709 {
        return Vec::new();
    }
    let taken = match taken(display) {
        Ok(taken) => taken,
        Err(error) => {
            tracing::info!("pictures are taken to the card through memory: {error}");
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for (fourcc, name) in FORMATS {
        if !taken.contains(&name) {
            continue;
        }
        let modifiers = [own_modifier(display, name), Some(DmabufFormat::LINEAR)];
        for modifier in modifiers.into_iter().flatten() {
            let format = DmabufFormat { fourcc, modifier };
            if !found.contains(&format) {
                found.push(format);
            }
        }
    }
    found
}

/// The formats that the card converts from, as libva calls them; none where it imports no memory of the kernel's.
fn taken(display: &Display) -> Result<Vec<u32>, VaapiError> {
    let config = configuration(display)?;
    let answer = attributes(display, config);
    // SAFETY: made above, destroyed once; nothing was made of it.
    unsafe { (display.library.destroy_config)(display.raw(), config) };
    let attributes = answer?;
    let of = |kind| {
        let all = attributes.iter().filter(move |found| found.kind == kind);
        all.filter_map(SurfaceAttrib::integer)
            .map(|value| value as u32)
    };
    let imports = of(abi::SURFACE_ATTRIB_MEMORY_TYPE)
        .any(|kinds| kinds & abi::MEMORY_DRM_PRIME_2 == abi::MEMORY_DRM_PRIME_2);
    Ok(match imports {
        true => of(abi::SURFACE_ATTRIB_PIXEL_FORMAT).collect(),
        false => Vec::new(),
    })
}

fn configuration(display: &Display) -> Result<Id, VaapiError> {
    let mut config = abi::INVALID_ID;
    // SAFETY: the display is open; no attributes; one number is written.
    let status = unsafe {
        let (profile, entry) = (abi::PROFILE_NONE, abi::ENTRY_VIDEO_PROC);
        let create = display.library.create_config;
        create(
            display.raw(),
            profile,
            entry,
            ptr::null_mut(),
            0,
            &raw mut config,
        )
    };
    display.check("setting up the card's conversion", status)?;
    Ok(config)
}

fn attributes(display: &Display, config: Id) -> Result<Vec<SurfaceAttrib>, VaapiError> {
    let (query, raw) = (display.library.surface_attributes, display.raw());
    let mut count = 0;
    // SAFETY: without a list only their number is written.
    let status = unsafe { query(raw, config, ptr::null_mut(), &raw mut count) };
    display.check("asking for the attributes of surfaces", status)?;
    let mut room = count.min(MAX_ATTRIBUTES);
    let mut found = vec![SurfaceAttrib::zeroed(); room as usize];
    // SAFETY: room for as many as the call is told, and how many there are is written.
    let status = unsafe { query(raw, config, found.as_mut_ptr(), &raw mut room) };
    display.check("asking for the attributes of surfaces", status)?;
    found.truncate(room as usize);
    Ok(found)
}

/// How the driver lays out a surface of its own.
fn own_modifier(display: &Display, fourcc: u32) -> Option<u64> {
    let kind = (abi::RT_FORMAT_RGB32, fourcc);
    let mut surfaces = surface::create_of(display, kind, USUAL, 1).ok()?;
    let mut described = PrimeDescriptor::zeroed();
    // SAFETY: the surface is alive; one descriptor is written, whose files are ours.
    let status = unsafe {
        (display.library.export_surface)(
            display.raw(),
            *surfaces.first()?,
            abi::MEMORY_DRM_PRIME_2,
            abi::EXPORT_READ_ONLY | abi::EXPORT_COMPOSED,
            (&raw mut described).cast(),
        )
    };
    let modifier = (status == 0).then(|| {
        let count = described.num_objects as usize;
        for object in described.objects.iter().take(count) {
            if object.fd >= 0 {
                // SAFETY: handed over by the call, closed once.
                drop(unsafe { OwnedFd::from_raw_fd(object.fd) });
            }
        }
        described.objects[0].modifier
    });
    surface::destroy(display, &mut surfaces);
    modifier.filter(|modifier| *modifier != DmabufFormat::IMPLICIT)
}

impl Importer {
    /// For pictures that are converted into this surface, which has this size.
    ///
    /// # Errors
    /// What the driver says.
    pub fn create(display: &Display, size: (u32, u32), mut target: Id) -> Result<Self, VaapiError> {
        let mut importer = Self {
            config: configuration(display)?,
            context: abi::INVALID_ID,
            imported: Vec::new(),
        };
        // SAFETY: configuration and surface are this display's; one number is written.
        let status = unsafe {
            let (width, height) = (size.0 as i32, size.1 as i32);
            let (create, context) = (display.library.create_context, &raw mut importer.context);
            create(
                display.raw(),
                importer.config,
                width,
                height,
                abi::PROGRESSIVE,
                &raw mut target,
                1,
                context,
            )
        };
        let made = display.check("opening the card's conversion", status);
        if made.is_err() {
            importer.close(display);
        }
        made.map(|()| importer)
    }

    /// Convert a picture into a region of a surface of the stream. When this returns the card has read it, or has put that off
    /// until it encodes the surface: then it reads the picture, once, and writes nothing into the surface (Mesa's EFC).
    ///
    /// # Errors
    /// What the driver says.
    pub fn convert(
        &mut self,
        display: &Display,
        plan: &Plan,
        picture: &Dmabuf,
        (target, region): (Id, Rectangle),
    ) -> Result<(), VaapiError> {
        let buffer = picture.buffer();
        let source = self.surface(display, plan, buffer)?;
        let whole = rectangle(0, 0, buffer.width as usize, buffer.height as usize);
        let mut pipeline = Pipeline::zeroed();
        pipeline.surface = source;
        pipeline.surface_region = &raw const whole;
        // the same on both sides: the matrix alone is wanted, and no other transfer
        pipeline.surface_standard = abi::STANDARD_BT709;
        pipeline.output_region = &raw const region;
        pipeline.background = 0xff00_0000;
        pipeline.output_standard = abi::STANDARD_BT709;
        pipeline.input_colour.range = abi::RANGE_FULL;
        pipeline.output_colour.range = match plan.colour.full_range {
            true => abi::RANGE_FULL,
            false => abi::RANGE_REDUCED,
        };
        let (library, raw) = (&display.library, display.raw());
        let mut batch = Batch::new(display, self.context);
        batch.add(abi::BUFFER_PIPELINE, &pipeline)?;
        // SAFETY: context and surface are alive, no picture is begun.
        let status = unsafe { (library.begin_picture)(raw, self.context, target) };
        display.check("beginning a conversion", status)?;
        let rendered = batch.render("describing a conversion");
        // SAFETY: begun above; the buffer, and what it points to, are still alive.
        let status = unsafe { (library.end_picture)(raw, self.context) };
        drop(batch);
        rendered?;
        display.check("converting a picture", status)?;
        // SAFETY: alive. The compositor has its buffer back soon after this.
        let status = unsafe { (library.sync_surface)(raw, target) };
        display.check("waiting for a conversion", status)
    }

    /// The surface of a buffer, imported when it is first seen.
    fn surface(
        &mut self,
        display: &Display,
        plan: &Plan,
        buffer: &Arc<DmabufBuffer>,
    ) -> Result<Id, VaapiError> {
        self.forget_gone(display);
        if let Some(known) = self.imported.iter().find(|known| known.id == buffer.id) {
            return Ok(known.surface);
        }
        let size = (buffer.width, buffer.height);
        let first = !self.imported.iter().any(|known| known.size == size);
        if first && size != (plan.width, plan.height) {
            let (wide, high) = size;
            let (width, height) = (plan.width, plan.height);
            tracing::info!(
                "captured {wide}x{high}, streaming {width}x{height}: pictures are scaled by the card"
            );
        }
        if self.imported.len() >= MAX_IMPORTED {
            self.forget(display, |_| true);
        }
        let surface = import(display, buffer)?;
        self.imported.push(Imported {
            buffer: Arc::downgrade(buffer),
            id: buffer.id,
            size,
            surface,
        });
        Ok(surface)
    }

    /// Let go of buffers that the compositor's pool has let go of.
    pub fn forget_gone(&mut self, display: &Display) {
        self.forget(display, |imported| imported.buffer.strong_count() == 0);
    }

    fn forget(&mut self, display: &Display, gone: impl Fn(&Imported) -> bool) {
        self.imported.retain(|imported| {
            let gone = gone(imported);
            if gone {
                surface::destroy(display, &mut [imported.surface]);
            }
            !gone
        });
    }

    /// Let go of everything; nothing may be under way.
    pub fn close(&mut self, display: &Display) {
        self.forget(display, |_| true);
        let (library, raw) = (&display.library, display.raw());
        // SAFETY: made by create, each destroyed once.
        unsafe {
            if self.context != abi::INVALID_ID {
                (library.destroy_context)(raw, self.context);
            }
            (library.destroy_config)(raw, self.config);
        }
    }
}

/// Where a picture of this size goes: fitted, in the middle.
pub fn region(plan: &Plan, (width, height): (u32, u32)) -> Rectangle {
    let from = (width as usize, height as usize);
    let place = placement(from, (plan.width as usize, plan.height as usize));
    // chroma has half the size
    rectangle(
        place.left & !1,
        place.top & !1,
        place.wide.next_multiple_of(2),
        place.high.next_multiple_of(2),
    )
}

fn rectangle(x: usize, y: usize, width: usize, height: usize) -> Rectangle {
    Rectangle {
        x: x as i16,
        y: y as i16,
        width: width as u16,
        height: height as u16,
    }
}

fn import(display: &Display, buffer: &DmabufBuffer) -> Result<Id, VaapiError> {
    let mut described = describe(buffer).map_err(|what| VaapiError::Stream {
        what,
        driver: display.driver.clone(),
    })?;
    surface::import(display, abi::RT_FORMAT_RGB32, &mut described)
}

/// A buffer as libva describes it. Its files stay the buffer's.
fn describe(buffer: &DmabufBuffer) -> Result<PrimeDescriptor, &'static str> {
    let mut names = FORMATS.iter();
    let (_, fourcc) = names
        .find(|(format, _)| *format == buffer.format.fourcc)
        .ok_or("does not import pictures of that format")?;
    let mut described = PrimeDescriptor::zeroed();
    described.fourcc = *fourcc;
    (described.width, described.height) = (buffer.width, buffer.height);
    let mut layer = PrimeLayer {
        drm_format: buffer.format.fourcc,
        ..PrimeLayer::default()
    };
    // planes may lie in one piece of memory, which is then one object
    let mut known = Vec::new();
    for (index, plane) in buffer
        .planes
        .iter()
        .take(described.objects.len())
        .enumerate()
    {
        let unreadable = |_| "was given a buffer that is no memory";
        let status = fstat(&plane.fd).map_err(unreadable)?;
        let memory = (status.st_dev, status.st_ino);
        let object = known.iter().position(|known| *known == memory);
        let object = match object {
            Some(object) => object,
            None => {
                let size = lseek(&plane.fd, 0, Whence::SeekEnd).map_err(unreadable)?;
                described.objects[known.len()] = PrimeObject {
                    fd: plane.fd.as_raw_fd(),
                    size: u32::try_from(size)
                        .map_err(|_| "was given a buffer that is too large")?,
                    modifier: buffer.format.modifier,
                };
                known.push(memory);
                known.len() - 1
            }
        };
        layer.object_index[index] = object as u32;
        layer.offset[index] = plane.offset;
        layer.pitch[index] = plane.stride;
        layer.num_planes += 1;
    }
    described.num_objects = known.len() as u32;
    described.num_layers = 1;
    described.layers[0] = layer;
    Ok(described)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::dmabuf::Plane;
    use nix::{
        sys::memfd::{MFdFlags, memfd_create},
        unistd::ftruncate,
    };

    const MODIFIER: u64 = 0x0200_0000_0000_0001;

    fn memory(size: i64) -> OwnedFd {
        let memory = memfd_create(c"lent", MFdFlags::MFD_CLOEXEC).unwrap();
        ftruncate(&memory, size).unwrap();
        memory
    }

    fn buffer(planes: [(OwnedFd, u32, u32); 2]) -> DmabufBuffer {
        DmabufBuffer {
            id: 1,
            width: 64,
            height: 32,
            format: DmabufFormat {
                fourcc: DmabufFormat::XRGB8888,
                modifier: MODIFIER,
            },
            planes: planes
                .into_iter()
                .map(|(fd, offset, stride)| Plane { fd, offset, stride })
                .collect(),
        }
    }

    #[test]
    fn planes_in_one_memory_are_one_object() {
        let first = memory(16384);
        // as PipeWire does it: a descriptor for each plane
        let second = first.try_clone().unwrap();
        let buffer = buffer([(first, 0, 256), (second, 12288, 64)]);
        let described = describe(&buffer).unwrap();
        assert_eq!(
            (described.fourcc, described.num_objects),
            (abi::FOURCC_BGRX, 1)
        );
        assert_eq!((described.width, described.height), (64, 32));
        let object = &described.objects[0];
        assert_eq!(
            (object.fd, object.size),
            (buffer.planes[0].fd.as_raw_fd(), 16384)
        );
        assert_eq!(object.modifier, MODIFIER);
        let layer = &described.layers[0];
        assert_eq!((described.num_layers, layer.num_planes), (1, 2));
        assert_eq!(layer.drm_format, DmabufFormat::XRGB8888);
        assert_eq!(layer.object_index[..2], [0, 0]);
        assert_eq!(layer.offset[..2], [0, 12288]);
        assert_eq!(layer.pitch[..2], [256, 64]);
    }

    #[test]
    fn planes_in_two_memories_are_two_objects() {
        let buffer = buffer([(memory(8192), 128, 256), (memory(4096), 0, 64)]);
        let described = describe(&buffer).unwrap();
        assert_eq!(described.num_objects, 2);
        for (place, size) in [(0, 8192), (1, 4096)] {
            let object = &described.objects[place];
            let fd = buffer.planes[place].fd.as_raw_fd();
            assert_eq!(
                (object.fd, object.size, object.modifier),
                (fd, size, MODIFIER)
            );
        }
        let layer = &described.layers[0];
        assert_eq!(layer.num_planes, 2);
        assert_eq!(layer.object_index[..2], [0, 1]);
        assert_eq!(layer.offset[..2], [128, 0]);
        assert_eq!(layer.pitch[..2], [256, 64]);
    }
}
