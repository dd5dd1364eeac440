//! Surfaces: of the driver's own memory, or of a buffer that another program has made.

use crate::{
    abi::{self, Id, Plain, PrimeDescriptor, SurfaceAttrib},
    display::MAX_SIDE,
    knobs,
    objects::{list, put},
    state::{State, Surface, code, misuse, state},
    status::{
        ALLOCATION_FAILED, ATTR_NOT_SUPPORTED, INVALID_CONFIG, INVALID_PARAMETER, INVALID_SURFACE,
        MAX_NUM_EXCEEDED, UNSUPPORTED_MEMORY_TYPE, UNSUPPORTED_RT_FORMAT,
    },
};
use std::{
    ffi::{c_int, c_uint, c_void},
    fs::File,
    os::fd::{BorrowedFd, IntoRawFd},
};

/// How this driver lays out surfaces of its own: line after line, under a name of its own.
pub const OWN_MODIFIER: u64 = 0x0700_0000_0000_0001;

/// What libva calls formats, and what the kernel calls them.
const FORMATS: [(u32, [u8; 4]); 4] = [
    (abi::FOURCC_BGRX, *b"XR24"),
    (abi::FOURCC_BGRA, *b"AR24"),
    (abi::FOURCC_RGBX, *b"XB24"),
    (abi::FOURCC_RGBA, *b"AB24"),
];

/// The memory of a buffer that another program has made. The driver keeps the memory, not the program's descriptor.
pub struct External {
    pub memory: File,
    pub offset: u64,
    pub pitch: usize,
}

fn bytes_of(fourcc: u32, width: usize, height: usize) -> usize {
    match fourcc {
        abi::FOURCC_NV12 => width * height * 3 / 2,
        _ => width * height * 4,
    }
}

/// What surfaces are made with: their format, or a buffer.
fn wanted(kind: u32, attribs: &[SurfaceAttrib]) -> Result<(u32, Option<*mut c_void>), i32> {
    let wrong = || misuse(ATTR_NOT_SUPPORTED, "a wrong attribute of surfaces");
    let (mut fourcc, mut memory, mut external) = (None, 0, None);
    for attrib in attribs {
        if attrib.flags != abi::SURFACE_ATTRIB_SETTABLE {
            return Err(wrong());
        }
        let number = attrib.integer().map(|value| value as u32);
        match attrib.kind {
            abi::SURFACE_ATTRIB_PIXEL_FORMAT => fourcc = Some(number.ok_or_else(wrong)?),
            abi::SURFACE_ATTRIB_MEMORY_TYPE => memory = number.ok_or_else(wrong)?,
            abi::SURFACE_ATTRIB_EXTERNAL => external = Some(attrib.pointer().ok_or_else(wrong)?),
            _ => return Err(wrong()),
        }
    }
    match (kind, fourcc, external) {
        (abi::RT_FORMAT_YUV420, Some(abi::FOURCC_NV12), None) => Ok((abi::FOURCC_NV12, None)),
        (abi::RT_FORMAT_RGB32, Some(fourcc), None)
            if FORMATS.iter().any(|(name, _)| *name == fourcc) =>
        {
            Ok((fourcc, None))
        }
        (abi::RT_FORMAT_RGB32, None, Some(external)) if memory == abi::MEMORY_DRM_PRIME_2 => {
            Ok((0, Some(external)))
        }
        _ => Err(misuse(UNSUPPORTED_RT_FORMAT, "surfaces of a wrong kind")),
    }
}

