//! libva, loaded when it is first needed and never let go.

use super::{abi, error::VaapiError};
use crate::encode::loaded::library;
use libloading::{Library as Loaded, Symbol};
use std::{
    ffi::c_int,
    sync::{Arc, Mutex, PoisonError},
};

const LIBVA: &str = "libva.so.2";
const LIBVA_DRM: &str = "libva-drm.so.2";

struct Pair {
    va: &'static Loaded,
    drm: &'static Loaded,
}

macro_rules! functions {
    ($($field:ident: $kind:ty, $library:ident, $name:literal;)*) => {
        pub struct Library {
            $(pub $field: $kind,)*
        }
        impl Library {
            fn of(libraries: &Pair) -> Result<Self, VaapiError> {
                Ok(Self { $($field: entry::<$kind>(libraries.$library, $name)?,)* })
            }
        }
    };
}
functions! {
    get_display: abi::GetDisplayDrm, drm, "vaGetDisplayDRM";
    set_info_callback: abi::SetCallback, va, "vaSetInfoCallback";
    set_error_callback: abi::SetCallback, va, "vaSetErrorCallback";
    initialize: abi::Initialize, va, "vaInitialize";
    terminate: abi::OnDisplay, va, "vaTerminate";
    vendor: abi::Text, va, "vaQueryVendorString";
    max_profiles: abi::MaxCount, va, "vaMaxNumProfiles";
    profiles: abi::QueryProfiles, va, "vaQueryConfigProfiles";
    max_entrypoints: abi::MaxCount, va, "vaMaxNumEntrypoints";
    entrypoints: abi::QueryEntrypoints, va, "vaQueryConfigEntrypoints";
    attributes: abi::GetAttributes, va, "vaGetConfigAttributes";
    create_config: abi::CreateConfig, va, "vaCreateConfig";
    destroy_config: abi::OnId, va, "vaDestroyConfig";
    create_surfaces: abi::CreateSurfaces, va, "vaCreateSurfaces";
    surface_attributes: abi::QuerySurfaceAttributes, va, "vaQuerySurfaceAttributes";
    export_surface: abi::ExportSurface, va, "vaExportSurfaceHandle";
    destroy_surfaces: abi::DestroySurfaces, va, "vaDestroySurfaces";
    create_context: abi::CreateContext, va, "vaCreateContext";
    destroy_context: abi::OnId, va, "vaDestroyContext";
    create_buffer: abi::CreateBuffer, va, "vaCreateBuffer";
    destroy_buffer: abi::OnId, va, "vaDestroyBuffer";
    map_buffer: abi::MapBuffer, va, "vaMapBuffer";
    unmap_buffer: abi::OnId, va, "vaUnmapBuffer";
    begin_picture: abi::BeginPicture, va, "vaBeginPicture";
    render_picture: abi::RenderPicture, va, "vaRenderPicture";
    end_picture: abi::OnId, va, "vaEndPicture";
    sync_surface: abi::OnId, va, "vaSyncSurface";
    create_image: abi::CreateImage, va, "vaCreateImage";
    derive_image: abi::DeriveImage, va, "vaDeriveImage";
    destroy_image: abi::OnId, va, "vaDestroyImage";
    put_image: abi::PutImage, va, "vaPutImage";
}

/// The one that was loaded; a failure is not kept, so that a library that is installed meanwhile is found.
static LOADED: Mutex<Option<Arc<Library>>> = Mutex::new(None);

impl Library {
    /// # Errors
    /// What is missing, with what to do about it.
    pub fn get() -> Result<Arc<Self>, VaapiError> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = &*loaded {
            return Ok(Arc::clone(library));
        }
        let library = Arc::new(Self::of(&Pair {
            va: library(LIBVA).map_err(VaapiError::NoLibrary)?,
            drm: library(LIBVA_DRM).map_err(VaapiError::NoLibrary)?,
        })?);
        *loaded = Some(Arc::clone(&library));
        Ok(library)
    }
}

/// An entry point; only the table above calls it, whose types are those of the header for their names.
fn entry<T: Copy>(library: &'static Loaded, name: &'static str) -> Result<T, VaapiError> {
    // SAFETY: the type is that of the header for this name, and the library is never unloaded.
    let found: Result<Symbol<'_, T>, _> = unsafe { library.get(name.as_bytes()) };
    found
        .map(|symbol| *symbol)
        .map_err(|_| VaapiError::MissingEntry(name))
}

/// Room for a list that the driver fills in, bounded.
pub fn room(count: c_int) -> usize {
    usize::try_from(count).unwrap_or(0).min(256)
}
