//! For tests: the doubles under NVIDIA's names in a directory of their own, and their books.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// Which of NVIDIA's libraries are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Libraries {
    None,
    CudaAlone,
    Both,
    /// And an EGL that knows the card, on the machine's own one.
    WithEgl,
}

/// Where Debian and others have EGL.
const EGL: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/libEGL.so.1",
    "/usr/lib/aarch64-linux-gnu/libEGL.so.1",
    "/usr/lib64/libEGL.so.1",
    "/usr/lib/libEGL.so.1",
];
/// Mesa, where other drivers are installed as well.
const MESA: &str = "/usr/share/glvnd/egl_vendor.d/50_mesa.json";

/// A picture as the books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub session: u64,
    pub stamp: u64,
    /// `IDR`, `I` or `P`.
    pub kind: String,
    /// The stamp of the picture that this one refers to.
    pub from: Option<u64>,
    pub kbps: u32,
    pub bytes: usize,
}

/// A driver that programs find through `LD_LIBRARY_PATH`.
pub struct Rig {
    directory: PathBuf,
    libraries: Libraries,
}

impl Rig {
    /// # Panics
    /// When the doubles were not built, or there is no temporary directory.
    pub fn new(libraries: Libraries) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("punktfunk-nvenc-{}-{unique}", std::process::id()));
        for name in ["lib", "books"] {
            fs::create_dir_all(directory.join(name)).expect("temporary directory");
        }
        let install = |double: &str, name: &str| {
            let built = beside_the_test(double);
            symlink(&built, directory.join("lib").join(name)).expect("symbolic link");
        };
        if libraries != Libraries::None {
            install("libcuda_double.so", "libcuda.so.1");
        }
        if [Libraries::Both, Libraries::WithEgl].contains(&libraries) {
            install("libnvenc_double.so", "libnvidia-encode.so.1");
        }
        if libraries == Libraries::WithEgl {
            install("libegl_double.so", "libEGL.so.1");
        }
        Self {
            directory,
            libraries,
        }
    }

    /// What a program is started with to find this driver. Without an EGL of ours it is not to look for the machine's.
    ///
    /// # Panics
    /// When the machine has no EGL that ours could be put upon.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut all: Vec<(&str, OsString)> = vec![
            ("LD_LIBRARY_PATH", self.directory.join("lib").into()),
            ("CUDA_DOUBLE_BOOKS", self.books().into()),
            ("NVENC_DOUBLE_BOOKS", self.books().into()),
        ];
        if self.libraries != Libraries::WithEgl {
            all.push(("PUNKTFUNK_NVENC_IMPORT", "0".into()));
            return all;
        }
        let egl = EGL.into_iter().find(|path| Path::new(path).exists());
        all.extend([
            ("EGL_DOUBLE_BOOKS", self.books().into()),
            ("EGL_DOUBLE_REAL", egl.expect("Debian's libegl1").into()),
            ("LIBGL_ALWAYS_SOFTWARE", "1".into()),
            ("MESA_SHADER_CACHE_DISABLE", "true".into()),
        ]);
        if Path::new(MESA).exists() {
            all.push(("__EGL_VENDOR_LIBRARY_FILENAMES", MESA.into()));
        }
        all
    }

    pub fn books(&self) -> PathBuf {
        self.directory.join("books")
    }

    /// From now on pictures of several slices lack their last one,
    ///
    /// # Panics
    /// When the books are gone.
    pub fn hold_slices(&self) {
        fs::write(self.books().join("hold"), b"").expect("the books");
    }

    /// and now no more.
    pub fn release_slices(&self) {
        let _ = fs::remove_file(self.books().join("hold"));
    }

    /// The calls that a real driver would have refused.
    pub fn faults(&self) -> String {
        ["cuda.faults", "nvenc.faults", "egl.faults"]
            .map(|name| self.text(name))
            .concat()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.books().join(name)).unwrap_or_default()
    }

    /// How many of it there are: `sessions`, `registered`, `bitstreams`, `contexts`, `memory`, `pinned`, …
    pub fn count(&self, name: &str) -> usize {
        let text = ["cuda", "nvenc", "egl"]
            .map(|name| self.text(name))
            .concat();
        let value = text.lines().find_map(|line| {
            let (found, value) = line.split_once('=')?;
            (found == name).then(|| value.parse().ok())?
        });
        value.unwrap_or(0)
    }

    /// Every picture so far.
    pub fn pictures(&self) -> Vec<Picture> {
        let text = self.text("nvenc.pictures");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(picture).collect()
    }

    /// Invalidations and changes of the rate: `session invalidate stamp`, `session rate kbps`.
    pub fn calls(&self) -> Vec<String> {
        self.text("nvenc.calls")
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "the driver's books are kept in {}",
                self.directory.display()
            );
        } else {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

fn picture(line: &str) -> Option<Picture> {
    let words: Vec<&str> = line.split(' ').collect();
    let [session, stamp, kind, from, kbps, bytes] = words[..] else {
        return None;
    };
    Some(Picture {
        session: session.parse().ok()?,
        stamp: stamp.parse().ok()?,
        kind: kind.to_owned(),
        from: from.parse().ok(),
        kbps: kbps.parse().ok()?,
        bytes: bytes.parse().ok()?,
    })
}

/// cargo puts the libraries that a test depends on where it puts the test.
fn beside_the_test(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("path of the test");
    let directory = test.parent().unwrap_or(Path::new("/"));
    let path = directory.join(name);
    assert!(path.exists(), "{} was not built", path.display());
    path
}
