//! Why NVENC cannot be used, in words that name driver and remedy, and which failures mean that the device is gone.

use super::abi::{MAJOR, MINOR, Status};
use std::fmt;

/// The first driver whose NVENC speaks this build's version.
pub const NEEDED_DRIVER: &str = "530.41.03";

/// What the installed driver says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DriverVersion {
    /// As the kernel module says, for instance `550.163.01`.
    pub module: Option<String>,
    /// CUDA's version as one number, 12020 for 12.2; 0 = not asked yet.
    pub cuda: i32,
}

impl fmt::Display for DriverVersion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            Some(module) => write!(out, "NVIDIA driver {module}")?,
            None => write!(out, "NVIDIA driver of unknown version")?,
        }
        match self.cuda {
            0 => Ok(()),
            cuda => write!(out, " (CUDA {}.{})", cuda / 1000, cuda % 1000 / 10),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NvencError {
    #[error("there is no NVIDIA driver ({0}); install one if this machine has an NVIDIA card")]
    NoDriver(String),
    #[error(
        "{driver} is there, but not its encoder library ({why}); install it (Debian: libnvidia-encode1; containers: \
         NVIDIA_DRIVER_CAPABILITIES=video,compute)"
    )]
    NoEncodeLibrary { driver: DriverVersion, why: String },
    #[error(
        "{library} of the {driver} lacks {name}; install a complete driver, {NEEDED_DRIVER} or newer"
    )]
    MissingEntry {
        library: &'static str,
        name: &'static str,
        driver: DriverVersion,
    },
    #[error(
        "{driver} speaks NVENC {major}.{minor}, and {MAJOR}.{MINOR} is needed; install driver {NEEDED_DRIVER} or newer"
    )]
    OldDriver {
        driver: DriverVersion,
        major: u32,
        minor: u32,
    },
    #[error(
        "{driver} finds no card; see whether nvidia-smi lists one, and whether /dev/nvidia* can be opened"
    )]
    NoCard { driver: DriverVersion },
    #[error("{card} has no video encoder (as most data-centre cards), {driver}")]
    NoEncoder { card: String, driver: DriverVersion },
    #[error(
        "{card} allows no further encoder ({driver} limits how many run at once, for all programs together); end another \
         recording or stream, or install a newer driver, which allows more"
    )]
    TooManySessions { card: String, driver: DriverVersion },
    #[error("{card} does not encode {codec}")]
    Codec { card: String, codec: &'static str },
    /// Pictures in the memory of the GPU; those in the host's are taken all the same.
    #[error("{0}")]
    Import(String),
    #[error("{what} failed in CUDA: {} ({code}), {driver}", cuda_name(*.code))]
    Cuda {
        what: &'static str,
        code: i32,
        driver: DriverVersion,
    },
    #[error("{what} failed: {} ({status}){detail}, {driver}", status_name(*.status))]
    Call {
        what: &'static str,
        status: Status,
        /// What the driver adds, with a colon in front; or nothing.
        detail: String,
        driver: DriverVersion,
    },
}

impl NvencError {
    /// The device has gone or has failed: everything that was made on it is lost, and making it anew may help.
    pub fn lost_device(&self) -> bool {
        match self {
            // no encode device, invalid encoder device, invalid device, not exist, not initialised, generic
            Self::Call { status, .. } => matches!(status, 1 | 3 | 4 | 5 | 11 | 20),
            // everything that a context does not survive; wrong arguments are faults of this program
            Self::Cuda { code, .. } => !matches!(code, 1 | 2),
            _ => false,
        }
    }
}

pub const OUT_OF_MEMORY: Status = 10;
pub const INCOMPATIBLE_CLIENT_KEY: Status = 21;
pub const CUDA_NO_DEVICE: i32 = 100;

/// The header's name of a status, without its prefix.
pub fn status_name(status: Status) -> &'static str {
    const NAMES: [&str; 27] = [
        "success",
        "no encode device",
        "unsupported device",
        "invalid encoder device",
        "invalid device",
        "device does not exist",
        "invalid pointer",
        "invalid event",
        "invalid parameter",
        "invalid call",
        "out of memory",
        "encoder not initialised",
        "unsupported parameter",
        "lock busy",
        "not enough buffer",
        "invalid version",
        "map failed",
        "need more input",
        "encoder busy",
        "event not registered",
        "generic error",
        "incompatible client key",
        "unimplemented",
        "resource registration failed",
        "resource not registered",
        "resource not mapped",
        "need more output",
    ];
    usize::try_from(status)
        .ok()
        .and_then(|index| NAMES.get(index))
        .copied()
        .unwrap_or("a status that this build does not know")
}

fn cuda_name(code: i32) -> &'static str {
    match code {
        1 => "invalid value",
        2 => "out of memory",
        3 => "not initialised",
        4 => "deinitialised",
        46 => "device unavailable",
        100 => "no device",
        101 => "invalid device",
        201 => "invalid context",
        214 => "uncorrectable memory error",
        700 => "illegal address",
        719 => "launch failed",
        802 => "system not ready",
        803 => "driver and kernel module do not match; restart the machine",
        999 => "unknown error",
        _ => "an error that this build does not know",
    }
}
