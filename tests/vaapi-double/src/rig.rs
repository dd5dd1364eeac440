//! For tests: the double under libva's names in a directory of its own, a render node, and the books.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// Which of libva's libraries are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Libraries {
    /// Files that are no libraries, so that the machine's own are not found either.
    Broken,
    Both,
}

/// A picture as the books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Which of the contexts so far, from 1.
    pub context: u64,
    /// Counted in its context, from 0.
    pub number: u64,
    /// `IDR` or `P`.
    pub kind: String,
    /// The number of the picture that this one refers to.
    pub from: Option<u64>,
    pub kbps: u32,
    pub bytes: usize,
}

/// A driver that programs find through `LD_LIBRARY_PATH`.
pub struct Rig {
    directory: PathBuf,
}

impl Rig {
    /// # Panics
    /// When the double was not built, or there is no temporary directory.
    pub fn new(libraries: Libraries) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("punktfunk-vaapi-{}-{unique}", std::process::id()));
        for name in ["lib", "books"] {
            fs::create_dir_all(directory.join(name)).expect("temporary directory");
        }
        fs::write(directory.join("renderD128"), "").expect("a render node");
        for name in ["libva.so.2", "libva-drm.so.2"] {
            let path = directory.join("lib").join(name);
            match libraries {
                Libraries::Broken => fs::write(&path, "no library").expect("a file"),
                Libraries::Both => {
                    symlink(beside_the_test("libvaapi_double.so"), &path).expect("symbolic link");
                }
            }
        }
        Self { directory }
    }

    /// What a program is started with to find this driver.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("LD_LIBRARY_PATH", self.directory.join("lib").into()),
            ("PUNKTFUNK_RENDER_NODE", self.node().into()),
            ("VAAPI_DOUBLE_BOOKS", self.books().into()),
        ]
    }

    pub fn node(&self) -> PathBuf {
        self.directory.join("renderD128")
    }

    pub fn books(&self) -> PathBuf {
        self.directory.join("books")
    }

    /// The calls that a real driver would have refused.
    pub fn faults(&self) -> String {
        self.text("vaapi.faults")
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.books().join(name)).unwrap_or_default()
    }

    /// How many of it there are: `displays`, `configs`, `contexts`, `surfaces`, `buffers`, `images`, `contexts_opened`, …
    pub fn count(&self, name: &str) -> usize {
        let text = self.text("vaapi");
        let value = text.lines().find_map(|line| {
            let (found, value) = line.split_once('=')?;
            (found == name).then(|| value.parse().ok())?
        });
        value.unwrap_or(0)
    }

    /// What is left over of anything.
    pub fn left_over(&self) -> Vec<(&'static str, usize)> {
        [
            "displays", "configs", "contexts", "surfaces", "buffers", "images", "mapped",
        ]
        .into_iter()
        .map(|name| (name, self.count(name)))
        .filter(|(_, count)| *count > 0)
        .collect()
    }

    /// Every picture so far.
    pub fn pictures(&self) -> Vec<Picture> {
        let text = self.text("vaapi.pictures");
        text.lines().filter_map(picture).collect()
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
    let [context, number, kind, from, kbps, bytes] = words[..] else {
        return None;
    };
    Some(Picture {
        context: context.parse().ok()?,
        number: number.parse().ok()?,
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
