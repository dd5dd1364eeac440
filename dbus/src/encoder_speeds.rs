//! How fast the software encoders of this machine are: measured by the agent, kept in the user's cache directory, shown by
//! `punktfunkctl doctor`.

use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The file, below the user's cache directory.
const FILE: &str = "punktfunk/encoders.json";
/// More than any such file needs.
const MAX_BYTES: u64 = 64 << 10;
/// The size that speeds are spoken of in, and the mode that an encoder must hold to be offered where it is not the only one.
const REFERENCE: (u32, u32) = (1920, 1080);
pub const REFERENCE_FPS: u32 = 60;

/// One encoder as it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The version of what encoded.
    pub library: String,
    /// Pixels a second of a busy desktop, conversion included.
    pub pixels_per_second: u64,
}

impl Measured {
    pub fn holds(&self, width: u32, height: u32, fps: u32) -> bool {
        u64::from(width)
            .saturating_mul(u64::from(height))
            .saturating_mul(u64::from(fps))
            <= self.pixels_per_second
    }

    /// 1080p at 60 pictures a second.
    pub fn holds_reference(&self) -> bool {
        self.holds(REFERENCE.0, REFERENCE.1, REFERENCE_FPS)
    }

    /// For a person: "1080p at 87 pictures a second".
    pub fn text(&self) -> String {
        let picture = u64::from(REFERENCE.0) * u64::from(REFERENCE.1);
        let fps = self.pixels_per_second / picture;
        format!("1080p at {fps} pictures a second")
    }
}

/// What was measured, and where: it counts for that program on that machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Speeds {
    /// Version of the agent.
    pub program: String,
    /// As the kernel names it.
    pub processor: String,
    pub cores: usize,
    /// By the encoder's name.
    pub encoders: BTreeMap<String, Measured>,
}

impl Speeds {
    /// `$XDG_CACHE_HOME`, else `~/.cache`. `None` without a home.
    pub fn path() -> Option<PathBuf> {
        let absolute = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let cache =
            absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        cache.map(|cache| cache.join(FILE))
    }

    /// What stands there; a file that is missing, too large or of another form is none.
    pub fn load(path: &Path) -> Option<Self> {
        let mut text = String::new();
        let file = File::open(path).ok()?;
        file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Replaces the file in one step.
    ///
    /// # Errors
    /// A directory that cannot be made or written.
    pub fn store(&self, path: &Path) -> io::Result<()> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let new = path.with_extension(format!("{}.new", std::process::id()));
        let written =
            fs::write(&new, serde_json::to_vec_pretty(self)?).and_then(|()| fs::rename(&new, path));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_loaded_and_what_is_broken_is_none() {
        let directory = std::env::temp_dir().join(format!("pf-speeds-{}", std::process::id()));
        let path = directory.join("deep/encoders.json");
        assert_eq!(Speeds::load(&path), None);
        let speeds = Speeds {
            program: "1".into(),
            processor: "a fast one".into(),
            cores: 2,
            encoders: BTreeMap::from([(
                "openh264".into(),
                Measured {
                    library: "2".into(),
                    pixels_per_second: 3,
                },
            )]),
        };
        speeds.store(&path).unwrap();
        assert_eq!(Speeds::load(&path), Some(speeds));
        let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "nothing is left beside it");
        for broken in ["", "{", "[]", &" ".repeat(70_000)] {
            fs::write(&path, broken).unwrap();
            assert_eq!(Speeds::load(&path), None, "{broken:.9}");
        }
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_mode_is_held_by_its_pixels_a_second() {
        let measured = |fps: u64| Measured {
            library: String::new(),
            pixels_per_second: 1920 * 1080 * fps,
        };
        assert_eq!(measured(87).text(), "1080p at 87 pictures a second");
        assert!(measured(60).holds_reference() && !measured(59).holds_reference());
        assert!(measured(60).holds(1280, 720, 120) && !measured(60).holds(3840, 2160, 30));
        assert!(!measured(60).holds(u32::MAX, u32::MAX, u32::MAX));
    }
}
