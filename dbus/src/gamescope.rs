//! What an installed gamescope says of itself: the agent starts one by it, and `punktfunkctl doctor` judges one by it.

/// The options by which it has neither window nor screen, as its `--help` has them; None: it has none, and is too old.
pub fn windowless(help: &str) -> Option<&'static [&'static str]> {
    let has = |option: &str| {
        help.split_whitespace()
            .any(|word| word.trim_end_matches(',') == option)
    };
    if has("--backend") && has("headless") {
        Some(&["--backend", "headless"])
    } else if has("--headless") {
        Some(&["--headless"])
    } else {
        None
    }
}

/// Its version, for a person. Newer ones print theirs before the help.
pub fn version(help: &str) -> String {
    help.split_once("version ")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .map_or_else(
            || "of unknown version".to_owned(),
            |version| format!("version {version}"),
        )
}
