//! Steam: the installed games of every library folder, launched by Steam itself.
use super::vdf::{self, Value};
use crate::apps::{
    bounded,
    entry::{Art, Entry, Found, Run, Source, Tracking},
    places::Places,
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

const MAX_FILE: u64 = 2 << 20;
const MAX_LIBRARIES: usize = 32;
const FLATPAK: &str = "com.valvesoftware.Steam";
/// The bit of `StateFlags` that says "installed".
const INSTALLED: u32 = 4;
/// What Steam installs beside games.
const TOOLS: [&str; 3] = ["Proton ", "Steam Linux Runtime", "Steamworks Common"];

/// Every installed game; nothing where there is no Steam.
pub fn find(places: &Places) -> Found {
    let mut found = Found::default();
    let flatpak = places
        .home
        .join(".var/app")
        .join(FLATPAK)
        .join("data/Steam");
    let native = [
        places.data.join("Steam"),
        places.home.join(".steam/steam"),
        places.home.join(".steam/root"),
    ];
    if let Some(steam) = places.program("steam") {
        let launcher = [steam.to_string_lossy().into_owned()];
        for root in native {
            library(&root, &launcher, &mut found);
        }
    }
    if places.has_flatpak(FLATPAK) {
        let launcher = ["flatpak", "run", FLATPAK].map(str::to_owned);
        library(&flatpak, &launcher, &mut found);
    }
    found
}

/// The games of one Steam installation.
fn library(root: &Path, launcher: &[String], found: &mut Found) {
    let index = root.join("steamapps/libraryfolders.vdf");
    if !index.exists() {
        return;
    }
    let folders = match folders(root, &index) {
        Ok(folders) => folders,
        Err(reason) => return found.problem(&index, reason),
    };
    for folder in folders {
        for path in bounded::list(&folder.join("steamapps")) {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if name.starts_with("appmanifest_") && name.ends_with(".acf") {
                let entry = manifest(&path, root, launcher);
                // The same installation is often reached by several paths.
                let known = |entry: &Entry| {
                    found
                        .entries
                        .iter()
                        .any(|other| other.native == entry.native)
                };
                match entry {
                    Ok(Some(entry)) if known(&entry) => {}
                    entry => found.take(&path, entry),
                }
            }
        }
    }
}

fn folders(root: &Path, index: &Path) -> Result<BTreeSet<PathBuf>, String> {
    let value = read(index)?;
    let list = value
        .get("libraryfolders")
        .ok_or("it names no library folders")?;
    let named = list
        .entries()
        .iter()
        .take(MAX_LIBRARIES)
        .filter_map(|(_, folder)| match folder {
            Value::Table(_) => folder.text("path").map(PathBuf::from),
            // as older versions wrote it
            Value::Text(path) => Some(PathBuf::from(path)),
        });
    Ok(named
        .chain([root.to_owned()])
        .filter(|path| path.is_absolute())
        .filter_map(|path| path.canonicalize().ok())
        .collect())
}

fn read(path: &Path) -> Result<Value, String> {
    let text = bounded::read_text(path, MAX_FILE).map_err(|error| error.to_string())?;
    vdf::parse(&text)
}

fn manifest(path: &Path, root: &Path, launcher: &[String]) -> Result<Option<Entry>, String> {
    let value = read(path)?;
    let state = value.get("AppState").ok_or("there is no AppState")?;
    let number = |name| state.text(name).and_then(|text| text.parse::<u32>().ok());
    let id = number("appid").ok_or("there is no appid")?;
    let title = state.text("name").ok_or("there is no name")?;
    let installed = number("StateFlags").is_some_and(|flags| flags & INSTALLED != 0);
    if !installed || TOOLS.iter().any(|tool| title.starts_with(tool)) {
        return Ok(None);
    }
    let mut command = launcher.to_vec();
    command.push(format!("steam://rungameid/{id}"));
    Ok(Some(Entry {
        source: Source::Steam,
        native: id.to_string(),
        title: title.to_owned(),
        run: Run::new(command, Tracking::Steam(id)),
        art: Art {
            covers: covers(root, id),
            icon: None,
        },
    }))
}

/// Where Steam keeps the upright picture of a game: in a folder of the game's, in a folder below that, or (older) beside it.
fn covers(root: &Path, id: u32) -> Vec<PathBuf> {
    let cache = root.join("appcache/librarycache");
    let own = cache.join(id.to_string());
    let mut covers = vec![own.join("library_600x900.jpg")];
    covers.extend(
        bounded::list(&own)
            .into_iter()
            .filter(|path| path.is_dir())
            .map(|directory| directory.join("library_600x900.jpg")),
    );
    covers.push(cache.join(format!("{id}_library_600x900.jpg")));
    covers
}
