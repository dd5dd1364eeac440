//! Why VAAPI cannot be used, in words that name driver and remedy, and which failures mean that the device is gone.

use super::abi::Status;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaapiError {
    #[error(
        "libva is not there ({0}); install it with the driver of the graphics card (Debian: libva2 and libva-drm2 with \
         intel-media-va-driver or mesa-va-drivers)"
    )]
    NoLibrary(String),
    #[error("libva lacks {0}; install libva 2.1 or newer")]
    MissingEntry(&'static str),
    #[error(
        "there is no render node (/dev/dri/renderD*): this machine has no graphics card with a kernel driver, or the \
         container was not given /dev/dri"
    )]
    NoNode,
    #[error(
        "{node} may not be opened; add this user to the group that owns it (Debian: usermod -aG render USER) and log in again"
    )]
    NoPermission { node: String },
    #[error("{node} cannot be opened: {why}")]
    Node { node: String, why: String },
    #[error(
        "{node} has no VAAPI driver that works: {} ({status}); install the one of the card (Debian: \
         intel-media-va-driver or mesa-va-drivers)",
        status_name(*.status)
    )]
    NoDriver { node: String, status: Status },
    #[error(
        "{driver} on {node} encodes nothing (no encode entry point); a complete driver may (Debian: \
         intel-media-va-driver-non-free, or mesa-va-drivers; Fedora: mesa-va-drivers-freeworld)"
    )]
    NoEncoder { node: String, driver: String },
    #[error(
        "{driver} has no rate control for {codec} (Intel: its firmware HuC is not loaded; see i915.enable_guc=2)"
    )]
    NoRateControl { codec: &'static str, driver: String },
    #[error("{driver} does not encode {codec}")]
    Codec { codec: &'static str, driver: String },
    #[error("{driver} encodes {codec}, but {what}; a newer driver may do better")]
    Unsuitable {
        codec: &'static str,
        what: &'static str,
        driver: String,
    },
    #[error("{what} failed: {} ({status}), {driver}", status_name(*.status))]
    Call {
        what: &'static str,
        status: Status,
        driver: String,
    },
    #[error("{driver} {what}")]
    Stream { what: &'static str, driver: String },
}

impl VaapiError {
    /// The device has gone or has failed: everything that was made on it is lost, and making it anew may help.
    pub fn lost_device(&self) -> bool {
        match self {
            // operation failed, invalid display, encoding error, hardware busy, timed out, unknown
            Self::Call { status, .. } => {
                matches!(status, 0x1 | 0x3 | 0x18 | 0x22 | 0x26 | -1)
            }
            _ => false,
        }
    }
}

/// The header's name of a status, without its prefix.
pub fn status_name(status: Status) -> &'static str {
    match status {
        0x1 => "operation failed",
        0x2 => "allocation failed",
        0x3 => "invalid display",
        0x4 => "invalid configuration",
        0x5 => "invalid context",
        0x6 => "invalid surface",
        0x7 => "invalid buffer",
        0x8 => "invalid image",
        0xa => "attribute not supported",
        0xb => "maximum exceeded",
        0xc => "unsupported profile",
        0xd => "unsupported entry point",
        0xe => "unsupported format of surfaces",
        0xf => "unsupported kind of buffer",
        0x10 => "surface busy",
        0x11 => "flag not supported",
        0x12 => "invalid parameter",
        0x13 => "resolution not supported",
        0x14 => "unimplemented",
        0x16 => "invalid image format",
        0x18 => "encoding error",
        0x19 => "invalid value",
        0x22 => "hardware busy",
        0x24 => "unsupported memory type",
        0x25 => "not enough buffer",
        0x26 => "timed out",
        -1 => "unknown error",
        _ => "a status that this build does not know",
    }
}
