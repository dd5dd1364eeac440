//! Configurations, contexts and buffers: made and let go of.

use crate::{
    abi::{self, CodedSegment, ConfigAttrib, Id, Plain},
    display::{MAX_SIDE, takes},
    knobs,
    state::{Buffer, Config, Context, code, misuse, state},
    status::{
        ATTR_NOT_SUPPORTED, INVALID_BUFFER, INVALID_CONFIG, INVALID_CONTEXT, INVALID_PARAMETER,
        RESOLUTION_NOT_SUPPORTED, UNSUPPORTED_RT_FORMAT,
    },
    stream::Stream,
};
use std::{
    ffi::{c_int, c_uint, c_void},
    mem::size_of,
    slice,
};

/// Write through a pointer that the caller must have set.
pub unsafe fn put<T>(target: *mut T, value: T) -> Result<(), i32> {
    if target.is_null() {
        return Err(misuse(
            INVALID_PARAMETER,
            "a result was asked for without a place for it",
        ));
    }
    // SAFETY: not null; the caller's contract is that it points to a T.
    unsafe { target.write(value) };
    Ok(())
}

/// What the caller says lies there.
pub unsafe fn list<'a, T>(from: *const T, count: usize) -> &'a [T] {
    if from.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: the caller's contract: so many of them.
    unsafe { slice::from_raw_parts(from, count) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn vaCreateConfig(
    display: abi::Display,
    profile: c_int,
    entry: c_int,
    attribs: *mut ConfigAttrib,
    count: c_int,
    config: *mut Id,
) -> abi::Status {
    let mut state = state();
    let display = display.addr();
    code((|| {
        state.ready(display)?;
        takes(profile, entry)?;
        // SAFETY: the caller's contract.
        let attribs = unsafe { list(attribs, usize::try_from(count).unwrap_or(0)) };
        let of = |kind| {
            let mut all = attribs.iter();
            all.find(|attrib| attrib.kind == kind)
                .map(|attrib| attrib.value)
        };
        if profile == abi::PROFILE_NONE {
            if !attribs.is_empty() {
                misuse(
                    ATTR_NOT_SUPPORTED,
                    "a conversion with an encoder's attributes",
                );
            }
        } else if of(abi::ATTRIB_RT_FORMAT) != Some(abi::RT_FORMAT_YUV420) {
            return Err(misuse(
                UNSUPPORTED_RT_FORMAT,
                "a configuration of another format",
            ));
        } else if of(abi::ATTRIB_RATE_CONTROL) != Some(abi::RC_CBR) {
            return Err(misuse(
                ATTR_NOT_SUPPORTED,
                "a configuration without constant rate",
            ));
        }
        let packed = of(abi::ATTRIB_PACKED_HEADERS).unwrap_or(0);
        if knobs::set("NO_PACKED") && packed != 0 {
            return Err(misuse(
                ATTR_NOT_SUPPORTED,
                "headers are handed over that are not taken",
            ));
        }
        let number = state.number();
        // SAFETY: the caller's contract.
        unsafe { put(config, number)? };
        let made = Config {
            display,
            profile,
            packed,
        };
        state.configs.insert(number, made);
        state.write();
        Ok(())
    })())
}

#[unsafe(no_mangle)]
pub extern "C" fn vaDestroyConfig(display: abi::Display, config: Id) -> abi::Status {
    let mut state = state();
    code((|| {
        state.known(display.addr())?;
        if state.contexts.values().any(|found| found.config == config) {
            misuse(
                INVALID_CONFIG,
                "a configuration was let go of before its context",
            );
        }
        let gone = state.configs.remove(&config);
        state.write();
        gone.map(drop)
            .ok_or_else(|| misuse(INVALID_CONFIG, "a configuration that does not exist"))
    })())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn vaCreateContext(
    display: abi::Display,
    config: Id,
    width: c_int,
    height: c_int,
    flags: c_int,
    targets: *mut Id,
    count: c_int,
    context: *mut Id,
) -> abi::Status {
    let mut state = state();
    let display = display.addr();
    code((|| {
        state.ready(display)?;
        let profile = match state.configs.get(&config) {
            Some(found) if found.display == display => found.profile,
            _ => return Err(misuse(INVALID_CONFIG, "a context of no configuration")),
        };
        let side = |side: c_int| (32..=MAX_SIDE as c_int).contains(&side) && side % 16 == 0;
        if !side(width) || !side(height) {
            return Err(misuse(
                RESOLUTION_NOT_SUPPORTED,
                "a context of an impossible size",
            ));
        }
        let (width, height) = (width as usize, height as usize);
        // SAFETY: the caller's contract.
        let targets = unsafe { list(targets, usize::try_from(count).unwrap_or(0)) };
        let fits = |id: &Id| {
            let found = state.surfaces.get(id);
            found.is_some_and(|found| {
                (found.display, found.fourcc) == (display, abi::FOURCC_NV12)
                    && (found.width, found.height) == (width, height)
            })
        };
        if flags != abi::PROGRESSIVE || !targets.iter().all(fits) {
            return Err(misuse(
                INVALID_PARAMETER,
                "a context with wrong surfaces or flags",
            ));
        }
        let number = state.number();
        // SAFETY: the caller's contract.
        unsafe { put(context, number)? };
        if profile != abi::PROFILE_NONE {
            state.contexts_opened += 1;
        }
        let made = Context {
            display,
            config,
            width,
            height,
            targets: targets.to_vec(),
            begun: None,
            rendered: Vec::new(),
            stream: Stream::new(state.contexts_opened, profile, (width, height)),
        };
        state.contexts.insert(number, made);
        state.write();
        Ok(())
    })())
}

#[unsafe(no_mangle)]
pub extern "C" fn vaDestroyContext(display: abi::Display, context: Id) -> abi::Status {
    let mut state = state();
    code((|| {
        state.known(display.addr())?;
        let gone = state.contexts.remove(&context);
        state.write();
        match gone {
            Some(gone) if gone.begun.is_some() => Err(misuse(
                INVALID_CONTEXT,
                "a context was let go of within a picture",
            )),
            Some(_) => Ok(()),
            None => Err(misuse(INVALID_CONTEXT, "a context that does not exist")),
        }
    })())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn vaCreateBuffer(
    display: abi::Display,
    context: Id,
    kind: c_int,
    size: c_uint,
    count: c_uint,
    data: *mut c_void,
    buffer: *mut Id,
) -> abi::Status {
    let mut state = state();
    let display = display.addr();
    code((|| {
        state.ready(display)?;
        let found = state.contexts.get(&context);
        if found.is_none_or(|found| found.display != display) {
            return Err(misuse(INVALID_CONTEXT, "a buffer of no context"));
        }
        let bytes = size as usize * count as usize;
        if bytes == 0 || bytes > 256 << 20 {
            return Err(misuse(INVALID_PARAMETER, "a buffer without a size"));
        }
        let coded = kind == abi::BUFFER_CODED;
        if coded != data.is_null() {
            return Err(misuse(
                INVALID_PARAMETER,
                "a coded buffer with data, or another one without",
            ));
        }
        let bytes = match coded {
            true => vec![0; bytes],
            // SAFETY: the caller's contract: so many bytes.
            false => unsafe { list(data.cast::<u8>(), bytes) }.to_vec(),
        };
        let number = state.number();
        // SAFETY: the caller's contract.
        unsafe { put(buffer, number)? };
        let made = Buffer {
            display,
            kind,
            bytes,
            mapped: false,
            segment: coded.then(|| Box::new(CodedSegment::zeroed())),
        };
        state.buffers.insert(number, made);
        state.write();
        Ok(())
    })())
}

#[unsafe(no_mangle)]
pub extern "C" fn vaDestroyBuffer(display: abi::Display, buffer: Id) -> abi::Status {
    let mut state = state();
    code((|| {
        state.known(display.addr())?;
        let within = |context: &Context| context.rendered.contains(&buffer);
        if state.contexts.values().any(within) {
            misuse(
                INVALID_BUFFER,
                "a buffer was let go of before its picture ended",
            );
        }
        if state.images.values().any(|image| image.buffer == buffer) {
            misuse(INVALID_BUFFER, "the buffer of an image was let go of");
        }
        let gone = state.buffers.remove(&buffer);
        state.write();
        match gone {
            Some(gone) if gone.mapped => {
                Err(misuse(INVALID_BUFFER, "a mapped buffer was let go of"))
            }
            Some(_) => Ok(()),
            None => Err(misuse(INVALID_BUFFER, "a buffer that does not exist")),
        }
    })())
}

/// A structure in a buffer of its size.
pub fn structure<T>(bytes: &[u8], what: &str) -> Result<Box<T>, i32> {
    if bytes.len() != size_of::<T>() {
        return Err(misuse(
            INVALID_BUFFER,
            &format!(
                "{what}: {} bytes instead of {}",
                bytes.len(),
                size_of::<T>()
            ),
        ));
    }
    let mut found = Box::<T>::new_uninit();
    // SAFETY: as many bytes as the structure has, of which each one may be anything: numbers and arrays of numbers.
    unsafe {
        found
            .as_mut_ptr()
            .cast::<u8>()
            .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        Ok(found.assume_init())
    }
}
