//! OpenGL on the card, for one stream.

use super::{
    display::Display,
    egl::{Handle, NONE},
    gl::Gl,
};
use crate::encode::nvenc::error::NvencError;
use std::{
    ffi::{c_int, c_uint},
    marker::PhantomData,
    ptr,
    sync::Arc,
};

const OPENGL_ES: c_uint = 0x30a0;
const CONTEXT_MAJOR_VERSION: c_int = 0x3098;

/// An OpenGL ES 3 context without a surface. It is current on a thread only inside of [`Context::enter`].
pub struct Context {
    display: Arc<Display>,
    raw: Handle,
}

// SAFETY: current only on the thread that entered it, until it leaves.
unsafe impl Send for Context {}

impl Context {
    /// # Errors
    /// What EGL says.
    pub fn create(display: &Arc<Display>) -> Result<Self, NvencError> {
        let egl = &display.egl;
        let attributes = [CONTEXT_MAJOR_VERSION, 3, NONE];
        let none = ptr::null_mut();
        // SAFETY: the display is initialised and needs no configuration (looked for); the list ends as it has to.
        let raw = unsafe {
            (egl.bind_api)(OPENGL_ES);
            (egl.create_context)(display.raw, none, none, attributes.as_ptr())
        };
        match raw.is_null() {
            true => Err(egl.failed("making a context of OpenGL ES 3")),
            false => Ok(Self {
                display: Arc::clone(display),
                raw,
            }),
        }
    }

    pub fn display(&self) -> &Arc<Display> {
        &self.display
    }

    /// Make it current on this thread until the result is dropped.
    ///
    /// # Errors
    /// A context that is lost.
    pub fn enter(&self) -> Result<Current<'_>, NvencError> {
        let (egl, none) = (&self.display.egl, ptr::null_mut());
        // SAFETY: the context is alive and current nowhere else: its owner alone enters it. No surface (looked for).
        let entered = unsafe {
            (egl.bind_api)(OPENGL_ES);
            (egl.make_current)(self.display.raw, none, none, self.raw)
        };
        match entered {
            0 => Err(egl.failed("entering the context of OpenGL")),
            _ => Ok(Current {
                context: self,
                thread: PhantomData,
            }),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: made by create, current nowhere (a Current borrows it), destroyed once, with all that was made in it.
        unsafe { (self.display.egl.destroy_context)(self.display.raw, self.raw) };
    }
}

/// The context is current on this thread.
pub struct Current<'a> {
    context: &'a Context,
    /// Not for other threads.
    thread: PhantomData<*const ()>,
}

impl Current<'_> {
    pub fn gl(&self) -> &Gl {
        &self.context.display.gl
    }
}

impl Drop for Current<'_> {
    fn drop(&mut self) {
        let (display, none) = (&self.context.display, ptr::null_mut());
        // SAFETY: leaves what is current on this thread.
        unsafe { (display.egl.make_current)(display.raw, none, none, none) };
    }
}