/// A buffer of another program, as it is described.
fn imported(described: &PrimeDescriptor, size: (u32, u32)) -> Result<(u32, External), i32> {
    let wrong = |what: &str| {
        misuse(
            INVALID_PARAMETER,
            &format!("a buffer of another program {what}"),
        )
    };
    if knobs::set("REFUSE_IMPORT") {
        return Err(ALLOCATION_FAILED);
    }
    if knobs::set("NO_IMPORT") {
        return Err(wrong("where none is taken"));
    }
    let (object, layer) = (&described.objects[0], &described.layers[0]);
    if (
        described.num_objects,
        described.num_layers,
        layer.num_planes,
    ) != (1, 1, 1)
    {
        return Err(wrong("in more or fewer parts than one"));
    }
    let mut names = FORMATS.iter();
    if !names.any(|(name, drm)| {
        (*name, u32::from_le_bytes(*drm)) == (described.fourcc, layer.drm_format)
    }) {
        return Err(wrong("with two formats"));
    }
    if (described.width, described.height) != size || layer.object_index[0] != 0 {
        return Err(wrong("of another size than its surface"));
    }
    if ![0, OWN_MODIFIER].contains(&object.modifier) {
        return Err(wrong("in a layout that is not this driver's"));
    }
    let (pitch, offset) = (layer.pitch[0] as usize, layer.offset[0] as usize);
    let (width, height) = (size.0 as usize, size.1 as usize);
    let end = offset + pitch * height.saturating_sub(1) + width * 4;
    if pitch < width * 4 || end > object.size as usize || object.fd < 0 {
        return Err(wrong("that is smaller than its picture"));
    }
    // SAFETY: the caller's contract: an open descriptor; it stays the caller's.
    let memory = unsafe { BorrowedFd::borrow_raw(object.fd) }
        .try_clone_to_owned()
        .map(File::from)
        .map_err(|_| wrong("that is closed"))?;
    let there = memory.metadata().map_or(0, |found| found.len());
    if there != u64::from(object.size) {
        return Err(wrong("of another size than it says"));
    }
    let offset = offset as u64;
    Ok((
        described.fourcc,
        External {
            memory,
            offset,
            pitch,
        },
    ))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn vaCreateSurfaces(
    display: abi::Display,
    format: c_uint,
    width: c_uint,
    height: c_uint,
    surfaces: *mut Id,
    count: c_uint,
    attribs: *mut SurfaceAttrib,
    attrib_count: c_uint,
) -> abi::Status {
    let mut state = state();
    let display = display.addr();
    code((|| {
        state.ready(display)?;
        let sides = 1..=MAX_SIDE;
        if !sides.contains(&width) || !sides.contains(&height) || surfaces.is_null() {
            return Err(misuse(UNSUPPORTED_RT_FORMAT, "surfaces of a wrong size"));
        }
        // SAFETY: the caller's contract.
        let (mut fourcc, pointer) =
            wanted(format, unsafe { list(attribs, attrib_count as usize) })?;
        let mut external = None;
        if let Some(pointer) = pointer {
            // SAFETY: the caller's contract: a descriptor, which lives until the call returns.
            let described = unsafe { pointer.cast::<PrimeDescriptor>().as_ref() };
            let described =
                described.ok_or_else(|| misuse(INVALID_PARAMETER, "a buffer of nothing"))?;
            if count != 1 {
                return Err(misuse(INVALID_PARAMETER, "several surfaces of one buffer"));
            }
            if state.unsettled > 0 {
                state.unsettled -= 1;
                return Err(ALLOCATION_FAILED);
            }
            let (name, memory) = imported(described, (width, height))?;
            state.imports += 1;
            (fourcc, external) = (name, Some(memory));
        }
        if state.surfaces.len() + count as usize > 4096 {
            return Err(MAX_NUM_EXCEEDED);
        }
        let (width, height) = (width as usize, height as usize);
        for place in 0..count as usize {
            let number = state.number();
            let bytes = match external {
                Some(_) => Vec::new(),
                None => vec![0; bytes_of(fourcc, width, height)],
            };
            let made = Surface {
                display,
                width,
                height,
                fourcc,
                bytes,
                external: external.take(),
                unfinished: false,
                put_off: None,
                decoded: None,
            };
            state.surfaces.insert(number, made);
            // SAFETY: the caller's contract: room for so many.
            unsafe { put(surfaces.add(place), number)? };
        }
        state.write();
        Ok(())
    })())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn vaDestroySurfaces(
    display: abi::Display,
    surfaces: *mut Id,
    count: c_int,
) -> abi::Status {
    let mut state = state();
    code((|| {
        state.known(display.addr())?;
        // SAFETY: the caller's contract.
        for id in unsafe { list(surfaces, usize::try_from(count).unwrap_or(0)) } {
            if state
                .contexts
                .values()
                .any(|found| found.targets.contains(id))
            {
                misuse(
                    INVALID_SURFACE,
                    "a surface was let go of before its context",
                );
            }
            if state.surfaces.remove(id).is_none() {
                return Err(misuse(INVALID_SURFACE, "a surface that does not exist"));
            }
        }
        state.write();
        Ok(())
    })())
}

impl State {
    /// What surfaces of a configuration may be.
    fn surface_attributes(&self, config: Id) -> Result<Vec<SurfaceAttrib>, i32> {
        let found = self.configs.get(&config);
        let found = found.ok_or_else(|| misuse(INVALID_CONFIG, "surfaces of no configuration"))?;
        let mut all = vec![SurfaceAttrib::number(
            abi::SURFACE_ATTRIB_PIXEL_FORMAT,
            abi::FOURCC_NV12 as i32,
        )];
        let mut memory = 1;
        if found.profile == abi::PROFILE_NONE {
            all.extend(FORMATS.map(|(name, _)| {
                SurfaceAttrib::number(abi::SURFACE_ATTRIB_PIXEL_FORMAT, name as i32)
            }));
            if !knobs::set("NO_IMPORT") {
                memory |= abi::MEMORY_DRM_PRIME_2;
            }
        }
        all.push(SurfaceAttrib::number(
            abi::SURFACE_ATTRIB_MEMORY_TYPE,
            memory as i32,
        ));
        Ok(all)
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn vaQuerySurfaceAttributes(
    display: abi::Display,
    config: Id,
    attribs: *mut SurfaceAttrib,
    count: *mut c_uint,
) -> abi::Status {
    let state = state();
    code((|| {
        state.ready(display.addr())?;
        let all = state.surface_attributes(config)?;
        // SAFETY: the caller's contract; null is looked for.
        let room = unsafe { count.as_mut() };
        let room = room.ok_or_else(|| misuse(INVALID_PARAMETER, "attributes without a count"))?;
        let fits = *room as usize >= all.len();
        *room = all.len() as c_uint;
        if attribs.is_null() {
            return Ok(());
        }
        if !fits {
            return Err(MAX_NUM_EXCEEDED);
        }
        // SAFETY: the caller's contract: as much room as it says.
        unsafe { attribs.copy_from_nonoverlapping(all.as_ptr(), all.len()) };
        Ok(())
    })())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn vaExportSurfaceHandle(
    display: abi::Display,
    surface: Id,
    memory: u32,
    flags: u32,
    descriptor: *mut c_void,
) -> abi::Status {
    let state = state();
    code((|| {
        state.ready(display.addr())?;
        if knobs::set("NO_EXPORT") {
            return Err(UNSUPPORTED_MEMORY_TYPE);
        }
        let found = state.surfaces.get(&surface);
        let found =
            found.ok_or_else(|| misuse(INVALID_SURFACE, "a surface that does not exist"))?;
        let mut names = FORMATS.iter();
        let drm = names.find(|(name, _)| *name == found.fourcc);
        let drm = drm.ok_or_else(|| misuse(INVALID_SURFACE, "a surface of another kind"))?;
        if memory != abi::MEMORY_DRM_PRIME_2
            || flags != abi::EXPORT_READ_ONLY | abi::EXPORT_COMPOSED
            || descriptor.is_null()
        {
            return Err(misuse(INVALID_PARAMETER, "an export of a wrong kind"));
        }
        let file = File::open("/dev/null").map_err(|_| ALLOCATION_FAILED)?;
        let mut described = PrimeDescriptor::zeroed();
        described.fourcc = found.fourcc;
        (described.width, described.height) = (found.width as u32, found.height as u32);
        (described.num_objects, described.num_layers) = (1, 1);
        described.objects[0].size = (found.width * found.height * 4) as u32;
        described.objects[0].modifier = OWN_MODIFIER;
        // the caller's from now on
        described.objects[0].fd = file.into_raw_fd();
        described.layers[0].drm_format = u32::from_le_bytes(drm.1);
        described.layers[0].num_planes = 1;
        described.layers[0].pitch[0] = found.width as u32 * 4;
        // SAFETY: not null; the caller's contract.
        unsafe { descriptor.cast::<PrimeDescriptor>().write(described) };
        Ok(())
    })())
}
