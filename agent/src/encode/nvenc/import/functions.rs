//! Entry points of libraries whose functions are asked for by name.

use super::refused;
use crate::encode::nvenc::error::NvencError;
use std::ffi::CStr;

/// A function of a type that only its name tells.
pub type Found = unsafe extern "C" fn();

/// A table of entry points with their types, each under the name that it is asked for by.
macro_rules! functions {
    ($table:ident: $($field:ident = $name:literal: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        #[derive(Clone, Copy)]
        pub struct $table {
            $(pub $field: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }
        impl $table {
            /// # Errors
            /// The first one that is missing.
            pub fn of(
                find: &dyn Fn(&'static std::ffi::CStr) -> Option<$crate::encode::nvenc::import::functions::Found>,
            ) -> Result<Self, $crate::encode::nvenc::NvencError> {
                Ok(Self {
                    $($field: {
                        let found = find($name)
                            .ok_or_else(|| $crate::encode::nvenc::import::functions::missing($name))?;
                        // SAFETY: the type is that of Khronos' headers for this name, and the library is never unloaded.
                        unsafe {
                            std::mem::transmute::<
                                $crate::encode::nvenc::import::functions::Found,
                                unsafe extern "C" fn($($argument),*) $(-> $result)?,
                            >(found)
                        }
                    },)*
                })
            }
        }
    };
}
pub(super) use functions;

pub fn missing(name: &CStr) -> NvencError {
    let name = name.to_string_lossy();
    refused(format!("EGL and OpenGL of this machine lack {name}"))
}
