//! Pictures: begun, described, ended, waited for.

use crate::{
    abi::{self, Id},
    knobs,
    state::{Context, State, code, misuse, state},
    status::{
        INVALID_BUFFER, INVALID_CONTEXT, INVALID_PARAMETER, INVALID_SURFACE, OPERATION_FAILED,
    },
    stream::Source,
};
use std::{
    ffi::{c_int, c_void},
    slice,
};

impl State {
    fn context(&mut self, display: usize, context: Id) -> Result<&mut Context, i32> {
        self.ready(display)?;
        let found = self.contexts.get_mut(&context);
        found
            .filter(|found| found.display == display)
            .ok_or_else(|| misuse(INVALID_CONTEXT, "a context that does not exist"))
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn vaBeginPicture(display: abi::Display, context: Id, surface: Id) -> abi::Status {
    let mut state = state();
    let display = display.addr();
    code((|| {
        let found = state.context(display, context)?;
        if found.begun.is_some() {
            return Err(misuse(
                INVALID_CONTEXT,
                "a picture was begun within another",
            ));
        }
        if !found.targets.contains(&surface) {
            return Err(misuse(
                INVALID_SURFACE,
                "a picture from a surface of another context",
            ));
        }
        if knobs::lose(found.stream.encoded) {
            state.away = knobs::away();
            state.unsettled = knobs::unsettled();
            if let Some(display) = state.displays.get_mut(&display) {
                display.lost = true;
            }
            return Err(OPERATION_FAILED);
        }
        found.begun = Some(surface);
        Ok(())
    })())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn vaRenderPicture(
    display: abi::Display,
    context: Id,
    buffers: *mut Id,
    count: c_int,
) -> abi::Status {
    let mut state = state();
    code((|| {
        let found = state.context(display.addr(), context)?;
        if found.begun.is_none() || buffers.is_null() || count <= 0 {
            return Err(misuse(
                INVALID_CONTEXT,
                "buffers outside of a picture, or none",
            ));
        }
        let later = found.stream.encoded > 0;
        // SAFETY: the caller's contract: so many of them.
        let buffers = unsafe { slice::from_raw_parts(buffers, count as usize) };
        let mut kinds = Vec::new();
        for id in buffers {
            let buffer = state.buffers.get(id);
            let buffer = buffer.ok_or_else(|| misuse(INVALID_BUFFER, "a buffer that is gone"))?;
            if buffer.mapped {
                return Err(misuse(INVALID_BUFFER, "a mapped buffer was handed over"));
            }
            kinds.push(buffer.kind);
        }
        if later && knobs::set("REFUSE_RATE") && kinds.contains(&abi::BUFFER_MISC) {
            return Err(INVALID_PARAMETER);
        }
        let found = state.context(display.addr(), context)?;
        found.rendered.extend_from_slice(buffers);
        Ok(())
    })())
}

#[unsafe(no_mangle)]
pub extern "C" fn vaEndPicture(display: abi::Display, context: Id) -> abi::Status {
    let mut state = state();
    code((|| {
        let found = state.context(display.addr(), context)?;
        let Some(input) = found.begun.take() else {
            return Err(misuse(
                INVALID_CONTEXT,
                "a picture was ended that was not begun",
            ));
        };
        let rendered = std::mem::take(&mut found.rendered);
        let (size, config) = ((found.width, found.height), found.config);
        let buffers: Vec<(i32, Vec<u8>)> = rendered
            .iter()
            .filter_map(|id| state.buffers.get(id))
            .map(|buffer| (buffer.kind, buffer.bytes.clone()))
            .collect();
        let config = state.configs.get(&config);
        let (profile, packed) = config.map_or((0, 0), |config| (config.profile, config.packed));
        if profile == abi::PROFILE_NONE {
            let converted = state.convert(&buffers, input);
            state.write();
            return converted;
        }
        let pixels = state.input(input)?;
        let found = state.contexts.get_mut(&context);
        let mut stream =
            found.map_or_else(Default::default, |found| std::mem::take(&mut found.stream));
        let source = Source {
            size,
            surface: input,
            pixels,
        };
        let encoded = stream.encode(&source, &buffers, packed, &state.surfaces);
        if let Some(found) = state.contexts.get_mut(&context) {
            found.stream = stream;
        }
        let encoded = encoded?;
        if let Some(surface) = state.surfaces.get_mut(&encoded.surface) {
            surface.decoded = Some(encoded.decoded);
        }
        let coded = state.buffers.get_mut(&encoded.coded);
        let Some(coded) = coded.filter(|coded| coded.segment.is_some()) else {
            return Err(misuse(INVALID_BUFFER, "a picture without a coded buffer"));
        };
        if coded.mapped {
            return Err(misuse(INVALID_BUFFER, "a picture into a mapped buffer"));
        }
        let size = encoded.unit.len();
        let overflows = size > coded.bytes.len();
        if !overflows {
            coded.bytes[..size].copy_from_slice(&encoded.unit);
        }
        let memory = coded.bytes.as_mut_ptr().cast::<c_void>();
        if let Some(segment) = &mut coded.segment {
            segment.size = if overflows { 0 } else { size as u32 };
            segment.status = if overflows {
                abi::CODED_SLICE_OVERFLOW
            } else {
                26
            };
            segment.buf = memory;
        }
        Ok(())
    })())
}

#[unsafe(no_mangle)]
pub extern "C" fn vaSyncSurface(display: abi::Display, surface: Id) -> abi::Status {
    let mut state = state();
    code((|| {
        state.ready(display.addr())?;
        let found = state
            .surfaces
            .get_mut(&surface)
            .ok_or_else(|| misuse(INVALID_SURFACE, "waiting for a surface that does not exist"))?;
        if std::mem::take(&mut found.unfinished) {
            state.write();
        }
        Ok(())
    })())
}
