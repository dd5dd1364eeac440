//! Recordings: a few seconds of a test picture, encoded once by ffmpeg and kept under the target directory.
//!
//! Infinite GOP, no reordering, parameter sets with the key frame: what a live encoder makes. What encoders say of
//! themselves (long SEI messages) is left in, as a live encoder would.

use crate::{
    codec::Codec,
    split::{self, RecordedUnit},
};
use anyhow::{Context, Result, anyhow, ensure};
use nix::fcntl::{Flock, FlockArg};
use std::{
    fmt,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    str::FromStr,
};

/// Length of a recording.
const SECONDS: u32 = 5;
/// Part of the file name: another way of making them must not find the old ones.
const EDITION: u32 = 1;

/// What a recording shows: codec, pixels, pictures a second. As text: `h265:1920x1080@60`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mode {
    pub codec: Codec,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}x{}@{}",
            self.codec, self.width, self.height, self.fps
        )
    }
}

impl FromStr for Mode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || -> Option<Self> {
            let (codec, rest) = text.split_once(':')?;
            let (size, fps) = rest.split_once('@')?;
            let (width, height) = size.split_once('x')?;
            Some(Self {
                codec: codec.parse().ok()?,
                width: width.parse().ok()?,
                height: height.parse().ok()?,
                fps: fps.parse().ok().filter(|fps| *fps > 0)?,
            })
        };
        parse().ok_or_else(|| format!("{text:?} is no mode; one is written like h265:1920x1080@60"))
    }
}

/// The access units of a recording; the first is a key frame, and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    pub mode: Mode,
    pub units: Vec<RecordedUnit>,
}

impl Recording {
    /// The recording of this mode: read, or made first (which takes seconds).
    ///
    /// # Errors
    /// ffmpeg is missing or fails, or the disk does.
    pub fn of(mode: Mode) -> Result<Self> {
        let path = file(mode)?;
        let stream = fs::read(&path).with_context(|| path.display().to_string())?;
        let units = split::access_units(mode.codec, &stream)
            .with_context(|| format!("{} (remove it to have it made again)", path.display()))?;
        ensure!(
            units.iter().filter(|unit| unit.key).count() == 1,
            "{} has more than one key frame",
            path.display()
        );
        Ok(Self { mode, units })
    }
}

/// The elementary stream of this mode as a file.
///
/// # Errors
/// As [`Recording::of`].
pub fn file(mode: Mode) -> Result<PathBuf> {
    let directory = directory();
    fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    let Mode {
        codec,
        width,
        height,
        fps,
    } = mode;
    let name = format!("{EDITION}-{codec}-{width}x{height}-{fps}");
    let path = directory.join(format!("{name}.bin"));
    // One maker at a time; the others wait and find the file.
    let lock = File::create(directory.join(format!("{name}.lock")))?;
    let lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?;
    if !path.exists() {
        let half = directory.join(format!("{name}.half"));
        make(mode, &half)?;
        fs::rename(&half, &path)?;
    }
    drop(lock);
    Ok(path)
}

/// `PUNKTFUNK_RECORDINGS`, else beside the build (cargo marks its directory), else the temporary directory.
fn directory() -> PathBuf {
    if let Some(set) = std::env::var_os("PUNKTFUNK_RECORDINGS") {
        return set.into();
    }
    let program = std::env::current_exe().unwrap_or_default();
    let target = program
        .ancestors()
        .find(|directory| directory.join("CACHEDIR.TAG").exists());
    target.map_or_else(
        || std::env::temp_dir().join("punktfunk-recordings"),
        |target| target.join("recordings"),
    )
}

fn make(mode: Mode, into: &Path) -> Result<()> {
    let Mode {
        codec,
        width,
        height,
        fps,
    } = mode;
    // Some 4 Mbit/s at 1280x720@60.
    let kbps = (u64::from(width) * u64::from(height) * u64::from(fps) / 14_000).max(300);
    let encoder = match codec {
        Codec::H264 => {
            "-c:v libx264 -preset ultrafast -tune zerolatency -x264-params \
            keyint=infinite:bframes=0:scenecut=0:repeat-headers=1:aud=1 -f h264"
        }
        Codec::Hevc => {
            "-c:v libx265 -preset ultrafast -tune zerolatency -x265-params \
            keyint=-1:bframes=0:scenecut=0:repeat-headers=1:aud=1:log-level=error -f hevc"
        }
        Codec::Av1 => {
            "-c:v libaom-av1 -usage realtime -cpu-used 8 -lag-in-frames 0 -g 9999 -row-mt 1 -f obu"
        }
    };
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i"])
        .arg(format!("testsrc2=size={width}x{height}:rate={fps}"))
        .args(["-t", &SECONDS.to_string(), "-pix_fmt", "yuv420p"])
        .args(["-color_range", "tv", "-colorspace", "bt709"])
        .args(["-color_primaries", "bt709", "-color_trc", "bt709"])
        .args(["-b:v", &format!("{kbps}k")])
        .args(encoder.split_ascii_whitespace())
        .arg(into)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            anyhow!("recordings are made with ffmpeg, which cannot be started ({error}); install Debian's package ffmpeg")
        })?;
    ensure!(
        output.status.success(),
        "ffmpeg cannot encode {mode}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
