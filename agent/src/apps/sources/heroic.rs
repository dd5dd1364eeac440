//! Heroic: the installed games of its stores (Epic, GOG, Amazon) and the ones added by hand, from its JSON caches.
use crate::apps::{
    bounded,
    entry::{Art, Entry, Found, Run, Source, Tracking},
    places::Places,
};
use serde_json::Value;
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

/// Libraries hold every game that was ever bought.
const MAX_FILE: u64 = 32 << 20;
const FLATPAK: &str = "com.heroicgameslauncher.hgl";
/// What runs a game, where its library is, and (where the library does not say so) where the installed ones are.
const STORES: [(&str, &str, &str); 4] = [
    (
        "legendary",
        "store_cache/legendary_library.json",
        "legendaryConfig/legendary/installed.json",
    ),
    (
        "gog",
        "store_cache/gog_library.json",
        "gog_store/installed.json",
    ),
    (
        "nile",
        "store_cache/nile_library.json",
        "nile_config/nile/installed.json",
    ),
    ("sideload", "sideload_apps/library.json", ""),
];

/// Every installed game; nothing where there is no Heroic.
pub fn find(places: &Places) -> Found {
    let mut found = Found::default();
    if let Some(heroic) = places.program("heroic") {
        let launcher = [heroic.to_string_lossy().into_owned(), "--no-gui".to_owned()];
        stores(&places.config.join("heroic"), &launcher, &mut found);
    }
    if places.has_flatpak(FLATPAK) {
        let launcher = ["flatpak", "run", FLATPAK, "--no-gui"].map(str::to_owned);
        let config = places
            .home
            .join(".var/app")
            .join(FLATPAK)
            .join("config/heroic");
        stores(&config, &launcher, &mut found);
    }
    found
}

fn stores(root: &Path, launcher: &[String], found: &mut Found) {
    for (runner, library, installed) in STORES {
        let path = root.join(library);
        if !path.exists() {
            continue;
        }
        let value = match read(&path) {
            Ok(value) => value,
            Err(reason) => {
                found.problem(&path, reason);
                continue;
            }
        };
        let installed = installed_ids(&root.join(installed));
        let games = ["library", "games"]
            .iter()
            .find_map(|name| value.get(name)?.as_array());
        for game in games.into_iter().flatten() {
            match entry(game, runner, root, &installed, launcher) {
                Ok(Some(entry))
                    if found
                        .entries
                        .iter()
                        .any(|other| other.native == entry.native) => {}
                entry => found.take(&path, entry),
            }
        }
    }
}

fn read(path: &Path) -> Result<Value, String> {
    let bytes = bounded::read(path, MAX_FILE).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

/// The stores write this as a table by id, as a list, or as a list named `installed`.
fn installed_ids(path: &Path) -> HashSet<String> {
    let Ok(value) = read(path) else {
        return HashSet::new();
    };
    let list = value.get("installed").unwrap_or(&value);
    match list {
        Value::Object(table) => table.keys().cloned().collect(),
        Value::Array(games) => games
            .iter()
            .filter_map(|game| {
                ["appName", "app_name", "id"]
                    .iter()
                    .find_map(|key| text(game, key))
            })
            .map(str::to_owned)
            .collect(),
        _ => HashSet::new(),
    }
}

fn text<'a>(game: &'a Value, key: &str) -> Option<&'a str> {
    game.get(key)?.as_str().filter(|text| !text.is_empty())
}

fn entry(
    game: &Value,
    runner: &str,
    root: &Path,
    installed: &HashSet<String>,
    launcher: &[String],
) -> Result<Option<Entry>, String> {
    let id = text(game, "app_name").ok_or("a game without app_name")?;
    let here = game
        .get("is_installed")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let extra = game
        .get("install")
        .and_then(|install| install.get("is_dlc"))
        .and_then(Value::as_bool);
    if (!here && !installed.contains(id)) || extra == Some(true) {
        return Ok(None);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.len() > 128 || !id.chars().all(plain) {
        return Err("a game's app_name has other than letters, digits, '-', '_' and '.'".into());
    }
    let title = text(game, "title").unwrap_or(id);
    let mut command = launcher.to_vec();
    command.push(format!("heroic://launch/{runner}/{id}"));
    Ok(Some(Entry {
        source: Source::Heroic,
        native: format!("{runner}/{id}"),
        title: title.to_owned(),
        run: Run::new(command, Tracking::HandOver),
        art: Art {
            covers: local_cover(game, root).into_iter().collect(),
            icon: Some(id.to_owned()),
        },
    }))
}

/// Pictures of stores lie on the web, and are not fetched; those of games added by hand may be files.
fn local_cover(game: &Value, root: &Path) -> Option<PathBuf> {
    let cover = text(game, "art_square").or_else(|| text(game, "art_cover"))?;
    let path = PathBuf::from(cover.strip_prefix("file://").unwrap_or(cover));
    (path.is_absolute() || cover.starts_with("images/")).then(|| root.join(path))
}
