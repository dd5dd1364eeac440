//! Where an icon's file may lie. Bitmaps of the common theme only: drawing SVG is not worth a renderer here.
use crate::apps::places::Places;
use std::path::PathBuf;

const SIZES: [&str; 7] = [
    "512x512", "256x256", "192x192", "128x128", "96x96", "64x64", "48x48",
];

/// Files to try, best first, for an icon's name or absolute path.
pub fn candidates(places: &Places, name: &str) -> Vec<PathBuf> {
    if name.starts_with('/') {
        return vec![PathBuf::from(name)];
    }
    let name = name.strip_suffix(".png").unwrap_or(name);
    if name.is_empty() || name.contains('/') {
        return Vec::new();
    }
    let file = format!("{name}.png");
    let mut files = Vec::new();
    let own = [places.home.join(".icons/hicolor")];
    let shared = places.all_data().map(|data| data.join("icons/hicolor"));
    for theme in own.into_iter().chain(shared) {
        files.extend(SIZES.map(|size| theme.join(size).join("apps").join(&file)));
    }
    files.extend(
        places
            .all_data()
            .map(|data| data.join("pixmaps").join(&file)),
    );
    files
}
