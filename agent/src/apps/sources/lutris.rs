//! Lutris: the games that have a configuration file. Their database is not read; titles come from the file, or from its
//! name.
use crate::apps::{
    bounded,
    entry::{Art, Entry, Found, Run, Source, Tracking},
    places::Places,
};
use std::path::Path;

const MAX_FILE: u64 = 256 * 1024;
const FLATPAK: &str = "net.lutris.Lutris";

/// Every configured game; nothing where there is no Lutris.
pub fn find(places: &Places) -> Found {
    let mut found = Found::default();
    if let Some(lutris) = places.program("lutris") {
        let launcher = [lutris.to_string_lossy().into_owned()];
        games(&places.data.join("lutris"), &launcher, &mut found);
        // where it kept them until 0.5.18
        games(&places.config.join("lutris"), &launcher, &mut found);
    }
    if places.has_flatpak(FLATPAK) {
        let launcher = ["flatpak", "run", FLATPAK].map(str::to_owned);
        let data = places
            .home
            .join(".var/app")
            .join(FLATPAK)
            .join("data/lutris");
        games(&data, &launcher, &mut found);
    }
    found
}

fn games(root: &Path, launcher: &[String], found: &mut Found) {
    for path in bounded::list(&root.join("games")) {
        if path.extension().is_some_and(|extension| extension == "yml") {
            match game(&path, root, launcher) {
                Ok(entry)
                    if found
                        .entries
                        .iter()
                        .any(|other| other.native == entry.native) => {}
                entry => found.take(&path, entry.map(Some)),
            }
        }
    }
}

fn game(path: &Path, root: &Path, launcher: &[String]) -> Result<Entry, String> {
    let text = bounded::read_text(path, MAX_FILE).map_err(|error| error.to_string())?;
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    let slug = top_level(&text, "game_slug")
        .or_else(|| top_level(&text, "slug"))
        .unwrap_or_else(|| without_stamp(stem).to_owned());
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if slug.is_empty() || slug.len() > 128 || !slug.chars().all(plain) {
        return Err("the game's short name (slug) is not one".into());
    }
    let title = top_level(&text, "name").unwrap_or_else(|| spoken(&slug));
    let mut command = launcher.to_vec();
    command.push(format!("lutris:rungame/{slug}"));
    let art = Art {
        covers: vec![
            root.join("coverart").join(format!("{slug}.jpg")),
            root.join("coverart").join(format!("{slug}.png")),
        ],
        icon: Some(format!("lutris_{slug}")),
    };
    Ok(Entry {
        source: Source::Lutris,
        native: slug,
        title,
        run: Run::new(command, Tracking::HandOver),
        art,
    })
}

/// A text at the outermost level of a YAML file: `key: value`, plain or quoted, on one line.
fn top_level(text: &str, key: &str) -> Option<String> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?
        .trim();
    let quoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    let value = quoted.unwrap_or(value);
    (!value.is_empty() && !value.starts_with(['|', '>', '{', '[', '&'])).then(|| value.to_owned())
}

/// Configuration files are called `slug-1700000000`.
fn without_stamp(stem: &str) -> &str {
    match stem.rsplit_once('-') {
        Some((slug, stamp)) if stamp.len() >= 9 && stamp.bytes().all(|b| b.is_ascii_digit()) => {
            slug
        }
        _ => stem,
    }
}

/// `the-witness` is told as `The Witness`.
fn spoken(slug: &str) -> String {
    let words = slug
        .split(['-', '_'])
        .filter(|word| !word.is_empty())
        .map(|word| {
            let mut characters = word.chars();
            let first = characters.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(characters).collect::<String>()
        });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_and_titles_come_from_the_file_or_from_its_name() {
        assert_eq!(without_stamp("the-witness-1700000000"), "the-witness");
        assert_eq!(without_stamp("portal-2"), "portal-2");
        assert_eq!(spoken("the-witness"), "The Witness");
        let text = "game:\n  name: not this\nname: 'The Witness'\nslug: the-witness\n";
        assert_eq!(top_level(text, "name").unwrap(), "The Witness");
        assert_eq!(top_level(text, "slug").unwrap(), "the-witness");
        assert_eq!(top_level("name: |\n", "name"), None);
        assert_eq!(top_level("game: {}\n", "name"), None);
    }
}
