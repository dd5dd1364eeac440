//! `.desktop` files of the XDG data directories: games, and what the user's own file names besides.
use super::desktop_file::DesktopFile;
use crate::apps::{
    bounded,
    entry::{Art, Entry, Found, Run, Source, Tracking},
    places::Places,
};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

const MAX_FILE: u64 = 256 * 1024;
/// Most files, and how deep they may lie.
const MAX_FILES: usize = 8192;
const MAX_DEPTH: u32 = 4;

/// Every application to be published. `published` are desktop file ids (with or without `.desktop`) that are no games.
pub fn find(places: &Places, published: &HashSet<String>) -> Found {
    let mut found = Found::default();
    let mut seen = HashSet::new();
    let mut budget = MAX_FILES;
    for directory in places.all_data() {
        let root = directory.join("applications");
        let mut files = Vec::new();
        collect(&root, MAX_DEPTH, &mut budget, &mut files);
        for file in files {
            let Some(id) = id_of(&root, &file) else {
                continue;
            };
            // The first of an id hides the others, whatever is in it.
            if seen.insert(id.clone()) {
                let entry = read(places, &file, &id, published);
                found.take(&file, entry);
            }
        }
    }
    found
}

fn collect(directory: &Path, depth: u32, budget: &mut usize, files: &mut Vec<PathBuf>) {
    for path in bounded::list(directory) {
        if *budget == 0 {
            return;
        }
        *budget -= 1;
        if path
            .extension()
            .is_some_and(|extension| extension == "desktop")
        {
            files.push(path);
        } else if depth > 0 && path.is_dir() {
            collect(&path, depth - 1, budget, files);
        }
    }
}

/// The desktop file id: the path below `applications`, with dashes.
fn id_of(root: &Path, file: &Path) -> Option<String> {
    let relative = file.strip_prefix(root).ok()?.to_str()?;
    Some(relative.strip_suffix(".desktop")?.replace('/', "-"))
}

fn read(
    places: &Places,
    path: &Path,
    id: &str,
    published: &HashSet<String>,
) -> Result<Option<Entry>, String> {
    let text = bounded::read_text(path, MAX_FILE).map_err(|error| error.to_string())?;
    let file = DesktopFile::parse(&text)?;
    let wanted =
        file.list("Categories").any(|category| category == "Game") || published.contains(id);
    if !wanted
        || file.text("Type").as_deref() != Some("Application")
        || ["Hidden", "NoDisplay", "Terminal"]
            .iter()
            .any(|key| file.is_true(key))
        || !file.shown_on(&places.desktops)
    {
        return Ok(None);
    }
    if file
        .text("TryExec")
        .is_some_and(|program| places.program(&program).is_none())
    {
        return Ok(None);
    }
    let title = file
        .localised("Name", &places.languages)
        .ok_or("there is no Name")?;
    let command = file.command(&title, &path.to_string_lossy())?;
    let mut run = Run::new(command, Tracking::Processes);
    run.directory = file
        .text("Path")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    if run
        .directory
        .as_ref()
        .is_some_and(|path| !path.is_absolute())
    {
        return Err("Path is not absolute".into());
    }
    Ok(Some(Entry {
        source: Source::Desktop,
        native: id.to_owned(),
        title,
        run,
        art: Art {
            covers: Vec::new(),
            icon: file.text("Icon").filter(|icon| !icon.is_empty()),
        },
    }))
}
